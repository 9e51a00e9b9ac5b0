"""Copying history from the live store to the archive, one way: whatever is marked, and once everything there is.

A fact is copied before its mark is struck, and copying it again changes nothing, so an archiver may die at any moment and
any number of them may be at work. The order in which facts are copied means nothing.

Both sides count the pages that were copied, the archive first. An archive that knows of fewer than the live store was
taken back to an earlier state, or is another one: what was struck since is not in it, and everything is copied again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from interlock.archive.database import Archive, Page, Unchecked
from interlock.archive.gaps import Gap, GapReason, gap_of, journal_gap
from interlock.archive.marked import Found, Reader, marks_in
from interlock.archive.rows import rows_of
from interlock.archive.writing import Unit, Writer
from interlock.core.ids import parse_run_id
from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import Damaged, Kernel, Put, Record
from interlock.stores.kernel import Page as ListPage
from interlock.stores.marks import FACTS, Mark, is_fact, say_everything, set_aside, strike, waiting_since
from interlock.stores.walking import walkable

MARKS: Final = 500
"""So many marks are copied in one transaction."""

ROWS: Final = 1000
"""So many rows of the live store are looked at in one step when everything is copied."""

_STEPS: Final = 20
_RUNS: Final = 500
_COPY: Final = "copy"
_DONE: Final = "done"
_GAPS: Final = 10_000
_COUNTED: Final = 10_000
_COUNT_PAGE: Final = 1000


class Report(NamedTuple):
    """What came of one turn: rows that were new or newer, marks that were struck, and whether everything that was there
    before is copied too. `again`: the archive was taken back, so that everything is copied once more."""

    rows: int = 0
    marks: int = 0
    whole: bool = True
    again: bool = False


class Behind(NamedTuple):
    """How far the archive is behind. `waiting` is counted up to 10,000; `since` is the oldest of them."""

    waiting: int
    since: datetime | None
    aside: int
    whole: bool
    gaps: tuple[Gap, ...]

    @property
    def level(self) -> bool:
        """Whether nothing waits and nothing is missing."""
        return self.whole and not (self.waiting or self.aside or self.gaps)


class Archiver:
    """Copies from a kernel to an archive. One thread; several archivers may be at work. `stopped` is asked between pages."""

    def __init__(self, kernel: Kernel, archive: Archive, *, stopped: Callable[[], bool] = lambda: False) -> None:
        self._kernel = kernel
        self._archive = archive
        self._stopped = stopped
        self._writer = Writer(archive)
        self._struck = 0

    def turn(self) -> Report:
        """Copy all that is marked, all that was there before, and look for gaps; or as much as there is time for.

        Raises:
            StoreUnavailable: one of the two did not answer. Nothing is lost; the next turn goes on where this one was.
            StoreError: one of the two cannot be used.
        """
        self._archive.prepare()
        rows, struck = self._writer.rows, self._struck
        again = self._taken_back()
        self._drain(keys.ARCHIVE_KIND)
        self._drain(keys.ARCHIVE_LEFT_KIND)
        while not self._copied() and not self._stopped():
            self._copy_on()
            self._drain(keys.ARCHIVE_KIND)
        whole = self._copied()
        self._look_for_gaps()
        say_everything(self._kernel, archived=whole)
        return Report(self._writer.rows - rows, self._struck - struck, whole, again)

    def begin_anew(self) -> None:
        """Let the next turns copy everything there is, whether it was copied before or not.

        Raises:
            StoreError: the archive cannot be written.
        """
        self._archive.prepare()
        self._archive.begin_anew()

    def gaps(self) -> tuple[Gap, ...]:
        """Return what is missing, as far as it was noticed.

        Raises:
            StoreError: the archive cannot be read.
        """
        return tuple(self._archive.gaps(_GAPS))

    def behind(self) -> Behind:
        """Say how far the archive is behind. Nothing is written.

        Raises:
            StoreError: one of the two cannot be read.
        """
        known = self._archive.exists()
        return Behind(
            waiting=counted(self._kernel, keys.ARCHIVE_KIND),
            since=waiting_since(self._kernel),
            aside=counted(self._kernel, keys.ARCHIVE_LEFT_KIND),
            whole=known and self._copied() and self._archive.generation() >= _generation(self._kernel),
            gaps=self.gaps() if known else (),
        )

    # ------------------------------------------------------------------ what is marked

    def _drain(self, kind: str) -> None:
        for found in marks_in(self._kernel, kind, MARKS):
            if self._stopped():
                return
            self._take(found, retried=kind == keys.ARCHIVE_LEFT_KIND)

    def _take(self, found: Found, *, retried: bool) -> None:
        reader = Reader(self._kernel)
        read = [facts for facts in map(reader.facts, found.marks) if facts is not None]
        generation = _generation(self._kernel) + 1
        # What is sound of a mark is copied, whatever is wrong with the rest of it.
        refused = self._writer.write([facts.unit for facts in read], generation=generation)
        gaps = [*(gap for facts in read for gap in facts.gaps), *refused.values()]
        if gaps:
            self._archive.write(Page((), gaps=gaps))
        left = [facts.mark for number, facts in enumerate(read) if number in refused or not facts.gone]
        done = [facts.mark for number, facts in enumerate(read) if number not in refused and facts.gone]
        if done:
            _count(self._kernel, generation)
        self._strike(done)
        for mark in left if not retried else ():
            set_aside(self._kernel, mark)
        if found.damaged:
            # Nobody knows what they named, and copying everything finds it.
            self._forget_all()
            for pk, sk in found.damaged:
                strike(self._kernel, pk, [sk])

    def _strike(self, marks: Sequence[Mark]) -> None:
        partitions: dict[str, list[str]] = {}
        for mark in marks:
            partitions.setdefault(mark.pk, []).append(mark.sk)
        for pk, names in partitions.items():
            strike(self._kernel, pk, names)
        self._struck += len(marks)

    # ------------------------------------------------------------------ all there is

    def _taken_back(self) -> bool:
        if self._archive.generation() >= _generation(self._kernel):
            return False
        begun = self._archive.cursor(_COPY) is not None
        self._forget_all()
        self._archive.write(Page((), generation=_generation(self._kernel)))
        return begun

    def _forget_all(self) -> None:
        say_everything(self._kernel, archived=False)
        self._archive.begin_anew()

    def _copied(self) -> bool:
        return self._archive.cursor(_COPY) == _DONE

    def _copy_on(self) -> None:
        """Copy a few steps more of everything."""
        rows = walkable(self._kernel)
        for _ in range(_STEPS):
            known = self._archive.cursor(_COPY)
            walk = rows.walk(None if known is None else msgspec.json.decode(known, type=str), ROWS)
            cursor = _DONE if walk.cursor is None else msgspec.json.encode(walk.cursor).decode()
            self._keep(walk.found, cursor)
            if walk.cursor is None or self._stopped():
                return

    def _keep(self, found: Sequence[Record | Damaged], cursor: str) -> None:
        gaps = [
            gap_of(each.pk, each.sk, GapReason.UNREADABLE, each.trouble)
            for each in found
            if isinstance(each, Damaged) and each.sk.startswith(FACTS)
        ]
        units: list[Unit] = []
        for record in found:
            if isinstance(record, Record) and is_fact(record):
                try:
                    units.append(_unit(record))
                except UnreadableRecord as exc:
                    gaps.append(gap_of(record.pk, record.sk, GapReason.UNREADABLE, str(exc)))
        gaps += self._writer.write(units).values()
        self._archive.write(Page((), gaps=gaps, cursors={_COPY: cursor}))

    # ------------------------------------------------------------------ gaps

    def _look_for_gaps(self) -> None:
        while (runs := self._archive.unchecked(_RUNS)) and not self._stopped():
            for run in runs:
                self._mend(run)
            self._archive.checked(runs)

    def _mend(self, run: Unchecked) -> None:
        """Fetch what is missing of a run's journal from the live store, and note what is missing there too."""
        key = parse_run_id(run.run_id)
        pk = keys.slot_pk(key.slot)
        units: list[Unit] = []
        gaps: list[Gap] = []
        for version in run.missing:
            sk = keys.journal_sk(key, version)
            try:
                record = self._kernel.get(pk, sk)
                if record is None:
                    gaps.append(journal_gap(key, version))
                else:
                    units.append(_unit(record))
            except UnreadableRecord as exc:
                gaps.append(gap_of(pk, sk, GapReason.UNREADABLE, str(exc)))
        gaps += self._writer.write(units).values()
        if gaps:
            self._archive.write(Page((), gaps=gaps))


def _unit(record: Record) -> Unit:
    return Unit(record.pk, (record.sk,), tuple(rows_of(record)))


def counted(kernel: Kernel, kind: str) -> int:
    """Return how many marks are in a listing, counted up to 10,000. One that cannot be read ends the count.

    Raises:
        StoreError: the store does not answer.
    """
    found, after = 0, None
    while found < _COUNTED:
        try:
            page = kernel.listing(kind, ListPage(limit=_COUNT_PAGE, after=after))
        except UnreadableRecord:
            return found + 1
        found += len(page)
        if len(page) < _COUNT_PAGE:
            break
        after = f"{page[-1].rank}\0{page[-1].pk}\0{page[-1].sk}"
    return found


def _generation(kernel: Kernel) -> int:
    row = kernel.get(keys.ARCHIVE_PK, keys.GENERATION_SK)
    return 0 if row is None else row.version


def _count(kernel: Kernel, generation: int) -> None:
    # False: somebody else has counted on, which is as good: the archive knows of that many as well.
    kernel.commit(
        keys.ARCHIVE_PK, [Put(Record(pk=keys.ARCHIVE_PK, sk=keys.GENERATION_SK, version=generation, body={}))]
    )

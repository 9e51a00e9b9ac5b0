"""`provider: jsonl`: all state as lines of JSON in one file, for whoever wants to read along with `tail -f`.

The whole store is held in memory by every process that opens it, lists are sorted anew each time, and the file only grows.
So it is for a few pipelines on one machine and a local disk, and for showing what a store has to do. Nothing of the contract
is missing for that: it passes the suites that SQLite passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from heapq import nlargest, nsmallest
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from interlock.errors import StoreEmpty, StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Change, Page, Place, Record, StoreContext, Walk, as_ping
from interlock.stores.rows import Row, due_place, micros, names_between, record_of, standing_of, steps_of
from interlock.stores.walking import place_of, restorable, walked
from interlock_example_plugin.journal import Journal

FORMAT: Final = 1
_HEADER: Final = msgspec.json.encode({"interlock-jsonl": FORMAT})


class JsonlConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where the file is, and how patient to be."""

    path: Annotated[str, Meta(min_length=1, description="The file, relative to the project.")] = (
        ".interlock/state.jsonl"
    )
    timeout: Annotated[float, Meta(gt=0, le=60, description="Seconds to wait for other processes.")] = 5


class JsonlStore:
    """What is registered: it knows where the store is, and opens it."""

    Config = JsonlConfig

    def __init__(self, config: JsonlConfig, context: StoreContext) -> None:
        self._path = context.root / config.path
        self._patience = timedelta(seconds=config.timeout)

    def open(self, *, read_only: bool) -> JsonlKernel:
        """Open the file, and make it when it is missing; see `StorePlugin.open`."""
        if read_only and not (self._path.exists() and self._path.stat().st_size):
            raise StoreEmpty(f"there is no store {self._path} yet")
        try:
            if not read_only:
                self._path.parent.mkdir(exist_ok=True)
            return JsonlKernel(Journal(self._path, patience=self._patience, read_only=read_only), read_only=read_only)
        except OSError as exc:
            raise StoreError(f"{self._path} cannot be opened: {exc.strerror}") from exc

    def named(self) -> str:
        """Say where the file is."""
        return str(self._path)


class JsonlKernel:
    """A kernel over a journal. A line is a commit: a list of rows that were written and of places that were emptied."""

    def __init__(self, journal: Journal, *, read_only: bool = False) -> None:
        self._journal = journal
        self._read_only = read_only
        self._open = True
        self._turn = Lock()
        self._rows: dict[str, dict[str, Row]] = {}
        try:
            with self._begun(to_write=False):
                pass
        except BaseException:
            journal.close()
            raise

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        with self._begun(to_write=False):
            row = self._rows.get(pk, {}).get(sk)
        return None if row is None else record_of(row)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        steps = steps_of(pk, batch)
        with self._begun(to_write=True):
            there = self._rows.get(pk, {})
            versions = {step.sk: there[step.sk].version if step.sk in there else 0 for step in steps}
            if any(step.expected not in (None, versions[step.sk]) for step in steps):
                return False
            changes = [(pk, step.sk, step.row) for step in steps if step.row or step.deletes]
            self._write(changes)
        return True

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        first, end = names_between(prefix, page)
        with self._begun(to_write=False):
            there = self._rows.get(pk, {})
            names = [sk for sk in there if sk >= first and (end is None or sk < end)]
            found = [there[sk] for sk in _cut(names, page)]
        return [record_of(row) for row in found]

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first."""
        until = micros(before)
        with self._begun(to_write=False):
            moments = ((row.wake_at, row.pk, row.sk) for row in self._all() if row.wake_at is not None)
            found = nsmallest(max(limit, 0), (moment for moment in moments if moment[0] <= until))
        return [due_place(pk, sk, wake_at) for wake_at, pk, sk in found]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        after = None if page.after is None else standing_of(page.after)
        with self._begun(to_write=False):
            standings = [(row.rank, row.pk, row.sk) for row in self._all() if row.kind == kind]
            if after is not None:
                standings = [each for each in standings if (each < after if page.backwards else each > after)]
            found = [self._rows[pk][sk] for _, pk, sk in _cut(standings, page)]
        return [record_of(row) for row in found]

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        until = micros(now)
        with self._begun(to_write=True):
            moments = ((row.expires_at, row.pk, row.sk) for row in self._all() if row.expires_at is not None)
            expired = nsmallest(max(limit, 0), (moment for moment in moments if moment[0] <= until))
            self._write([(pk, sk, None) for _, pk, sk in expired])
        return len(expired)

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor, by partition, then by name: what lets `interlock store` check, export and move."""
        place = None if after is None else place_of(after)
        with self._begun(to_write=False):
            places = ((row.pk, row.sk) for row in self._all())
            step = nsmallest(max(limit, 1), (each for each in places if place is None or each > place))
            found = [self._rows[pk][sk] for pk, sk in step]
        return walked(found, limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none."""
        rows = restorable(records)
        with self._begun(to_write=True):
            self._write([(row.pk, row.sk, row) for row in rows if row.sk not in self._rows.get(row.pk, {})])

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the file can be read, and held for writing where it may be written."""
        with as_ping(), self._begun(to_write=not self._read_only):
            pass

    def close(self) -> None:
        """Let go of the file; later calls raise `StoreUnavailable`."""
        with self._turn:
            if self._open:
                self._open = False
                self._journal.close()
                self._rows.clear()

    @contextmanager
    def _begun(self, *, to_write: bool) -> Iterator[None]:
        """Take a turn in which everything that was committed before it is known, and, to write, nobody else commits."""
        if to_write and self._read_only:
            raise StoreError("the store is opened for reading only")
        with self._turn:
            if not self._open:
                raise StoreUnavailable("the store is closed: nothing can be read or written any more")
            try:
                if to_write:
                    with self._journal.held(to_write=True):
                        self._catch_up()
                        yield
                    return
                if not self._journal.is_current():
                    with self._journal.held(to_write=False):
                        self._catch_up()
            except OSError as exc:
                raise StoreUnavailable(f"the store cannot be used: {exc.strerror}") from exc
            yield

    def _catch_up(self) -> None:
        if self._journal.is_current():
            return
        at_the_beginning = self._journal.end == 0
        for line in self._journal.news():
            if at_the_beginning:
                _check_header(line)
                at_the_beginning = False
            else:
                self._apply(_changes_of(line))

    def _write(self, changes: Sequence[tuple[str, str, Row | None]]) -> None:
        if not changes:
            return
        if self._journal.end == 0:
            self._journal.append(_HEADER)
            self._journal.begin()
        self._journal.append(msgspec.json.encode([_told(*change) for change in changes]))
        self._apply(changes)

    def _apply(self, changes: Iterable[tuple[str, str, Row | None]]) -> None:
        for pk, sk, row in changes:
            if row is not None:
                self._rows.setdefault(pk, {})[sk] = row
            elif pk in self._rows:
                self._rows[pk].pop(sk, None)

    def _all(self) -> Iterator[Row]:
        return (row for rows in self._rows.values() for row in rows.values())


def _cut(places: list[Any], page: Page) -> list[Any]:
    return (nlargest if page.backwards else nsmallest)(max(page.limit, 0), places)


def _told(pk: str, sk: str, row: Row | None) -> list[object]:
    # The body stays text within the line: a body that is damaged spoils its own row, and no other.
    return [pk, sk] if row is None else [*row[:3], row.body.decode(), *row[4:]]


def _changes_of(line: bytes) -> list[tuple[str, str, Row | None]]:
    try:
        told = msgspec.json.decode(line, type=list[list[Any]])
        rows = [None if len(each) == 2 else Row(*each)._replace(body=each[3].encode()) for each in told]
        return [(each[0], each[1], row) for each, row in zip(told, rows, strict=True)]
    except (msgspec.MsgspecError, AttributeError, IndexError, TypeError) as exc:
        raise StoreError(
            f"a line of the store is damaged, and what comes after it cannot be trusted: {exc}. Restore a copy of the file"
        ) from exc


def _check_header(line: bytes) -> None:
    try:
        found = msgspec.json.decode(line, type=dict[str, int])["interlock-jsonl"]
    except (msgspec.MsgspecError, KeyError) as exc:
        raise StoreError("the file is no store of ours: its first line says so of none") from exc
    if found > FORMAT:
        raise StoreTooNew(f"a later version wrote this store, in format {found}; format {FORMAT} is known here")


if TYPE_CHECKING:
    from interlock.stores.kernel import Kernel, StorePlugin, Walkable

    def _is_a_store(it: JsonlStore) -> StorePlugin:
        return it

    def _is_a_kernel(it: JsonlKernel) -> tuple[Kernel, Walkable]:
        return it, it

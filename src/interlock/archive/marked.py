"""Reading what is marked: marks page by page, and the facts they name, whatever of it is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.archive.gaps import Gap, GapReason, gap_of
from interlock.archive.rows import ArchiveRow, rows_of
from interlock.archive.writing import Unit
from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Kernel, Page, Record, cursor_of
from interlock.stores.marks import Mark, mark_of

_SHRINK: Final = 4


class Found(NamedTuple):
    """Some marks, and the places (partition and row) of those that cannot be read."""

    marks: tuple[Mark, ...]
    damaged: tuple[tuple[str, str], ...] = ()


class Facts(NamedTuple):
    """What one mark names: what can be written of it, and what is wrong with the rest."""

    mark: Mark
    unit: Unit
    gaps: tuple[Gap, ...] = ()

    @property
    def gone(self) -> bool:
        """Whether nothing of what is wrong can ever mend itself: what is missing will not come back."""
        return all(gap.reason is GapReason.MISSING for gap in self.gaps)


def marks_in(kernel: Kernel, kind: str, size: int) -> Iterator[Found]:
    """Go through the marks of a listing, once, page by page. A damaged row hides none of the others.

    Raises:
        StoreUnavailable: the store does not answer.
        UnreadableRecord: one cannot be read, and the store does not say where it is, so that nobody gets past it.
    """
    after: str | None = None
    limit = size
    while True:
        try:
            page = kernel.listing(kind, Page(limit=limit, after=after))
        except UnreadableRecord as exc:
            if limit > 1:
                limit = max(limit // _SHRINK, 1)
                continue
            if not exc.cursor:
                raise
            after, limit = exc.cursor, size
            yield Found((), (_place_in(exc.cursor),))
            continue
        if page:
            yield _read(page)
        if len(page) < limit:
            return
        after, limit = cursor_of(page[-1]), min(limit * _SHRINK, size)


class Reader:
    """Reads the facts of marks. A row that several of them name is read once, is as it is now, and is in the first."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._known: dict[tuple[str, str], Record | None] = {}
        self._told: set[tuple[str, str]] = set()

    def facts(self, mark: Mark) -> Facts | None:
        """Return what a mark names; None when it was struck meanwhile.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        rows: list[ArchiveRow] = []
        sound: list[str] = []
        gaps: list[Gap] = []
        for name in mark.names:
            try:
                record = self._record(mark.pk, name)
                if record is None:
                    if self._kernel.get(mark.pk, mark.sk) is None:
                        return None  # an index may lag: others have copied it, and it was removed since
                    message = f"the row {name!r} of {mark.pk!r} was removed from the live store before it was copied"
                    gaps.append(gap_of(mark.pk, name, GapReason.MISSING, message))
                    continue
                if (mark.pk, name) not in self._told:
                    rows += rows_of(record)
                    self._told.add((mark.pk, name))
                rows += _as_it_was(record, mark)
                sound.append(name)
            except UnreadableRecord as exc:
                gaps.append(gap_of(mark.pk, name, GapReason.UNREADABLE, str(exc)))
        return Facts(mark, Unit(mark.pk, tuple(sound), tuple(rows)), tuple(gaps))

    def _record(self, pk: str, sk: str) -> Record | None:
        place = (pk, sk)
        if place not in self._known:
            self._known[place] = self._kernel.get(pk, sk)
        return self._known[place]


def _as_it_was(record: Record, mark: Mark) -> list[ArchiveRow]:
    copy = mark.copies.get(record.sk)
    return [] if copy is None or copy == record.body else rows_of(replace(record, body=copy))


def _read(page: list[Record]) -> Found:
    marks, damaged = [], []
    for record in page:
        try:
            marks.append(mark_of(record))
        except UnreadableRecord:
            damaged.append((record.pk, record.sk))
    return Found(tuple(marks), tuple(damaged))


def _place_in(cursor: str) -> tuple[str, str]:
    _, pk, sk = cursor.rsplit("\0", 2)
    return pk, sk

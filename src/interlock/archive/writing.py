"""Writing facts so that one which PostgreSQL refuses keeps none of the others out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from interlock.archive.database import Archive, NotTaken, Page
from interlock.archive.gaps import Gap, GapReason, gap_of, stream_of
from interlock.archive.rows import ArchiveRow


class Unit(NamedTuple):
    """What goes in together or not at all: rows, and the rows of one partition of the live store that they are of."""

    pk: str
    names: tuple[str, ...]
    rows: tuple[ArchiveRow, ...]


class Writer:
    """Writes to an archive, and counts the rows that were new or newer."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.rows = 0

    def write(self, units: Sequence[Unit], *, generation: int = 0) -> dict[int, Gap]:
        """Write units; return those that were refused, by their place among them.

        Raises:
            StoreUnavailable: some of them may have been written; all can be written again.
            StoreError: nothing can be written at all.
        """
        return self._write(units, 0, len(units), generation)

    def _write(self, units: Sequence[Unit], start: int, end: int, generation: int) -> dict[int, Gap]:
        chosen = units[start:end]
        rows = [row for unit in chosen for row in unit.rows]
        copied = [stream_of(unit.pk, name) for unit in chosen for name in unit.names]
        if not (rows or copied):
            return {}
        try:
            self.rows += self._archive.write(Page(rows, copied, generation=generation))
        except NotTaken as exc:
            if end - start == 1:
                unit = units[start]
                return {start: gap_of(unit.pk, unit.names[0], GapReason.REFUSED, str(exc))}
            middle = (start + end) // 2
            first = self._write(units, start, middle, generation)
            return first | self._write(units, middle, end, generation)
        return {}

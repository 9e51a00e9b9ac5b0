"""What kernels share that are walked from one end to the other, and restored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from interlock.errors import StoreError, UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import Damaged, Kernel, Put, Record, Walk, Walkable
from interlock.stores.passing import behind
from interlock.stores.rows import Row, record_of, steps_of

_STEP: Final = 500


def walked(rows: Sequence[tuple[Any, ...]], limit: int) -> Walk:
    """Return a step of a walk whose cursor is the place of its last row; one that is not full is the last."""
    cursor = f"{rows[-1][0]}\0{rows[-1][1]}" if len(rows) >= max(limit, 1) else None
    return Walk(tuple(map(told, rows)), cursor)


def all_rows(kernel: Walkable) -> Iterator[Record | Damaged]:
    """Yield every row but the one that says how the store itself stands: by partition, the rows of each by name."""
    cursor: str | None = None
    while True:
        step = kernel.walk(cursor, _STEP)
        yield from (row for row in step.found if row.pk != keys.STORE_PK)
        cursor = step.cursor
        if cursor is None:
            return


def told(row: tuple[Any, ...]) -> Record | Damaged:
    """Read a row, or tell that it cannot be read."""
    try:
        return record_of(row)
    except UnreadableRecord as exc:
        return Damaged(str(row[0]), str(row[1]), str(exc))


def place_of(cursor: str) -> tuple[str, str]:
    """Split the cursor of `walked` into partition and row name.

    Raises:
        ValueError: it is no such cursor.
    """
    pk, nul, sk = cursor.partition("\0")
    if not nul:
        raise ValueError(f"{cursor!r} is not a cursor of a walk: take it from the step before")
    return pk, sk


def restorable(records: Sequence[Record]) -> list[Row]:
    """Flatten records that are to be restored, and refuse what no store could keep.

    Raises:
        ValueError: one of them is none that could be put.
    """
    rows = (steps_of(record.pk, [Put(record)])[0].row for record in records)
    return [row for row in rows if row is not None]


def walkable(kernel: Kernel) -> Walkable:
    """Return a kernel as what can be walked, or the one behind it.

    Raises:
        StoreError: it cannot be.
    """
    found = behind(kernel, Walkable)  # type: ignore[type-abstract]  # a protocol, asked for at run time
    if found is None:
        raise StoreError(
            "a store of this provider cannot be exported, checked, archived or moved: it does not tell all of its rows"
        )
    return found

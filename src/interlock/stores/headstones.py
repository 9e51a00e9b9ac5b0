"""What is left of a slot whose history was removed: one small row, which says how far its runs were counted.

A start goes by its run's number for ever: whoever is asked to start number 1 a second time answers with the job of the
first. So a slot that is run again after its history is gone counts on where it was, and nothing opens it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interlock.core.ids import Slot
from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import Check, Kernel, Record


class Headstone(NamedTuple):
    """The highest number of a run that was removed (0: none was), and the version of the row that says so (0: no row)."""

    last: int = 0
    version: int = 0


def headstone(kernel: Kernel, slot: Slot) -> Headstone:
    """Return what is left of a slot's history, as it is now.

    Raises:
        UnreadableRecord: the row was damaged.
    """
    record = kernel.get(keys.slot_pk(slot), keys.RETIRED_SK)
    return Headstone() if record is None else read(record)


def read(record: Record) -> Headstone:
    """Read the row of a headstone.

    Raises:
        UnreadableRecord: it was damaged.
    """
    last = record.body.get("last")
    if not isinstance(last, int):
        raise UnreadableRecord(
            f"the row {record.sk!r} of {record.pk!r} cannot be read: it does not say how many runs there were. "
            "It was damaged, or written by a later Interlock"
        )
    return Headstone(last, record.version)


def written(slot: Slot, stone: Headstone, *, clearing: bool) -> Record:
    """Return the next version of a headstone. While the rest is `clearing`, it is listed."""
    return Record(
        pk=keys.slot_pk(slot),
        sk=keys.RETIRED_SK,
        version=stone.version + 1,
        body={"last": stone.last},
        kind=keys.CLEARING_KIND if clearing else None,
    )


def counted_on(kernel: Kernel, slot: Slot, number: int) -> Check | None:
    """Return what must hold when a run is opened after number `number`, of which nothing is stored; None: it may not be."""
    stone = headstone(kernel, slot)
    return Check(keys.RETIRED_SK, stone.version) if stone.last == number else None


def past_headstone(kernel: Kernel, slot: Slot, commit: Callable[[Check], bool], allowed: Callable[[int], bool]) -> bool:
    """Commit with what must hold of the headstone: that there is none, or that the last run it counts is `allowed`.

    Nearly no slot has one, so it is looked at only when the commit failed for whatever reason: False has written nothing.
    """
    if commit(Check(keys.RETIRED_SK, 0)):
        return True
    stone = headstone(kernel, slot)
    return stone.version > 0 and allowed(stone.last) and commit(Check(keys.RETIRED_SK, stone.version))

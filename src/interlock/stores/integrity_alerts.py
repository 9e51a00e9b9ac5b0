"""What must hold in the partition of something on its way to people or programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interlock.core.dispatching import AlertRecord, Publication
from interlock.stores import keys
from interlock.stores.dispatches import pointers_of
from interlock.stores.integrity import (
    Fault,
    index_fault,
    orphan,
    pointer_fault,
    read,
    row_faults,
    version_faults,
)
from interlock.stores.kernel import Check, Delete, Put, Record


def dispatch_faults(pk: str, rows: Sequence[Record]) -> Iterator[Fault]:
    """Tell everything that is wrong in a dispatch's partition."""
    own = next((record for record in rows if record.sk == keys.DISPATCH_SK), None)
    pointers = {record.sk: record for record in rows if record.sk.startswith("IN#")}
    for record in rows:
        if record is not own and record.sk not in pointers:
            yield from row_faults(record)
    if own is None:
        yield from (orphan(record, "an alert") for record in pointers.values())
        return
    is_alert = pk.startswith(f"{keys.DISPATCH_PREFIX}alert/")
    dispatch, faults = read(own, AlertRecord if is_alert else Publication)
    yield from faults
    if dispatch is None:
        return
    yield from version_faults(own, dispatch.version)
    kind = keys.ALERTS_KIND if is_alert else None
    if (own.wake_at, own.kind) != (dispatch.wake_at, kind):
        yield index_fault(
            own, f"due and kind are {own.wake_at}, {own.kind}, and what it holds says {dispatch.wake_at}, {kind}"
        )
    guard = Check(own.sk, own.version)
    wanted = pointers_of(pk, dispatch)
    for sk, pointer in pointers.items():
        if sk not in wanted:
            meaning = f"it is listed as {pointer.kind}, and is no such alert any more"
            yield pointer_fault(pointer, meaning, guard, Delete(sk, pointer.version))
    for sk, pointer in wanted.items():
        found = pointers.get(sk)
        if found is None or (found.kind, found.rank) != (pointer.kind, pointer.rank):
            version = 1 if found is None else found.version + 1
            again = Record(pk=pk, sk=sk, version=version, body={}, kind=pointer.kind, rank=pointer.rank)
            yield pointer_fault(again, f"it is not where the listing {pointer.kind} looks for it", guard, Put(again))

"""Alerts and lifecycle events on their way, over any kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from interlock.codec import wire
from interlock.core.chronicle import EventRecord
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import AlertRecord, Dispatch, Publication, alert_dispatch
from interlock.core.ids import Slot
from interlock.errors import NotFound
from interlock.stores import keys
from interlock.stores.kernel import Change, Delete, Kernel, Page, Put, Record, cursor_of
from interlock.stores.paging import listed
from interlock.stores.repository import decoded, note_record

if TYPE_CHECKING:
    from interlock.ports.dispatches import Dispatches

EVENTS_KEPT: Final = timedelta(days=30)
"""How long a lifecycle event that everybody has is kept, so that publishing it again is still nothing new."""


class DispatchRows:
    """Keeps each dispatch in a partition of its own: its row, the pointers that list it, and its lines.

    A pointer is a row without content; which ones there are follows from the dispatch, so they change with it in one commit.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def dispatch(self, dispatch_id: str) -> Dispatch | None:
        """Return a dispatch as it is now."""
        record = self._kernel.get(keys.dispatch_pk(dispatch_id), keys.DISPATCH_SK)
        if record is None:
            return None
        return decoded(record, AlertRecord) if dispatch_id.startswith("alert/") else decoded(record, Publication)

    def alert(self, alert_id: str) -> AlertRecord | None:
        """Return an alert as it is now."""
        found = self.dispatch(alert_dispatch(alert_id))
        return found if isinstance(found, AlertRecord) else None

    def commit(self, before: Dispatch | None, after: Dispatch, lines: Sequence[EventRecord] = ()) -> bool:
        """Write a dispatch with its pointers and its lines in one kernel commit."""
        pk = keys.dispatch_pk(after.dispatch_id)
        old = {} if before is None else pointers_of(pk, before)
        new = pointers_of(pk, after)
        batch: list[Change] = [Put(_row(pk, after))]
        batch += (Delete(sk) for sk in sorted(old.keys() - new.keys()))
        batch += (Put(new[sk]) for sk in sorted(new.keys() - old.keys()))
        slot = _slot(after)
        if slot is not None and lines:
            batch.append(Put(note_record(pk, slot, lines[0].at, f"{after.version:08d}", lines)))
        return self._kernel.commit(pk, batch)

    def alerts(
        self, *, limit: int, open_only: bool = False, pipeline: str | None = None, before: str | None = None
    ) -> tuple[AlertRecord, ...]:
        """Return alerts, latest opened first."""
        kind = keys.OPEN_ALERTS_KIND if open_only else keys.ALERTS_KIND
        if pipeline is not None and not open_only:
            kind = keys.alerts_kind(pipeline)
        found: list[AlertRecord] = []
        for record in self._listed(kind, None if before is None else self._cursor(kind, before), backwards=True):
            if len(found) >= limit:
                break
            if open_only and not record.open:
                continue
            if pipeline is None or (record.alert.slot is not None and record.alert.slot.pipeline == pipeline):
                found.append(record)
        return tuple(found)

    def folded(self, alert_id: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return open alerts that are folded into one."""
        found = self._first(keys.folded_kind(alert_id), limit)
        return tuple(each for each in found if each.open and each.folded_into == alert_id)

    def waiting(self, channel: str, group: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return alerts with a telling that is due or waits for company."""
        return self._first(keys.waiting_kind(channel, group), limit)

    def silenced(self, silence_id: str, *, limit: int) -> tuple[AlertRecord, ...]:
        """Return alerts of which something waits for the end of a silence."""
        return self._first(keys.silenced_kind(silence_id), limit)

    def _first(self, kind: str, limit: int) -> tuple[AlertRecord, ...]:
        found = (self._behind(pointer) for pointer in self._kernel.listing(kind, Page(limit=limit)))
        return tuple(each for each in found if each is not None)

    def _listed(self, kind: str, after: str | None, *, backwards: bool) -> Iterator[AlertRecord]:
        for pointer in listed(self._kernel, kind, after, backwards=backwards):
            record = self._behind(pointer)
            if record is not None:
                yield record

    def _behind(self, listed: Record) -> AlertRecord | None:
        if listed.sk == keys.DISPATCH_SK:
            return decoded(listed, AlertRecord)
        record = self._kernel.get(listed.pk, keys.DISPATCH_SK)
        return None if record is None else decoded(record, AlertRecord)

    def _cursor(self, kind: str, alert_id: str) -> str:
        last = self.alert(alert_id)
        if last is None:
            raise NotFound(f"there is no alert {alert_id}")
        pk, rank = keys.dispatch_pk(last.dispatch_id), keys.moment(last.opened_at)
        sk = keys.DISPATCH_SK if kind == keys.ALERTS_KIND else keys.dispatch_pointer_sk(kind, rank)
        return cursor_of(Record(pk=pk, sk=sk, version=1, body={}, kind=kind, rank=rank))


def _row(pk: str, dispatch: Dispatch) -> Record:
    body, wake_at = wire.to_builtins(dispatch), dispatch.wake_at
    if isinstance(dispatch, Publication):
        expires_at = None if wake_at is not None else dispatch.event.at + EVENTS_KEPT
        return Record(
            pk=pk,
            sk=keys.DISPATCH_SK,
            version=dispatch.version,
            body=body,
            wake_at=wake_at,
            expires_at=expires_at,
        )
    return Record(
        pk=pk,
        sk=keys.DISPATCH_SK,
        version=dispatch.version,
        body=body,
        wake_at=wake_at,
        kind=keys.ALERTS_KIND,
        rank=keys.moment(dispatch.opened_at),
    )


def pointers_of(pk: str, dispatch: Dispatch) -> dict[str, Record]:
    """Return the rows that list a dispatch, by their names: they follow from what it is."""
    if isinstance(dispatch, Publication):
        return {}
    rank = keys.moment(dispatch.opened_at)
    places = [] if dispatch.alert.slot is None else [(keys.alerts_kind(dispatch.alert.slot.pipeline), rank)]
    if dispatch.open:
        places.append((keys.OPEN_ALERTS_KIND, rank))
        if dispatch.folded_into:
            places.append((keys.folded_kind(dispatch.folded_into), rank))
    if any(each.state is DeliveryState.SILENCED for each in dispatch.deliveries):
        places.append((keys.silenced_kind(dispatch.silenced_by), rank))
    places += (
        (keys.waiting_kind(each.target.name, each.target.group), keys.moment(each.due_at))
        for each in dispatch.deliveries
        if each.target.group and each.state is DeliveryState.DUE
    )
    pointers = (
        Record(pk=pk, sk=keys.dispatch_pointer_sk(kind, rank), version=1, body={}, kind=kind, rank=rank)
        for kind, rank in places
    )
    return {pointer.sk: pointer for pointer in pointers}


def _slot(dispatch: Dispatch) -> Slot | None:
    return dispatch.event.slot if isinstance(dispatch, Publication) else dispatch.alert.slot


if TYPE_CHECKING:

    def _are_dispatches(it: DispatchRows) -> Dispatches:
        return it

"""What the life of a dispatch adds to the timeline of its pipeline."""

from __future__ import annotations

from datetime import datetime

from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.deliveries import Delivery, DeliveryState
from interlock.core.dispatching import AlertRecord, Dispatch, Publication


def lines(before: Dispatch | None, after: Dispatch, at: datetime) -> tuple[EventRecord, ...]:
    """Return what a change means in the pipeline's timeline."""
    if isinstance(after, Publication):
        about, kind = after.event.event_type, EventKind.EVENT_UNDELIVERABLE
        return tuple(_given_up(kind, about, delivery, at) for delivery in _lost(before, after))
    told: list[EventRecord] = []
    about = str(after.alert.alert_type)
    was_open = before is None or (isinstance(before, AlertRecord) and before.open)
    if was_open and not after.open:
        told.append(EventRecord(kind=EventKind.ALERT_RESOLVED, at=at, status=about, message=after.resolution))
    if after.silenced_by and after.silenced_by != getattr(before, "silenced_by", ""):
        message = f"silenced by {after.silenced_by}: {after.alert.message}"
        told.append(EventRecord(kind=EventKind.ALERT_SILENCED, at=at, status=about, message=message))
    lost = _lost(before, after)
    told += (_given_up(EventKind.ALERT_UNDELIVERABLE, about, delivery, at) for delivery in lost)
    return tuple(told)


def _lost(before: Dispatch | None, after: Dispatch) -> list[Delivery]:
    known = () if before is None else before.deliveries
    lost = [delivery for delivery in after.deliveries if delivery.state is DeliveryState.GIVEN_UP]
    return [delivery for delivery in lost if delivery not in known]


def _given_up(kind: EventKind, about: str, delivery: Delivery, at: datetime) -> EventRecord:
    message = f"{delivery.target.name} was given up at try {delivery.tries}: {delivery.reason}"
    return EventRecord(kind=kind, at=at, status=about, message=message)

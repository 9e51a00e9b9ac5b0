"""Alerts and silences as people and programs are shown them, and why an alert was told where it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from interlock.app.channels import Wants
from interlock.app.routing import refusal
from interlock.app.silencing import silence_over
from interlock.app.views import View
from interlock.core.alerts import NoticeKind
from interlock.core.deliveries import Delivery, DeliveryState
from interlock.core.dispatching import AlertRecord
from interlock.core.documents import EMPTY, Document
from interlock.ports.controls import Silence


class TellingView(View, frozen=True, kw_only=True, rename="camel"):
    """The latest telling of an alert through one channel."""

    channel: str
    state: str
    kind: str
    number: int
    due_at: datetime
    next_at: datetime | None
    tries: int
    reason: str
    delivered_at: datetime | None


class AlertView(View, frozen=True, kw_only=True, rename="camel"):
    """An alert as it stands. Slot and run are null for alerts about Interlock itself."""

    alert_id: str
    alert_type: str
    level: str
    state: str
    pipeline_id: str | None
    schedule_id: str | None
    date: str | None
    run_id: str | None
    tier: int
    owner: str
    message: str
    details: Document
    opened_at: datetime
    resolved_at: datetime | None
    resolution: str
    notices: int
    remind_at: datetime | None
    folded_into: str | None
    silenced_by: str | None
    tellings: tuple[TellingView, ...]


class AlertList(View, frozen=True, kw_only=True, rename="camel"):
    """Some alerts, latest opened first. `next` is what `before` takes to go on; null when there are no more."""

    items: tuple[AlertView, ...]
    next: str | None


class AlertEnd(View, frozen=True, kw_only=True, rename="camel"):
    """What came of a person's word that a fact holds no longer. `resolved` says that it ended the alert: not before it."""

    resolved: bool
    alert: AlertView


class ChannelWhy(View, frozen=True, kw_only=True, rename="camel"):
    """What one channel has to do with an alert, and why. `state` is that of its latest telling, or `never`."""

    channel: str
    configured: bool
    matched: bool
    silenced_by: str | None
    state: str
    delivered: bool
    delivered_at: datetime | None
    tries: int
    next_at: datetime | None
    reason: str


class AlertWhy(View, frozen=True, kw_only=True, rename="camel"):
    """An alert, and for each channel why it was or was not told."""

    alert: AlertView
    folded: tuple[str, ...]
    channels: tuple[ChannelWhy, ...]


class SilenceView(View, frozen=True, kw_only=True, rename="camel"):
    """A silence. What it does not say it does not ask for: null matches everything."""

    silence_id: str
    active: bool
    starts_at: datetime
    until: datetime
    pipeline: str | None
    tier: int | None
    owner: str | None
    alert_type: str | None
    actor: str
    reason: str


class SilenceList(View, frozen=True, kw_only=True, rename="camel"):
    """The silences that are not over."""

    items: tuple[SilenceView, ...]


class SilenceEnd(View, frozen=True, kw_only=True, rename="camel"):
    """A silence that is over now. `freed` counts the alerts that waited for its end and are due."""

    silence_id: str
    freed: int


class ChannelTest(View, frozen=True, kw_only=True, rename="camel"):
    """What became of a test alert on one channel."""

    channel: str
    delivered: bool
    reason: str
    seconds: float


class AlertTest(View, frozen=True, kw_only=True, rename="camel"):
    """What became of a test alert. `ok` says that every channel took it."""

    ok: bool
    items: tuple[ChannelTest, ...]


def alert_view(record: AlertRecord) -> AlertView:
    """Show an alert."""
    alert, slot = record.alert, record.alert.slot
    return AlertView(
        alert_id=alert.alert_id,
        alert_type=alert.alert_type,
        level=alert.level,
        state=record.state,
        pipeline_id=None if slot is None else slot.pipeline,
        schedule_id=None if slot is None else slot.schedule,
        date=None if slot is None else str(slot.period),
        run_id=alert.run_id or None,
        tier=alert.tier,
        owner=alert.owner,
        message=alert.message,
        details=alert.details or EMPTY,
        opened_at=record.opened_at,
        resolved_at=record.resolved_at,
        resolution=record.resolution,
        notices=record.notices,
        remind_at=record.remind_at,
        folded_into=record.folded_into or None,
        silenced_by=record.silenced_by or None,
        tellings=tuple(_telling(delivery) for delivery in record.deliveries),
    )


def _telling(delivery: Delivery) -> TellingView:
    return TellingView(
        channel=delivery.target.name,
        state=delivery.state,
        kind=delivery.kind,
        number=delivery.number,
        due_at=delivery.due_at,
        next_at=delivery.next_at,
        tries=delivery.tries,
        reason=delivery.reason,
        delivered_at=delivery.done_at,
    )


def silence_view(silence: Silence, at: datetime) -> SilenceView:
    """Show a silence."""
    return SilenceView(
        silence_id=silence.silence_id,
        active=silence.at <= at < silence.until,
        starts_at=silence.at,
        until=silence.until,
        pipeline=silence.pipeline or None,
        tier=silence.tier,
        owner=silence.owner or None,
        alert_type=silence.alert_type,
        actor=silence.actor,
        reason=silence.reason,
    )


def alert_why(
    record: AlertRecord,
    folded: Sequence[AlertRecord],
    channels: Sequence[tuple[str, Wants]],
    silences: tuple[Silence, ...],
    at: datetime,
) -> AlertWhy:
    """Say for every channel, those of the project and those the alert knows, why it was or was not told."""
    wants = dict(channels)
    known = [delivery.target.name for delivery in record.deliveries]
    names = [*wants, *(name for name in known if name not in wants)]
    silence = silence_over(record.alert, silences, at)
    return AlertWhy(
        alert=alert_view(record),
        folded=tuple(each.alert.alert_id for each in folded),
        channels=tuple(_why(name, wants.get(name), record, silence) for name in names),
    )


def _why(name: str, wants: Wants | None, record: AlertRecord, silence: Silence | None) -> ChannelWhy:
    delivery = record.delivery(name)
    refused = "" if wants is None else refusal(wants, record.alert)
    return ChannelWhy(
        channel=name,
        configured=wants is not None,
        matched=delivery is not None,
        silenced_by=silence.silence_id if silence is not None and delivery is not None else None,
        state="never" if delivery is None else delivery.state,
        delivered=delivery is not None and (delivery.told or delivery.state is DeliveryState.DONE),
        delivered_at=None if delivery is None else delivery.done_at,
        tries=0 if delivery is None else delivery.tries,
        next_at=None if delivery is None else delivery.next_at,
        reason=_reason(delivery, refused, configured=wants is not None),
    )


def _reason(delivery: Delivery | None, refused: str, *, configured: bool) -> str:
    if delivery is None:
        return refused or "it was not among the channels when the alert was opened; the next opening is told there"
    gone = "" if configured else "; no channel of this name is configured now"
    said = f": {delivery.reason}" if delivery.reason else ""
    return f"{_WORDS[delivery.state].format(part=_PARTS[delivery.kind])}{said}{gone}"


_PARTS: Final = {
    NoticeKind.OPENED: "the opening",
    NoticeKind.REMINDED: "the reminder",
    NoticeKind.RESOLVED: "the end",
}
_WORDS: Final = {
    DeliveryState.DUE: "{part} is to be told",
    DeliveryState.TRYING: "{part} is being told",
    DeliveryState.DONE: "{part} was told",
    DeliveryState.SILENCED: "{part} waits for the end of a silence",
    DeliveryState.FOLDED: "{part} is not told on its own",
    DeliveryState.GIVEN_UP: "{part} was given up",
    DeliveryState.CANCELLED: "{part} is not told any more",
}

"""Pauses and markers as people and programs are shown them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from interlock.app.views import View
from interlock.ports.controls import Marker, Pause

if TYPE_CHECKING:
    from interlock.app.markers import Arrived  # with everything that acts, which those who only look do without


class PauseView(View, frozen=True, kw_only=True, rename="camel"):
    """One pause: whose, from when until when, by whom and why."""

    pipeline_id: str
    created_at: datetime
    until: datetime
    actor: str
    reason: str


class PauseList(View, frozen=True, kw_only=True, rename="camel"):
    """The pauses in force, by pipeline."""

    items: tuple[PauseView, ...]


class PauseEnd(View, frozen=True, kw_only=True, rename="camel"):
    """What came of a wish to end a pause. `resumed` says that there was one in force."""

    pipeline_id: str
    resumed: bool


class MarkerView(View, frozen=True, kw_only=True, rename="camel"):
    """A marker, and what became of it: `outcome` is one word, `message` says it for people."""

    pipeline_id: str
    schedule_id: str
    date: str
    source: str
    received_at: datetime
    outcome: str
    message: str


class ReceivedView(View, frozen=True, kw_only=True, rename="camel"):
    """A marker as it was received."""

    pipeline_id: str
    schedule_id: str
    date: str
    source: str
    received_at: datetime


class MarkerList(View, frozen=True, kw_only=True, rename="camel"):
    """Markers of a pipeline, latest first. `next` leads to earlier ones; null when there are no more."""

    items: tuple[ReceivedView, ...]
    next: str | None


def pause_view(pause: Pause) -> PauseView:
    """Show a pause."""
    return PauseView(
        pipeline_id=pause.pipeline, created_at=pause.at, until=pause.until, actor=pause.actor, reason=pause.reason
    )


def marker_view(marker: Marker, arrived: Arrived) -> MarkerView:
    """Show a marker and what became of it."""
    slot = marker.slot
    return MarkerView(
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        source=marker.source,
        received_at=marker.at,
        outcome=arrived.how.name.lower(),
        message=arrived.words,
    )


def received_view(marker: Marker) -> ReceivedView:
    """Show a marker as it was received."""
    slot = marker.slot
    return ReceivedView(
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        source=marker.source,
        received_at=marker.at,
    )

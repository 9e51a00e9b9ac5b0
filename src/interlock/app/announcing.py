"""Telling what nobody's run told: the watchdog's alerts, which leave by the same rules as everybody's."""

from __future__ import annotations

from typing import Final

from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.pipelines import Mode, PipelineSpec

_SHADOW: Final = "shadow#"


def announce(alert: Alert, spec: PipelineSpec, hands: Hands, *, cause: str = "") -> None:
    """Tell people of a fact about a pipeline; in shadow only the timeline.

    `cause` is the id of another alert that is told instead while it is open. Safe to call again at any time.
    """
    if spec.mode is Mode.SHADOW:
        _note(alert, hands)
    else:
        raise_alert(alert, hands, cause)


def _note(alert: Alert, hands: Hands) -> None:
    assert alert.slot is not None  # noqa: S101  (what is about a pipeline is about one of its slots)
    words = f"{alert.alert_type} ({alert.level}): {alert.message}"
    record = EventRecord(kind=EventKind.WOULD_ALERT, at=alert.at, message=words)
    # Named after the fact, so that looking at it again tells it once.
    hands.store.note(alert.slot, alert.at, f"{_SHADOW}{alert.alert_id}", (record,))

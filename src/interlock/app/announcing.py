"""Telling what no wish of a run tells: alerts of the watchdog and of late data, which leave by the rules of all others."""

from __future__ import annotations

from typing import Final

from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import Slot
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


def would(slot: Slot, kind: EventKind, words: str, name: str, hands: Hands) -> None:
    """Record what would have left, but for shadow mode. `name` is that of the wish or fact: the same one is told once."""
    now = hands.clock.now()
    hands.store.note(slot, now, f"{_SHADOW}{name}", (EventRecord(kind=kind, at=now, message=words),))


def _note(alert: Alert, hands: Hands) -> None:
    assert alert.slot is not None  # noqa: S101  (what is about a pipeline is about one of its slots)
    words = f"{alert.alert_type} ({alert.level}): {alert.message}"
    would(alert.slot, EventKind.WOULD_ALERT, words, alert.alert_id, hands)

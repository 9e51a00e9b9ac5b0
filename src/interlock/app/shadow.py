"""Shadow mode: everything is decided and recorded, and nothing leaves. What would have left is an event `WOULD_…`."""

from __future__ import annotations

from typing import Final, assert_never

from interlock.app.announcing import would
from interlock.app.hands import Hands, Silence
from interlock.app.polling import check_job
from interlock.core.chronicle import EventKind
from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
    StartJob,
)
from interlock.core.events import Event, JobFinished
from interlock.core.ids import RunKey

NOBODY: Final = "shadow"


def perform_in_shadow(
    key: RunKey,
    command: StartJob | CheckJob | CancelJob | RaiseAlert | ResolveAlert | NotifyDownstream | AskRerun | PublishEnd,
    hands: Hands,
) -> Event | Silence:
    """Record what one wish would have done, and answer as a world would in which it went well at once."""
    now = hands.clock.now()
    match command:
        case StartJob():
            _would(key, command, EventKind.WOULD_START, f"attempt {command.permit.attempt}", hands)
            # Nothing was started, so there is no work of it to be checked.
            return JobFinished(at=now, attempt=command.permit.attempt, succeeded=True, by=NOBODY, unverified=True)
        case CheckJob():
            # The run was live when its job was started, or somebody outside started it: looking is no effect.
            return check_job(key, command, hands)
        case CancelJob():
            _would(key, command, EventKind.WOULD_CANCEL, command.reason, hands)
        case RaiseAlert():
            words = f"{command.alert.alert_type} ({command.alert.level}): {command.alert.message}"
            _would(key, command, EventKind.WOULD_ALERT, words, hands)
        case ResolveAlert():
            return Silence.SETTLED
        case NotifyDownstream():
            names = ", ".join(hands.catalog.downstream_of(key.slot.pipeline))
            _would(key, command, EventKind.WOULD_NOTIFY_DOWNSTREAM, names or "nobody waits for it", hands)
        case AskRerun():
            _would(key, command, EventKind.WOULD_RERUN, f"{command.cause}: {command.reason}", hands)
        case PublishEnd():
            _would(key, command, EventKind.WOULD_PUBLISH, command.event.event_type, hands)
        case _:
            assert_never(command)
    return Silence.SETTLED


def _would(key: RunKey, command: Command, kind: EventKind, words: str, hands: Hands) -> None:
    would(key.slot, kind, words, command.id, hands)

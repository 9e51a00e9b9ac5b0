"""When a wish that could not be carried out is tried again, and when no more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.commands import CancelJob, Command
from interlock.core.ids import RunId, RunKey
from interlock.ports.stores import Wish

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(seconds=30)
CANCEL_TRIES: Final = 10


def put_off(key: RunKey, wish: Command, hands: Hands) -> datetime | Alert:
    """Leave a wish to be tried again, later each time, and return when.

    A job that could not be stopped however often it was tried is people's to stop: they are told, by the alert that is
    returned, and the wish is settled.
    """
    tries = next((each.tries for each in hands.store.wishes(key) if each.command.id == wish.id), 0)
    if isinstance(wish, CancelJob) and tries + 1 >= CANCEL_TRIES:
        alert = _unstopped(key, wish, hands)
        raise_alert(alert, hands)
        hands.store.settle(key, wish.id)
        return alert
    until = hands.clock.now() + min(FIRST_PAUSE * (1 << min(tries, 16)), LONGEST_PAUSE)
    hands.store.postpone(key, wish.id, until)
    return until


def is_wanted(wish: Wish, now: datetime) -> bool:
    """Say whether a wish may be tried now; also when a clock was set back since it was put off."""
    return not now < wish.due_at <= now + LONGEST_PAUSE


def _unstopped(key: RunKey, wish: CancelJob, hands: Hands) -> Alert:
    message = (
        f"the job of {key}, attempt {wish.attempt}, was to be stopped ({wish.reason}), and {CANCEL_TRIES} times "
        "nobody could. It may still be running: look at the target system"
    )
    return about_run(AlertType.CANCEL_UNCONFIRMED, f"{key.run_id}/{wish.attempt}", message, key, hands)


def about_run(kind: AlertType, subject: str, message: str, key: RunKey | None, hands: Hands) -> Alert:
    """Return an alert about what Interlock cannot do: with a run, or about Interlock itself."""
    spec = None if key is None else hands.catalog.spec(key.slot.pipeline)
    return Alert(
        alert_id=f"{kind}/{subject}",
        alert_type=kind,
        level=AlertLevel.ERROR,
        at=hands.clock.now(),
        message=message,
        slot=None if key is None else key.slot,
        run_id=RunId("") if key is None else key.run_id,
        tier=0 if spec is None else spec.tier,
        owner="" if spec is None else spec.owner,
    )

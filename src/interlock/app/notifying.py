"""Keeping what people and programs are to be told. Nobody is called here: `app.delivering` does that, when it is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from interlock.app.hands import Hands
from interlock.app.routing import pace_of, targets_of
from interlock.core import dispatching
from interlock.core.alerts import Alert, LifecycleEvent
from interlock.core.dispatch_story import lines
from interlock.core.dispatching import AlertRecord, Dispatch, alert_dispatch, event_dispatch
from interlock.errors import Contention

TRIES: Final = 50
LONGEST_CHAIN: Final = 20
"""How many causes of causes are followed before an alert is told on its own."""


def raise_alert(alert: Alert, hands: Hands, cause: str = "") -> None:
    """Keep an alert for every channel that takes it. The same fact again, while it is open, is nothing new.

    `cause` is the id of another alert. While that is open this one is kept and not told: it is told with its cause.

    Raises:
        Contention: others kept changing the same alert first; nothing was written.
    """
    targets, pace = targets_of(alert, hands.alerting), pace_of(hands.alerting)
    cause = _fold_into(alert.alert_id, cause, hands) if cause else ""

    def heard(before: Dispatch | None) -> Dispatch:
        at = hands.clock.now()
        if not isinstance(before, AlertRecord):
            return dispatching.opened(alert, targets, pace, at, cause=cause)
        return dispatching.raised(before, alert, targets, pace, at, cause=cause)

    after = change(alert_dispatch(alert.alert_id), heard, hands)
    if isinstance(after, AlertRecord) and after.open and after.folded_into:
        # The cause may have ended between the look at it and the commit.
        unfold(after, hands)


def resolve_alert(alert_id: str, resolution: str, at: datetime, hands: Hands) -> None:
    """The fact holds no longer: keep that for everybody who was told that it does. An unknown id changes nothing.

    Raises:
        Contention: others kept changing the same alert first; nothing was written.
    """

    def ended(before: Dispatch | None) -> Dispatch | None:
        return dispatching.resolved(before, resolution, at) if isinstance(before, AlertRecord) else before

    change(alert_dispatch(alert_id), ended, hands)


def publish(event: LifecycleEvent, hands: Hands) -> None:
    """Keep a lifecycle event for every subscriber. The same event again is nothing new; without subscribers none is kept.

    Raises:
        Contention: others kept changing the same event first; nothing was written.
    """
    names = tuple(name for name, _ in hands.alerting.subscribers)
    if not names:
        return

    def heard(before: Dispatch | None) -> Dispatch:
        return before or dispatching.published(event, names, hands.clock.now())

    change(event_dispatch(event.event_id), heard, hands)


def unfold(record: AlertRecord, hands: Hands) -> bool:
    """Let an alert be told on its own if what it is folded into is over; say whether that is so now."""
    cause = hands.dispatches.alert(record.folded_into)
    if cause is not None and cause.open:
        return False

    def told(before: Dispatch | None) -> Dispatch | None:
        if not isinstance(before, AlertRecord) or before.folded_into != record.folded_into:
            return before
        return dispatching.unfolded(before, pace_of(hands.alerting), hands.clock.now())

    change(record.dispatch_id, told, hands)
    return True


def change(dispatch_id: str, decide: Callable[[Dispatch | None], Dispatch | None], hands: Hands) -> Dispatch | None:
    """Load, decide, commit with the lines it means; and again when somebody else was faster. Return it as it stands.

    Every decision is one that changes nothing when it is made twice, so a commit of unknown outcome may be repeated.

    Raises:
        Contention: somebody else was faster every time; nothing was written.
    """
    for _ in range(TRIES):
        before = hands.dispatches.dispatch(dispatch_id)
        after = decide(before)
        if after is None or after == before:
            return before
        # A decision may be made of several steps, each of which counts.
        after = replace(after, version=1 if before is None else before.version + 1)
        if hands.dispatches.commit(before, after, lines(before, after, hands.clock.now())):
            return after
    raise Contention(f"{dispatch_id} could not be changed: others kept changing it first. Nothing was lost; try again")


def _fold_into(alert_id: str, cause: str, hands: Hands) -> str:
    """Return the cause if it is open and can be told instead, having noted there that it has something to look after."""
    name = cause
    for _ in range(LONGEST_CHAIN):
        if name == alert_id:
            return ""  # it would be its own cause, and nobody would ever hear of either
        above = hands.dispatches.alert(name)
        if above is None or not above.open:
            return ""
        if not above.folded_into:
            noted = change(alert_dispatch(cause), _folding, hands)
            return cause if isinstance(noted, AlertRecord) and noted.open else ""
        name = above.folded_into
    return ""


def _folding(before: Dispatch | None) -> Dispatch | None:
    return dispatching.folding(before) if isinstance(before, AlertRecord) else before

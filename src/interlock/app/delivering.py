"""Telling what is due: one dispatch at a time, each channel once, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from interlock.app.channels import Channel
from interlock.app.hands import Hands, Together, in_order
from interlock.app.notifying import change, unfold
from interlock.app.routing import pace_of
from interlock.app.silencing import silence_over
from interlock.core import dispatching
from interlock.core.alerts import Alert, LifecycleEvent, Notice
from interlock.core.deliveries import Delivery, DeliveryState, Trouble
from interlock.core.dispatching import AlertRecord, Dispatch, Publication
from interlock.errors import SinkError
from interlock.ports.controls import Silence
from interlock.ports.sinks import Sink, Subscriber
from interlock.ports.telemetry import Step, StepKind

LEASE_GRACE: Final = timedelta(seconds=30)
FOLDED_TOLD: Final = 20
"""How many folded alerts a notice lists."""
FREED_AT_ONCE: Final = 50
GROUPED_AT_ONCE: Final = 50

_GONE: Final = "no such channel is configured here"


class Outcome(NamedTuple):
    """What became of one call: an empty reason means that it arrived."""

    reason: str = ""
    retryable: bool = True
    after: timedelta | None = None


def deliver(dispatch_id: str, hands: Hands, *, together: Together = in_order) -> None:
    """Tell whatever of a dispatch is due, and record each result at once.

    Two callers never tell the same thing at once: whoever does holds a lease that outlives every call. A crash between a
    call and its record repeats that one telling, and nothing else. With `together` the channels are called at once; it
    must not be the pool that calls this, which would wait for itself.

    Raises:
        Contention: others kept changing the dispatch first.
        UnreadableRecord: the stored row is damaged, or from a later version.
    """
    record = hands.dispatches.dispatch(dispatch_id)
    if isinstance(record, AlertRecord) and _looked_after(record, hands):
        record = hands.dispatches.dispatch(dispatch_id)
    if record is None:
        return
    at = hands.clock.now()
    held = _lease(record, at, hands)
    if held is None:
        return
    try:
        ours = [each for each in held.deliveries if each.state is DeliveryState.TRYING]
        # Those that failed before come last: a channel that hangs must not keep the others waiting.
        ours.sort(key=lambda each: (each.tries, each.target))
        together([partial(_tell, held, each, hands) for each in ours])
    finally:
        _release(held, hands)


def _lease(record: Dispatch, at: datetime, hands: Hands) -> Dispatch | None:
    """Bring the record up to date and take its lease; None when somebody else has it, or nothing is to be told."""
    until = at + hands.alerting.timeout * max(1, len(record.deliveries)) + LEASE_GRACE
    silences = hands.controls.silences(at) if isinstance(record, AlertRecord) else ()
    taken: list[bool] = []

    def begun(before: Dispatch | None) -> Dispatch | None:
        taken.clear()
        if before is None or (before.held_until is not None and at < before.held_until):
            return before
        now = _up_to_date(before, silences, at, hands)
        after = dispatching.begun(now, at, until)
        taken.append(after.held_until == until and after != now)
        return after

    after = change(record.dispatch_id, begun, hands)
    return after if taken == [True] else None


def _release(held: Dispatch, hands: Hands) -> None:
    def released(before: Dispatch | None) -> Dispatch | None:
        return before and dispatching.released(before, held.held_until, hands.clock.now())

    change(held.dispatch_id, released, hands)


def _up_to_date(record: Dispatch, silences: tuple[Silence, ...], at: datetime, hands: Hands) -> Dispatch:
    if isinstance(record, Publication):
        return record
    reminded = dispatching.woke(record, pace_of(hands.alerting), at)
    silence = silence_over(reminded.alert, silences, at)
    return reminded if silence is None else dispatching.silenced(reminded, silence.silence_id, silence.until, at)


# ---------------------------------------------------------------------- causes


def _looked_after(record: AlertRecord, hands: Hands) -> bool:
    """Do what a fold asks for, if it is time; say whether anything was."""
    at = hands.clock.now()
    if record.check_at is None or at < record.check_at:
        return False
    if record.open and record.folded_into:
        if not unfold(record, hands):
            _checked(record, at, hands)
        return True
    freed = [
        each for each in hands.dispatches.folded(record.alert.alert_id, limit=FREED_AT_ONCE) if unfold(each, hands)
    ]
    if not freed:
        _checked(record, at, hands)
    return True


def _checked(record: AlertRecord, at: datetime, hands: Hands) -> None:
    def looked(before: Dispatch | None) -> Dispatch | None:
        same = isinstance(before, AlertRecord) and before.check_at == record.check_at
        return dispatching.checked(before, at) if same and isinstance(before, AlertRecord) else before

    change(record.dispatch_id, looked, hands)


# ---------------------------------------------------------------------- telling


def _tell(record: Dispatch, delivery: Delivery, hands: Hands) -> None:
    if isinstance(record, Publication):
        if _held_up(record, hands):
            return
        name, event = delivery.target.name, record.event
        subscriber = dict(hands.alerting.subscribers).get(name)
        step = hands.store.telemetry.step(StepKind.EVENT, event.slot, event.run_id, sink=name)
        heard = Outcome(_GONE) if subscriber is None else _called(partial(_publish, subscriber, event), hands, step)
        _record(record, delivery, heard, hands)
        return
    channel = next((each for each in hands.alerting.channels if each.name == delivery.target.name), None)
    company = () if channel is None else _company(record, delivery, channel, hands)
    try:
        outcome = _outcome(record, delivery, channel, company, hands)
        if outcome is None:
            return
        _record(record, delivery, outcome, hands)
        for other, its in company:
            _record(other, its, outcome, hands)
    finally:
        for other, _ in company:
            _release(other, hands)


def _held_up(record: Dispatch, hands: Hands) -> bool:
    """Say whether a call made now might not be over when others take the lease to be: then it is due again instead."""
    latest = hands.clock.now() + hands.alerting.timeout + LEASE_GRACE / 2
    return record.held_until is None or latest > record.held_until


def _outcome(
    record: AlertRecord,
    delivery: Delivery,
    channel: Channel | None,
    company: tuple[tuple[AlertRecord, Delivery], ...],
    hands: Hands,
) -> Outcome | None:
    if channel is None:
        return Outcome(_GONE)
    notice = dispatching.notice(record, delivery, _folded(record, hands), tuple(other.alert for other, _ in company))
    # Asked last: what is read for the notice may take its time.
    if _held_up(record, hands):
        return None
    step = hands.store.telemetry.step(StepKind.ALERT, record.alert.slot, record.alert.run_id, sink=channel.name)
    return _called(partial(_notify, channel.sink, notice), hands, step)


def _folded(record: AlertRecord, hands: Hands) -> tuple[Alert, ...]:
    if not record.folds:
        return ()
    return tuple(each.alert for each in hands.dispatches.folded(record.alert.alert_id, limit=FOLDED_TOLD))


def _notify(sink: Sink, notice: Notice, timeout: timedelta) -> None:
    sink.deliver(notice, timeout=timeout)


def _publish(subscriber: Subscriber, event: LifecycleEvent, timeout: timedelta) -> None:
    subscriber.publish(event, timeout=timeout)


def _called(call: Callable[[timedelta], None], hands: Hands, step: Step) -> Outcome:
    with step:
        outcome = _outcome_of(call, hands)
        step.told(outcome="failed" if outcome.reason else "delivered")
        return outcome


def _outcome_of(call: Callable[[timedelta], None], hands: Hands) -> Outcome:
    try:
        call(hands.alerting.timeout)
    except SinkError as exc:
        return Outcome(str(exc) or "it was not delivered", exc.retryable, exc.retry_after)
    except Exception as exc:  # noqa: BLE001  (a sink that breaks its promise must not keep the alert from the others)
        return Outcome(f"the sink broke: {type(exc).__name__}: {exc}")
    return Outcome()


def _record(record: Dispatch, delivery: Delivery, outcome: Outcome, hands: Hands) -> None:
    target, number, pace = delivery.target.name, delivery.number, pace_of(hands.alerting)

    def told(before: Dispatch | None) -> Dispatch | None:
        at = hands.clock.now()
        if before is None or not outcome.reason:
            return before and dispatching.delivered(before, target, number, pace, at)
        trouble = Trouble(outcome.reason, retryable=outcome.retryable, after=outcome.after)
        return dispatching.failed(before, target, number, trouble, pace, at)

    change(record.dispatch_id, told, hands)


# ---------------------------------------------------------------------- groups


def _company(
    record: AlertRecord, delivery: Delivery, channel: Channel, hands: Hands
) -> tuple[tuple[AlertRecord, Delivery], ...]:
    """Lease what is due, or waits, for the same channel and group, and tells the same part of an alert's life."""
    if not delivery.target.group:
        return ()
    at = hands.clock.now()
    silences = hands.controls.silences(at)
    found: list[tuple[AlertRecord, Delivery]] = []
    for other in hands.dispatches.waiting(channel.name, delivery.target.group, limit=GROUPED_AT_ONCE):
        its = other.delivery(channel.name)
        same = its is not None and its.kind is delivery.kind and other.dispatch_id != record.dispatch_id
        if same and silence_over(other.alert, silences, at) is None:
            leased = _leased(other, channel.name, at, hands)
            if leased is not None:
                found.append(leased)
    return tuple(found)


def _leased(other: AlertRecord, channel: str, at: datetime, hands: Hands) -> tuple[AlertRecord, Delivery] | None:
    after = dispatching.begun(other, at, at + hands.alerting.timeout + LEASE_GRACE, only=channel)
    leased = after.delivery(channel)
    if after == other or leased is None or leased.state is not DeliveryState.TRYING:
        return None
    # Somebody who was faster tells it: there is no need to try again.
    return (after, leased) if hands.dispatches.commit(other, after) else None

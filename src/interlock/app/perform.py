"""One wish in, at most one fact out: the one place where effects leave."""

from __future__ import annotations

from typing import assert_never

from interlock.app.advance import Advanced, advance
from interlock.app.cascading import notify_downstream
from interlock.app.evaluating import evaluate_trait
from interlock.app.hands import Hands, Silence
from interlock.app.notifying import publish, raise_alert, resolve_alert
from interlock.app.polling import cancel_job, check_job
from interlock.app.reruns import Rerun, ask_rerun
from interlock.app.shadow import perform_in_shadow
from interlock.app.triggering import start_job
from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    EvaluateTrait,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
    StartJob,
)
from interlock.core.events import Event, TraitEvaluated
from interlock.core.ids import RunKey
from interlock.core.pipelines import Mode


def perform(key: RunKey, command: Command, hands: Hands) -> Event | Silence:
    """Carry out one wish of a run and return what was learned, or why there is nothing to tell the run.

    Safe to call twice for one wish, at once or later: asking and looking are harmless, a start is claimed first, and
    whatever is told carries its own name.
    """
    if isinstance(command, EvaluateTrait):
        return _evaluate(key, command, hands)
    run = hands.store.run(key)
    if run is None:
        return Silence.SETTLED
    if hands.store.spec(run.spec_digest).mode is Mode.SHADOW:
        return perform_in_shadow(key, command, hands)
    return _perform(key, command, hands)


def _perform(
    key: RunKey,
    command: StartJob | CheckJob | CancelJob | RaiseAlert | ResolveAlert | NotifyDownstream | AskRerun | PublishEnd,
    hands: Hands,
) -> Event | Silence:
    match command:
        case StartJob():
            return start_job(key, command, hands)
        case CheckJob():
            return check_job(key, command, hands)
        case CancelJob():
            return cancel_job(key, command, hands)
        case NotifyDownstream():
            return notify_downstream(key, hands)
        case AskRerun():
            asked = ask_rerun(key, command.cause, command.reason, hands)
            return Silence.LATER if asked.how is Rerun.LATER else Silence.SETTLED
        case RaiseAlert():
            raise_alert(command.alert, hands, cause=command.cause)
        case ResolveAlert():
            _resolve(key, command, hands)
        case PublishEnd():
            publish(command.event, hands)
        case _:
            assert_never(command)
    return Silence.SETTLED


def _resolve(key: RunKey, command: ResolveAlert, hands: Hands) -> None:
    for wish in hands.store.outstanding(key):
        # What is not told yet cannot be mended: the wish that it be told goes first, and is harmless the second time.
        if isinstance(wish, RaiseAlert) and wish.alert.alert_id == command.alert_id:
            raise_alert(wish.alert, hands, cause=wish.cause)
    resolve_alert(command.alert_id, command.resolution, command.at, hands)


def _evaluate(key: RunKey, command: EvaluateTrait, hands: Hands) -> Event | Silence:
    run = hands.store.run(key)
    if run is None or not run.judges or run.round != command.round or command.trait not in run.asked:
        return Silence.SETTLED
    spec = hands.store.spec(run.spec_digest)
    trait = next(trait for trait in spec.checks if trait.name == command.trait)
    result = evaluate_trait(trait, key.slot, hands, run_id=key.run_id, mode=spec.mode)
    return TraitEvaluated(at=hands.clock.now(), round=command.round, result=result)


def carry_out(key: RunKey, command: Command, hands: Hands) -> Advanced | None:
    """Perform one wish and tell the run what was learned, settling the wish in the same commit.

    None when there was nothing to tell; a wish that must be tried again stays in the outbox.
    """
    learned = perform(key, command, hands)
    if learned is Silence.LATER:
        return None
    if learned is Silence.SETTLED:
        hands.store.settle(key, command.id)
        return None
    return advance(key, learned, hands.store, settles=command.id)

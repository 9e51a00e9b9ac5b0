"""One wish in, at most one fact out."""

from __future__ import annotations

from typing import assert_never

from interlock.app.advance import Advanced, advance
from interlock.app.evaluating import evaluate_trait
from interlock.app.hands import Hands, Silence
from interlock.app.notifying import raise_alert
from interlock.app.polling import cancel_job, check_job
from interlock.app.triggering import start_job
from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, RaiseAlert, StartJob
from interlock.core.events import Event, TraitEvaluated
from interlock.core.ids import RunKey
from interlock.core.runs import RunStatus


def perform(key: RunKey, command: Command, hands: Hands) -> Event | Silence:
    """Carry out one wish of a run and return what was learned, or why there is nothing to tell the run.

    Safe to call twice for one wish, at once or later: asking and looking are harmless, a start is claimed first, an alert
    carries its own id.
    """
    match command:
        case EvaluateTrait():
            return _evaluate(key, command, hands)
        case StartJob():
            return start_job(key, command, hands)
        case CheckJob():
            return check_job(key, command, hands)
        case CancelJob():
            return cancel_job(key, command, hands)
        case RaiseAlert():
            return raise_alert(command, hands)
        case _:
            assert_never(command)


def _evaluate(key: RunKey, command: EvaluateTrait, hands: Hands) -> Event | Silence:
    run = hands.store.run(key)
    if (
        run is None
        or run.status is not RunStatus.PENDING
        or run.round != command.round
        or command.trait not in run.asked
    ):
        return Silence.SETTLED
    spec = hands.store.spec(run.spec_digest)
    trait = next(trait for trait in spec.traits if trait.name == command.trait)
    result = evaluate_trait(trait, key.slot, hands, run_id=key.run_id)
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

"""Bugs planted in the core on purpose: a law or a constraint must catch each of them within some histories."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.core import histories
from tests.unit.core.histories import healthy, played
from tests.unit.core.mutants import WATCHING

from interlock.core import attempts, execution, gate, lifecycle, readiness, rounds
from interlock.core.commands import RaiseAlert, StartJob
from interlock.core.decision import Decision
from interlock.core.events import Event, JobUnseen, TraitEvaluated, TriggerInDoubt
from interlock.core.lifecycle import decide
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Permit, Run, RunStatus
from interlock.core.traits import TraitResult

SEEDS = 300
Patch = pytest.MonkeyPatch


def _old_attempt_accepted(patch: Patch) -> None:
    patch.setattr(lifecycle, "_ABOUT_AN_ATTEMPT", ())


def _old_round_accepted(patch: Patch) -> None:
    def mutant(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        return decide(run, replace(event, round=run.round) if isinstance(event, TraitEvaluated) else event, spec)

    patch.setattr(histories, "decide", mutant)


def _expiry_ignored(patch: Patch) -> None:
    patch.setattr(readiness, "is_fresh", lambda _result, _at: True)
    patch.setattr(readiness, "_holds_until", lambda _passing, _needed: None)


def _expiry_counted_from_the_answer(patch: Patch) -> None:
    def mutant(result: TraitResult, at: datetime) -> TraitResult:
        late = at - result.observed_at
        return replace(
            result, observed_at=at, expires_at=None if result.expires_at is None else result.expires_at + late
        )

    patch.setattr(rounds, "_not_ahead", mutant)


def _retry_keeps_old_results(patch: Patch) -> None:
    forget = attempts.back_to_pending
    patch.setattr(attempts, "back_to_pending", lambda run: replace(forget(run), results=run.results))


def _ended_run_moves(patch: Patch) -> None:
    def mutant(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        return decide(replace(run, status=RunStatus.RUNNING) if run.ended else run, event, spec)

    patch.setattr(histories, "decide", mutant)


def _decided(patch: Patch, change: Callable[[Decision], Decision]) -> None:
    patch.setattr(histories, "decide", lambda run, event, spec: change(decide(run, event, spec)))


def _started_twice(patch: Patch) -> None:
    def twice(decision: Decision) -> Decision:
        starts = tuple(command for command in decision.commands if isinstance(command, StartJob))
        return replace(decision, commands=decision.commands + starts)

    _decided(patch, twice)


def _nobody_told(patch: Patch) -> None:
    def quiet(decision: Decision) -> Decision:
        return replace(decision, commands=tuple(each for each in decision.commands if not isinstance(each, RaiseAlert)))

    _decided(patch, quiet)


def _permits(patch: Patch, change: Callable[[Permit], Permit]) -> None:
    make = gate._permit
    patch.setattr(gate, "_permit", lambda *args: change(make(*args)))


def _permit_too_long(patch: Patch) -> None:
    _permits(patch, lambda permit: replace(permit, valid_until=permit.valid_until + timedelta(hours=1)))


def _permit_for_the_same_attempt(patch: Patch) -> None:
    _permits(patch, lambda permit: replace(permit, attempt=max(1, permit.attempt - 1)))


def _override_silent(patch: Patch) -> None:
    _permits(patch, lambda permit: replace(permit, overridden=()))


def _skew_forgotten(patch: Patch) -> None:
    make = gate._permit

    def mutant(run: Run, verdict: Any, spec: PipelineSpec, at: datetime) -> Permit:
        return make(run, verdict, replace(spec, clock_skew=timedelta()), at)

    patch.setattr(gate, "_permit", mutant)


def _backoff_ignored(patch: Patch) -> None:
    woken = gate.woken
    patch.setattr(gate, "woken", lambda run, spec, at: woken(replace(run, wake_at=at), spec, at))


def _permanent_retried(patch: Patch) -> None:
    patch.setattr(attempts, "should_retry", lambda *_: True)


def _doubt_repeated(patch: Patch) -> None:
    def mutant(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        if isinstance(event, TriggerInDoubt) and run.status is RunStatus.TRIGGERING and event.attempt == run.attempt:
            return lifecycle._named(run, execution.refused(run, spec, event.at), max(event.at, run.updated_at))
        return decide(run, event, spec)

    patch.setattr(histories, "decide", mutant)


def _running_job_forgotten(patch: Patch) -> None:
    accepted = execution.accepted

    def mutant(*args: Any) -> Decision:
        decision = accepted(*args)
        return replace(decision, run=replace(decision.run, wake_at=None))

    patch.setattr(execution, "accepted", mutant)


def _looks_counted_twice(patch: Patch) -> None:
    def mutant(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        return decide(run, replace(event, look=run.looks) if isinstance(event, JobUnseen) else event, spec)

    patch.setattr(histories, "decide", mutant)


def _time_goes_back(patch: Patch) -> None:
    def mutant(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        decision = decide(run, event, spec)
        return decision if decision.run == run else replace(decision, run=replace(decision.run, updated_at=event.at))

    patch.setattr(histories, "decide", mutant)


def _history_thrown_away(patch: Patch) -> None:
    def mutant(decision: Decision) -> Decision:
        return replace(decision, run=replace(decision.run, attempts=decision.run.attempts[-1:]))

    _decided(patch, mutant)


def _gate_that_never_opens(patch: Patch) -> None:
    def mutant(run: Run, _permit: Permit, spec: PipelineSpec, at: datetime) -> Decision:
        return Decision(run=replace(run, wake_at=at + spec.watch.interval))

    patch.setattr(gate, "_open", mutant)


MUTANTS = (
    _old_attempt_accepted,
    _old_round_accepted,
    _expiry_ignored,
    _expiry_counted_from_the_answer,
    _retry_keeps_old_results,
    _ended_run_moves,
    _started_twice,
    _nobody_told,
    _permit_too_long,
    _permit_for_the_same_attempt,
    _override_silent,
    _skew_forgotten,
    _backoff_ignored,
    _permanent_retried,
    _doubt_repeated,
    _running_job_forgotten,
    _looks_counted_twice,
    _time_goes_back,
    _history_thrown_away,
    _gate_that_never_opens,
    *WATCHING,
)


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """LAT-02, LAT-03, LAT-13, LAT-15, LAT-42, LAT-45, BUG-48, BUG-160, BUG-164."""
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"history \d+"):
        _play_all()


def _play_all() -> None:
    for seed in range(SEEDS):
        played(seed)
        healthy(seed)

"""Bugs to plant in what watches a run: deadlines, limits, holds, pacing, monitoring, telling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from interlock.core import attempts, gate, monitor, rounds, slas, verification
from interlock.core.commands import AskRerun, RaiseAlert
from interlock.core.decision import Decision
from interlock.core.events import EvidenceArrived, JobFinished
from interlock.core.pipelines import PipelineSpec
from interlock.core.retries import should_retry
from interlock.core.runs import Cause, Override, Permit, Run, RunStatus, Sla

Patch = pytest.MonkeyPatch


def _wrapped(patch: Patch, place: Any, name: str, change: Callable[[Decision], Decision]) -> None:
    made = getattr(place, name)
    patch.setattr(place, name, lambda *args, **rest: change(made(*args, **rest)))


def _quiet(decision: Decision) -> Decision:
    return replace(decision, commands=tuple(each for each in decision.commands if not isinstance(each, RaiseAlert)))


def verdict_by_the_clock_alone(patch: Patch) -> None:
    patch.setattr(slas, "_let_through", lambda _run: True)


def verdict_by_who_looks(patch: Patch) -> None:
    patch.setattr(slas, "overdue", lambda run, *_args, **_rest: Decision(run=run))


def verdict_given_again(patch: Patch) -> None:
    patch.setattr(slas, "_armed", lambda sla: sla)


def deadline_of_another_run_blamed(patch: Patch) -> None:
    patch.setattr(slas, "_afterwards", lambda *_: False)


def hold_blamed_for_a_breach(patch: Patch) -> None:
    patch.setattr(slas, "_held", lambda *_: False)


def risk_told_again_and_again(patch: Patch) -> None:
    def mutant(_run: Run, sla: Sla, at: datetime) -> bool:
        return sla.warn_at is not None and at >= sla.warn_at

    patch.setattr(slas, "_at_risk", mutant)


def risk_of_a_job_begun_in_time(patch: Patch) -> None:
    known = Sla.next_at
    patch.setattr(Sla, "next_at", lambda self, **_: known(self, begun=False))


def deadline_that_nobody_waits_for(patch: Patch) -> None:
    patch.setattr(Sla, "next_at", lambda self, **_: self.due_at)


def never_given_up(patch: Patch) -> None:
    patch.setattr(slas, "closing", lambda *_: None)


def given_up_in_silence(patch: Patch) -> None:
    _wrapped(patch, slas, "_given_up", _quiet)


def given_up_although_forced(patch: Patch) -> None:
    def mutant(run: Run, override: Override, _at: datetime) -> Run:
        return replace(run, override=override)

    patch.setattr(gate, "_forced", mutant)


def permit_past_its_limit(patch: Patch) -> None:
    make = gate._permit

    def mutant(run: Run, *rest: Any) -> Permit:
        return make(replace(run, hard=False), *rest)

    patch.setattr(gate, "_permit", mutant)


def start_under_a_hold(patch: Patch) -> None:
    conclude = gate._conclude

    def mutant(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
        decision = conclude(replace(run, held_until=None), spec, at)
        return replace(decision, run=replace(decision.run, held_until=run.held_until))

    patch.setattr(gate, "_conclude", mutant)


def evidence_shortens_a_backoff(patch: Patch) -> None:
    arrived = gate.evidence_arrived

    def mutant(run: Run, event: EvidenceArrived, spec: PipelineSpec, at: datetime) -> Decision:
        return arrived(replace(run, not_before=None), event, spec, at)

    patch.setattr(gate, "evidence_arrived", mutant)


def evidence_asks_for_ever(patch: Patch) -> None:
    arrived = gate.evidence_arrived

    def mutant(run: Run, event: EvidenceArrived, spec: PipelineSpec, at: datetime) -> Decision:
        return arrived(replace(run, asked_at=None), event, spec, at)

    patch.setattr(gate, "evidence_arrived", mutant)


def stopped_in_silence(patch: Patch) -> None:
    _wrapped(patch, gate, "_stopped", _quiet)


def stopped_told_again_and_again(patch: Patch) -> None:
    patch.setattr(gate, "told", lambda *_: False)


def pause_of_nothing(patch: Patch) -> None:
    patch.setattr(gate, "LONGEST_PAUSE", timedelta())
    patch.setattr(gate, "interval", lambda *_: timedelta())


def future_answers_believed(patch: Patch) -> None:
    patch.setattr(rounds, "_not_ahead", lambda result, _at: result)


def trouble_taken_for_drift(patch: Patch) -> None:
    patch.setattr(monitor, "could_not_tell", lambda _: False)


def rerun_without_drift(patch: Patch) -> None:
    def more(decision: Decision) -> Decision:
        return replace(decision, commands=(*decision.commands, AskRerun(cause=Cause.DRIFT, reason="who knows")))

    _wrapped(patch, monitor, "_judged", more)


def watch_without_end(patch: Patch) -> None:
    patch.setattr(monitor, "over", lambda run, _at, *_: run)


def watch_that_forgets_the_success(patch: Patch) -> None:
    patch.setattr(slas, "SUCCEEDED", frozenset({RunStatus.COMPLETED}))


def mended_alerts_remembered(patch: Patch) -> None:
    def mutant(run: Run, commands: tuple[Any, ...]) -> tuple[str, ...]:
        raised = {each.alert.alert_id for each in commands if isinstance(each, RaiseAlert)}
        return tuple(sorted(set(run.open_alerts) | raised))

    patch.setattr(slas, "kept", mutant)


def mended_too_soon(patch: Patch) -> None:
    patch.setattr("interlock.core.telling._resolution", lambda *_, **__: "all is well")


def success_taken_for_done(patch: Patch) -> None:
    def mutant(run: Run, event: JobFinished, spec: PipelineSpec, at: datetime) -> Decision:
        return verification._succeeded(run, event.reason, spec, at)

    patch.setattr(verification, "done", mutant)


def a_failed_check_forgiven(patch: Patch) -> None:
    patch.setattr(verification, "could_not_tell", lambda _result: True)


def unverified_in_silence(patch: Patch) -> None:
    _wrapped(patch, verification, "_undecided", _quiet)


def retries_without_end(patch: Patch) -> None:
    patch.setattr(attempts, "should_retry", lambda policy, category, _n: should_retry(policy, category, 1))


WATCHING = (
    success_taken_for_done,
    a_failed_check_forgiven,
    unverified_in_silence,
    retries_without_end,
    verdict_by_the_clock_alone,
    verdict_by_who_looks,
    verdict_given_again,
    deadline_of_another_run_blamed,
    hold_blamed_for_a_breach,
    risk_told_again_and_again,
    risk_of_a_job_begun_in_time,
    deadline_that_nobody_waits_for,
    never_given_up,
    given_up_in_silence,
    given_up_although_forced,
    permit_past_its_limit,
    start_under_a_hold,
    evidence_shortens_a_backoff,
    evidence_asks_for_ever,
    stopped_in_silence,
    stopped_told_again_and_again,
    pause_of_nothing,
    future_answers_believed,
    trouble_taken_for_drift,
    rerun_without_drift,
    watch_without_end,
    watch_that_forgets_the_success,
    mended_alerts_remembered,
    mended_too_soon,
)

"""`decide`: the one function that changes a run."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from interlock.core import execution, gate
from interlock.core.commands import Command
from interlock.core.decision import Decision, stay
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.ids import RunKey, command_id
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Override, Run, RunStatus

_ABOUT_AN_ATTEMPT: Final = (
    StartRefused,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    JobSeen,
    JobUnseen,
    JobVanished,
    JobFinished,
)


def opened(
    key: RunKey,
    spec: PipelineSpec,
    digest: str,
    at: datetime,
    *,
    cause: Cause = Cause.MANUAL,
    note: str = "",
    override: Override | None = None,
) -> Decision:
    """Open a run, pinned to a spec, and begin its first round. `note` is what whoever opens it has to say."""
    blank = Run(
        key=key,
        spec_digest=digest,
        opened_at=at,
        updated_at=at,
        since=at,
        cause=cause,
        note=note,
        override=override,
        version=0,
    )
    return _named(blank, gate.begin_round(blank, spec, at), at)


def decide(run: Run, event: Event, spec: PipelineSpec) -> Decision:
    """Say what a fact changes about a run, and what is wished of the world because of it.

    Pure and total: any event may come in any state, late, early, repeated or unsolicited. What does not concern the run as
    it is leaves it exactly as it is. Time never goes backwards: `at` is never before the run's last change.
    """
    if run.ended:
        return stay(run)
    if isinstance(event, _ABOUT_AN_ATTEMPT) and event.attempt != run.attempt:
        return stay(run)
    at = max(event.at, run.updated_at)
    decision = _step(run, event, spec, at)
    if decision.run == run and not decision.commands:
        return stay(run)
    return _named(run, decision, at)


def _step(run: Run, event: Event, spec: PipelineSpec, at: datetime) -> Decision:
    pending = run.status is RunStatus.PENDING
    match event:
        case Woke():
            return gate.woken(run, spec, at) if pending else execution.woken(run, spec, at)
        case EvaluationAsked():
            return gate.evaluation_asked(run, event, spec, at) if pending else stay(run)
        case TraitEvaluated():
            return gate.trait_evaluated(run, event, spec, at) if pending else stay(run)
        case CancelAsked():
            return execution.cancelled(run, event, at)
        case _:
            return _attempt_step(run, event, spec, at)


def _attempt_step(
    run: Run,
    event: StartRefused
    | TriggerAccepted
    | TriggerFailed
    | TriggerInDoubt
    | JobSeen
    | JobUnseen
    | JobVanished
    | JobFinished,
    spec: PipelineSpec,
    at: datetime,
) -> Decision:
    match event:
        case StartRefused():
            return execution.refused(run, spec, at)
        case TriggerAccepted():
            return execution.accepted(run, event, spec, at)
        case TriggerFailed():
            return execution.not_started(run, event.category, event.reason, spec, at)
        case TriggerInDoubt():
            return execution.in_doubt(run, event.reason, at)
        case JobSeen():
            return execution.seen(run, spec, at)
        case JobUnseen():
            return execution.unseen(run, event, spec, at)
        case JobVanished():
            return execution.vanished(run, event.reason, at)
        case JobFinished():
            return execution.finished(run, event, spec, at)
        case _:
            assert_never(event)


def _named(before: Run, decision: Decision, at: datetime) -> Decision:
    """Stamp the changed run, and name each command after the version of the run that wished it."""
    version = before.version + 1
    after = replace(
        decision.run,
        version=version,
        updated_at=at,
        since=before.since if decision.run.status is before.status else at,
    )
    commands: tuple[Command, ...] = tuple(
        replace(command, id=command_id(before.key.run_id, version, index))
        for index, command in enumerate(decision.commands)
    )
    return Decision(run=after, commands=commands)

"""`decide`: the one function that changes a run."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from interlock.core import execution, gate, monitor, slas, verification
from interlock.core.commands import Command
from interlock.core.decision import Decision, stay
from interlock.core.documents import EMPTY, Document
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    EvidenceArrived,
    Held,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    Released,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.ids import RunKey, command_id
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Override, Run, RunStatus, Sla, SlaState
from interlock.core.schedules import Limits, warning

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


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms a run is opened.

    `note` is what whoever opens it has to say, `details` what a program gives with it; `limits` are the slot's instants,
    fixed from here on; without any, nothing but its job and people ends it. `since` is from when on somebody was there to
    expect the slot: a deadline before that is nobody's fault.
    """

    cause: Cause = Cause.MANUAL
    note: str = ""
    details: Document = EMPTY
    override: Override | None = None
    limits: Limits | None = None
    since: datetime | None = None


AS_ASKED: Final = Terms()


def opened(
    key: RunKey,
    spec: PipelineSpec,
    digest: str,
    at: datetime,
    terms: Terms = AS_ASKED,
) -> Decision:
    """Open a run, pinned to a spec, and begin its first round."""
    blank = Run(
        key=key,
        spec_digest=digest,
        opened_at=at,
        updated_at=at,
        since=at,
        cause=terms.cause,
        note=terms.note,
        details=terms.details,
        override=terms.override,
        version=0,
    )
    run = blank if terms.limits is None else _expected_since(_limited(blank, terms.limits, spec), terms.since)
    late = slas.overdue(run, spec, at)
    begun = gate.begin_round(late.run, spec, at)
    decision = Decision(run=begun.run, commands=(*late.commands, *begun.commands))
    return _named(run, slas.settle(None, decision, None, spec, at), at)


def _limited(run: Run, limits: Limits, spec: PipelineSpec) -> Run:
    evaluation, completion = limits.evaluation_due, limits.completion_due
    warn_at = warning(completion, spec.sla.at_risk, limits.opens_at)
    return replace(
        run,
        evaluation_sla=Sla(due_at=evaluation, warn_at=limits.evaluation_warn) if evaluation else None,
        # Its earliest warning is for a job not begun by then; one under way is at risk later, or never.
        completion_sla=Sla(due_at=completion, warn_at=warn_at, begin_by=limits.completion_warn) if completion else None,
        closes_at=limits.closes_at,
        closes_because=limits.closes_because,
        hard=limits.hard,
        patience=limits.closes_at - run.opened_at,
    )


def _expected_since(run: Run, since: datetime | None) -> Run:
    """Waive the deadlines that were over before anybody was there: a pipeline that is new at noon was not late at nine."""
    if since is None:
        return run
    early = [
        replace(sla, state=SlaState.WAIVED, settled_at=run.opened_at) if sla is not None and sla.due_at < since else sla
        for sla in (run.evaluation_sla, run.completion_sla)
    ]
    return replace(run, evaluation_sla=early[0], completion_sla=early[1])


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
    late = slas.overdue(run, spec, at)
    step = slas.closing(late.run, event, spec, at) or _step(late.run, event, spec, at)
    if run.status is not RunStatus.PENDING:
        # What comes back to be judged again after its limit is not judged any more.
        step = slas.closing(step.run, event, spec, at) or step
    decision = slas.settle(run, Decision(run=step.run, commands=(*late.commands, *step.commands)), event, spec, at)
    if decision.run == run and not decision.commands:
        return stay(run)
    return _named(run, decision, at)


def _step(run: Run, event: Event, spec: PipelineSpec, at: datetime) -> Decision:
    match event:
        case CancelAsked():
            return execution.cancelled(run, event, at)
        case Woke() | EvaluationAsked() | TraitEvaluated() | EvidenceArrived() | Held() | Released():
            return _judging_step(run, event, spec, at)
        case _:
            return _attempt_step(run, event, spec, at)


def _judging_step(
    run: Run,
    event: Woke | EvaluationAsked | TraitEvaluated | EvidenceArrived | Held | Released,
    spec: PipelineSpec,
    at: datetime,
) -> Decision:
    if run.status is RunStatus.COMPLETED_MONITORING:
        return _watching_step(run, event, spec, at)
    if run.status is not RunStatus.PENDING:
        return _running_step(run, event, spec, at)
    match event:
        case Woke():
            return gate.woken(run, spec, at)
        case EvaluationAsked():
            return gate.evaluation_asked(run, event, spec, at)
        case TraitEvaluated():
            return gate.trait_evaluated(run, event, spec, at)
        case EvidenceArrived():
            return gate.evidence_arrived(run, event, spec, at)
        case Held():
            return gate.held(run, event, at)
        case Released():
            return gate.released(run, event, spec, at)
        case _:
            assert_never(event)


def _running_step(run: Run, event: Event, spec: PipelineSpec, at: datetime) -> Decision:
    if isinstance(event, Woke):
        return execution.woken(run, spec, at)
    if isinstance(event, TraitEvaluated) and run.verifying is not None:
        return verification.trait_evaluated(run, event, spec, at)
    return stay(run)


def _watching_step(run: Run, event: Event, spec: PipelineSpec, at: datetime) -> Decision:
    if run.monitor is not None and at >= run.monitor.until:
        return Decision(run=monitor.over(run, at))
    match event:
        case Woke():
            return monitor.woken(run, spec, at)
        case TraitEvaluated():
            return monitor.trait_evaluated(run, event, spec, at)
        case EvidenceArrived():
            return monitor.evidence_arrived(run, event, spec, at)
        case _:
            return stay(run)


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
            return execution.in_doubt(run, event.reason, spec, at)
        case JobSeen():
            return execution.seen(run, spec, at)
        case JobUnseen():
            return execution.unseen(run, event, spec, at)
        case JobVanished():
            return execution.vanished(run, event.reason, spec, at)
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

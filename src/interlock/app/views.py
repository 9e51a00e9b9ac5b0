"""What people and programs are shown: one documented shape per thing, the same on the command line and over HTTP.

Field names are the seeds' (camelCase). Fields are only ever added.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from interlock.app.resting import rest_of
from interlock.clients.links import page_of
from interlock.codec.documents import document, mapping
from interlock.core.documents import Document
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness, TraitVerdict
from interlock.core.runs import AGAIN, Attempt, Run, Sla
from interlock.core.traits import TraitResult, TraitStatus
from interlock.ports.stores import TimelineRecord


class View(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something shown. Absent values are null, empty lists are `[]`."""


class TraitView(View, frozen=True, kw_only=True, rename="camel"):
    """What is known of one trait. `status` is effective: a PASS that has expired is STALE."""

    trait_type: str
    required: bool
    status: str
    reason: str = ""
    value: Document | None = None
    failure_category: str | None = None
    origin: str | None = None
    evaluated_at: datetime | None = None
    expires_at: datetime | None = None


class ReadinessView(View, frozen=True, kw_only=True, rename="camel"):
    """A verdict with everything behind it. `undecided`: it is no yes, and only because some answers are missing."""

    pipeline_id: str
    schedule_id: str
    date: str
    status: str
    rule: str
    needed: int
    passed: int
    traits: tuple[TraitView, ...]
    blocking: tuple[str, ...]
    errors: tuple[str, ...]
    undecided: bool
    evaluated_at: datetime


class AttemptView(View, frozen=True, kw_only=True, rename="camel"):
    """One attempt that has ended."""

    attempt: int
    status: str
    started_at: datetime
    completed_at: datetime
    failure_category: str | None
    failure_message: str
    job_id: str


class SlaView(View, frozen=True, kw_only=True, rename="camel"):
    """One deadline of a run: `state` is ARMED, MET, BREACHED or WAIVED; `at_risk` whether people were warned."""

    due_at: datetime
    state: str
    at_risk: bool
    settled_at: datetime | None


class BlockerView(View, frozen=True, kw_only=True, rename="camel"):
    """One trait that speaks against a start, by the latest verdict."""

    trait_type: str
    status: str
    reason: str


class VerifyingView(View, frozen=True, kw_only=True, rename="camel"):
    """A job that says that its work is done, which is being checked: since when, and what it said.

    `tries` is how many rounds of checks could not tell; `unsure` are the checks that have not passed yet.
    """

    since: datetime
    said: str
    tries: int
    unsure: tuple[BlockerView, ...]


class RunView(View, frozen=True, kw_only=True, rename="camel"):
    """One run.

    `completed_at` is when what the run is for was done, or when it ended otherwise; `wake_at` when anything about it is due
    next. `closes_at` is when it is given up unless it was let through, `blocked` why asking its traits again would not help,
    `held_until` how long it is paused, `monitoring_until` how long it is watched for drift.
    `rests` says why waiting for it alone brings nothing new: NOT_READY, HELD, DOUBT, UNVERIFIED or ENDED; empty while it
    goes on. `verifying` is there while its job says that its work is done and that is being checked.
    `metadata` is what is known of its job, with the slot, and with what was said when it was asked for; `job_url` is the
    job's own page, fit to be opened, or empty.
    """

    run_id: str
    pipeline_id: str
    schedule_id: str
    date: str
    status: str
    version: int
    cause: str
    attempt: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    wake_at: datetime | None
    evaluation_sla: SlaView | None
    completion_sla: SlaView | None
    closes_at: datetime | None
    monitoring_until: datetime | None
    drifted: tuple[str, ...]
    blocked: str
    held_until: datetime | None
    job_id: str
    job_details: Document
    doubt: str
    failure_message: str
    failure_category: str | None
    override: str | None
    blocking: tuple[str, ...]
    attempts: tuple[AttemptView, ...]
    metadata: Document
    rests: str
    undecided: bool
    blockers: tuple[BlockerView, ...]
    not_before: datetime | None
    held_because: str
    job_url: str
    verifying: VerifyingView | None


class CancelledView(RunView, frozen=True, kw_only=True, rename="camel"):
    """A run that was cancelled. `job_stopped`: whether nothing of it runs any more; null when nobody here can know."""

    job_stopped: bool | None
    job_message: str


class CompletedView(RunView, frozen=True, kw_only=True, rename="camel"):
    """A run of which somebody told how its job ended. `known`: the same had been told before."""

    known: bool


class EventView(View, frozen=True, kw_only=True, rename="camel"):
    """One line of a timeline."""

    kind: str
    pipeline_id: str
    schedule_id: str
    date: str
    run_id: str
    trait_type: str | None
    status: str
    message: str
    details: Document
    timestamp: datetime
    cursor: str


def trait_view(verdict: TraitVerdict, result: TraitResult | None) -> TraitView:
    """Show one trait as it counted, with the answer behind it."""
    return TraitView(
        trait_type=verdict.trait,
        required=verdict.required,
        status=verdict.status,
        reason=verdict.reason,
        value=result.value if result else None,
        failure_category=verdict.category,
        origin=result.origin if result else None,
        evaluated_at=result.observed_at if result else None,
        expires_at=result.expires_at if result else None,
    )


def readiness_view(
    spec: PipelineSpec, schedule: str, date: str, readiness: Readiness, results: tuple[TraitResult, ...]
) -> ReadinessView:
    """Show a verdict."""
    by_trait = {result.trait: result for result in results}
    return ReadinessView(
        pipeline_id=spec.name,
        schedule_id=schedule,
        date=date,
        status=readiness.status,
        rule=spec.rule.type,
        needed=readiness.needed,
        passed=readiness.passed,
        traits=tuple(trait_view(verdict, by_trait.get(verdict.trait)) for verdict in readiness.verdicts),
        blocking=readiness.blocking,
        errors=readiness.errors,
        undecided=readiness.undecided,
        evaluated_at=readiness.at,
    )


def run_view(run: Run) -> RunView:
    """Show a run."""
    slot, failure, override = run.key.slot, run.last_failure, run.override
    return RunView(
        run_id=run.key.run_id,
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        status=run.status,
        version=run.version,
        cause=run.cause,
        attempt=run.attempt,
        created_at=run.opened_at,
        updated_at=run.updated_at,
        completed_at=run.succeeded_at or run.ended_at,
        wake_at=run.due_at,
        evaluation_sla=_sla_view(run.evaluation_sla),
        completion_sla=_sla_view(run.completion_sla),
        closes_at=run.closes_at,
        monitoring_until=run.monitor.until if run.monitor else None,
        drifted=run.monitor.drifted if run.monitor else (),
        blocked=run.blocked,
        held_until=run.held_until,
        job_id=run.job_id,
        job_details=run.job_details,
        doubt=run.doubt,
        failure_message=failure.reason if failure else "",
        failure_category=failure.category if failure else None,
        override=f"{override.actor}: {override.reason}" if override else None,
        blocking=run.readiness.blocking if run.readiness else (),
        attempts=tuple(map(attempt_view, run.attempts)),
        metadata=metadata_of(run),
        rests=rest_of(run, run.updated_at) or "",
        undecided=run.readiness.undecided if run.readiness else False,
        blockers=_blockers(run),
        not_before=run.not_before,
        held_because=run.held_because,
        job_url=page_of(run.job_details),
        verifying=_verifying(run),
    )


def cancelled_view(run: Run, words: str, *, stopped: bool | None) -> CancelledView:
    """Show a run that was cancelled, and what became of its job."""
    return CancelledView(**asdict(run_view(run)), job_stopped=stopped, job_message=words)


def completed_view(run: Run, *, known: bool) -> CompletedView:
    """Show a run of which somebody told how its job ended."""
    return CompletedView(**asdict(run_view(run)), known=known)


def metadata_of(run: Run) -> Document:
    """Return what is known of a run's job, and of what was said when it was asked for; the slot is always in it."""
    slot = run.key.slot
    said: dict[str, str] = {"scheduleId": slot.schedule, "date": str(slot.period)}
    if run.key.number > 1 and run.cause in AGAIN:
        said |= {"rerunId": run.key.run_id, "originalDate": str(slot.period), "reason": reason_of(run)}
    if run.monitor is not None and run.succeeded_at is not None:
        said["monitoringStartedAt"] = run.succeeded_at.isoformat()
    return run.job_details.overlaid(document(said))


def reason_of(run: Run) -> str:
    """Return why a run was asked for, without who asked."""
    text = mapping(run.details).get("reason")
    return text if isinstance(text, str) else run.note


def _blockers(run: Run) -> tuple[BlockerView, ...]:
    if run.readiness is None:
        return ()
    return tuple(
        BlockerView(trait_type=one.trait, status=one.status, reason=one.reason)
        for one in run.readiness.verdicts
        if one.trait in run.readiness.blocking
    )


def _verifying(run: Run) -> VerifyingView | None:
    said = run.verifying
    if said is None:
        return None
    unsure = tuple(
        BlockerView(trait_type=one.trait, status=one.status, reason=one.reason) for one in unsure_checks(run)
    )
    return VerifyingView(since=said.since, said=said.said, tries=said.tries, unsure=unsure)


def unsure_checks(run: Run) -> tuple[TraitResult, ...]:
    """Return what was heard of the checks of a job's work that have not passed."""
    judged = {result.trait for result in run.permit.evidence} if run.permit else set()
    return tuple(one for one in run.results if one.trait not in judged and one.status is not TraitStatus.PASS)


def _sla_view(sla: Sla | None) -> SlaView | None:
    if sla is None:
        return None
    return SlaView(due_at=sla.due_at, state=sla.state, at_risk=sla.warned, settled_at=sla.settled_at)


def attempt_view(attempt: Attempt) -> AttemptView:
    """Show an attempt."""
    return AttemptView(
        attempt=attempt.number,
        status=attempt.outcome,
        started_at=attempt.began_at,
        completed_at=attempt.ended_at,
        failure_category=attempt.category,
        failure_message=attempt.reason,
        job_id=attempt.job_id,
    )


def event_view(line: TimelineRecord) -> EventView:
    """Show one line of a timeline."""
    record = line.record
    return EventView(
        kind=record.kind,
        pipeline_id=line.pipeline,
        schedule_id=line.schedule,
        date=line.period,
        run_id=line.run_id,
        trait_type=record.trait,
        status=record.status,
        message=record.message,
        details=record.details,
        timestamp=record.at,
        cursor=line.cursor,
    )

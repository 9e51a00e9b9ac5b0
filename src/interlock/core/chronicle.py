"""The story of a run in the words people and dashboards know: what a decision means as event records."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from interlock.core.commands import AskRerun, NotifyDownstream, PublishEnd, RaiseAlert
from interlock.core.decision import Decision
from interlock.core.documents import EMPTY, Document
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    EvidenceArrived,
    Held,
    JobFinished,
    JobVanished,
    Released,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
)
from interlock.core.ids import TraitName
from interlock.core.runs import Run, RunStatus, Sla, SlaState, Watch
from interlock.core.traits import FailureCategory, TraitResult


class EventKind(enum.StrEnum):
    """Every kind of record in a pipeline's timeline: a closed list."""

    RUN_OPENED = "RUN_OPENED"
    RUN_STATE_CHANGED = "RUN_STATE_CHANGED"
    EVALUATION_ASKED = "EVALUATION_ASKED"
    TRAIT_EVALUATED = "TRAIT_EVALUATED"
    TRAIT_PUSHED = "TRAIT_PUSHED"
    SENSOR_UPDATED = "SENSOR_UPDATED"
    READINESS_CHECKED = "READINESS_CHECKED"
    READINESS_OVERRIDDEN = "READINESS_OVERRIDDEN"
    TRIGGER_FIRED = "TRIGGER_FIRED"
    TRIGGER_FAILED = "TRIGGER_FAILED"
    TRIGGER_REFUSED = "TRIGGER_REFUSED"
    TRIGGER_IN_DOUBT = "TRIGGER_IN_DOUBT"
    JOB_LOST = "JOB_LOST"
    VERIFICATION_STARTED = "VERIFICATION_STARTED"
    CALLBACK_RECEIVED = "CALLBACK_RECEIVED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    RUN_CANCELLED = "RUN_CANCELLED"
    EVIDENCE_ARRIVED = "EVIDENCE_ARRIVED"
    EVALUATION_STOPPED = "EVALUATION_STOPPED"
    VALIDATION_EXHAUSTED = "VALIDATION_EXHAUSTED"
    RUN_HELD = "RUN_HELD"
    RUN_RELEASED = "RUN_RELEASED"
    SLA_AT_RISK = "SLA_AT_RISK"
    SLA_BREACHED = "SLA_BREACHED"
    SLA_MET = "SLA_MET"
    SLA_WAIVED = "SLA_WAIVED"
    MONITORING_STARTED = "MONITORING_STARTED"
    MONITORING_DRIFT_DETECTED = "MONITORING_DRIFT_DETECTED"
    MONITORING_COMPLETED = "MONITORING_COMPLETED"
    DOWNSTREAM_NOTIFIED = "DOWNSTREAM_NOTIFIED"
    PIPELINE_COMPLETED = "PIPELINE_COMPLETED"
    PIPELINE_FAILED = "PIPELINE_FAILED"
    MARKER_RECEIVED = "MARKER_RECEIVED"
    LATE_DATA_ARRIVAL = "LATE_DATA_ARRIVAL"
    RERUN_REQUESTED = "RERUN_REQUESTED"
    RERUN_ACCEPTED = "RERUN_ACCEPTED"
    RERUN_REJECTED = "RERUN_REJECTED"
    PIPELINE_REGISTERED = "PIPELINE_REGISTERED"
    PIPELINE_WITHDRAWN = "PIPELINE_WITHDRAWN"
    API_CALLED = "API_CALLED"
    PIPELINE_PAUSED = "PIPELINE_PAUSED"
    PIPELINE_RESUMED = "PIPELINE_RESUMED"
    PIPELINE_EXCLUDED = "PIPELINE_EXCLUDED"
    SLOT_SKIPPED = "SLOT_SKIPPED"
    SCHEDULE_MISSED = "SCHEDULE_MISSED"
    RUN_STUCK = "RUN_STUCK"
    TRIGGER_RECOVERED = "TRIGGER_RECOVERED"
    EXPECTATION_SETTLED = "EXPECTATION_SETTLED"
    WOULD_START = "WOULD_START"
    WOULD_ALERT = "WOULD_ALERT"
    WOULD_CANCEL = "WOULD_CANCEL"
    WOULD_NOTIFY_DOWNSTREAM = "WOULD_NOTIFY_DOWNSTREAM"
    WOULD_RERUN = "WOULD_RERUN"
    WOULD_PUBLISH = "WOULD_PUBLISH"
    ALERT_RAISED = "ALERT_RAISED"
    ALERT_RESOLVED = "ALERT_RESOLVED"
    ALERT_SILENCED = "ALERT_SILENCED"
    ALERT_UNDELIVERABLE = "ALERT_UNDELIVERABLE"
    EVENT_UNDELIVERABLE = "EVENT_UNDELIVERABLE"
    ALERTS_SILENCED = "ALERTS_SILENCED"


class EventRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a timeline. `category` says why a trait could not be told, or why its answer is no."""

    kind: EventKind
    at: datetime
    status: str = ""
    trait: TraitName | None = None
    message: str = ""
    details: Document = EMPTY
    category: FailureCategory | None = None


def told(before: Run | None, event: Event | None, decision: Decision) -> tuple[EventRecord, ...]:
    """Return the records of one decision, in the order in which they happened."""
    after = decision.run
    at = after.updated_at
    records: list[EventRecord] = []
    if before is None:
        records.append(EventRecord(kind=EventKind.RUN_OPENED, at=at, status=after.status, message=_opening(after)))
    if event is not None:
        records += _fact(event, at)
    if before is not None and before.override is not None and after.override is None:
        words = (
            f"what {before.override.actor} had forced no longer holds: the run is judged by another spec from here on"
        )
        records.append(EventRecord(kind=EventKind.EVALUATION_ASKED, at=at, message=words))
    records += _judgement(before, after, at)
    if before is not None and before.status is not after.status:
        records.append(
            EventRecord(
                kind=EventKind.RUN_STATE_CHANGED,
                at=at,
                status=after.status,
                message=f"{before.status} to {after.status}",
            )
        )
        records += _retry(before, after, at)
    records += _watchers(before, event, after, at)
    records += _wishes(decision, at)
    records += (
        EventRecord(kind=EventKind.ALERT_RAISED, at=at, status=command.alert.alert_type, message=command.alert.message)
        for command in decision.commands
        if isinstance(command, RaiseAlert)
    )
    return tuple(records)


def _opening(run: Run) -> str:
    override = run.override
    why = f"{run.cause}: {run.note}" if run.note else str(run.cause)
    if override is None:
        return f"opened ({why})"
    return f"opened ({why}), forced by {override.actor} past {', '.join(override.constraints)}: {override.reason}"


def _fact(event: Event, at: datetime) -> list[EventRecord]:
    match event:
        case TraitEvaluated(result=result):
            return [trait_told(result, at)]
        case TriggerAccepted():
            message = f"attempt {event.attempt} was accepted as {event.job_id}"
            return [EventRecord(kind=EventKind.TRIGGER_FIRED, at=at, message=message, details=event.details)]
        case TriggerFailed():
            message = f"attempt {event.attempt} could not be started: {event.reason}"
            return [EventRecord(kind=EventKind.TRIGGER_FAILED, at=at, status=event.category, message=message)]
        case StartRefused():
            message = f"attempt {event.attempt} was refused: {event.reason}"
            return [EventRecord(kind=EventKind.TRIGGER_REFUSED, at=at, message=message)]
        case TriggerInDoubt() | JobVanished():
            kind = EventKind.JOB_LOST if isinstance(event, JobVanished) else EventKind.TRIGGER_IN_DOUBT
            return [EventRecord(kind=kind, at=at, message=event.reason)]
        case JobFinished():
            status = "success" if event.succeeded else "failed"
            message = f"attempt {event.attempt}, told by {event.by or 'a look at the job'}: {event.reason or status}"
            kind = EventKind.CALLBACK_RECEIVED
            return [EventRecord(kind=kind, at=at, status=status, message=message, details=event.details)]
        case EvaluationAsked() | CancelAsked() | EvidenceArrived() | Held() | Released():
            return [_request(event, at)]
        case _:
            return []


def trait_told(result: TraitResult, at: datetime) -> EventRecord:
    """Return the record of an answer about a trait."""
    return EventRecord(
        kind=EventKind.TRAIT_EVALUATED,
        at=at,
        status=result.status,
        trait=result.trait,
        message=result.reason,
        details=result.value or EMPTY,
        category=result.category,
    )


def _request(event: EvaluationAsked | CancelAsked | EvidenceArrived | Held | Released, at: datetime) -> EventRecord:
    match event:
        case CancelAsked():
            return EventRecord(kind=EventKind.RUN_CANCELLED, at=at, message=f"by {event.actor}: {event.reason}")
        case EvidenceArrived():
            return EventRecord(kind=EventKind.EVIDENCE_ARRIVED, at=at, message=event.source)
        case Held():
            message = f"until {event.until.isoformat()} by {event.actor}: {event.reason}"
            return EventRecord(kind=EventKind.RUN_HELD, at=at, message=message)
        case Released():
            return EventRecord(kind=EventKind.RUN_RELEASED, at=at, message=f"by {event.actor}")
        case EvaluationAsked():
            return _asked(event, at)
        case _:
            assert_never(event)


def _asked(event: EvaluationAsked, at: datetime) -> EventRecord:
    override = event.override
    forced = "" if override is None else f", forced past {', '.join(override.constraints)}: {override.reason}"
    message = f"asked for by {event.actor or 'nobody in particular'}{forced}"
    return EventRecord(kind=EventKind.EVALUATION_ASKED, at=at, message=message)


def _judgement(before: Run | None, after: Run, at: datetime) -> list[EventRecord]:
    readiness = after.readiness
    if readiness is None or (before is not None and before.readiness == readiness):
        return []
    blocking = ", ".join(readiness.blocking)
    records = [
        EventRecord(
            kind=EventKind.READINESS_CHECKED,
            at=at,
            status=readiness.status,
            message=f"blocked by {blocking}" if blocking else f"{readiness.passed} of {readiness.needed} needed passed",
        )
    ]
    if after.permit is not None and after.permit.overridden and after.override is not None:
        names = ", ".join(after.permit.overridden)
        message = f"{after.override.actor} set aside {names}: {after.override.reason}"
        records.append(EventRecord(kind=EventKind.READINESS_OVERRIDDEN, at=at, message=message))
    return records


def _retry(before: Run, after: Run, at: datetime) -> list[EventRecord]:
    failed = (after.failures, after.start_failures) != (before.failures, before.start_failures)
    if not failed or after.status not in (RunStatus.PENDING, RunStatus.FAILED):
        return []
    if after.status is RunStatus.FAILED:
        message = f"no attempt is left after {len(after.attempts)}"
        return [EventRecord(kind=EventKind.RETRY_EXHAUSTED, at=at, message=message)]
    due = after.not_before
    message = f"attempt {after.attempt + 1} begins no earlier than {due.isoformat() if due else 'now'}"
    return [EventRecord(kind=EventKind.RETRY_SCHEDULED, at=at, message=message)]


def _watchers(before: Run | None, event: Event | None, after: Run, at: datetime) -> list[EventRecord]:
    records = [
        *_deadline("evaluation", before.evaluation_sla if before else None, after.evaluation_sla, at),
        *_deadline("completion", before.completion_sla if before else None, after.completion_sla, at),
    ]
    if before is None:
        return records
    if after.verifying is not None and before.verifying is None:
        said = f": {after.verifying.said}" if after.verifying.said else ""
        words = f"the job of attempt {after.attempt} says that its work is done{said}"
        records.append(EventRecord(kind=EventKind.VERIFICATION_STARTED, at=at, message=words))
    if after.blocked and not before.blocked:
        records.append(EventRecord(kind=EventKind.EVALUATION_STOPPED, at=at, message=after.blocked))
    if after.status is RunStatus.CANCELLED and not isinstance(event, CancelAsked):
        records.append(
            EventRecord(kind=EventKind.VALIDATION_EXHAUSTED, at=at, message=f"given up: {after.closes_because}")
        )
    return [*records, *_monitoring(before, after, at)]


def _deadline(name: str, before: Sla | None, after: Sla | None, at: datetime) -> list[EventRecord]:
    if after is None or after == before:
        return []
    words = f"the {name} deadline {after.due_at.isoformat()}"
    match after.state:
        case SlaState.ARMED:
            return [EventRecord(kind=EventKind.SLA_AT_RISK, at=at, message=words)] if after.warned else []
        case SlaState.MET:
            return [EventRecord(kind=EventKind.SLA_MET, at=at, message=words)]
        case SlaState.BREACHED:
            return [EventRecord(kind=EventKind.SLA_BREACHED, at=at, message=words)]
        case SlaState.WAIVED:
            return [EventRecord(kind=EventKind.SLA_WAIVED, at=at, message=words)]
        case _:
            assert_never(after.state)


def _monitoring(before: Run, after: Run, at: datetime) -> list[EventRecord]:
    watch = after.monitor
    if watch is None or watch == before.monitor:
        return []
    match watch.state:
        case Watch.WATCHING:
            return [EventRecord(kind=EventKind.MONITORING_STARTED, at=at, message=f"until {watch.until.isoformat()}")]
        case Watch.DRIFTED:
            message = f"drift of {', '.join(watch.drifted)}"
            names = ",".join(f'"{name}"' for name in watch.drifted)
            details = Document((("blockingTraits", f"[{names}]"),))
            return [EventRecord(kind=EventKind.MONITORING_DRIFT_DETECTED, at=at, message=message, details=details)]
        case Watch.OVER:
            return [EventRecord(kind=EventKind.MONITORING_COMPLETED, at=at, status=after.status)]
        case _:
            assert_never(watch.state)


def _wishes(decision: Decision, at: datetime) -> list[EventRecord]:
    records: list[EventRecord] = []
    for command in decision.commands:
        match command:
            case AskRerun():
                message = f"{command.cause}: {command.reason}"
                records.append(EventRecord(kind=EventKind.RERUN_REQUESTED, at=at, message=message))
            case NotifyDownstream():
                records.append(EventRecord(kind=EventKind.DOWNSTREAM_NOTIFIED, at=at))
            case PublishEnd():
                records.append(
                    EventRecord(kind=EventKind(command.event.event_type), at=at, status=command.event.status)
                )
            case _:
                continue
    return records

"""The story of a run in the words people and dashboards know: what a decision means as event records."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.core.commands import RaiseAlert
from interlock.core.decision import Decision
from interlock.core.documents import EMPTY, Document
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    JobVanished,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
)
from interlock.core.ids import TraitName
from interlock.core.runs import Run, RunStatus


class EventKind(enum.StrEnum):
    """Every kind of record in a pipeline's timeline: a closed list."""

    RUN_OPENED = "RUN_OPENED"
    RUN_STATE_CHANGED = "RUN_STATE_CHANGED"
    EVALUATION_ASKED = "EVALUATION_ASKED"
    TRAIT_EVALUATED = "TRAIT_EVALUATED"
    TRAIT_PUSHED = "TRAIT_PUSHED"
    READINESS_CHECKED = "READINESS_CHECKED"
    READINESS_OVERRIDDEN = "READINESS_OVERRIDDEN"
    TRIGGER_FIRED = "TRIGGER_FIRED"
    TRIGGER_FAILED = "TRIGGER_FAILED"
    TRIGGER_REFUSED = "TRIGGER_REFUSED"
    TRIGGER_IN_DOUBT = "TRIGGER_IN_DOUBT"
    JOB_LOST = "JOB_LOST"
    CALLBACK_RECEIVED = "CALLBACK_RECEIVED"
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    RUN_CANCELLED = "RUN_CANCELLED"
    ALERT_RAISED = "ALERT_RAISED"


class EventRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a timeline."""

    kind: EventKind
    at: datetime
    status: str = ""
    trait: TraitName | None = None
    message: str = ""
    details: Document = EMPTY


def told(before: Run | None, event: Event | None, decision: Decision) -> tuple[EventRecord, ...]:
    """Return the records of one decision, in the order in which they happened."""
    after = decision.run
    at = after.updated_at
    records: list[EventRecord] = []
    if before is None:
        records.append(EventRecord(kind=EventKind.RUN_OPENED, at=at, status=after.status, message=_opening(after)))
    if event is not None:
        records += _fact(event, at)
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
            kind, status, message = EventKind.TRAIT_EVALUATED, str(result.status), result.reason
            details = result.value or EMPTY
            return [EventRecord(kind=kind, at=at, status=status, trait=result.trait, message=message, details=details)]
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
        case EvaluationAsked() | CancelAsked():
            return [_request(event, at)]
        case _:
            return []


def _request(event: EvaluationAsked | CancelAsked, at: datetime) -> EventRecord:
    if isinstance(event, CancelAsked):
        return EventRecord(kind=EventKind.RUN_CANCELLED, at=at, message=f"by {event.actor}: {event.reason}")
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
    if after.failures == before.failures:
        return []
    if after.status is RunStatus.FAILED:
        message = f"no attempt is left after {after.failures}"
        return [EventRecord(kind=EventKind.RETRY_EXHAUSTED, at=at, message=message)]
    due = after.not_before
    message = f"attempt {after.attempt + 1} begins no earlier than {due.isoformat() if due else 'now'}"
    return [EventRecord(kind=EventKind.RETRY_SCHEDULED, at=at, message=message)]

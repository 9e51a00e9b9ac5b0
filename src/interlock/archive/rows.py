"""What a stored fact is in the archive's tables. Pure: a record in, rows out.

PostgreSQL's text cannot hold the character NUL. It is written as the picture of it, U+2400, wherever it stands; nothing
else is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from interlock.app.late import arrivals_of
from interlock.app.rerun_views import rerun_view
from interlock.app.runlogs import run_log_view
from interlock.app.views import metadata_of, reason_of
from interlock.archive.tables import (
    ALERT_HISTORY,
    ALERTS,
    ATTEMPTS,
    EVENTS,
    JOURNAL,
    LATE_ARRIVALS,
    RERUNS,
    RUN_LOGS,
    RUNS,
    TRAIT_EVALUATIONS,
    Table,
)
from interlock.codec import wire
from interlock.core.alerts import NoticeKind
from interlock.core.chronicle import EventKind
from interlock.core.dispatching import AlertRecord
from interlock.core.events import TraitEvaluated
from interlock.core.runs import AGAIN, Outcome, Run, Sla
from interlock.core.traits import FailureCategory
from interlock.errors import UnreadableRecord
from interlock.ports.stores import Entry, TimelineRecord
from interlock.stores import keys
from interlock.stores.kernel import Record, cursor_of
from interlock.stores.repository import decoded, timeline_of

NUL_PICTURE: Final = "\N{SYMBOL FOR NULL}"

_PLAIN: Final = (bool, int, float, datetime)
_TIMELINE: Final = keys.timeline_kind("")
_OUTCOMES: Final = {
    Outcome.SUCCEEDED: "COMPLETED",
    Outcome.FAILED: "FAILED",
    Outcome.NOT_STARTED: "NOT_STARTED",
    Outcome.CANCELLED: "CANCELLED",
}


Found: TypeAlias = list[tuple[Table, dict[str, Any]]]


class ArchiveRow(NamedTuple):
    """One row of a table."""

    table: Table
    values: Mapping[str, Any]


def rows_of(record: Record) -> list[ArchiveRow]:
    """Return what a fact is in the archive; nothing for rows that are no facts.

    Raises:
        UnreadableRecord: it was damaged, or written by a later Interlock.
    """
    try:
        found = _found(record)
    except (LookupError, TypeError, AttributeError, ValueError) as exc:
        # One row of a shape that nobody foresaw must not stop the copying of all others.
        raise UnreadableRecord(
            f"the row {record.sk!r} of {record.pk!r} cannot be archived: {type(exc).__name__}: {exc}. It was damaged, or "
            "written by a later Interlock",
            cursor=cursor_of(record),
        ) from exc
    return [ArchiveRow(table, {name: _clean(value) for name, value in values.items()}) for table, values in found]


def _found(record: Record) -> Found:
    if record.sk.startswith(keys.RUN_PREFIX):
        return _of_run(decoded(record, Run))
    if record.sk == keys.DISPATCH_SK and record.pk.startswith(f"{keys.DISPATCH_PREFIX}alert/"):
        return _of_alert(record.pk, decoded(record, AlertRecord))
    if record.sk.startswith((keys.JOURNAL_PREFIX, keys.NOTE_PREFIX, keys.EXPECTED_NOTE_PREFIX)):
        return _of_line(record)
    return []


# ---------------------------------------------------------------------- runs


def _of_run(run: Run) -> Found:
    found: Found = [(RUNS, _run(run)), (RUN_LOGS, _run_log(run))]
    found += ((ATTEMPTS, attempt) for attempt in _attempts(run))
    if run.cause in AGAIN:
        found.append((RERUNS, _rerun(run)))
    return found


def _run(run: Run) -> dict[str, Any]:
    began = run.attempts[0].began_at if run.attempts else run.began_at
    return {
        "run_id": run.key.run_id,
        **_slot(run),
        "number": run.key.number,
        "status": run.status,
        "version": run.version,
        "cause": run.cause,
        "reason": reason_of(run),
        "spec_digest": run.spec_digest,
        "attempts": run.attempt,
        "failures": run.failures,
        "metadata": metadata_of(run),
        "created_at": run.opened_at,
        "updated_at": run.updated_at,
        "ready_at": run.permit.granted_at if run.permit else None,
        "began_at": began,
        "succeeded_at": run.succeeded_at,
        "ended_at": run.ended_at,
        **_deadline("evaluation", run.evaluation_sla),
        **_deadline("completion", run.completion_sla),
    }


def _deadline(name: str, sla: Sla | None) -> dict[str, Any]:
    return {
        f"{name}_due_at": None if sla is None else sla.due_at,
        f"{name}_sla": None if sla is None else sla.state,
    }


def _run_log(run: Run) -> dict[str, Any]:
    view = run_log_view(run)
    return {
        **_slot(run),
        "status": view.status,
        "attempt_number": view.attempt_number,
        "run_id": view.run_id,
        "run_number": run.key.number,
        "version": run.version,
        "failure_message": view.failure_message or None,
        "failure_category": view.failure_category,
        "alert_sent": view.alert_sent,
        "started_at": view.started_at,
        "completed_at": view.completed_at,
        "updated_at": view.updated_at,
    }


def _attempts(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run.key.run_id,
            "attempt": attempt.number,
            **_slot(run),
            "status": _OUTCOMES[attempt.outcome],
            "failure_message": (attempt.reason or None) if attempt.outcome is not Outcome.SUCCEEDED else None,
            "failure_category": attempt.category,
            "job_id": attempt.job_id or None,
            "started_at": attempt.began_at,
            "completed_at": attempt.ended_at,
        }
        for attempt in run.attempts
    ]


def _rerun(run: Run) -> dict[str, Any]:
    view = rerun_view(run)
    return {
        "rerun_id": view.rerun_id,
        "pipeline_id": view.pipeline_id,
        "schedule_id": view.schedule_id,
        "original_date": view.original_date,
        "original_run_id": view.original_run_id if run.key.number > 1 else None,
        "reason": view.reason,
        "description": view.description or None,
        "cause": view.cause,
        "status": view.status,
        "rerun_run_id": view.rerun_run_id,
        "version": run.version,
        "metadata": view.metadata,
        "requested_at": view.requested_at,
        "completed_at": view.completed_at,
    }


def _slot(run: Run) -> dict[str, Any]:
    slot = run.key.slot
    return {"pipeline_id": slot.pipeline, "schedule_id": slot.schedule, "date": str(slot.period)}


# ---------------------------------------------------------------------- timelines


def _of_line(record: Record) -> Found:
    kind = record.kind or ""
    if not kind.startswith(_TIMELINE):
        raise UnreadableRecord(
            f"the row {record.sk!r} of {record.pk!r} cannot be read: it is in no pipeline's timeline"
        )
    pipeline, found = kind.removeprefix(_TIMELINE), Found()
    category: FailureCategory | None = None
    if record.sk.startswith(keys.JOURNAL_PREFIX):
        entry = decoded(record, Entry)
        found.append((JOURNAL, _journal(pipeline, record, entry)))
        # Lines of older versions do not have it, and the fact beside them does.
        category = entry.fact.result.category if isinstance(entry.fact, TraitEvaluated) else None
    for line in timeline_of(pipeline, record):
        found.append((EVENTS, _event(line)))
        if line.record.kind in (EventKind.TRAIT_EVALUATED, EventKind.TRAIT_PUSHED) and line.record.trait is not None:
            found.append((TRAIT_EVALUATIONS, _evaluation(line, category)))
        found += ((LATE_ARRIVALS, arrival) for arrival in _arrivals(line))
    return found


def _journal(pipeline: str, record: Record, entry: Entry) -> dict[str, Any]:
    fact = record.body.get("fact")
    return {
        "run_id": record.body["run_id"],
        "version": entry.version,
        "pipeline_id": pipeline,
        "at": entry.at,
        "fact": fact["type"] if isinstance(fact, dict) else None,
        "body": fact,
    }


def _event(line: TimelineRecord) -> dict[str, Any]:
    record = line.record
    return {
        "stream_id": line.cursor,
        "kind": record.kind,
        **_place(line),
        "trait_type": record.trait,
        "status": record.status or None,
        "message": record.message or None,
        "details": record.details or None,
        "timestamp": record.at,
    }


def _evaluation(line: TimelineRecord, category: FailureCategory | None) -> dict[str, Any]:
    record = line.record
    return {
        "stream_id": line.cursor,
        **_place(line),
        "trait_type": record.trait,
        "status": record.status,
        "value": record.details or None,
        "reason": record.message or None,
        "failure_category": record.category or category,
        "pushed": record.kind is EventKind.TRAIT_PUSHED,
        "evaluated_at": record.at,
    }


def _arrivals(line: TimelineRecord) -> list[dict[str, Any]]:
    return [
        {
            "stream_id": f"{line.cursor}|{number}",
            **_place(line),
            "schedule_id": line.schedule,
            "date": line.period,
            "source": arrival.source,
            "trait_type": arrival.trait_type,
            "record_delta": arrival.record_delta,
            "message": arrival.message or None,
            "detected_at": arrival.detected_at,
        }
        for number, arrival in enumerate(arrivals_of(line))
    ]


def _place(line: TimelineRecord) -> dict[str, Any]:
    return {
        "pipeline_id": line.pipeline,
        "schedule_id": line.schedule or None,
        "date": line.period or None,
        "run_id": line.run_id or None,
    }


# ---------------------------------------------------------------------- alerts


def _of_alert(pk: str, record: AlertRecord) -> Found:
    alert = record.alert
    slot = alert.slot
    stream_id = pk.removeprefix(keys.DISPATCH_PREFIX)
    row = {
        "stream_id": stream_id,
        "alert_id": alert.alert_id,
        "alert_type": alert.alert_type,
        "level": alert.level,
        "state": record.state,
        "pipeline_id": slot.pipeline if slot else None,
        "schedule_id": slot.schedule if slot else None,
        "date": str(slot.period) if slot else None,
        "run_id": alert.run_id or None,
        "tier": alert.tier,
        "owner": alert.owner or None,
        "message": alert.message,
        "details": alert.details or None,
        "opened_at": record.opened_at,
        "resolved_at": record.resolved_at,
        "resolution": record.resolution or None,
        "notices": record.notices,
        "folded_into": record.folded_into or None,
        "silenced_by": record.silenced_by or None,
        "version": record.version,
    }
    named = {name: row[name] for name in ("stream_id", "alert_id", "alert_type", "pipeline_id")}
    return [(ALERTS, row), *((ALERT_HISTORY, {**named, **entry}) for entry in _history(record))]


def _history(record: AlertRecord) -> list[dict[str, Any]]:
    """Return what a state of an alert tells of its past. The same is told by many states, under the same name."""
    message = record.alert.message
    found = [_entry("opened", keys.moment(record.opened_at), message, record.opened_at)]
    found += (
        _entry("reminded", f"{each.number:06d}", message, each.due_at)
        for each in record.deliveries
        if each.kind is NoticeKind.REMINDED
    )
    if record.resolved_at is not None:
        found.append(_entry("resolved", keys.moment(record.resolved_at), record.resolution, record.resolved_at))
    return found


def _entry(state: str, name: str, message: str, at: datetime) -> dict[str, Any]:
    return {"entry": f"{state}/{name}", "state": state, "message": message, "at": at}


# ---------------------------------------------------------------------- text


def _clean(value: object) -> object:
    """Replace NUL, which PostgreSQL cannot keep, in every text of a value, and turn the value into JSON."""
    if isinstance(value, str):
        text = value if type(value) is str else str(value)
        return text.replace("\0", NUL_PICTURE) if "\0" in text else text
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return _clean(wire.to_builtins(value))

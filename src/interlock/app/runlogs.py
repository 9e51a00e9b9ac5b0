"""How slots went: one line per slot, as its latest run stands."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from interlock.app.hands import Store
from interlock.app.views import View
from interlock.core.runs import Attempt, Outcome, Run, RunStatus

_PAGE: Final = 200
_STATUSES: Final = {
    Outcome.SUCCEEDED: RunStatus.COMPLETED,
    Outcome.FAILED: RunStatus.FAILED,
    Outcome.NOT_STARTED: RunStatus.FAILED,
    Outcome.CANCELLED: RunStatus.CANCELLED,
}


class RetryView(View, frozen=True, kw_only=True, rename="camel"):
    """One attempt that has ended, in the words of run statuses."""

    attempt: int
    status: str
    run_id: str
    failure_message: str
    failure_category: str | None
    started_at: datetime
    completed_at: datetime


class RunLogView(View, frozen=True, kw_only=True, rename="camel"):
    """How one slot went. `alert_sent`: people were told of trouble that is not mended."""

    pipeline_id: str
    date: str
    schedule_id: str
    status: str
    attempt_number: int
    run_id: str
    failure_message: str
    failure_category: str | None
    alert_sent: bool
    retry_history: tuple[RetryView, ...]
    started_at: datetime
    completed_at: datetime | None
    updated_at: datetime


class RunLogsView(View, frozen=True, kw_only=True, rename="camel"):
    """Some of a pipeline's slots, the one whose run was opened last first. `next` is the cursor to go on with."""

    items: tuple[RunLogView, ...]
    next: str | None


def run_logs(store: Store, pipeline: str, *, limit: int, before: str | None = None) -> RunLogsView:
    """Return how a pipeline's slots went, newest first: a slot that was run again is listed once, with its latest run.

    Raises:
        NotFound: there is no run `before`.
    """
    found: list[Run] = []
    while len(found) <= limit:
        page = store.runs_of(pipeline, limit=_PAGE, before=before)
        found += (run for run in page if store.latest_run(run.key.slot) == run)
        if len(page) < _PAGE:
            break
        before = page[-1].key.run_id
    shown = found[:limit]
    return RunLogsView(items=tuple(map(run_log_view, shown)), next=shown[-1].key.run_id if len(found) > limit else None)


def run_log_view(run: Run) -> RunLogView:
    """Show how a slot went, by its latest run."""
    failure = run.last_failure
    began = run.attempts[0].began_at if run.attempts else run.began_at
    return RunLogView(
        pipeline_id=run.key.slot.pipeline,
        date=run.key.slot.period,
        schedule_id=run.key.slot.schedule,
        status=run.status,
        attempt_number=run.attempt,
        run_id=run.key.run_id,
        failure_message=failure.reason if failure else "",
        failure_category=failure.category if failure else None,
        alert_sent=bool(run.open_alerts),
        retry_history=tuple(_retry(run, attempt) for attempt in run.attempts),
        started_at=began or run.opened_at,
        completed_at=run.succeeded_at or run.ended_at,
        updated_at=run.updated_at,
    )


def _retry(run: Run, attempt: Attempt) -> RetryView:
    return RetryView(
        attempt=attempt.number,
        status=_STATUSES[attempt.outcome],
        run_id=run.key.run_id,
        failure_message=attempt.reason if attempt.outcome is not Outcome.SUCCEEDED else "",
        failure_category=attempt.category,
        started_at=attempt.began_at,
        completed_at=attempt.ended_at,
    )

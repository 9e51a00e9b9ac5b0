"""What was run again, replayed and backfilled, as it is shown."""

from __future__ import annotations

from datetime import datetime

from interlock.app.backfilling import Plan, Step
from interlock.app.views import RunView, View, metadata_of, reason_of, run_view
from interlock.codec.documents import document, mapping
from interlock.core.documents import Document
from interlock.core.ids import RunKey, Slot
from interlock.core.runs import Run


class RerunView(View, frozen=True, kw_only=True, rename="camel"):
    """One wish to run a slot again, and the run that came of it: they have one name, and one end."""

    rerun_id: str
    pipeline_id: str
    schedule_id: str
    original_date: str
    original_run_id: str
    reason: str
    description: str
    cause: str
    status: str
    rerun_run_id: str
    requested_at: datetime
    completed_at: datetime | None
    metadata: Document
    run: RunView


class RerunsView(View, frozen=True, kw_only=True, rename="camel"):
    """Some reruns, newest first. `next` is the cursor to go on with; null when there are no more."""

    items: tuple[RerunView, ...]
    next: str | None


class ReplayView(View, frozen=True, kw_only=True, rename="camel"):
    """One wish to run a past slot, and the run that came of it."""

    pipeline_id: str
    date: str
    schedule_id: str
    reason: str
    requested_by: str
    status: str
    created_at: datetime
    run_id: str
    run: RunView


class ReplaysView(View, frozen=True, kw_only=True, rename="camel"):
    """Some replays, newest first. `next` is the cursor to go on with; null when there are no more."""

    items: tuple[ReplayView, ...]
    next: str | None


class BackfillSlotView(View, frozen=True, kw_only=True, rename="camel"):
    """One slot of the range: what the plan says about it, why, and the run that came of it; null where none did."""

    schedule_id: str
    date: str
    action: str
    reason: str
    run_id: str | None
    status: str | None


class BackfillView(View, frozen=True, kw_only=True, rename="camel"):
    """A plan by its name, and how far it was carried out."""

    pipeline_id: str
    plan: str
    items: tuple[BackfillSlotView, ...]


def rerun_view(run: Run) -> RerunView:
    """Show a rerun by its run."""
    said = mapping(run.details)
    given = said.get("metadata")
    return RerunView(
        rerun_id=run.key.run_id,
        pipeline_id=run.key.slot.pipeline,
        schedule_id=run.key.slot.schedule,
        original_date=run.key.slot.period,
        original_run_id=RunKey(run.key.slot, max(run.key.number - 1, 1)).run_id,
        reason=reason_of(run),
        description=_text(said.get("description")),
        cause=run.cause,
        status=run.status,
        rerun_run_id=run.key.run_id,
        requested_at=run.opened_at,
        completed_at=run.succeeded_at or run.ended_at,
        metadata=document(given if isinstance(given, dict) else {}).overlaid(metadata_of(run)),
        run=run_view(run),
    )


def replay_view(run: Run) -> ReplayView:
    """Show a replay by its run."""
    return ReplayView(
        pipeline_id=run.key.slot.pipeline,
        date=run.key.slot.period,
        schedule_id=run.key.slot.schedule,
        reason=reason_of(run),
        requested_by=_text(mapping(run.details).get("requestedBy")),
        status=run.status,
        created_at=run.opened_at,
        run_id=run.key.run_id,
        run=run_view(run),
    )


def backfill_view(pipeline: str, plan: Plan, runs: dict[Slot, Run]) -> BackfillView:
    """Show a plan, with the runs that came of it."""
    items = tuple(_slot(step, runs.get(step.slot)) for step in plan.steps)
    return BackfillView(pipeline_id=pipeline, plan=plan.digest, items=items)


def _slot(step: Step, run: Run | None) -> BackfillSlotView:
    return BackfillSlotView(
        schedule_id=step.slot.schedule,
        date=step.slot.period,
        action=step.action,
        reason=step.reason,
        run_id=run.key.run_id if run else None,
        status=run.status if run else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

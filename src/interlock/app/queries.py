"""Read models: how a pipeline stands, and what happened to it. Nothing here writes or asks an evaluator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from interlock.app.slot_views import StatusView, WindowView
from interlock.app.views import EventView, ReadinessView, RunView, View, event_view, readiness_view, run_view
from interlock.core.ids import RunKey, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness, assess
from interlock.core.runs import SUCCEEDED, Run
from interlock.core.schedules import Window, current_window, deadlines, exclusion, window_of
from interlock.core.traits import TraitResult
from interlock.ports.stores import Evaluation, Runs

if TYPE_CHECKING:
    from interlock.app.hands import Store

RECENT: Final = 5
UNKNOWN: Final = "UNKNOWN"
FILE: Final = "file"
RECORDS: Final = "records"
REMOVED: Final = "removed"


class RunsView(View, frozen=True, kw_only=True, rename="camel"):
    """Some of a pipeline's runs, newest first. `next` is what `before` takes to go on; null when there are no more."""

    items: tuple[RunView, ...]
    next: str | None


class EventsView(View, frozen=True, kw_only=True, rename="camel"):
    """Some of a pipeline's timeline, oldest first. `next` leads to what came before; null when nothing did."""

    items: tuple[EventView, ...]
    next: str | None


class Judgement(NamedTuple):
    """A verdict as it was given, the slot it is about, and the answers behind it.

    `acted_on` says that a job was let through on it: then it is history, and its evidence need not be fresh any more.
    """

    slot: Slot
    readiness: Readiness
    results: tuple[TraitResult, ...]
    acted_on: bool = False


def pipeline_status(spec: PipelineSpec, store: Store, at: datetime, *, recent: int = RECENT) -> StatusView:
    """Say how a pipeline stands: its latest verdict as it counts now, its current slots, its latest runs."""
    runs = store.runs_of(spec.name, limit=recent)
    judged = latest_judgement(store, spec.name, runs)
    decision = None if judged is None else as_it_counts(spec, judged, at)
    return StatusView(
        pipeline_id=spec.name,
        archetype=spec.archetype,
        tier=spec.tier,
        trigger_type=spec.trigger.type if spec.trigger else None,
        mode=spec.mode,
        readiness=decision.status if decision else UNKNOWN,
        readiness_at=decision.evaluated_at if decision else None,
        decision=decision,
        slots=tuple(_slot_view(spec, each, store, judged, at) for each in _windows(spec, runs, at)),
        run=run_view(runs[0]) if runs else None,
        runs=tuple(map(run_view, runs)),
        problems=(),
        trouble=None,
    )


def troubled_status(name: str, trouble: str, problems: tuple[str, ...], runs: tuple[Run, ...] = ()) -> StatusView:
    """Show a pipeline whose file or whose records cannot be read: its trouble, and whatever runs are known."""
    return StatusView(
        pipeline_id=name,
        archetype="",
        tier=0,
        trigger_type=None,
        mode=None,
        readiness=UNKNOWN,
        readiness_at=None,
        decision=None,
        slots=(),
        run=run_view(runs[0]) if runs else None,
        runs=tuple(map(run_view, runs)),
        problems=problems,
        trouble=trouble,
    )


def latest_judgement(store: Store, pipeline: str, runs: tuple[Run, ...]) -> Judgement | None:
    """Return the newest verdict on a pipeline, of one of these runs or of an evaluation."""
    found = [
        Judgement(run.key.slot, run.readiness, evidence_of(run), acted_on=run.permit is not None)
        for run in runs
        if run.readiness is not None
    ]
    evaluation = store.latest_evaluation(pipeline)
    if evaluation is not None:
        found.append(Judgement(evaluation.slot, evaluation.readiness, evaluation.results))
    return max(found, key=lambda judged: judged.readiness.at, default=None)


def as_it_counts(spec: PipelineSpec, judged: Judgement, at: datetime) -> ReadinessView:
    """Show a verdict by the files and the time of now: a PASS that has expired counts as STALE, a new trait as unseen.

    A verdict that was acted on is shown as it was given.
    """
    if judged.acted_on:
        slot, results = judged.slot, judged.results
        return readiness_view(spec, slot.schedule, slot.period, judged.readiness, results)
    now = assess(spec.traits, spec.rule, judged.results, at)
    if now.ready and not judged.readiness.ready:
        # The files ask for less than they did. That is no verdict yet: only the next evaluation gives one.
        now = judged.readiness
    shown = readiness_view(spec, judged.slot.schedule, judged.slot.period, now, judged.results)
    return replace(shown, evaluated_at=judged.readiness.at)


def _windows(spec: PipelineSpec, runs: tuple[Run, ...], at: datetime) -> Iterator[Window]:
    current = [current_window(spec.name, schedule, at) for schedule in spec.schedules]
    yield from current
    # A run of several days must not fall out of sight at midnight.
    known = {each.slot for each in current}
    for run in runs:
        slot = run.key.slot
        schedule = spec.schedule(slot.schedule)
        if run.ended or slot in known or schedule is None:
            continue
        known.add(slot)
        earlier = window_of(spec.name, schedule, slot.period)
        if earlier is not None:
            yield earlier


def _slot_view(spec: PipelineSpec, each: Window, store: Store, judged: Judgement | None, at: datetime) -> WindowView:
    run = store.latest_run(each.slot)
    evaluation_due, completion_due = deadlines(spec, each)
    excluded = exclusion(spec.exclusions, each.slot.period)
    completed = run is not None and run.status in SUCCEEDED
    let_through = run is not None and run.attempt > 0
    if spec.trigger is None:
        # There is no job that could complete: all that the deadlines can ask for is a yes.
        completed = judged is not None and judged.slot == each.slot and judged.readiness.ready
    overdue = ""
    if completion_due is not None and at >= completion_due and not completed:
        overdue = "it has not completed by its deadline"
    elif evaluation_due is not None and at >= evaluation_due and not (let_through or completed):
        overdue = "it has not been let through by its evaluation deadline"
    return WindowView(
        schedule_id=each.slot.schedule,
        date=each.slot.period,
        opens_at=each.opens_at,
        evaluation_due_at=evaluation_due,
        due_at=completion_due,
        ends_at=each.ends_at,
        excluded=excluded,
        overdue="" if excluded and run is None else overdue,
        run_id=run.key.run_id if run else None,
        run_status=run.status if run else None,
        attempt=run.attempt if run else None,
    )


def evidence_of(run: Run) -> tuple[TraitResult, ...]:
    """Return the answers a run's latest verdict rests on: those of its permit once the gate has opened."""
    return run.results or (run.permit.evidence if run.permit else ())


def latest_subject(store: Store, pipeline: str) -> Run | Evaluation | None:
    """Return what was decided last about a pipeline: its newest run, or an evaluation after that run's last change."""
    runs = store.runs_of(pipeline, limit=1)
    evaluation = store.latest_evaluation(pipeline)
    if not runs:
        return evaluation
    if evaluation is not None and evaluation.ended_at > runs[0].updated_at:
        return evaluation
    return runs[0]


def history(store: Store, pipeline: str, *, limit: int, before: str | None = None) -> RunsView:
    """Return a pipeline's runs, newest first.

    Raises:
        NotFound: there is no run `before`.
    """
    found = store.runs_of(pipeline, limit=limit + 1, before=before)
    shown = found[:limit]
    return RunsView(items=tuple(map(run_view, shown)), next=shown[-1].key.run_id if len(found) > limit else None)


def events(store: Store, pipeline: str, *, limit: int, before: str | None = None) -> EventsView:
    """Return the latest lines of a pipeline's timeline, oldest of them first."""
    found = store.timeline(pipeline, limit=limit + 1, before=before)
    shown = found[-limit:]
    return EventsView(items=tuple(map(event_view, shown)), next=shown[0].cursor if len(found) > limit else None)


def done_at(latest: Run | None, runs: Runs) -> datetime | None:
    """Return when the first of a slot's runs to succeed did: what comes after it changes nothing about that."""
    if latest is None:
        return None
    slot, last = latest.key.slot, latest.key.number
    earlier = (runs.run(RunKey(slot, number)) for number in range(1, last))
    return min((run.succeeded_at for run in (*earlier, latest) if run is not None and run.succeeded_at), default=None)

"""Running a pipeline's current slot, following its run, telling how it ended, and ending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.api import running as asked
from interlock.app import runlogs
from interlock.app.arrivals import open_run
from interlock.app.callbacks import Reception, Report, complete
from interlock.app.queries import RunsView, history
from interlock.app.runlogs import RunLogsView, RunLogView
from interlock.app.slot_views import SlotView
from interlock.app.views import CancelledView, CompletedView, RunView, completed_view, run_view
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, RunKey, ScheduleName, Slot, parse_run_id
from interlock.core.periods import Period
from interlock.core.readiness import assess
from interlock.core.runs import STARTED, Run
from interlock.core.schedules import in_own_zone
from interlock.errors import Invalid, NotFound
from interlock.operations import stopping
from interlock.operations.desk import Desk
from interlock.operations.pipelines import known_name, pipeline_of
from interlock.operations.reasons import given_reason
from interlock.operations.sizes import kept
from interlock.operations.slots import chosen_slot, chosen_window, named_schedules
from interlock.operations.starting import run_named, started
from interlock.operations.taking import Found, against, conflict, free, join, overriding
from interlock.operations.wording import plain

if TYPE_CHECKING:
    from interlock.api.rerunning import CompleteRerun

LONGEST: Final = 500
"""The longest page of runs."""


def run(request: asked.Run, desk: Desk) -> RunView:
    """Take the current slot, judge it, start its job if it is ready, and answer with the run as it then stands."""
    return run_view(started(desk.work, taken_up(request, desk), desk.actor))


def taken_up(request: asked.Run, desk: Desk) -> Found:
    """Take the current slot's run as the asker's, so that it can be carried on from there.

    Raises:
        Conflict: it is running, or has run.
        Refused: nothing of the pipeline may start now.
    """
    spec = pipeline_of(desk.project, request.pipeline_id)
    if request.reason and not request.force:
        raise Invalid("a reason is recorded with what is forced: give force too, or leave the reason out")
    work = desk.work
    window = chosen_window(spec, desk.clock.now(), request.schedule)
    found = against(window, spec, work.hands) if free(work.hands, window.slot) else []
    override = overriding(spec, found, actor=desk.actor, force=request.force, reason=request.reason)
    opened = open_run(window.slot, spec, work.store, desk.clock.now(), note=desk.actor, override=override)
    join(work.hands, opened, spec, override, actor=desk.actor)
    return Found(opened.run, work.store.put_spec(spec))


def runs(request: asked.Runs, desk: Desk) -> RunsView:
    """List the runs of a pipeline, newest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    before = cursor_of(request.cursor, name)
    return history(desk.store, name, limit=min(request.limit, LONGEST), before=before)


def run_of(request: asked.RunOf, desk: Desk) -> RunView:
    """Show one run."""
    return run_view(run_named(desk.store, request.run_id))


def slot_of(request: asked.SlotOf, desk: Desk) -> SlotView:
    """Show how a slot stands. It is ready when its latest verdict says so and is still fresh, or its job was let through."""
    spec = pipeline_of(desk.project, request.pipeline_id)
    now = desk.clock.now()
    slot = in_own_zone(spec, chosen_slot(spec, now, request.schedule, request.date))
    found = desk.store.latest_run(slot)
    answers = [] if found is None else [found.results]
    evaluation = desk.store.latest_evaluation(spec.name)
    if evaluation is not None and evaluation.slot == slot:
        answers.append(evaluation.results)
    judged = [assess(spec.traits, spec.rule, results, now) for results in answers if results]
    let_through = found is not None and found.status in STARTED
    return SlotView(
        pipeline_id=spec.name,
        schedule_id=slot.schedule,
        date=slot.period,
        mode=(spec if found is None else desk.store.spec(found.spec_digest)).mode,
        ready=let_through or any(one.ready for one in judged),
        asked=bool(judged),
        blocking=judged[0].blocking if judged else (),
        run=None if found is None else run_view(found),
    )


class Told(NamedTuple):
    """The run as a report left it, and whether the same had been told before."""

    run: Run
    known: bool


def complete_run(request: asked.CompleteRun, desk: Desk) -> CompletedView:
    """Take a report of how a run's job ended, once, however often it is told."""
    report = report_of(request, desk.actor)
    told = completed(run_named(desk.store, request.run_id).key, report, desk)
    return completed_view(told.run, known=told.known)


def accept_run(request: asked.AcceptRun, desk: Desk) -> CompletedView:
    """Take a job's work as done without its checks, because a person says so."""
    reason = given_reason(request.reason)
    run = run_named(desk.store, request.run_id)
    if run.verifying is None and run.status in STARTED:
        raise conflict(
            run, f"the job of {run.key} has not said that its work is done, so there is nothing to accept yet"
        )
    # By its number: another attempt, which has said nothing, may begin meanwhile.
    report = Report(succeeded=True, attempt=run.attempt, reason=reason, by=desk.actor, unverified=True)
    told = completed(run.key, report, desk)
    return completed_view(told.run, known=told.known)


def report_of(request: asked.CompleteRun | CompleteRerun, actor: str) -> Report:
    """Return what somebody tells of the end of a job.

    Raises:
        Invalid: it contradicts itself.
    """
    succeeded = request.status == "success"
    if request.category is not None and succeeded:
        raise Invalid("a category goes with the status failed: it says why")
    said = kept(request.metadata or {}, "metadata")
    return Report(
        succeeded=succeeded,
        attempt=request.attempt,
        category=request.category,
        reason=request.reason,
        by=actor,
        details=said,
    )


def completed(key: RunKey, report: Report, desk: Desk) -> Told:
    """Take a report of how an attempt of a run ended.

    Raises:
        Conflict: the attempt has ended otherwise, or is not the one under way.
    """
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    work = desk.work
    received = complete(key, report, work.store, desk.clock.now())
    if received.how is Reception.CONFLICT:
        words = f"the report was not taken: {received.how.value}; the run is {received.run.status}"
        raise conflict(received.run, words)
    if received.how is Reception.TAKEN:
        # Nobody else may be there to tell people, or whoever waits for it.
        Driver(work.hands, SystemPacer(work.clock)).catch_up(key)
        work.ring()
    return Told(received.run, known=received.how is Reception.KNOWN)


def run_logs(request: asked.RunLogs, desk: Desk) -> RunLogsView:
    """List how the slots of a pipeline went, newest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    before = cursor_of(request.cursor, name)
    return runlogs.run_logs(desk.store, name, limit=min(request.limit, LONGEST), before=before)


def run_log(request: asked.RunLog, desk: Desk) -> RunLogView:
    """Show how one slot went, by its latest run."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    slot = _logged(desk, name, request.date, request.schedule)
    found = desk.store.latest_run(slot)
    if found is None:
        raise NotFound(f"{slot} has no run (see: interlock history {name})")
    return runlogs.run_log_view(found)


def _logged(desk: Desk, name: str, date: str, schedule: str | None) -> Slot:
    try:
        period = Period.parse(date)
    except ValueError as exc:
        raise Invalid(f"date: {exc}") from exc
    loaded = desk.project.pipelines.get(name)
    if loaded is None:
        # No file says what schedules there were; what ran is remembered all the same.
        return Slot(PipelineName(name), ScheduleName(schedule or DEFAULT_SCHEDULE), period)
    spec = loaded.spec
    if schedule is not None:
        (only,) = named_schedules(spec, schedule)
    elif spec.schedule(DEFAULT_SCHEDULE) is None and len(spec.schedules) > 1:
        raise Invalid(f"schedule: name one of {', '.join(each.name for each in spec.schedules)}")
    else:
        only = spec.schedule(DEFAULT_SCHEDULE) or spec.schedules[0]
    return in_own_zone(spec, Slot(spec.name, only.name, period))


def cancel_run(request: asked.CancelRun, desk: Desk) -> CancelledView:
    """End a run, and ask its job to stop."""
    reason = given_reason(request.reason)
    return stopping.cancelled(run_named(desk.store, request.run_id), reason, desk)


def cancel(request: asked.Cancel, desk: Desk) -> CancelledView:
    """End the one run of a pipeline that has not ended, or the latest of a slot, and ask its job to stop."""
    reason = given_reason(request.reason)
    name = known_name(desk.project, desk.store, request.pipeline_id)
    return stopping.cancelled(stopping.chosen(name, request.schedule, request.date, desk), reason, desk)


def cursor_of(cursor: str | None, pipeline: str | None) -> str | None:
    """Return the run id that a page of runs goes on behind.

    Raises:
        Invalid: the cursor is none of that listing.
    """
    if cursor is None:
        return None
    try:
        key = parse_run_id(cursor)
    except ValueError as exc:
        raise Invalid(f"cursor: {exc}") from exc
    if pipeline is not None and key.slot.pipeline != pipeline:
        raise Invalid(f"cursor: {plain(cursor)} is no run of {pipeline}")
    return cursor

"""Running slots again, running past ones, and running whole ranges of them."""

from __future__ import annotations

from typing import Final

from interlock.api import rerunning as asked
from interlock.app.arrivals import open_on
from interlock.app.rerun_views import (
    BackfillView,
    ReplaysView,
    ReplayView,
    RerunsView,
    RerunView,
    backfill_view,
    replay_view,
    rerun_view,
)
from interlock.codec import wire
from interlock.core.ids import Slot
from interlock.core.runs import AGAIN, Cause, Run
from interlock.core.schedules import exclusion, in_own_zone
from interlock.errors import Conflict, Invalid, NotFound, Refused
from interlock.operations.again import Wish, run_again, used_up
from interlock.operations.backfilling import Backfilling, planned
from interlock.operations.desk import Desk
from interlock.operations.pipelines import known_name, pipeline_of
from interlock.operations.reasons import given_reason
from interlock.operations.running import completed, cursor_of, report_of
from interlock.operations.sizes import kept
from interlock.operations.slots import acted_slot, past_window
from interlock.operations.starting import key_of, started
from interlock.operations.taking import Constraint, Found, join, overlapping, overriding, paused
from interlock.operations.wording import moment

LONGEST: Final = 200
"""The longest page of one pipeline's reruns or replays."""

LONGEST_OF_ALL: Final = 500
"""The longest page of all reruns."""


def rerun(request: asked.Rerun, desk: Desk) -> RerunView:
    """Run a slot again, and answer with the rerun as it then stands. One that is not ready waits, and is listed."""
    found = opened_again(request, desk)
    return rerun_view(started(desk.work, found, desk.actor, lambda run: {"rerun": wire.to_builtins(rerun_view(run))}))


def opened_again(request: asked.Rerun, desk: Desk) -> Found:
    """Open the run that runs a slot again.

    Raises:
        NotFound: the slot never ran.
        Conflict: its last run has not ended.
        Refused: it may not be run again.
    """
    reason = given_reason(request.reason)
    spec = pipeline_of(desk.project, request.pipeline_id)
    hands = desk.work.hands
    slot = in_own_zone(spec, acted_slot(spec, desk.clock.now(), _schedule(request), request.original_date))
    latest = desk.work.store.latest_run(slot)
    if latest is None:
        hint = f"interlock replay {spec.name} --date {slot.period}"
        raise NotFound(f"{slot} never ran, so it cannot be run again. Use: {hint}")
    found = paused(spec, hands)
    if latest.ended:
        found += [*used_up(slot, spec, hands), *overlapping(slot, spec, hands)]
    override = overriding(spec, found, actor=desk.actor, force=request.force, reason=reason)
    kept(request.metadata or {}, "metadata")
    said = {"description": request.description, "metadata": request.metadata}
    opened = run_again(latest, spec, hands, Wish(Cause.RERUN, desk.actor, reason, override, said))
    return Found(opened, hands.store.put_spec(spec))


def _schedule(request: asked.Rerun) -> str | None:
    named = (request.metadata or {}).get("scheduleId")
    if named is not None and not isinstance(named, str):
        raise Invalid("metadata.scheduleId: a schedule's name is a text")
    if request.schedule is not None and named not in (None, request.schedule):
        raise Invalid(f"the schedule is {request.schedule}, and metadata.scheduleId says {named}: give one of them")
    return request.schedule or named or None


def reruns(request: asked.Reruns, desk: Desk) -> RerunsView:
    """List what was run again of a pipeline, newest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    limit = min(request.limit, LONGEST)
    found = desk.store.reruns(name, limit=limit + 1, before=cursor_of(request.cursor, name))
    return _page(found, limit)


def all_reruns(request: asked.AllReruns, desk: Desk) -> RerunsView:
    """List what was run again of all pipelines, newest first."""
    limit = min(request.limit, LONGEST_OF_ALL)
    return _page(desk.store.reruns(None, limit=limit + 1, before=cursor_of(request.cursor, None)), limit)


def _page(found: tuple[Run, ...], limit: int) -> RerunsView:
    shown = found[:limit]
    return RerunsView(items=tuple(map(rerun_view, shown)), next=shown[-1].key.run_id if len(found) > limit else None)


def complete_rerun(request: asked.CompleteRerun, desk: Desk) -> RerunView:
    """Take a report of how the job of a rerun ended: the rerun and its run are one, and so is their end."""
    key = key_of(request.rerun_id)
    found = desk.store.run(key)
    if found is None or found.cause not in AGAIN or key.number == 1:
        raise NotFound(f"there is no rerun {key} (see: interlock history {key.slot.pipeline})")
    return rerun_view(completed(key, report_of(request, desk.actor), desk).run)


def replay(request: asked.Replay, desk: Desk) -> ReplayView:
    """Run one past slot, and answer with the replay as it then stands."""
    return replay_view(started(desk.work, opened_past(request, desk), desk.actor))


def opened_past(request: asked.Replay, desk: Desk) -> Found:
    """Open the run that replays a past slot.

    Raises:
        NotFound: there is no such slot.
        Conflict: its last run has not ended.
        Refused: its window has not opened, or something else speaks against it.
    """
    reason = given_reason(request.reason)
    spec = pipeline_of(desk.project, request.pipeline_id)
    work, now = desk.work, desk.clock.now()
    window = past_window(spec, now, request.schedule, request.date)
    if now < window.opens_at:
        words = f"the slot {window.slot} is still to come: its window opens at {moment(window.opens_at)}"
        raise Refused(f"{words}. Nothing was started")
    latest = work.store.latest_run(window.slot)
    excluded = exclusion(spec.exclusions, window.slot.period)
    found = [*paused(spec, work.hands), *([Constraint("exclusion", excluded)] if excluded else ())]
    if latest is not None and latest.ended:
        found += used_up(window.slot, spec, work.hands)
    if latest is None or latest.ended:
        found += overlapping(window.slot, spec, work.hands)
    override = overriding(spec, found, actor=desk.actor, force=request.force, reason=reason)
    wish = Wish(Cause.REPLAY, desk.actor, reason, override)
    digest = work.store.put_spec(spec)
    if latest is not None:
        return Found(run_again(latest, spec, work.hands, wish), digest)
    made = open_on(wish.terms, window.slot, spec, work.store, now)
    join(work.hands, made, spec, override, actor=desk.actor)
    return Found(made.run, digest)


def replays(request: asked.Replays, desk: Desk) -> ReplaysView:
    """List the replays of a pipeline, newest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    limit = min(request.limit, LONGEST)
    found = desk.store.replays(name, limit=limit + 1, before=cursor_of(request.cursor, name))
    shown = found[:limit]
    return ReplaysView(items=tuple(map(replay_view, shown)), next=shown[-1].key.run_id if len(found) > limit else None)


def backfill(request: asked.Backfill, desk: Desk) -> BackfillView:
    """Open the runs of every slot of a range that has not succeeded, and leave them to a watcher."""
    plan = planned(request, desk)
    if request.dry_run:
        return backfill_view(request.pipeline_id, plan, {})
    filling = Backfilling(plan, request, desk)
    filling.require_apart()
    opened: dict[Slot, Run] = {}
    try:
        for step in plan.to_do:
            opened[step.slot] = filling.open(step)
    except Conflict as exc:
        shown = wire.to_builtins(backfill_view(request.pipeline_id, plan, opened))
        begun = f"; {len(opened)} of {len(plan.to_do)} were opened before that" if opened else ""
        raise Conflict(f"{exc}{begun}", details={**exc.details, "backfill": shown}) from exc
    finally:
        desk.work.ring()
    return backfill_view(request.pipeline_id, plan, opened)

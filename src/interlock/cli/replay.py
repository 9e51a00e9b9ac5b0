"""`interlock replay`: run a past slot, whether or not it ever ran."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.app.arrivals import open_run
from interlock.cli.again import Wish, required_reason, run_again, used_up
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import follow
from interlock.cli.output import moment
from interlock.cli.parameters import duration
from interlock.cli.slots import past_window, schedule_option
from interlock.cli.taking import Constraint, join, overriding, paused
from interlock.core.runs import Cause
from interlock.core.schedules import exclusion


@click.command()
@pipeline_argument
@click.option("--date", "period", required=True, help="The period to replay, such as 2026-03-07 or 2026-03-07T14:00.")
@schedule_option
@click.option("--reason", required=True, help="Why it is replayed: recorded for good.")
@click.option("--force", is_flag=True, help="Go on although a constraint says no; the override is recorded.")
@click.option("--wait/--no-wait", default=True, help="Follow the job to its end (the default), or only start it.")
@click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    period: str,
    schedule: str | None,
    reason: str,
    *,
    force: bool,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Run one past slot of PIPELINE: its first run if it never had one, else its next.

    The traits are asked as they are now, about that period; its deadlines stay where they were. Leaves with the codes of
    `interlock run`: 7 when the slot's run has not ended, 8 when there is no such slot, 9 when its window has not opened, its
    day is excluded, the pipeline is paused or the budget of reruns is used up.

    \b
    Examples:
      interlock replay example --date 2026-03-07 --reason "the watcher was down"
      interlock replay orders --schedule hourly --date 2026-03-07T14:00 --reason "late file"
    """
    reason = required_reason(reason)
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    now = work.clock.now()
    window = past_window(spec, now, schedule, period)
    if now < window.opens_at:
        words = f"the slot {window.slot} is still to come: its window opens at {moment(window.opens_at)}"
        raise Leave(Exit.REFUSED, f"{words}. Nothing was started")
    latest = work.store.latest_run(window.slot)
    excluded = exclusion(spec.exclusions, window.slot.period)
    found = [*paused(spec, work.hands), *([Constraint("exclusion", excluded)] if excluded else ())]
    if latest is not None and latest.ended:
        found += used_up(window.slot, spec, work.hands)
    override = overriding(spec, found, force=force, reason=reason)
    wish = Wish(Cause.REPLAY, reason, override)
    if latest is not None:
        run = run_again(latest, spec, work.hands, wish)
    else:
        made = open_run(window.slot, spec, work.store, now, cause=Cause.REPLAY, note=wish.note, override=override)
        join(work.hands, made, spec, override)
        run = made.run
    follow(work, run.key, wait=wait, timeout=timeout, as_json=as_json)

"""`interlock rerun`: run a slot again after its run has ended."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.cli.again import Wish, required_reason, run_again, used_up
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.following import follow
from interlock.cli.parameters import duration
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.cli.taking import overriding, paused
from interlock.core.runs import Cause
from interlock.core.schedules import in_own_zone
from interlock.errors import NotFound


@click.command()
@pipeline_argument
@schedule_option
@click.option("--date", "period", help="The period to run again, such as 2026-03-07; the current one by default.")
@click.option("--reason", required=True, help="Why it is run again: recorded for good.")
@click.option("--force", is_flag=True, help="Go on although a constraint says no; the override is recorded.")
@click.option("--wait/--no-wait", default=True, help="Follow the job to its end (the default), or only start it.")
@click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    period: str | None,
    reason: str,
    *,
    force: bool,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Run a slot of PIPELINE again: its last run has ended, and stays as it is.

    The traits are asked as they are now. Leaves with the codes of `interlock run`: 7 when the slot's run has not ended, 9
    when the pipeline is paused or the slot has been run again as often as its `reruns` allow.

    \b
    Examples:
      interlock rerun example --reason "the source was corrected"
      interlock rerun example --date 2026-03-07 --reason "late file"
    """
    reason = required_reason(reason)
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    slot = in_own_zone(spec, chosen_slot(spec, work.clock.now(), schedule, period))
    latest = work.store.latest_run(slot)
    if latest is None:
        hint = f"interlock replay {pipeline} --date {slot.period}" if period else f"interlock run {pipeline}"
        raise NotFound(f"{slot} never ran, so it cannot be run again. Use: {hint}")
    found = [*paused(spec, work.hands), *(used_up(slot, spec, work.hands) if latest.ended else ())]
    override = overriding(spec, found, force=force, reason=reason)
    run = run_again(latest, spec, work.hands, Wish(Cause.RERUN, reason, override))
    follow(work, run.key, wait=wait, timeout=timeout, as_json=as_json)

"""`interlock rerun`: run a slot again after its run has ended."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.api.rerunning import Rerun
from interlock.api.running import SlotOf
from interlock.cli.asking import ask, desk_of, server_of
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.following import Followed, begun_there, follow, followed_there, show
from interlock.cli.parameters import duration, schedule_option


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
    if period is None:
        slot = ask(ctx, SlotOf(pipeline_id=pipeline, schedule=schedule))
        schedule, period = slot.schedule_id, slot.date
    request = Rerun(pipeline_id=pipeline, original_date=period, schedule=schedule, reason=reason, force=force)
    if server_of(ctx):
        begun = begun_there(ctx, request, quiet=as_json)
        if not isinstance(begun, Followed):
            begun = followed_there(ctx, begun.run, wait=wait, timeout=timeout, quiet=as_json)
        show(begun, as_json=as_json)
    from interlock.operations.rerunning import opened_again

    desk = desk_of(ctx)
    run = opened_again(request, desk)
    follow(desk.work, run.key, wait=wait, timeout=timeout, as_json=as_json)

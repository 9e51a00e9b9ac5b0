"""`interlock replay`: run a past slot, whether or not it ever ran."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.api.rerunning import Replay
from interlock.cli.asking import desk_of, server_of
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.following import Followed, begun_there, follow, followed_there, show
from interlock.cli.parameters import duration, schedule_option


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
    request = Replay(pipeline_id=pipeline, date=period, schedule=schedule, reason=reason, force=force)
    if server_of(ctx):
        begun = begun_there(ctx, request, quiet=as_json)
        if not isinstance(begun, Followed):
            begun = followed_there(ctx, begun.run, wait=wait, timeout=timeout, quiet=as_json)
        show(begun, as_json=as_json)
    from interlock.operations.rerunning import opened_past

    desk = desk_of(ctx)
    run = opened_past(request, desk)
    follow(desk.work, run.key, wait=wait, timeout=timeout, as_json=as_json)

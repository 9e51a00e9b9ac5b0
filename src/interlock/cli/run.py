"""`interlock run`: evaluate the current slot, and start its job if the traits say so."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.api.running import Run
from interlock.cli.asking import desk_of, server_of
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.following import Followed, begun_there, follow, followed_there, show
from interlock.cli.parameters import duration, schedule_option


@click.command()
@pipeline_argument
@schedule_option
@click.option("--force", is_flag=True, help="Go on although a constraint says no; the override is recorded.")
@click.option("--reason", default="", help="Why it is forced: recorded for good.")
@click.option("--wait/--no-wait", default=True, help="Follow the job to its end (the default), or only start it.")
@click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    *,
    force: bool,
    reason: str,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Evaluate the current slot of PIPELINE and, only if it is READY, start its job and follow it.

    A slot runs once, whoever asks and how often. Leaves with 0 when the job completed, 1 when NOT_READY, 3 when undecided,
    4 when the job failed, 7 when the slot is running or has run, 9 when nothing may start now: the window is not open yet or
    closed, the day is excluded, the pipeline is paused, an earlier slot is still running and may not overlap. A pipeline
    without a trigger is done as soon as it is READY.

    \b
    Examples:
      interlock run example
      interlock run example --no-wait
      interlock run example --force --reason "source confirmed complete by phone"
    """
    request = Run(pipeline_id=pipeline, schedule=schedule, force=force, reason=reason)
    if server_of(ctx):
        begun = begun_there(ctx, request, quiet=as_json)
        if not isinstance(begun, Followed):
            begun = followed_there(ctx, begun, wait=wait, timeout=timeout, quiet=as_json)
        show(begun, as_json=as_json)
    from interlock.operations.running import taken_up

    desk = desk_of(ctx)
    key = taken_up(request, desk)
    follow(desk.work, key, wait=wait, timeout=timeout, as_json=as_json)

"""`interlock run`: evaluate the current slot, and start its job if the traits say so."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.app.arrivals import open_run
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.following import follow
from interlock.cli.parameters import duration
from interlock.cli.slots import chosen_window, schedule_option
from interlock.cli.taking import against, free, join, overriding


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
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    if reason and not force:
        raise click.UsageError("--reason goes with --force")
    work = opened(ctx, project)
    window = chosen_window(spec, work.clock.now(), schedule)
    found = against(window, spec, work.hands) if free(work.hands, window.slot) else []
    override = overriding(spec, found, force=force, reason=reason)
    run = open_run(window.slot, spec, work.store, work.clock.now(), override=override)
    join(work.hands, run, spec, override)
    follow(work, run.run.key, wait=wait, timeout=timeout, as_json=as_json)

"""`interlock run`: evaluate the current slot, and start its job if the traits say so."""

from __future__ import annotations

import click

from interlock.api.running import Run
from interlock.cli.asking import LocalDesk
from interlock.cli.context import pipeline_argument
from interlock.cli.parameters import schedule_option
from interlock.cli.starting import Manner, begin, starting_options
from interlock.core.ids import RunKey


@click.command()
@pipeline_argument
@schedule_option
@click.option("--reason", default="", help="Why it is forced: recorded for good.")
@starting_options
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    *,
    force: bool,
    reason: str,
    manner: Manner,
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

    def here(desk: LocalDesk) -> RunKey:
        from interlock.operations.running import taken_up

        return taken_up(request, desk).key

    begin(ctx, request, manner, here=here, run_of=lambda view: view)

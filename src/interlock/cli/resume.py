"""`interlock resume`: end a pause before its time."""

from __future__ import annotations

import click

from interlock.app.pausing import resume
from interlock.cli.context import json_option, known_name, opened, pipeline_names, sound_project_of
from interlock.cli.output import say
from interlock.cli.parameters import actor
from interlock.cli.pause import show_pauses
from interlock.core.ids import PipelineName


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--list", "listed", is_flag=True, help="Show the pauses in force, and end none.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str | None, *, listed: bool, as_json: bool) -> None:
    """End the pause of PIPELINE. What waited is judged at once; slots that were missed are made up for by their policy.

    A pipeline that is not paused stays as it is, and that is said.

    \b
    Examples:
      interlock resume example
      interlock resume --list
    """
    if listed or pipeline is None:
        if pipeline is not None:
            raise click.UsageError("--list stands alone; to end a pause, give PIPELINE without it")
        show_pauses(ctx, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--json goes with --list")
    project = sound_project_of(ctx)
    work = opened(ctx, project)
    name = PipelineName(known_name(project, work.store, pipeline))
    say(f"{name} goes on" if resume(name, actor(), work.hands) else f"{name} was not paused")

"""`interlock resume`: end a pause before its time."""

from __future__ import annotations

import click

from interlock.api.controlling import Resume
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.output import say
from interlock.cli.pause import show_pauses


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
    ended = ask(ctx, Resume(pipeline_id=pipeline))
    say(f"{ended.pipeline_id} {'goes on' if ended.resumed else 'was not paused'}")

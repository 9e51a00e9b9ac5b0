"""`interlock why`: the reasons behind the latest decision."""

from __future__ import annotations

import click

from interlock.api.looking import Why
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, say
from interlock.cli.render_why import tree


@click.command()
@pipeline_argument
@click.option("--run", "run_id", help="Explain this run instead of what was decided last.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str, run_id: str | None, *, as_json: bool) -> None:
    """Show why PIPELINE was let through or held back: each trait with its evidence, and what would change the answer.

    \b
    Examples:
      interlock why example
      interlock why example --run example:daily:2026-03-07:1
      interlock why example --json | jq '.traits[] | select(.status != "PASS")'
    """
    why = ask(ctx, Why(pipeline_id=pipeline, run_id=run_id))
    if as_json:
        emit_json("Why", why)
    else:
        say(tree(why))

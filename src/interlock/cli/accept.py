"""`interlock accept`: take a job's work as done although it could not be verified."""

from __future__ import annotations

import click

from interlock.api.running import AcceptRun
from interlock.cli.asking import ask
from interlock.cli.complete import named_run
from interlock.cli.context import json_option
from interlock.cli.output import emit_json, say, styled


@click.command()
@click.argument("run_id")
@click.option("--reason", required=True, help="Why it is taken as done: recorded for good.")
@json_option
@click.pass_context
def command(ctx: click.Context, run_id: str, reason: str, *, as_json: bool) -> None:
    """Accept what the job of the run RUN_ID has done, without the checks that `verify` asks for.

    For a job that has said that its work is done, when its checks cannot be asked. Leaves with 0 when the run is completed,
    7 when its job has not said so or it ended otherwise, 8 when there is none.

    \b
    Examples:
      interlock accept example:daily:2026-03-07:1 --reason "counted the rows by hand"
    """
    view = ask(ctx, AcceptRun(run_id=named_run(run_id, "RUN_ID"), reason=reason))
    if as_json:
        emit_json("Run", view)
    else:
        say(f"{run_id}  {styled(view.status)}  {'it was completed already' if view.known else 'accepted'}")

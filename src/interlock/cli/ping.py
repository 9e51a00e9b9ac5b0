"""`interlock ping`: a job that runs elsewhere tells that it has begun, and how it ended."""

from __future__ import annotations

from typing import Final, Literal

import click

from interlock.api.gating import Ping
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, say, styled
from interlock.cli.parameters import schedule_option
from interlock.cli.progress import patience

_WORDS: Final[dict[str, Literal["start", "success", "fail"]]] = {"start": "start", "success": "success", "fail": "fail"}


@click.command()
@pipeline_argument
@click.argument("what", metavar="start|success|fail", type=click.Choice(list(_WORDS)))
@schedule_option
@click.option("--date", "period", help="The period it is about, such as 2026-03-07; the current one by default.")
@click.option("--reason", default="", help="What there is to say about it.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    what: str,
    schedule: str | None,
    period: str | None,
    reason: str,
    *,
    as_json: bool,
) -> None:
    """Tell that a job of PIPELINE which Interlock did not start has begun, succeeded or failed.

    The slot's run is opened for it, its traits are asked and what they say is recorded, but nothing is held back: the job is
    running. The same word twice is taken once; success or fail without a start stands for both. Leaves with 7 when it
    contradicts what is known.

    \b
    Examples:
      interlock ping example start && ./job.sh && interlock ping example success
      interlock ping example fail --reason "out of disk"
    """
    request = Ping(pipeline_id=pipeline, what=_WORDS[what], schedule=schedule, date=period, reason=reason)
    with patience(f"asking the traits of {pipeline}", quiet=as_json):
        view = ask(ctx, request)
    if view.run is None:
        slot = f"{view.pipeline_id}:{view.schedule_id}:{view.date}"
        say(f"{slot}  {what} is noted beside what would have happened (shadow mode)")
    elif as_json:
        emit_json("Run", view.run)
    else:
        say(f"{view.run.run_id}  {styled(view.run.status)}")

"""`interlock shadow report`: what pipelines in shadow mode would have done."""

from __future__ import annotations

import click

from interlock.api.looking import AllShadowReport, ShadowReport
from interlock.app.shadow_report import ShadowSlot
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.output import emit_json, moment, plain, say, strong, tell


@click.group()
def command() -> None:
    """Look at what would have happened: pipelines and projects that say `mode: shadow`."""


@command.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--since", help="How far back to look, such as 7d; all there is by default.")
@json_option
@click.pass_context
def report(ctx: click.Context, pipeline: str | None, since: str | None, *, as_json: bool) -> None:
    """Show slot by slot what Interlock would have done, beside what really happened where it was told of that.

    \b
    Examples:
      interlock shadow report
      interlock shadow report example --since 7d
      interlock shadow report --json | jq '.items[] | select(.wouldStartAt == null) | .date'
    """
    if pipeline is None:
        found = ask(ctx, AllShadowReport(since=since))
    else:
        found = ask(ctx, ShadowReport(pipeline_id=pipeline, since=since))
    if as_json:
        emit_json("ShadowReport", found)
    elif not found.items:
        tell("nothing was decided in shadow mode; a pipeline's file says `mode: shadow` for it")
    for item in () if as_json else found.items:
        say("\n".join(_lines(item)))


def _lines(item: ShadowSlot) -> list[str]:
    start = f"would have started {moment(item.would_start_at)}" if item.would_start_at else "would not have started"
    if item.starts > 1:
        start += f", {item.starts} times in all"
    lines = [f"{strong(item.pipeline_id)}  {item.schedule_id} {item.date}  {start}"]
    lines += [f"  {plain(one)}" for one in item.would]
    lines += [f"  really: {plain(one)}" for one in item.really]
    return lines

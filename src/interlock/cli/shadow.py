"""`interlock shadow report`: what pipelines in shadow mode would have done."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.app.shadow_report import ShadowSlot, shadow_report
from interlock.cli.context import json_option, known_name, pipeline_names, reading, sound_project_of
from interlock.cli.output import emit_json, moment, plain, say, strong, tell
from interlock.cli.parameters import duration
from interlock.runtime.clock import SystemClock


@click.group()
def command() -> None:
    """Look at what would have happened: pipelines and projects that say `mode: shadow`."""


@command.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--since", callback=duration, help="How far back to look, such as 7d; all there is by default.")
@json_option
@click.pass_context
def report(ctx: click.Context, pipeline: str | None, since: timedelta | None, *, as_json: bool) -> None:
    """Show slot by slot what Interlock would have done, beside what really happened where it was told of that.

    \b
    Examples:
      interlock shadow report
      interlock shadow report example --since 7d
      interlock shadow report --json | jq '.items[] | select(.wouldStartAt == null) | .date'
    """
    project = sound_project_of(ctx)
    store = reading(ctx, project)
    names = sorted(project.pipelines) if pipeline is None else [known_name(project, store, pipeline)]
    found = shadow_report(names, store, None if since is None else SystemClock().now() - since)
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

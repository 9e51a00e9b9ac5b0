"""`interlock marker`: tell that something about a slot has arrived."""

from __future__ import annotations

import click

from interlock.api.controlling import SendMarker
from interlock.app.control_views import MarkerView
from interlock.app.markers import Arrival
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, plain, say
from interlock.cli.parameters import schedule_option
from interlock.codec import wire
from interlock.errors import NotFound


@click.command()
@pipeline_argument
@click.option("--source", required=True, help="What has arrived, such as a file's name.")
@schedule_option
@click.option("--date", "period", help="The period it is about, such as 2026-03-07; the current one by default.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, pipeline: str, source: str, schedule: str | None, period: str | None, *, as_json: bool
) -> None:
    """Tell that something about a slot of PIPELINE has arrived: a file, an upstream's result.

    It opens the slot, or has its waiting run ask again at once, or is late data for a run that has completed without it. A
    watcher does what follows from it. A pipeline that nobody has defined leaves with 8; the marker is recorded all the same.

    \b
    Examples:
      interlock marker orders --source s3://landing/orders/2026-03-07/_SUCCESS --date 2026-03-07
      interlock marker orders --source "vendor's mail"
    """
    if not source.strip():
        raise click.UsageError("--source must say what has arrived")
    request = SendMarker(pipeline_id=pipeline, source=source, schedule=schedule, date=period)
    try:
        _show(ask(ctx, request), as_json=as_json)
    except NotFound as exc:
        if exc.details.get("recorded"):
            _show(wire.from_builtins(exc.details.get("marker"), MarkerView), as_json=as_json)
        raise


def _show(shown: MarkerView, *, as_json: bool) -> None:
    if as_json:
        emit_json("Marker", shown)
        return
    slot = f"{shown.pipeline_id}:{shown.schedule_id}:{shown.date}"
    words = f": {plain(shown.message)}" if shown.message else ""
    say(f"{slot}  {plain(shown.source)}: {_told(shown.outcome)}{words}")


def _told(outcome: str) -> str:
    known = outcome.upper() in Arrival.__members__  # a newer server may know more
    return Arrival[outcome.upper()].value if known else plain(outcome)

"""`interlock pause`: let nothing of a pipeline start for a while."""

from __future__ import annotations

import click

from interlock.api.controlling import Pause, Pauses
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.output import emit_json, moment, plain, say, table


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--for", "length", help="How long, such as 2h.")
@click.option("--until", help="Until when: 18:00, 2026-03-07T18:00 in the pipeline's zone, or 2026-03-07T18:00Z.")
@click.option("--reason", default="", help="Why: recorded for good, and shown to everybody it stops.")
@click.option("--list", "listed", is_flag=True, help="Show the pauses in force, and pause nothing.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str | None,
    length: str | None,
    until: str | None,
    reason: str,
    *,
    listed: bool,
    as_json: bool,
) -> None:
    """Let nothing of PIPELINE start, whoever asks, until an instant. What runs already goes on; what is due waits.

    Every pause ends by itself: --for or --until is required, and so is a reason.

    \b
    Examples:
      interlock pause example --for 2h --reason "the warehouse is being moved"
      interlock pause example --until 18:00 --reason "until the vendor has called back"
      interlock pause --list
    """
    if listed or pipeline is None:
        if pipeline or length or until or reason:
            raise click.UsageError("--list stands alone; to pause, give PIPELINE, --for or --until, and --reason")
        show_pauses(ctx, as_json=as_json)
        return
    if (length is None) == (until is None):
        raise click.UsageError("give one of --for 2h or --until 18:00: a pause without an end is forgotten")
    held = ask(ctx, Pause(pipeline_id=pipeline, reason=reason, length=length, until=until))
    if as_json:
        emit_json("Pause", held)
    else:
        say(f"{pipeline} is paused until {moment(held.until)}: {plain(held.reason)}")
        say(f"it goes on by itself then, or with: interlock resume {pipeline}")


def show_pauses(ctx: click.Context, *, as_json: bool) -> None:
    """Print the pauses in force."""
    found = ask(ctx, Pauses())
    if as_json:
        emit_json("PauseList", found)
    elif found.items:
        rows = [(one.pipeline_id, moment(one.until), plain(one.actor), plain(one.reason)) for one in found.items]
        say(table(("PIPELINE", "UNTIL", "BY", "REASON"), rows))
    else:
        say("nothing is paused")

"""`interlock silence`: for a time, matching alerts are kept and not told."""

from __future__ import annotations

from typing import Any

import click

from interlock.api.alerting import BeginSilence, EndSilence, Silences
from interlock.app.alert_views import SilenceView
from interlock.cli.alert_type import type_option
from interlock.cli.asking import ask
from interlock.cli.context import json_option
from interlock.cli.output import emit_json, moment, plain, say, table, tell


@click.group()
def command() -> None:
    """Keep matching alerts quiet for a time. What is still open when the time is over is told then, once."""


@command.command("add")
@click.option("--for", "length", metavar="DURATION", help="How long, such as 2h or 1d.")
@click.option(
    "--until", metavar="INSTANT", help="Until when, such as 2026-03-07T18:00; in the project's zone unless said."
)
@click.option("--reason", required=True, help="Why; whoever finds an alert missing will look for it.")
@click.option(
    "--pipeline", default="", metavar="GLOB", help="Only alerts about pipelines of this name; * and ? allowed."
)
@click.option("--tier", type=click.IntRange(0), help="Only alerts of this tier.")
@click.option("--owner", default="", help="Only alerts of this owner's pipelines.")
@type_option
@click.option("--everything", is_flag=True, help="All alerts: needed when nothing else says which.")
@json_option
@click.pass_context
def add_command(
    ctx: click.Context,
    /,
    length: str | None,
    until: str | None,
    reason: str,
    *,
    as_json: bool,
    **which: Any,
) -> None:
    """Keep matching alerts quiet, from now on for a time. Several options must all match.

    \b
    Examples:
      interlock silence add --for 2h --pipeline 'sales-*' --reason 'database move'
      interlock silence add --until 2026-03-07T18:00 --type late_data --reason 'known late today'
    """
    everything = which.pop("everything")
    if everything == any(value not in ("", None) for value in which.values()):
        hint = "say which alerts: --pipeline, --tier, --owner or --type; or --everything, and nothing else of these"
        raise click.UsageError(hint)
    if (length is None) == (until is None):
        raise click.UsageError("say how long: either --for DURATION or --until INSTANT; no silence lasts for ever")
    request = BeginSilence(reason=reason, length=length, until=until, everything=everything, **which)
    shown = ask(ctx, request)
    if as_json:
        emit_json("Silence", shown)
    else:
        say(f"{shown.silence_id}: {_what(shown)} quiet until {moment(shown.until)}")
        tell(f"to end it before: interlock silence end {shown.silence_id}")


@command.command("list")
@json_option
@click.pass_context
def list_command(ctx: click.Context, *, as_json: bool) -> None:
    """List the silences that are not over.

    \b
    Examples:
      interlock silence list
    """
    shown = ask(ctx, Silences())
    if as_json:
        emit_json("SilenceList", shown)
    elif not shown.items:
        tell("nothing is silenced")
    else:
        rows = (
            (each.silence_id, moment(each.until), _what(each), plain(each.actor), plain(each.reason))
            for each in shown.items
        )
        say(table(("SILENCE", "UNTIL", "WHAT", "WHO", "WHY"), rows))


def _what(silence: SilenceView) -> str:
    parts = {
        "pipeline": silence.pipeline,
        "tier": silence.tier,
        "owner": silence.owner,
        "type": silence.alert_type,
    }
    said = [f"{name} {plain(str(value))}" for name, value in parts.items() if value is not None]
    return ", ".join(said) or "everything"


@command.command("end")
@click.argument("silence_id")
@click.pass_context
def end_command(ctx: click.Context, silence_id: str) -> None:
    """End the silence SILENCE_ID now. What waited for its end and is still open is due at once.

    \b
    Examples:
      interlock silence end 3f2a9c01b7
    """
    end = ask(ctx, EndSilence(silence_id=silence_id))
    say(f"{end.silence_id}: over; {end.freed} alerts that waited for its end are due now")

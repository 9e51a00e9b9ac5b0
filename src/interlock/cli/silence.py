"""`interlock silence`: for a time, matching alerts are kept and not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from interlock.app.alert_views import SilenceList, SilenceView, silence_view
from interlock.cli.context import json_option, opened, reading, sound_project_of
from interlock.cli.output import emit_json, moment, plain, say, table, tell
from interlock.cli.parameters import actor, duration
from interlock.core.alerts import AlertType
from interlock.ports.controls import Silence
from interlock.runtime.clock import SystemClock
from interlock.stores.controls import ControlRows


@click.group()
def command() -> None:
    """Keep matching alerts quiet for a time. What is still open when the time is over is told then, once."""


def _type(ctx: click.Context, param: click.Parameter, value: str | None) -> AlertType | None:  # noqa: ARG001
    return None if value is None else AlertType(value)


@command.command("add")
@click.option("--for", "span", metavar="DURATION", callback=duration, help="How long, such as 2h or 1d.")
@click.option(
    "--until", metavar="INSTANT", help="Until when, such as 2026-03-07T18:00; in the project's zone unless said."
)
@click.option("--reason", required=True, help="Why; whoever finds an alert missing will look for it.")
@click.option(
    "--pipeline", default="", metavar="GLOB", help="Only alerts about pipelines of this name; * and ? allowed."
)
@click.option("--tier", type=click.IntRange(0), help="Only alerts of this tier.")
@click.option("--owner", default="", help="Only alerts of this owner's pipelines.")
@click.option(
    "--type", "alert_type", type=click.Choice([each.value for each in AlertType]), callback=_type,
    help="Only alerts of this type.",
)  # fmt: skip
@click.option("--everything", is_flag=True, help="All alerts: needed when nothing else says which.")
@json_option
@click.pass_context
def add_command(
    ctx: click.Context,
    /,
    span: timedelta | None,
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
    from interlock.app.silencing import begin_silence

    everything = which.pop("everything")
    if everything == any(value not in ("", None) for value in which.values()):
        hint = "say which alerts: --pipeline, --tier, --owner or --type; or --everything, and nothing else of these"
        raise click.UsageError(hint)
    project = sound_project_of(ctx)
    at = SystemClock().now()
    silence = Silence(
        silence_id="",
        at=at,
        until=_end(at, span, until, project.settings.timezone),
        actor=actor(),
        reason=reason,
        **which,
    )
    try:
        shown = silence_view(begin_silence(silence, opened(ctx, project).hands), at)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    if as_json:
        emit_json("Silence", shown)
    else:
        say(f"{shown.silence_id}: {_what(shown)} quiet until {moment(shown.until)}")
        tell(f"to end it before: interlock silence end {shown.silence_id}")


def _end(at: datetime, span: timedelta | None, until: str | None, zone: str) -> datetime:
    if (span is None) == (until is None):
        raise click.UsageError("say how long: either --for DURATION or --until INSTANT; no silence lasts for ever")
    try:
        if span is not None:
            return at + span
        given = datetime.fromisoformat(until or "")
        return (given if given.tzinfo else given.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise click.BadParameter(f"{until or span} is no instant to end at: {exc}", param_hint="--until") from exc


@command.command("list")
@json_option
@click.pass_context
def list_command(ctx: click.Context, *, as_json: bool) -> None:
    """List the silences that are not over.

    \b
    Examples:
      interlock silence list
    """
    at = SystemClock().now()
    found = ControlRows(reading(ctx, sound_project_of(ctx)).kernel).silences(at)
    shown = SilenceList(items=tuple(silence_view(each, at) for each in found))
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
    from interlock.app.silencing import end_silence

    freed = end_silence(silence_id, opened(ctx, sound_project_of(ctx)).hands)
    say(f"{silence_id}: over; {freed} alerts that waited for its end are due now")

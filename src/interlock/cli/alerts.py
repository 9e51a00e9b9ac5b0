"""`interlock alerts`: what people were told, why, and whether they can be."""

from __future__ import annotations

from typing import Final, Literal

import click

from interlock.api.alerting import AlertOf, Alerts, AlertWhy, ResolveAlert, TestAlert
from interlock.app import alert_views
from interlock.app.alert_views import AlertView, ChannelWhy, TellingView
from interlock.cli.alert_type import type_option
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, faint, moment, plain, say, strong, styled, table, tell
from interlock.clients.links import page_of
from interlock.core.alerts import AlertType
from interlock.core.telling import JOB_URL

LONGEST: Final = 500


@click.group()
def command() -> None:
    """Show what people are told, and why; try whether they can be."""


@command.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only alerts whose fact still holds.")
@click.option("--pipeline", shell_complete=pipeline_names, help="Only alerts about this pipeline.")
@type_option
@click.option("--limit", type=click.IntRange(1, LONGEST), default=50, show_default=True, help="How many alerts.")
@click.option("--before", metavar="ALERT_ID", help="Only alerts opened before this one: how to go on.")
@json_option
@click.pass_context
def list_command(
    ctx: click.Context,
    pipeline: str | None,
    alert_type: AlertType | None,
    limit: int,
    before: str | None,
    *,
    open_only: bool,
    as_json: bool,
) -> None:
    """List alerts, latest opened first.

    \b
    Examples:
      interlock alerts list --open
      interlock alerts list --pipeline example --json | jq -r '.items[] | [.openedAt, .alertType, .state] | @tsv'
    """
    state: Literal["open"] | None = "open" if open_only else None
    shown = ask(ctx, Alerts(state=state, pipeline=pipeline, alert_type=alert_type, limit=limit, cursor=before))
    if as_json:
        emit_json("AlertList", shown)
        return
    if not shown.items:
        tell(f"no {'open ' if open_only else ''}alert{f' about {pipeline}' if pipeline else ''}")
    else:
        say(table(("OPENED", "STATE", "LEVEL", "TOLD", "ALERT", ""), map(_row, shown.items)))
    if shown.next is not None:
        tell(f"there are more; go on with: --before '{shown.next}'")


def _row(alert: AlertView) -> tuple[str, ...]:
    return (
        moment(alert.opened_at),
        alert.state,
        styled(alert.level),
        _told(alert),
        plain(alert.alert_id),
        plain(alert.message),
    )


def _told(alert: AlertView) -> str:
    if alert.folded_into:
        return "folded"
    states = [telling.state for telling in alert.tellings]
    if not states:
        return "to nobody"
    done = states.count("done")
    rest = sorted({state for state in states if state != "done"})
    return ", ".join([f"{done} of {len(states)}", *rest])


@command.command("show")
@click.argument("alert_id")
@json_option
@click.pass_context
def show_command(ctx: click.Context, alert_id: str, *, as_json: bool) -> None:
    """Show the alert ALERT_ID with the latest telling through each channel.

    \b
    Examples:
      interlock alerts show run_failed/example:daily:2026-03-07:1
    """
    shown = ask(ctx, AlertOf(alert_id=alert_id))
    if as_json:
        emit_json("Alert", shown)
        return
    _head(shown)
    for telling in shown.tellings:
        say(_telling(telling))


def _head(alert: AlertView) -> None:
    say(f"{strong(plain(alert.alert_id))}  {styled(alert.level)}  {alert.state}")
    say(f"  {plain(alert.message)}")
    ended = f", resolved {moment(alert.resolved_at)}: {plain(alert.resolution)}" if alert.resolved_at else ""
    say(f"  opened {moment(alert.opened_at)}{ended}")
    if page := page_of(alert.details, JOB_URL):
        say(f"  its job: {page}")
    if alert.remind_at is not None:
        say(f"  told again at {moment(alert.remind_at)} unless it ends before")
    if alert.folded_into:
        say(f"  folded into {plain(alert.folded_into)}, which is told instead")


def _telling(telling: TellingView) -> str:
    when = f" {moment(telling.delivered_at)}" if telling.delivered_at else ""
    tries = f", {telling.tries} tries" if telling.tries > 1 else ""
    coming = f", next {moment(telling.next_at)}" if telling.next_at else ""
    why = f": {plain(telling.reason)}" if telling.reason else ""
    return f"  {telling.channel}  {telling.kind} {telling.state}{when}{tries}{coming}{why}"


@command.command("explain")
@click.argument("alert_id")
@json_option
@click.pass_context
def explain_command(ctx: click.Context, alert_id: str, *, as_json: bool) -> None:
    """Say for every channel why it was, or was not, told of the alert ALERT_ID.

    \b
    Examples:
      interlock alerts explain run_failed/example:daily:2026-03-07:1
    """
    why = ask(ctx, AlertWhy(alert_id=alert_id))
    if as_json:
        emit_json("AlertWhy", why)
        return
    _explained(why)


def _explained(why: alert_views.AlertWhy) -> None:
    _head(why.alert)
    for channel in why.channels:
        say(f"  {channel.channel}: {_reasons(channel)}")
    if why.folded:
        say(f"  told with it: {', '.join(map(plain, why.folded))}")


def _reasons(channel: ChannelWhy) -> str:
    when = f" {moment(channel.delivered_at)}" if channel.delivered_at else ""
    words = [f"{plain(channel.reason)}{when}"]
    if channel.silenced_by:
        words.append(f"the silence {channel.silenced_by} is over it now")
    if channel.tries > 1:
        words.append(f"{channel.tries} tries")
    if channel.next_at is not None:
        words.append(f"next at {moment(channel.next_at)}")
    return "; ".join(words)


@command.command("resolve")
@click.argument("alert_id")
@click.option("--reason", required=True, help="What mended it, for those who were told.")
@click.pass_context
def resolve_command(ctx: click.Context, alert_id: str, reason: str) -> None:
    """Say that the fact behind the alert ALERT_ID holds no longer. Whoever was told of it is told so.

    Interlock does this by itself where it can know; if the fact comes back it is an alert again.

    \b
    Examples:
      interlock alerts resolve start_unknown/example:daily:2026-03-07:1 --reason 'looked: the job never started'
    """
    end = ask(ctx, ResolveAlert(alert_id=alert_id, reason=reason))
    say(f"{plain(alert_id)}: {'resolved' if end.resolved else 'was resolved before'}")


@command.command("test")
@click.option("--channel", help="Only this channel.")
@json_option
@click.pass_context
def test_command(ctx: click.Context, channel: str | None, *, as_json: bool) -> None:
    """Send a test alert, and its end, through the real channels, and say for each whether it was taken.

    It goes to every channel, whatever that takes otherwise. Nothing is kept. Leaves with 1 when a channel did not take it.

    \b
    Examples:
      interlock alerts test
      interlock alerts test --channel pager
    """
    tell(faint(f"trying {channel or 'every channel'} …"))
    shown = ask(ctx, TestAlert(channel=channel))
    if as_json:
        emit_json("AlertTest", shown)
    else:
        for each in shown.items:
            say(f"{styled('ok' if each.delivered else 'fail')}  {each.channel}  {plain(each.reason)}".rstrip())
    if not shown.ok:
        raise Leave(Exit.NOT_READY)

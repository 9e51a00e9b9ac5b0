"""`interlock status`: how pipelines stand."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from interlock.api.looking import AllStatus, Status
from interlock.app.queries import FILE, RECORDS
from interlock.app.slot_views import StatusView
from interlock.app.watch_views import StatusList
from interlock.cli.asking import Glance
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.exits import Exit, Leave
from interlock.cli.live import live, require_terminal
from interlock.cli.output import emit_json, say, tell
from interlock.cli.parameters import duration
from interlock.cli.render_status import at_work, listing, sheet
from interlock.errors import InterlockError
from interlock.runtime.clock import SystemClock


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--check", is_flag=True, help="Leave with 10 when a deadline has passed without what it asks for.")
@click.option("--watch", is_flag=True, help="Draw it on the terminal again and again, until Ctrl-C.")
@click.option("--interval", callback=duration, default="2s", show_default=True, help="How often to draw it.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str | None,
    *,
    check: bool,
    watch: bool,
    interval: timedelta,
    as_json: bool,
) -> None:
    """Show how all pipelines stand, or PIPELINE in detail. Nothing is asked, nothing is written.

    Leaves with 3 when a pipeline's records cannot be read, 2 when a pipeline's file cannot; the others are shown all the
    same.

    \b
    Examples:
      interlock status
      interlock status example
      interlock status --watch
      interlock status --check || echo "something is late"
      interlock status --json | jq -r '.items[] | select(.readiness != "READY") | .pipelineId'
    """
    if watch:
        if check or as_json:
            raise click.UsageError("--watch stands alone: --check and --json look once")
        require_terminal()
        live(lambda: _page(ctx, pipeline), interval)
        return
    with Glance(ctx) as glance:
        if pipeline is None:
            everything = _everything(glance)
            views = everything.items
            emit_json("StatusList", everything) if as_json else _print_all(everything, SystemClock().now())
        else:
            views = (glance.ask(Status(pipeline_id=pipeline)),)
            emit_json("Status", views[0]) if as_json else say(sheet(views[0], SystemClock().now()))
    _leave(views, check=check)


def _page(ctx: click.Context, pipeline: str | None) -> str:
    # Asked anew for each page: files and store may change, or not be there yet, and whoever looks must hold nothing.
    try:
        with Glance(ctx) as glance:
            if pipeline is not None:
                return sheet(glance.ask(Status(pipeline_id=pipeline)), SystemClock().now())
            shown, at = _everything(glance), SystemClock().now()
            lines = [listing(shown.items, at) if shown.items else "there are no pipelines yet", ""]
            return "\n".join([*lines, *at_work(shown.members, at)]).rstrip()
    except InterlockError as exc:
        return str(exc)


def _everything(glance: Glance) -> StatusList:
    page = glance.ask(AllStatus())
    items = page.items
    while page.next is not None:
        page = glance.ask(AllStatus(cursor=page.next))
        items += page.items
    return StatusList(items=items, members=page.members, next=None)


def _print_all(shown: StatusList, at: datetime) -> None:
    if shown.items:
        say(listing(shown.items, at))
    else:
        tell("there are no pipelines yet; write one with: interlock add-pipeline --name NAME")
    if shown.members:
        say()
    for line in at_work(shown.members, at):
        say(line)


def _leave(views: tuple[StatusView, ...], *, check: bool) -> None:
    unreadable = [view.pipeline_id for view in views if view.trouble == RECORDS]
    broken = [view.pipeline_id for view in views if view.trouble == FILE]
    if unreadable:
        raise Leave(Exit.UNDECIDED, f"records cannot be read of: {', '.join(unreadable)}. Nothing was changed")
    if broken:
        raise Leave(Exit.USAGE, f"files cannot be used of: {', '.join(broken)}. See: interlock validate")
    late = [view.pipeline_id for view in views if any(slot.overdue for slot in view.slots)]
    if check and late:
        raise Leave(Exit.MISSED, f"a deadline is missed by: {', '.join(late)}")

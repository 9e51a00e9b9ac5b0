"""`interlock events`: what happened to a pipeline."""

from __future__ import annotations

import click

from interlock.api.looking import Events
from interlock.app.views import EventView
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.output import emit_json, faint, moment, plain, say, styled, table, tell
from interlock.clients.links import page_of

LONGEST = 500


@click.command()
@pipeline_argument
@click.option("--limit", type=click.IntRange(1, LONGEST), default=50, show_default=True, help="How many events.")
@click.option("--before", metavar="CURSOR", help="Only what came before this cursor: how to go on.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str, limit: int, before: str | None, *, as_json: bool) -> None:
    """Show what happened to PIPELINE lately, oldest first: evaluations, decisions, starts, ends and alerts.

    \b
    Examples:
      interlock events example
      interlock events example --limit 500 --json | jq -r '.items[] | [.timestamp, .kind, .message] | @tsv'
    """
    shown = ask(ctx, Events(pipeline_id=pipeline, limit=limit, cursor=before))
    if as_json:
        emit_json("EventList", shown)
    elif not shown.items:
        tell(f"nothing happened to {pipeline}{' before that' if before else ' yet'}")
    else:
        if shown.next:
            tell(f"there is more before this: interlock events {pipeline} --limit {limit} --before '{shown.next}'")
        say(_laid_out(shown.items))


def _laid_out(shown: tuple[EventView, ...]) -> str:
    rows = [
        (
            moment(event.timestamp),
            event.kind,
            styled(event.status) or "-",
            " ".join(filter(None, (event.trait_type, plain(event.message), page_of(event.details)))) or "-",
            faint(event.run_id or f"{event.schedule_id} {event.date}"),
        )
        for event in shown
    ]
    return table(("WHEN", "WHAT", "STATUS", "", "RUN"), rows)

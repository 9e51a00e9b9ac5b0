"""`interlock events`: what happened to a pipeline."""

from __future__ import annotations

import re
from typing import Final

import click

from interlock.app.queries import events
from interlock.app.views import EventView
from interlock.cli.context import json_option, known_name, pipeline_argument, reading, sound_project_of
from interlock.cli.output import emit_json, faint, moment, plain, say, styled, table, tell

LONGEST = 500

_CURSOR: Final = re.compile(
    r"\d{8}T\d{6}\.\d{6}Z\|(?:slot/(?P<slot>[^:|]+):[^|]+|pipeline/(?P<own>[^|]+)|(?P<shared>dispatch/[^|]+|silences))"
    r"\|(?:JOURNAL|NOTE|EXPECTED)#[^|]+\|\d{1,6}",
    re.ASCII,
)


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
    project = sound_project_of(ctx)
    store = reading(ctx, project)
    name = known_name(project, store, pipeline)
    shown = events(store, name, limit=limit, before=None if before is None else _cursor(name, before))
    if as_json:
        emit_json("EventList", shown)
    elif not shown.items:
        tell(f"nothing happened to {name}{' before that' if before else ' yet'}")
    else:
        if shown.next:
            tell(f"there is more before this: interlock events {name} --limit {limit} --before '{shown.next}'")
        say(_laid_out(shown.items))


def _cursor(pipeline: str, text: str) -> str:
    match = _CURSOR.fullmatch(text)
    if match is None or not (match["shared"] or pipeline in (match["slot"], match["own"])):
        raise click.BadParameter(
            f"{text!r} is no cursor of {pipeline}: use the `next` or a `cursor` of `interlock events {pipeline} --json`",
            param_hint="--before",
        )
    return text


def _laid_out(shown: tuple[EventView, ...]) -> str:
    rows = [
        (
            moment(event.timestamp),
            event.kind,
            styled(event.status) or "-",
            " ".join(filter(None, (event.trait_type, plain(event.message)))) or "-",
            faint(event.run_id or f"{event.schedule_id} {event.date}"),
        )
        for event in shown
    ]
    return table(("WHEN", "WHAT", "STATUS", "", "RUN"), rows)

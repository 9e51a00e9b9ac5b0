"""`interlock expectations`: what should happen, and what came of it."""

from __future__ import annotations

import click

from interlock.api.looking import Expectations, PipelineExpectations
from interlock.app.watch_views import ExpectationView
from interlock.cli.asking import ask
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.output import emit_json, faint, moment, plain, say, styled, table, tell

LONGEST = 500
_HEADERS = ("SLOT", "OPENS", "EVALUATE BY", "COMPLETE BY", "STATE", "")


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--missed", is_flag=True, help="Only what was missed, late or failed, or has not begun in time.")
@click.option("--date", "day", metavar="DAY", help="Only slots of one day, such as 2026-03-07.")
@click.option("--limit", type=click.IntRange(1, LONGEST), default=20, show_default=True, help="How many.")
@click.option("--before", metavar="SLOT", help="Only slots that open before this one: how to go on.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str | None,
    day: str | None,
    limit: int,
    before: str | None,
    *,
    missed: bool,
    as_json: bool,
) -> None:
    """Show which slots are expected and what came of each, the latest opening first: of all pipelines, or of PIPELINE.

    Watchers write expectations down one slot ahead; the watchdog settles them. Times are in UTC.

    \b
    Examples:
      interlock expectations
      interlock expectations example --missed
      interlock expectations --date 2026-03-07 --json | jq -r '.items[] | select(.state == "missed") | .date'
    """
    if pipeline is None:
        shown = ask(ctx, Expectations(missed=missed, date=day, limit=limit, cursor=before))
    else:
        request = PipelineExpectations(pipeline_id=pipeline, missed=missed, date=day, limit=limit, cursor=before)
        shown = ask(ctx, request)
    if as_json:
        emit_json("ExpectationList", shown)
    elif shown.items:
        say(table(_HEADERS, map(_row, shown.items)))
    elif missed or day or before:
        tell("nothing of that kind is known")
    else:
        tell("nothing is expected yet: a watcher writes it down. Start one with: interlock watch")
    if shown.next is not None and not as_json:
        tell(f"there are more; go on with: --before {shown.next}")


def _row(view: ExpectationView) -> tuple[str, ...]:
    return (
        f"{view.pipeline_id} {view.schedule_id} {view.date}",
        moment(view.opens_at),
        moment(view.evaluate_by) or "-",
        moment(view.complete_by) or "-",
        styled(view.state),
        plain(view.reason) or faint(view.run_id or ""),
    )

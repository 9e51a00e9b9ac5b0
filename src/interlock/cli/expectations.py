"""`interlock expectations`: what should happen, and what came of it."""

from __future__ import annotations

import click

from interlock.app.watchviews import ExpectationView, expectation_list, is_wrong
from interlock.cli.context import json_option, known_name, pipeline_names, reading, sound_project_of
from interlock.cli.output import emit_json, faint, moment, plain, say, styled, table, tell
from interlock.core.periods import Period
from interlock.runtime.clock import SystemClock

LONGEST = 500
_HEADERS = ("SLOT", "OPENS", "EVALUATE BY", "COMPLETE BY", "STATE", "")


@click.command()
@click.argument("pipeline", required=False, shell_complete=pipeline_names)
@click.option("--missed", is_flag=True, help="Only what was missed, late or failed, or has not begun in time.")
@click.option("--date", "day", metavar="DAY", help="Only slots of one day, such as 2026-03-07.")
@click.option("--limit", type=click.IntRange(1, LONGEST), default=20, show_default=True, help="How many.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, pipeline: str | None, day: str | None, limit: int, *, missed: bool, as_json: bool
) -> None:
    """Show which slots are expected and what came of each, the latest opening first: of all pipelines, or of PIPELINE.

    Watchers write expectations down one slot ahead; the watchdog settles them. Times are in UTC.

    \b
    Examples:
      interlock expectations
      interlock expectations example --missed
      interlock expectations --date 2026-03-07 --json | jq -r '.items[] | select(.state == "missed") | .date'
    """
    from interlock.stores.agendas import AgendaRows

    if day is not None:
        _checked(day)
    project = sound_project_of(ctx)
    store = reading(ctx, project)
    name = None if pipeline is None else known_name(project, store, pipeline)

    def wanted(view: ExpectationView) -> bool:
        return (day is None or view.date[:10] == day) and (is_wrong(view) or not missed)

    at = SystemClock().now()
    shown = expectation_list(AgendaRows(store.kernel), store, at, limit=limit, pipeline=name, wanted=wanted)
    if as_json:
        emit_json("ExpectationList", shown)
    elif shown.items:
        say(table(_HEADERS, map(_row, shown.items)))
    elif missed or day:
        tell("nothing of that kind is known")
    else:
        tell("nothing is expected yet: a watcher writes it down. Start one with: interlock watch")


def _checked(day: str) -> None:
    try:
        whole = Period.parse(day).day.isoformat() == day
    except ValueError:
        whole = False
    if not whole:
        raise click.BadParameter(f"not a day: {day!r} (expected such as 2026-03-07)", param_hint="--date")


def _row(view: ExpectationView) -> tuple[str, ...]:
    return (
        f"{view.pipeline_id} {view.schedule_id} {view.date}",
        moment(view.opens_at),
        moment(view.evaluate_by) or "-",
        moment(view.complete_by) or "-",
        styled(view.state),
        plain(view.reason) or faint(view.run_id or ""),
    )

"""`interlock replay`: run a past slot, whether or not it ever ran."""

from __future__ import annotations

import click

from interlock.api.rerunning import Replay
from interlock.cli.asking import LocalDesk
from interlock.cli.context import pipeline_argument
from interlock.cli.parameters import schedule_option
from interlock.cli.starting import Manner, begin, starting_options
from interlock.core.ids import RunKey


@click.command()
@pipeline_argument
@click.option("--date", "period", required=True, help="The period to replay, such as 2026-03-07 or 2026-03-07T14:00.")
@schedule_option
@click.option("--reason", required=True, help="Why it is replayed: recorded for good.")
@starting_options
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    period: str,
    schedule: str | None,
    reason: str,
    *,
    force: bool,
    manner: Manner,
) -> None:
    """Run one past slot of PIPELINE: its first run if it never had one, else its next.

    The traits are asked as they are now, about that period; its deadlines stay where they were. Leaves with the codes of
    `interlock run`: 7 when the slot's run has not ended, 8 when there is no such slot, 9 when its window has not opened, its
    day is excluded, the pipeline is paused or the budget of reruns is used up.

    \b
    Examples:
      interlock replay example --date 2026-03-07 --reason "the watcher was down"
      interlock replay orders --schedule hourly --date 2026-03-07T14:00 --reason "late file"
    """
    request = Replay(pipeline_id=pipeline, date=period, schedule=schedule, reason=reason, force=force)

    def here(desk: LocalDesk) -> RunKey:
        from interlock.operations.rerunning import opened_past

        return opened_past(request, desk).key

    begin(ctx, request, manner, here=here, run_of=lambda view: view.run)

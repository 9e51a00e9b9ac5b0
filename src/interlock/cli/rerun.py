"""`interlock rerun`: run a slot again after its run has ended."""

from __future__ import annotations

import click

from interlock.api.rerunning import Rerun
from interlock.api.running import SlotOf
from interlock.cli.asking import LocalDesk, ask
from interlock.cli.context import pipeline_argument
from interlock.cli.parameters import schedule_option
from interlock.cli.starting import Manner, begin, starting_options
from interlock.core.ids import RunKey


@click.command()
@pipeline_argument
@schedule_option
@click.option("--date", "period", help="The period to run again, such as 2026-03-07; the current one by default.")
@click.option("--reason", required=True, help="Why it is run again: recorded for good.")
@starting_options
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    period: str | None,
    reason: str,
    *,
    force: bool,
    manner: Manner,
) -> None:
    """Run a slot of PIPELINE again: its last run has ended, and stays as it is.

    The traits are asked as they are now. Leaves with the codes of `interlock run`: 7 when the slot's run has not ended, 9
    when the pipeline is paused or the slot has been run again as often as its `reruns` allow.

    \b
    Examples:
      interlock rerun example --reason "the source was corrected"
      interlock rerun example --date 2026-03-07 --reason "late file"
    """
    if period is None:
        slot = ask(ctx, SlotOf(pipeline_id=pipeline, schedule=schedule))
        schedule, period = slot.schedule_id, slot.date
    request = Rerun(pipeline_id=pipeline, original_date=period, schedule=schedule, reason=reason, force=force)

    def here(desk: LocalDesk) -> RunKey:
        from interlock.operations.rerunning import opened_again

        return opened_again(request, desk).key

    begin(ctx, request, manner, here=here, run_of=lambda view: view.run)

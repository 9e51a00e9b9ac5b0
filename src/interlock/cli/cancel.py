"""`interlock cancel`: end a run, and stop its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from interlock.api.running import Cancel, CancelRun
from interlock.cli.asking import ask
from interlock.cli.complete import named_run
from interlock.cli.context import json_option, pipeline_names
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, say, styled
from interlock.cli.parameters import schedule_option
from interlock.cli.progress import patience

if TYPE_CHECKING:
    from interlock.api.contract import Request
    from interlock.app.views import CancelledView

_EXITS: Final = {True: Exit.DONE, False: Exit.TIMED_OUT, None: Exit.UNDECIDED}


@click.command()
@click.argument("target", metavar="PIPELINE|RUN_ID", shell_complete=pipeline_names)
@schedule_option
@click.option("--date", "period", help="The period whose run is cancelled; the one run that has not ended by default.")
@click.option("--reason", required=True, help="Why it is cancelled: recorded for good.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, target: str, schedule: str | None, period: str | None, reason: str, *, as_json: bool
) -> None:
    """End a run that has not ended, and ask its job to stop.

    Leaves with 0 when the run has ended and no job of it runs any more, 3 when nobody here can know whether the job stopped,
    6 when it was asked to stop and still runs, 7 when the run had ended already, 8 when there is none.

    \b
    Examples:
      interlock cancel example --reason "started by mistake"
      interlock cancel example --date 2026-03-07 --reason "wrong data"
      interlock cancel example:daily:2026-03-07:1 --reason "replaced by the next"
    """
    request: Request[CancelledView]
    if ":" in target:
        request = CancelRun(run_id=named_run(target, "PIPELINE|RUN_ID"), reason=reason)
    else:
        request = Cancel(pipeline_id=target, schedule=schedule, date=period, reason=reason)
    with patience("waiting for the job to stop", quiet=as_json):
        view = ask(ctx, request)
    if as_json:
        emit_json("Run", view)
    else:
        say(f"{view.run_id}  {styled(view.status)}  {view.job_message}")
    raise Leave(_EXITS[view.job_stopped])

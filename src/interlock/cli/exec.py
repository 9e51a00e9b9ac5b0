"""`interlock exec`: put a command behind the interlock, in one line, where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import click

from interlock.cli.asking import client_of, desk_of, server_of
from interlock.cli.context import pipeline_argument
from interlock.cli.parameters import duration, schedule_option


@click.command()
@pipeline_argument
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGUMENT]...")
@schedule_option
@click.option(
    "--timeout", callback=duration, help="How long to wait until it is READY, such as 2h; asks once by default."
)
@click.option(
    "--skip-exit", type=click.IntRange(0, 255), default=0, show_default=True, help="The code for a slot that is done."
)
@click.option("--again", is_flag=True, help="Run the slot again, although it has ended. Needs --reason.")
@click.option("--reason", default="", help="Why it is run again: recorded for good.")
@click.pass_context
def command(  # noqa: PLR0913, PLR0917  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    command: Sequence[str],
    schedule: str | None,
    timeout: timedelta | None,
    skip_exit: int,
    again: bool,
    reason: str,
) -> None:
    """Run COMMAND as the job of PIPELINE's current slot, once it is READY and if the slot was not served yet.

    The command has this terminal, environment, directory and these signals, and INTERLOCK_RUN_ID and its like besides. What
    the pipeline's file says of a trigger and of retries does not count here. Leaves with the command's own exit status; when
    it was not run, with 1 NOT_READY, 3 undecided, 6 still not READY when the time was over, 7 running or ended badly before,
    9 when nothing may start. A slot that is done leaves with 0 and says nothing, so that cron does not mail.

    In shadow mode the command runs whatever the verdict is; what would have happened is recorded.

    \b
    Examples:
      interlock exec example -- python3 scripts/rollup.py --full
      interlock exec example --timeout 3h -- ./job.sh            # in a crontab: 0 6 * * *
      interlock exec example --again --reason "disk was full" -- ./job.sh
    """
    if again != bool(reason.strip()):
        raise click.UsageError("--again and --reason TEXT go together")
    run = _there if server_of(ctx) else _here
    code = run(ctx, pipeline, command, Wish(schedule, timeout, skip_exit, reason.strip()))
    # The command's own code is nobody's to map, nor is one that was asked for.
    ctx.meta["interlock.exits"] = {}
    ctx.exit(code)


class Wish(NamedTuple):
    """What the options say."""

    schedule: str | None
    timeout: timedelta | None
    skip_exit: int
    again: str


def _here(ctx: click.Context, pipeline: str, argv: Sequence[str], wish: Wish) -> int:
    from interlock.cli.foreground import Play
    from interlock.operations.outside import in_shadow
    from interlock.operations.pipelines import pipeline_of
    from interlock.operations.slots import chosen_window

    desk = desk_of(ctx)
    spec = pipeline_of(desk.project, pipeline)
    window = chosen_window(spec, desk.clock.now(), wish.schedule)
    play = Play(desk, spec, window, argv)
    if in_shadow(spec):
        return play.look_on()
    if not play.take(again=wish.again):
        return wish.skip_exit
    return play.perform(None if wish.timeout is None else desk.clock.now() + wish.timeout, done=wish.skip_exit)


def _there(ctx: click.Context, pipeline: str, argv: Sequence[str], wish: Wish) -> int:
    from interlock.cli.gated import GatedPlay

    play = GatedPlay(client_of(ctx), pipeline, wish.schedule, argv)
    return play.perform(wish.timeout, again=wish.again, done=wish.skip_exit)

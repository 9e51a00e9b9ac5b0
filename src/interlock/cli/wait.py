"""`interlock wait`: hold a script until a slot is ready, or done."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from interlock.api.running import SlotOf
from interlock.cli.asking import client_of, desk_of, server_of
from interlock.cli.context import pipeline_argument
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import OUT_OF_SIGHT, ending, exit_of_end, has_ended
from interlock.cli.output import faint, say, span, styled, tell
from interlock.cli.parameters import duration, schedule_option
from interlock.core.pipelines import Mode
from interlock.core.runs import STARTED
from interlock.errors import ServerUnavailable

if TYPE_CHECKING:
    from interlock.app.slot_views import SlotView
    from interlock.app.views import RunView
    from interlock.cli.asking import LocalDesk
    from interlock.runtime.wiring import Interlock
    from interlock.stores.repository import Repository

INTERVAL: Final = timedelta(seconds=2)
_SHORTEST: Final = timedelta(milliseconds=100)


class Aim(enum.StrEnum):
    """What is waited for."""

    READY = "ready"
    COMPLETED = "completed"


class Sight(NamedTuple):
    """What a look showed, and the code to leave with; None to go on waiting."""

    words: str
    code: Exit | None = None


@click.command()
@pipeline_argument
@click.option(
    "--for", "aim", type=click.Choice([aim.value for aim in Aim]), default=Aim.COMPLETED.value, show_default=True
)
@schedule_option
@click.option("--date", "period", help="The period to wait for, such as 2026-03-07; the current one by default.")
@click.option(
    "--timeout", callback=duration, help="How long to wait, such as 2h; then leave with 6. For ever by default."
)
@click.option("--interval", callback=duration, default="2s", show_default=True, help="How often to look.")
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    aim: str,
    schedule: str | None,
    period: str | None,
    timeout: timedelta | None,
    interval: timedelta | None,
) -> None:
    """Wait until a slot of PIPELINE is ready, or completed. Nothing is asked or started: somebody else does that.

    The slot is chosen once, when the waiting begins. It is `ready` when its latest verdict says so and is still fresh, or
    its job was let through. Leaves with 0 then, 4 when its run failed for good, 6 when the time is over, 9 when it was given
    up or cancelled, or is `completed` in shadow mode only: nothing was started.

    \b
    Examples:
      interlock wait example --for completed --timeout 2h && ./report.sh
      interlock wait example --for ready --date 2026-03-07
    """
    from interlock.runtime.clock import SystemClock, SystemPacer

    clock = SystemClock()
    began = clock.now()
    pacer, pause = SystemPacer(clock), max(interval or INTERVAL, _SHORTEST)
    until = None if timeout is None else began + timeout
    wanted, last, seen_at = SlotOf(pipeline_id=pipeline, schedule=schedule, date=period), "", began
    while True:
        now = clock.now()
        found = _looked(ctx, wanted, patient=now - seen_at <= OUT_OF_SIGHT and wanted.date is not None)
        if found is not None:
            # The slot is chosen once, when the waiting begins.
            wanted, seen_at = SlotOf(pipeline_id=pipeline, schedule=found.schedule_id, date=found.date), now
        seen = _sight(found, Aim(aim))
        slot = f"{pipeline}:{wanted.schedule}:{wanted.date}"
        if seen.code is not None:
            say(f"{slot}  {seen.words}")
            raise Leave(seen.code)
        if until is not None and now >= until:
            raise Leave(Exit.TIMED_OUT, f"{slot} is not {aim} after {span(timeout or INTERVAL)}: {seen.words}")
        if seen.words != last and now - began >= timedelta(seconds=1):
            tell(faint(f"waiting until {slot} is {aim}: {seen.words}"))
            last = seen.words
        later = now + pause
        pacer.until(later if until is None else min(later, until))


def _looked(ctx: click.Context, wanted: SlotOf, *, patient: bool) -> SlotView | None:
    """Look how the slot stands; None when a server could not be reached just now."""
    if server_of(ctx):
        try:
            return client_of(ctx).ask(wanted)
        except ServerUnavailable:
            if not patient:
                raise
            return None
    from interlock.operations.running import slot_of
    from interlock.runtime.reading import open_for_reading

    desk = desk_of(ctx)
    # Opened for each look: the store may not exist yet, and waiting must hold nothing.
    with open_for_reading(desk.project) as store:
        return slot_of(wanted, _Looking(desk, store))


class _Looking:
    """The desk of one look."""

    def __init__(self, desk: LocalDesk, store: Repository) -> None:
        self.project = desk.project
        self.store = store
        self.clock = desk.clock
        self.actor = desk.actor
        self._desk = desk

    @property
    def work(self) -> Interlock:
        """The project at work: never asked for by a look."""
        return self._desk.work


def _sight(found: SlotView | None, aim: Aim) -> Sight:
    if found is None:
        return Sight("the server cannot be reached")
    if aim is Aim.READY:
        return _ready(found)
    return Sight("it has no run yet") if found.run is None else _completed(found.run, found.mode)


def _completed(run: RunView, mode: str) -> Sight:
    if has_ended(run):
        code = exit_of_end(run)
        if mode == Mode.SHADOW and code is Exit.DONE:
            return Sight(f"{run.run_id} would have completed: in shadow mode nothing of it was done", Exit.REFUSED)
        return Sight(f"{styled(run.status)}  {ending(run)}", code)
    words = f"{run.run_id} is {run.status}"
    return Sight(f"{words}, in doubt: {run.doubt}" if run.doubt else words)


def _ready(found: SlotView) -> Sight:
    run = found.run
    if run is not None and run.status in STARTED:
        return Sight(f"{styled('READY')}  {run.run_id} was let through, and is {run.status}", Exit.DONE)
    if run is not None and has_ended(run):
        return Sight(f"{styled(run.status)}  {ending(run)}", exit_of_end(run))
    if found.ready:
        return Sight(f"{styled('READY')}  by answers that are still fresh", Exit.DONE)
    if not found.asked:
        return Sight("nobody has asked its traits yet")
    return Sight(f"NOT_READY, blocked by {', '.join(found.blocking)}")

"""Following a run on the terminal: what `run` and `rerun` have in common once a run is open."""

from __future__ import annotations

import contextlib
import getpass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from interlock.app.views import run_view
from interlock.cli.evaluate import verdict_exit
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, faint, moment, say, span, strong, styled, tell
from interlock.core.ids import RunKey
from interlock.core.runs import Run, RunStatus
from interlock.core.times import parse_duration
from interlock.errors import InterlockError
from interlock.runtime.driver import Driven, Driver, Stop

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock


def actor() -> str:
    """Return who is at the keyboard, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:  # noqa: ARG001
    """Read a duration from the command line."""
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def follow(work: Interlock, key: RunKey, *, wait: bool, timeout: timedelta | None, as_json: bool) -> None:
    """Drive a run as far as it goes now, show it, and leave with the code that says how it stands.

    Raises:
        Leave: always.
    """
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.tidying import tidy_jobs

    progress = _Progress(quiet=as_json)
    driver = Driver(work.hands, SystemPacer(work.clock), on_change=progress.show)
    until = None if timeout is None else work.clock.now() + timeout
    driven = driver.drive(key, wait=wait, until=until)
    with contextlib.suppress(InterlockError, OSError):  # housekeeping must not change the answer
        tidy_jobs(work, key.slot.pipeline)
    if as_json:
        emit_json("Run", run_view(driven.run))
    else:
        _print(driven)
    raise Leave(_exit(driven))


class _Progress:
    """Tells on stderr what changes, one line each."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last = ""

    def show(self, run: Run) -> None:
        line = _line(run)
        if not self._quiet and line and line != self._last:
            tell(faint(line))
        self._last = line or self._last


def _line(run: Run) -> str:
    match run.status:
        case RunStatus.PENDING if run.not_before is not None:
            return f"attempt {run.attempt} failed; the next begins no earlier than {moment(run.not_before)}"
        case RunStatus.TRIGGERING if not run.doubt:
            return f"READY: starting attempt {run.attempt}"
        case RunStatus.RUNNING if not run.doubt:
            return f"attempt {run.attempt} is running as {run.job_id}"
        case _:
            return ""


def _exit(driven: Driven) -> Exit:
    run = driven.run
    match driven.why:
        case Stop.ENDED:
            return Exit.DONE if run.status is RunStatus.COMPLETED else Exit.JOB_FAILED
        case Stop.NOT_READY:
            return verdict_exit(run.readiness) if run.readiness else Exit.UNDECIDED
        case Stop.DOUBT:
            return Exit.UNDECIDED
        case Stop.DETACHED:
            return Exit.DONE
        case Stop.TIMED_OUT:
            return Exit.TIMED_OUT


def _print(driven: Driven) -> None:
    run = driven.run
    slot = run.key.slot
    say(f"{strong(slot.pipeline)}  {slot.schedule}  {slot.period}  {faint(run.key.run_id)}")
    if driven.why is Stop.NOT_READY and run.readiness is not None:
        say(f"{styled('NOT_READY')}  blocked by: {', '.join(run.readiness.blocking)}")
        for verdict in run.readiness.verdicts:
            if verdict.trait in run.readiness.blocking:
                say(f"  {styled(verdict.status)} {verdict.trait}: {' '.join(verdict.reason.splitlines())}".rstrip())
        say(f"nothing was started; the run waits. The reasons in full: interlock why {slot.pipeline}")
        return
    say(f"{styled(run.status)}{_tail(driven)}")


def _tail(driven: Driven) -> str:
    run = driven.run
    if driven.why is Stop.DOUBT:
        return f"  in doubt: {run.doubt}"
    if driven.why is Stop.TIMED_OUT:
        return f"  still so when the time to wait was over; follow it with: interlock status {run.key.slot.pipeline}"
    if driven.why is Stop.DETACHED:
        return (
            f"  as {run.job_id}; its end is reported with: interlock complete {run.key.run_id} --status success|failed"
        )
    failure = run.last_failure
    if failure is not None:
        return f"  {failure.category or failure.outcome}: {failure.reason}"
    last = run.attempts[-1]
    return f"  attempt {last.number} took {span(last.ended_at - last.began_at)}"

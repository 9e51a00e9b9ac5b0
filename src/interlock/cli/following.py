"""Following a run on the terminal: what `run` and `rerun` have in common once a run is open."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from interlock.app.views import run_view
from interlock.cli.evaluate import verdict_exit
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, faint, moment, plain, say, span, strong, styled, tell
from interlock.cli.progress import Waiting, patience
from interlock.core.ids import RunKey
from interlock.core.runs import SUCCEEDED, Run, RunStatus
from interlock.errors import InterlockError
from interlock.runtime.driver import Driven, Driver, Stop

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock


def follow(work: Interlock, key: RunKey, *, wait: bool, timeout: timedelta | None, as_json: bool) -> NoReturn:
    """Drive a run as far as it goes now, show it, and leave with the code that says how it stands.

    Raises:
        Leave: always.
    """
    driven = driven_by(work, key, wait=wait, timeout=timeout, quiet=as_json)
    if as_json:
        emit_json("Run", run_view(driven.run))
    else:
        _print(driven)
    raise Leave(exit_of_run(driven))


def driven_by(work: Interlock, key: RunKey, *, wait: bool, timeout: timedelta | None, quiet: bool) -> Driven:
    """Drive a run as far as it goes now, telling on stderr what changes."""
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.tidying import tidy_jobs

    until = None if timeout is None else work.clock.now() + timeout
    with patience(f"asking the traits of {key.slot.pipeline}", quiet=quiet) as waiting:
        progress = Progress(waiting, quiet=quiet)
        driver = Driver(work.hands, SystemPacer(work.clock), on_change=progress.show)
        driven = driver.drive(key, wait=wait, until=until)
    with contextlib.suppress(InterlockError, OSError):  # housekeeping must not change the answer
        tidy_jobs(work, key.slot.pipeline)
    return driven


class Progress:
    """Tells on stderr what changes, one line each."""

    def __init__(self, waiting: Waiting, *, quiet: bool) -> None:
        self._waiting = waiting
        self._quiet = quiet
        self._last = ""

    def show(self, run: Run) -> None:
        """Tell how a run stands now, unless that was the last thing told."""
        line = _line(run)
        if line:
            self._waiting.end()
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


def exit_of_run(driven: Driven) -> Exit:
    """Return the code that says how a driver left a run."""
    run = driven.run
    match driven.why:
        case Stop.ENDED:
            return exit_of_end(run)
        case Stop.NOT_READY:
            return verdict_exit(run.readiness) if run.readiness else Exit.UNDECIDED
        case Stop.HELD:
            return Exit.REFUSED
        case Stop.DOUBT:
            return Exit.UNDECIDED
        case Stop.DETACHED:
            return Exit.DONE
        case Stop.TIMED_OUT:
            return Exit.TIMED_OUT


def exit_of_end(run: Run) -> Exit:
    """Return the code that says how a run ended; one that is only watched for drift any more has done what it is for."""
    if run.status in SUCCEEDED:
        return Exit.DONE
    return Exit.REFUSED if run.status is RunStatus.CANCELLED else Exit.JOB_FAILED


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
    match driven.why:
        case Stop.DOUBT:
            return f"  in doubt: {plain(run.doubt)}"
        case Stop.HELD:
            held = f"held until {moment(run.held_until)} by {plain(run.held_because)}"
            return f"  it is ready, and {held}; nothing was started"
        case Stop.TIMED_OUT:
            follow_it = f"interlock status {run.key.slot.pipeline}"
            return f"  still so when the time to wait was over; follow it with: {follow_it}"
        case Stop.DETACHED:
            told = f"interlock complete {run.key.run_id} --status success|failed"
            return f"  as {run.job_id}; its end is reported with: {told}"
        case _:
            return f"  {ending(run)}".rstrip()


def ending(run: Run) -> str:
    """Say in a few words how a run ended."""
    failure = run.last_failure
    if failure is not None:
        return f"{failure.category or failure.outcome}: {plain(failure.reason)}"
    if run.status is RunStatus.CANCELLED:
        return f"it was given up or cancelled before anything was started; see: interlock why {run.key.slot.pipeline}"
    if not run.attempts:
        return "it is ready, and there is nothing to start"
    last = run.attempts[-1]
    words = f"attempt {last.number} took {span(last.ended_at - last.began_at)}"
    if run.status is RunStatus.COMPLETED_MONITORING and run.monitor is not None:
        words += f"; watched for drift until {moment(run.monitor.until)}"
    return words

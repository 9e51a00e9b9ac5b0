"""Following a run on the terminal, here or on the server: what every verb has in common once a run is open."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import click

from interlock.app.views import RunView, run_view
from interlock.cli.asking import client_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, faint, moment, plain, say, span, strong, styled, tell
from interlock.cli.progress import Waiting, patience
from interlock.cli.render_status import unsure_words
from interlock.core.ids import RunKey
from interlock.core.runs import Outcome, Run, RunStatus
from interlock.errors import InterlockError, ServerUnavailable
from interlock.runtime.driver import Driver, Stop

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

FIRST_LOOK: Final = timedelta(milliseconds=200)
LOOK_GROWTH: Final = 1.5
SLOWEST_LOOK: Final = timedelta(seconds=2)
TELLING: Final = "telling the channels of the alert, and those who subscribe"
OUT_OF_SIGHT: Final = timedelta(minutes=2)
"""How long a server may be out of reach before the following ends. The job goes on."""

_SUCCEEDED: Final = (RunStatus.COMPLETED, RunStatus.COMPLETED_MONITORING)
_RESTS: Final = {
    "ENDED": Stop.ENDED,
    "NOT_READY": Stop.NOT_READY,
    "HELD": Stop.HELD,
    "DOUBT": Stop.DOUBT,
    "UNVERIFIED": Stop.UNVERIFIED,
}


class Followed(NamedTuple):
    """A run as the following left it, and why."""

    run: RunView
    why: Stop


def driven_by(work: Interlock, key: RunKey, *, wait: bool, timeout: timedelta | None, quiet: bool) -> Followed:
    """Drive a run here as far as it goes now, telling on stderr what changes."""
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.tidying import tidy_jobs

    until = None if timeout is None else work.clock.now() + timeout
    with patience(f"asking the traits of {key.slot.pipeline}", quiet=quiet) as waiting:
        progress = Progress(waiting, quiet=quiet)
        aside = partial(patience, TELLING, quiet=quiet)
        driver = Driver(work.hands, SystemPacer(work.clock), on_change=progress.changed, telling=aside)
        driven = driver.drive(key, wait=wait, until=until)
    with contextlib.suppress(InterlockError, OSError):  # housekeeping must not change the answer
        tidy_jobs(work, key.slot.pipeline)
    return Followed(run_view(driven.run), driven.why)


def followed_there(ctx: click.Context, run: RunView, *, wait: bool, timeout: timedelta | None, quiet: bool) -> Followed:
    """Look at a run on the server until it goes no further, telling on stderr what changes."""
    from interlock.api.running import RunOf
    from interlock.runtime.clock import SystemClock, SystemPacer

    clock = SystemClock()
    pacer, pause = SystemPacer(clock), FIRST_LOOK
    seen_at = clock.now()
    until = None if timeout is None else seen_at + timeout
    with patience(f"waiting for {run.run_id}", quiet=quiet) as waiting:
        progress = Progress(waiting, quiet=quiet)
        while True:
            progress.show(run)
            why = _RESTS.get(run.rests)
            if why is None and not wait and (run.status == RunStatus.RUNNING or run.not_before is not None):
                why = Stop.DETACHED
            now = clock.now()
            if why is None and until is not None and now >= until:
                why = Stop.TIMED_OUT
            if why is not None:
                return Followed(run, why)
            later = now + pause
            pacer.until(later if until is None else min(later, until))
            pause = min(pause * LOOK_GROWTH, SLOWEST_LOOK)
            try:
                run = client_of(ctx).ask(RunOf(run_id=run.run_id))
                seen_at = clock.now()
            except ServerUnavailable as exc:
                if clock.now() - seen_at > OUT_OF_SIGHT:
                    words = f"{run.run_id} was {run.status} when it was last seen, and goes on without this command"
                    raise ServerUnavailable(f"{exc}. {words}") from exc


def show(followed: Followed, *, as_json: bool) -> NoReturn:
    """Show a run, and leave with the code that says how it stands.

    Raises:
        Leave: always.
    """
    if as_json:
        emit_json("Run", followed.run)
    else:
        _print(followed)
    raise Leave(exit_of_run(followed))


class Progress:
    """Tells on stderr what changes, one line each."""

    def __init__(self, waiting: Waiting, *, quiet: bool) -> None:
        self._waiting = waiting
        self._quiet = quiet
        self._last = ""

    def changed(self, run: Run) -> None:
        """Tell how a run that is driven here stands now."""
        self.show(run_view(run))

    def show(self, run: RunView) -> None:
        """Tell how a run stands now, unless that was the last thing told."""
        line = _line(run)
        if line:
            self._waiting.end()
        if not self._quiet and line and line != self._last:
            tell(faint(line))
        self._last = line or self._last


def _line(run: RunView) -> str:
    match run.status:
        case RunStatus.PENDING if run.not_before is not None:
            return f"attempt {run.attempt} failed; the next begins no earlier than {moment(run.not_before)}"
        case RunStatus.TRIGGERING if not run.doubt:
            return f"READY: starting attempt {run.attempt}"
        case RunStatus.RUNNING if run.verifying is not None:
            unsure = unsure_words(run.verifying)
            return f"attempt {run.attempt} says that its work is done, which is being checked{unsure}"
        case RunStatus.RUNNING if not run.doubt:
            where = f": {run.job_url}" if run.job_url else ""
            return f"attempt {run.attempt} is running as {run.job_id}{where}"
        case _:
            return ""


def exit_of_run(followed: Followed) -> Exit:
    """Return the code that says how the following left a run."""
    run = followed.run
    match followed.why:
        case Stop.ENDED:
            return exit_of_end(run)
        case Stop.NOT_READY:
            # A decided no is never hidden by another trait's error.
            return Exit.UNDECIDED if run.undecided else Exit.NOT_READY
        case Stop.HELD:
            return Exit.REFUSED
        case Stop.DOUBT | Stop.UNVERIFIED:
            return Exit.UNDECIDED
        case Stop.DETACHED:
            return Exit.DONE
        case Stop.TIMED_OUT:
            return Exit.TIMED_OUT


def exit_of_end(run: RunView) -> Exit:
    """Return the code that says how a run ended; one that is only watched for drift any more has done what it is for."""
    if run.status in _SUCCEEDED:
        return Exit.DONE
    return Exit.REFUSED if run.status == RunStatus.CANCELLED else Exit.JOB_FAILED


def has_ended(run: RunView) -> bool:
    """Say whether what a run is for is done, or will not be any more."""
    return run.rests == "ENDED"


def _print(followed: Followed) -> None:
    run = followed.run
    say(f"{strong(run.pipeline_id)}  {run.schedule_id}  {run.date}  {faint(run.run_id)}")
    if followed.why is Stop.NOT_READY:
        say(f"{styled('NOT_READY')}  blocked by: {', '.join(run.blocking)}")
        for one in run.blockers:
            say(f"  {styled(one.status)} {one.trait_type}: {' '.join(one.reason.splitlines())}".rstrip())
        say(f"nothing was started; the run waits. The reasons in full: interlock why {run.pipeline_id}")
        return
    say(f"{styled(run.status)}{_tail(followed)}")
    if run.job_url:
        say(f"its job: {run.job_url}")


def _tail(followed: Followed) -> str:
    run = followed.run
    match followed.why:
        case Stop.DOUBT:
            return f"  in doubt: {plain(run.doubt)}"
        case Stop.UNVERIFIED:
            accept = f'interlock accept {run.run_id} --reason "…"'
            return f"  {_line(run)}. A watcher asks on; accept the work as it is with: {accept}"
        case Stop.HELD:
            held = f"held until {moment(run.held_until)} by {plain(run.held_because)}"
            return f"  it is ready, and {held}; nothing was started"
        case Stop.TIMED_OUT:
            follow_it = f"interlock status {run.pipeline_id}"
            return f"  still so when the time to wait was over; follow it with: {follow_it}"
        case Stop.DETACHED if run.status == RunStatus.PENDING or run.verifying is not None:
            return f"  {_line(run)}"
        case Stop.DETACHED:
            told = f"interlock complete {run.run_id} --status success|failed"
            return f"  as {run.job_id}. A watcher sees its end; a job that tells of it itself does so with: {told}"
        case _:
            return f"  {ending(run)}".rstrip()


def ending(run: RunView) -> str:
    """Say in a few words how a run ended."""
    last = run.attempts[-1] if run.attempts else None
    if last is not None and last.status != Outcome.SUCCEEDED:
        return f"{last.failure_category or last.status}: {plain(last.failure_message)}"
    if run.status == RunStatus.CANCELLED:
        return f"it was given up or cancelled before anything was started; see: interlock why {run.pipeline_id}"
    if last is None:
        return "it is ready, and there is nothing to start"
    words = f"attempt {last.attempt} took {span(last.completed_at - last.started_at)}"
    if run.status == RunStatus.COMPLETED_MONITORING and run.monitoring_until is not None:
        words += f"; watched for drift until {moment(run.monitoring_until)}"
    return words

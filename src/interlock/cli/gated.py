"""How `interlock exec --server` runs its command: the server gives leave, the command runs here, its end is reported."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.api.running import CompleteRun
from interlock.app.hands import job_of
from interlock.cli.exits import Exit, Leave, exit_of
from interlock.cli.output import moment, tell
from interlock.cli.progress import patience, watched
from interlock.cli.staging import signals
from interlock.client.gating import PASSING, pinned
from interlock.clients.supervisor import start_ticks
from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot, parse_run_id, start_key
from interlock.core.periods import Period
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import (
    Conflict,
    InterlockError,
    NotReady,
    Refused,
    TriggerError,
)
from interlock.runtime.clock import SystemClock, SystemPacer
from interlock.triggers.context import TriggerContext
from interlock.triggers.foreground import GRACE, NOT_RUNNABLE, Stage, ended, shell_status

if TYPE_CHECKING:
    from interlock.api.contract import Request
    from interlock.app.gate_views import GateView
    from interlock.client.client import Client

FIRST_LOOK: Final = timedelta(seconds=1)
LOOK_GROWTH: Final = 1.5
SLOWEST_LOOK: Final = timedelta(seconds=30)
REPORTED_WITHIN: Final = timedelta(minutes=10)
"""How long the end of a command is told again and again to a server that does not answer."""

HURRIED: Final = timedelta(seconds=5)
"""The same, where somebody wants to leave."""

_JOINED: Final = 1.0


class GatedPlay:
    """One command, and the leave of a server that it waits for."""

    def __init__(self, client: Client, pipeline: str, schedule: str | None, argv: Sequence[str]) -> None:
        self._client = client
        self._pipeline = pipeline
        self._schedule = schedule
        self._stage = Stage(argv)
        self._clock = SystemClock()
        self._pacer = SystemPacer(self._clock)
        host, pid = os.uname().nodename, os.getpid()
        self._holder = f"process {pid} on {host}"
        # The same words name no other process, not even one of the same number before the next boot.
        self._claim = f"{host}/{pid}/{start_ticks(pid)}/{self._clock.now().isoformat()}"

    def perform(self, timeout: timedelta | None, *, again: str, done: int) -> int:
        """Run the command as soon as the server gives leave, report its end, and return its exit status.

        `done` is returned when the slot is done.

        Raises:
            Leave: it was not started.
            InterlockError: nobody gave leave.
        """
        with signals(self._stage):
            found = self._leave(None if timeout is None else self._clock.now() + timeout, again)
            if found is None:
                return done
            gate, asked_at = found
            try:
                return self._played(gate, asked_at)
            except KeyboardInterrupt:
                if self._stage.close():
                    end = _End(succeeded=False, reason="interrupted before the command began")
                    self._report(gate, end, within=HURRIED)
                raise

    # ------------------------------------------------------------ leave

    def _leave(self, until: datetime | None, again: str) -> tuple[GateView, float] | None:
        request = OpenGate(
            pipeline_id=self._pipeline,
            schedule=self._schedule,
            holder=self._holder,
            claim=self._claim,
            heartbeat=True,
            again=bool(again),
            reason=again,
        )
        said, pause = False, FIRST_LOOK
        while True:
            try:
                with patience(f"asking the server for leave to run {self._pipeline}", quiet=not watched()):
                    return self._asked(request)
            except Conflict as exc:
                if not exc.details.get("done"):
                    raise
                if watched():
                    tell(f"interlock: {exc}")
                return None
            except (NotReady, Refused, *PASSING) as exc:
                now = self._clock.now()
                if not _may_pass(exc) or until is None or now >= until:
                    raise _left(exc, waited=until is not None) from exc
                if isinstance(exc, NotReady | Refused):
                    request = pinned(request, exc)
                if not said and watched():
                    tell(f"interlock: {_words(exc)}; waiting until {moment(until)}")
                    said = True
                self._pacer.until(min(now + pause, until))
                pause = min(pause * LOOK_GROWTH, SLOWEST_LOOK)

    def _asked(self, request: OpenGate) -> tuple[GateView, float]:
        """Return the leave, and when it was asked for: an answer may have been on its way for long."""
        asked_at = monotonic()
        gate = self._client.ask(request)
        if gate.valid_seconds and monotonic() - asked_at >= gate.valid_seconds:
            # Most of that may have been the traits' own time. The same leave is given again, and at once.
            with suppress(InterlockError):
                once_more = monotonic()
                return self._client.ask(request), once_more
        return gate, asked_at

    # ------------------------------------------------------------ the command

    def _played(self, gate: GateView, asked_at: float) -> int:
        key, attempt = _key(gate), max(gate.attempt, 1)
        job = job_of(key, attempt, gate.token or start_key(key.run_id, attempt))
        if gate.valid_seconds is not None and monotonic() - asked_at >= gate.valid_seconds:
            # SC-4: what the traits said counts no longer.
            words = "the leave had run out before the command could begin"
            self._report(gate, _End(succeeded=False, reason=words, category=FailureCategory.TRANSIENT))
            raise Leave(Exit.UNDECIDED, f"{gate.run_id}: {words}. The command was not run")
        try:
            here = Path.cwd()
            self._stage.start(job, TriggerContext(state_dir=here, root=here).described(job))
        except TriggerError as exc:
            tell(f"interlock: {exc}")
            self._report(gate, _End(succeeded=False, reason=str(exc), category=FailureCategory.PERMANENT))
            return self._stage.refused or NOT_RUNNABLE
        with _Heart(self._client, gate, self._stage):
            code = self._stage.wait()
        told = ended(code)
        self._report(gate, _End(succeeded=code == 0, reason=told.reason, category=told.category), code)
        return shell_status(code)

    def _report(self, gate: GateView, end: _End, code: int | None = None, within: timedelta = REPORTED_WITHIN) -> None:
        """Tell the server how it ended, until it says that it knows, or it is too late."""
        request = end.request(gate)
        what = "what became of it" if code is None else f"that the command ended with {shell_status(code)}"
        until, pause, said = self._clock.now() + within, FIRST_LOOK, False
        while True:
            try:
                self._client.ask(request)
            except PASSING as exc:
                now = self._clock.now()
                if now >= until or self._stage.hurried:
                    tell(f"interlock: {what} could not be reported: {exc}. {_by_hand(gate, end)}")
                    return
                if not said and watched():
                    tell(f"interlock: {what} cannot be reported yet: {exc}; trying until {moment(until)}")
                    said = True
                self._pacer.until(min(now + pause, until))
                pause = min(pause * LOOK_GROWTH, SLOWEST_LOOK)
            except Conflict as exc:
                tell(f"interlock: {what} is told in vain: {exc}")
                return
            except InterlockError as exc:
                tell(f"interlock: {what} could not be reported: {exc}. {_by_hand(gate, end)}")
                return
            else:
                return


class _End(NamedTuple):
    """How a command ended."""

    succeeded: bool
    reason: str = ""
    category: FailureCategory | None = None

    def request(self, gate: GateView) -> Request[Any]:
        """Return what tells of it."""
        if gate.shadow:
            return Ping(
                pipeline_id=gate.pipeline_id,
                what="success" if self.succeeded else "fail",
                schedule=gate.schedule_id,
                date=gate.date,
                reason=self.reason,
            )
        return CompleteRun(
            run_id=gate.run_id,
            status="success" if self.succeeded else "failed",
            attempt=gate.attempt,
            category=None if self.succeeded else self.category,
            reason=self.reason,
        )


class _Heart:
    """Tells the server that a command lives, from a thread of its own, and stops one that should not."""

    def __init__(self, client: Client, gate: GateView, stage: Stage) -> None:
        self._client = client
        self._gate = gate
        self._stage = stage
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="interlock-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        if self._gate.heartbeat_seconds is not None and not self._gate.shadow:
            self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_JOINED)

    def _beat(self) -> None:
        request = KeepGate(run_id=self._gate.run_id, attempt=self._gate.attempt)
        while not self._over.wait(self._gate.heartbeat_seconds):
            try:
                self._client.ask(request)
            except Conflict as exc:
                run = exc.details.get("run")
                if isinstance(run, dict) and run.get("status") == RunStatus.CANCELLED and not self._over.is_set():
                    tell(f"interlock: {self._gate.run_id} was cancelled; the command is asked to stop")
                    self._stage.pass_on(signal.SIGTERM)
                    if not self._over.wait(GRACE.total_seconds()):
                        self._stage.pass_on(signal.SIGKILL)
                return
            except InterlockError:
                continue  # the next beat may get through; that the command lives changes nothing about it


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, Refused) or bool(error.details.get("held"))


def _left(error: InterlockError, *, waited: bool) -> Leave:
    code = exit_of(error)
    if waited and isinstance(error, NotReady):
        code = Exit.TIMED_OUT
    return Leave(code, f"{_words(error)}. The command was not run")


def _words(error: InterlockError) -> str:
    # What the server says of the run behind that is for those who do not wait here.
    return str(error).rpartition(". Nothing was started")[0] or str(error)


def _by_hand(gate: GateView, end: _End) -> str:
    word = "success" if end.succeeded else "failed"
    if gate.shadow:
        return "It was in shadow mode, and changes nothing"
    return f"Report it with: interlock complete {gate.run_id} --attempt {gate.attempt} --status {word}"


def _key(gate: GateView) -> RunKey:
    if gate.run_id:
        return parse_run_id(gate.run_id)
    slot = Slot(PipelineName(gate.pipeline_id), ScheduleName(gate.schedule_id), Period.parse(gate.date))
    return RunKey(slot)

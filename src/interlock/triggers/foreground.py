"""A command in the foreground of one process, which is its parent, waits for it and tells how it ended: `interlock exec`.

Every other process can look at the command, and stop it; none but its `Stage` can start it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from interlock.clients.processes import category_of
from interlock.clients.supervisor import start_ticks
from interlock.codec.documents import document, mapping
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext

GRACE: Final = timedelta(seconds=5)
"""How long a command that is asked to stop is waited for before it is killed."""

NOT_RUNNABLE: Final = 126
NO_PROGRAM: Final = 127
_STEP: Final = 0.02
_SENT_TO_BOTH: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCONT)
"""What a terminal, or its shell, has sent to a command already that shares its parent's group."""


class ForegroundConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Empty on purpose: what is run is said where it is run, and is kept nowhere."""


class Stage:
    """The process that runs one command in its own foreground. Safe to use from many threads, and from signal handlers.

    Off a terminal the command leads a process group of its own, so that all of it can be stopped. On one it shares this
    process's group: the terminal then treats both alike, Ctrl-C and Ctrl-Z included.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        self.refused: int | None = None
        self.hurried = False
        self._lock = Lock()
        self._closed = False
        self._key = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._own_group = not _on_terminal()

    @property
    def began(self) -> bool:
        """Whether the command was started."""
        return self._child is not None

    def close(self) -> bool:
        """Start nothing from now on; False when the command was started already."""
        with self._lock:
            self._closed = True
            return self._child is None

    def start(self, job: Job, described: dict[str, str]) -> JobHandle:
        """Start the command once, with everything that this process has: its terminal, files, environment, directory.

        Raises:
            TriggerError: it was not started.
        """
        with self._lock:
            if self._child is None:
                self._begin(job, described)
            if self._key != job.key:
                raise TriggerError(f"another attempt runs here: {self._key}", category="PERMANENT", started=False)
            return self._handle()

    def _begin(self, job: Job, described: dict[str, str]) -> None:
        if self._closed:
            raise TriggerError("interrupted before the command began", category="PERMANENT", started=False)
        try:
            self._child = subprocess.Popen(
                self.argv,
                env={**os.environ, **described},
                # What this process was given, such as the file of a lock, is the command's; what it opened is not.
                close_fds=False,
                process_group=0 if self._own_group else None,
            )
        except (OSError, ValueError) as exc:
            self.refused = NO_PROGRAM if isinstance(exc, FileNotFoundError) else NOT_RUNNABLE
            words = f"the command could not be started: {exc}"
            raise TriggerError(words, category=FailureCategory.PERMANENT, started=False) from exc
        self._key = job.key

    def _handle(self) -> JobHandle:
        assert self._child is not None  # noqa: S101  (both callers have just seen it)
        child, parent = self._child.pid, os.getpid()
        details = {
            "host": os.uname().nodename,
            "pid": child,
            "started": start_ticks(child),
            "parent": parent,
            "parentStarted": start_ticks(parent),
            "group": self._own_group,
            # A file's name may be bytes that are no text.
            "program": os.fsencode(self.argv[0]).decode(errors="replace"),
        }
        return JobHandle(id=f"pid-{child}", details=document(details))

    def find(self, job: Job) -> JobHandle | None:
        """Return the command's handle, if it was started for a job."""
        with self._lock:
            return self._handle() if self._child is not None and self._key == job.key else None

    def look(self, job: Job) -> JobReport | None:
        """Look at the command, if it was started for a job."""
        child = self._child
        if child is None or self._key != job.key:
            return None
        code = child.poll()
        return JobReport(state=JobState.RUNNING) if code is None else ended(code)

    def wait(self) -> int:
        """Wait for the command's end, and return its exit status; a negative one is the signal that killed it."""
        assert self._child is not None  # noqa: S101  (waiting for what was never started is the caller's fault)
        return self._child.wait()

    def pass_on(self, number: int) -> bool:
        """Hand a signal to the command; False when there is none yet.

        One that has ended takes it in silence: what is left to do is `hurried` then.
        """
        child = self._child
        if child is None:
            return False
        if child.returncode is not None:
            self.hurried = True
            return True
        if self._own_group or number not in _SENT_TO_BOTH:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _send(child.pid, number, group=self._own_group)
        return True


def shell_status(code: int) -> int:
    """Return the exit status that a shell would show: 128 and the signal, where one killed the command."""
    return 128 - code if code < 0 else code


def ended(code: int) -> JobReport:
    """Say what the end of a command means; negative codes are signals."""
    if code == 0:
        return JobReport(state=JobState.SUCCEEDED)
    killed = code < 0
    words = f"the command was killed by signal {-code}" if killed else f"the command ended with exit status {code}"
    return JobReport(state=JobState.FAILED, reason=words, category=category_of("exited", code))


class ForegroundTrigger:
    """Starts the command of a stage; without one it only looks at commands, and stops them."""

    Config = ForegroundConfig
    local = True
    repeatable = False
    watchable = True

    def __init__(self, config: ForegroundConfig, context: TriggerContext, stage: Stage | None = None) -> None:
        self._config = config
        self._context = context
        self._stage = stage

    @property
    def startable(self) -> bool:
        """Whether this process is the one that may start the command."""
        return self._stage is not None

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:  # noqa: ARG002  (starting a process takes no time)
        """Start the command of the stage, or return it if it was started for this job already."""
        if self._stage is None:
            words = "the command belongs to one `interlock exec`, and can be started only by it"
            raise TriggerError(words, category=FailureCategory.PERMANENT, started=False)
        return self._stage.start(job, self._context.described(job))

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (nothing is asked)
        """Return the command that this process has started. What another one did, nobody can know."""
        found = None if self._stage is None else self._stage.find(job)
        return found or Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (nothing is asked)
        """Look at the command. It runs as long as it lives, or its parent does, which will tell how it ended."""
        seen = None if self._stage is None else self._stage.look(job)
        return seen or _looked_at(mapping(handle.details))

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask the command, with its process group where it has one, to end, and kill it when the grace is over.

        Raises:
            TriggerError: it is on another machine, or may not be stopped by this user, or does not die.
        """
        said = mapping(handle.details)
        if _elsewhere(said):
            raise TriggerError(f"the command runs on {said['host']}: stop it there", started=True)
        pid, group = said.get("pid"), said.get("group") is True
        if not isinstance(pid, int) or not _alive(said, "pid", "started"):
            return
        try:
            _send(pid, signal.SIGTERM, group=group)
            if not self._gone(job, said, min(GRACE, timeout)):
                _send(pid, signal.SIGKILL, group=group)
                if not self._gone(job, said, GRACE):
                    raise TriggerError(f"process {pid} was killed and is still there", started=True)
        except ProcessLookupError:
            return
        except OSError as exc:
            raise TriggerError(f"the command could not be stopped: {exc}", started=True) from exc

    def _gone(self, job: Job, said: dict[str, Any], patience: timedelta) -> bool:
        deadline = monotonic() + patience.total_seconds()
        while _alive(said, "pid", "started"):
            if self._stage is not None:
                self._stage.look(job)  # a child that nobody has waited for seems to live
            if monotonic() >= deadline:
                return False
            Event().wait(_STEP)
        return True


def _looked_at(said: dict[str, Any]) -> JobReport:
    if not isinstance(said.get("pid"), int):
        return JobReport(state=JobState.VANISHED, reason="there is no such command")
    if _elsewhere(said):
        return JobReport(state=JobState.RUNNING, reason=f"it runs on {said['host']}, and cannot be seen from here")
    if _alive(said, "parent", "parentStarted"):
        return JobReport(state=JobState.RUNNING)
    if _alive(said, "pid", "started"):
        words = f"its `interlock exec` is gone, but process {said['pid']} still runs"
        return JobReport(state=JobState.RUNNING, reason=words)
    words = f"process {said['pid']} has ended, and its `interlock exec` died before it could say how"
    return JobReport(state=JobState.VANISHED, reason=words)


def _elsewhere(said: dict[str, Any]) -> bool:
    return "host" in said and said["host"] != os.uname().nodename


def _alive(said: dict[str, Any], pid_name: str, ticks_name: str) -> bool:
    pid, began = said.get(pid_name), said.get(ticks_name)
    if not isinstance(pid, int) or pid <= 0:
        return False
    if began:
        # With the time of its start a number names one process, however often numbers are used again.
        return bool(start_ticks(pid) == began)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(pid: int, number: int, *, group: bool) -> None:
    if group:
        os.killpg(pid, number)
    else:
        os.kill(pid, number)


def _on_terminal() -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: ForegroundTrigger) -> Trigger:
        return it

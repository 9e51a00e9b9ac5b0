"""Jobs as processes of this machine: each started at most once, each watched by a supervisor that outlives Interlock.

A job has a directory, named after its key; `interlock.clients.supervisor` describes the files in it and runs the job. This
module starts supervisors and reads what they leave behind. Nothing of it needs the process that started the job to live.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Final

import msgspec
from msgspec import Struct

from interlock import reading
from interlock.clients import supervisor
from interlock.clients.texts import cleaned, redacted
from interlock.core.documents import Document
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobReport, JobState

GRACE: Final = timedelta(seconds=10)
_CAP: Final = 10 << 20
_TAIL: Final = 2048
_STEP: Final = 0.005


class Launch(Struct, frozen=True, kw_only=True):
    """What to run: a program and its arguments, never a shell's text unless the program is a shell.

    `cwd` is absolute. `env` is the whole environment. After `timeout` the job is asked to end, and killed `grace` later.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    timeout: timedelta
    grace: timedelta = GRACE
    stdin: str = ""


class _Outcome(Struct, frozen=True):
    end: str
    code: int


class _Begun(Struct, frozen=True):
    pid: int = 0
    ticks: str = ""


class SupervisedJobs:
    """The jobs under one directory. Safe to use from many threads and processes at once."""

    def __init__(self, directory: Path, *, root: Path) -> None:
        self._jobs = directory
        self._root = root

    def start(self, key: str, launch: Launch, *, timeout: timedelta) -> JobHandle:
        """Start a job once: a key that was started before gives the same handle again.

        Raises:
            TriggerError: with `started` False when nothing runs under the key and nothing of this call ever will; with
                None when the supervisor did not say in time.
        """
        deadline = monotonic() + timeout.total_seconds()
        place = self._jobs / _name(key)
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            supervisor.sync_directory(str(self._jobs))
            if (place / supervisor.BEGUN).exists():
                said: dict[str, Any] = {}
            else:
                said = _launch(place, launch, deadline)
        except OSError as exc:
            raise TriggerError(f"the job could not be started: {exc}", started=False) from exc
        if "begun" in said:
            return self._handle(place, reading.value(said["begun"], _Begun))
        found = self._settle(place, max(deadline, monotonic() + 1))
        if isinstance(found, JobHandle):
            return found
        if found is Absent.CERTAINLY:
            why = cleaned(str(said.get("refused") or _last_words(place)), _TAIL)
            category = said.get("category", FailureCategory.TRANSIENT.value)
            raise TriggerError(f"the job was not started: {why}", category=category, started=False)
        raise TriggerError("the job's supervisor did not say in time whether it started the job", started=None)

    def find(self, key: str, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for a job started under a key. CERTAINLY also ends every start that has not come to pass yet."""
        try:
            return self._settle(self._jobs / _name(key), monotonic() + timeout.total_seconds())
        except OSError:
            return Absent.UNKNOWN

    def poll(self, handle: JobHandle, *, secrets: Iterable[str] = ()) -> JobReport:
        """Look at a job. `secrets` are kept out of the reason."""
        try:
            place = self._place(handle)
            outcome = _outcome(place)
            if outcome is None and _is_held(place / supervisor.LOCK):
                return JobReport(state=JobState.RUNNING)
            outcome = outcome or _outcome(place)
            if outcome is not None:
                return self._ended(place, outcome, secrets)
            return _unwatched(_read_begun(place))
        except (OSError, ValueError) as exc:
            return JobReport(state=JobState.UNSEEN, reason=f"the job's directory could not be read: {exc}")

    def cancel(self, handle: JobHandle) -> None:
        """Ask the supervisor to stop the job: a polite signal to its group, and after the grace a final one.

        Raises:
            TriggerError: the supervisor is gone and the job still runs.
        """
        try:
            control = os.open(self._place(handle) / supervisor.CONTROL, os.O_WRONLY | os.O_NONBLOCK)
        except (OSError, ValueError) as exc:
            why = str(exc)
            if isinstance(exc, OSError) and exc.errno in (errno.ENXIO, errno.ENOENT):
                report = self.poll(handle)
                if report.state is not JobState.RUNNING:
                    return
                why = report.reason or "its supervisor is just ending"
            raise TriggerError(f"the job could not be stopped: {why}", started=True) from exc
        try:
            # A pipe whose reader has just gone, or that is full of earlier wishes: either way there is no more to wish.
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(control, b"c")
        finally:
            os.close(control)

    def result(self, handle: JobHandle) -> str:
        """Return what the job left as its result, or nothing."""
        return _read_end(self._place(handle) / supervisor.RESULT, _TAIL)

    def result_path(self, key: str) -> Path:
        """Return where the job of a key may leave its result."""
        return self._jobs / _name(key) / supervisor.RESULT

    def forget(self, key: str) -> bool:
        """Remove what is kept of a job that has ended; say whether anything was.

        A forgotten job could be started again under its key: forget only what nobody will ever ask to start.
        """
        place = self._jobs / _name(key)
        if not (place / supervisor.OUTCOME).exists():
            return False
        shutil.rmtree(place, ignore_errors=True)
        return True

    def _settle(self, place: Path, deadline: float) -> JobHandle | Absent:
        """Find out whether a job has begun; if not, see to it that none of the starts so far ever begins it."""
        try:
            lock = os.open(place / supervisor.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return Absent.CERTAINLY
        try:
            while True:
                begun = _read_begun(place)
                if begun is not None and begun.pid:
                    return self._handle(place, begun)
                if _take(lock):
                    begun = _read_begun(place)
                    if begun is not None:
                        return self._handle(place, begun)
                    epoch = supervisor.read_epoch(str(place))
                    supervisor.write_whole(supervisor.EPOCH, str(epoch + 1), str(place))
                    return Absent.CERTAINLY
                if monotonic() >= deadline:
                    return Absent.UNKNOWN
                Event().wait(_STEP)
        finally:
            os.close(lock)

    def _handle(self, place: Path, begun: _Begun) -> JobHandle:
        log = msgspec.json.encode(self._shown(place / supervisor.LOG)).decode()
        return JobHandle(id=place.name, details=Document((("log", log), ("pid", str(begun.pid)))))

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)

    def _place(self, handle: JobHandle) -> Path:
        if len(handle.id) != 32 or not set(handle.id) <= set("0123456789abcdef"):
            raise ValueError(f"not a job of this trigger: {handle.id!r}")
        return self._jobs / handle.id

    def _ended(self, place: Path, outcome: _Outcome, secrets: Iterable[str]) -> JobReport:
        if outcome.end == "exited" and outcome.code == 0:
            return JobReport(state=JobState.SUCCEEDED)
        words = _words(outcome)
        tail = _tail(place, _TAIL - len(words) - 20, secrets)
        reason = f"{words}; its last output: {tail}" if tail else words
        return JobReport(state=JobState.FAILED, reason=reason, category=category_of(outcome.end, outcome.code))


def category_of(end: str, code: int) -> FailureCategory:
    """Classify how a job ended, from what the kernel said and never from a text.

    2 (usage), 126 and 127 (not runnable) will not mend themselves; nor is a job somebody cancelled to be tried again.
    """
    if end == "timeout":
        return FailureCategory.TIMEOUT
    if end == "cancelled" or (end == "exited" and code in (2, 126, 127)):
        return FailureCategory.PERMANENT
    return FailureCategory.TRANSIENT


def _name(key: str) -> str:
    return blake2b(key.encode(), digest_size=16).hexdigest()


def _launch(place: Path, launch: Launch, deadline: float) -> dict[str, Any]:
    """Start a supervisor and return what it said, or nothing when it said nothing in time."""
    request = {
        "argv": launch.argv,
        "env": launch.env,
        "cwd": launch.cwd,
        "timeout": launch.timeout.total_seconds(),
        "grace": launch.grace.total_seconds(),
        "cap": _CAP,
        "stdin": launch.stdin,
    }
    program = [sys.executable, "-I", "-S", supervisor.__file__, str(place)]
    program += [str(supervisor.read_epoch(str(place))), repr(deadline)]
    with (place / "supervisor.log").open("ab") as log:
        child = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ},
        )
    try:
        said, _ = child.communicate(msgspec.json.encode(request), timeout=max(deadline - monotonic(), 0))
        return _said(said)
    except subprocess.TimeoutExpired:
        return {}
    finally:
        # A supervisor that is late holds the pipe: waiting for its end of file would wait for the job.
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()


def _said(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _last_words(place: Path) -> str:
    return _read_end(place / "supervisor.log", 512) or "its supervisor ended before it began"


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at once do not take each other for the supervisor.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _outcome(place: Path) -> _Outcome | None:
    try:
        return reading.parsed((place / supervisor.OUTCOME).read_bytes(), _Outcome)
    except FileNotFoundError:
        return None


def _read_begun(place: Path) -> _Begun | None:
    try:
        data = (place / supervisor.BEGUN).read_bytes()
    except FileNotFoundError:
        return None
    return reading.parsed(data, _Begun) if data else _Begun()


def _unwatched(begun: _Begun | None) -> JobReport:
    if begun is not None and begun.ticks and supervisor.start_ticks(begun.pid) == begun.ticks:
        words = f"its supervisor is gone, but process {begun.pid} still runs"
        return JobReport(state=JobState.RUNNING, reason=words)
    words = "there is no such job" if begun is None else "the job's supervisor died: the outcome is lost"
    return JobReport(state=JobState.VANISHED, reason=words)


def _words(outcome: _Outcome) -> str:
    if outcome.end == "timeout":
        return "the job took longer than its timeout and was stopped"
    if outcome.end == "cancelled":
        return "the job was cancelled"
    if outcome.end == "stopped":
        return "the job was stopped because its supervisor was told to end"
    if outcome.code < 0:
        return f"the job was killed by signal {-outcome.code}"
    return f"the job ended with exit status {outcome.code}"


def _tail(place: Path, limit: int, secrets: Iterable[str]) -> str:
    hidden = tuple(secrets)
    # Read further back than needed: a secret cut in half would not be recognised.
    back = limit + max((len(secret) for secret in hidden), default=0) * 4 + 4096
    text = _read_end(place / supervisor.LOG, back)
    if len(text) < back:
        text = _read_end(place / supervisor.OLD_LOG, back) + text
    return cleaned(redacted(text, hidden), limit, end=True)


def _read_end(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - limit, 0))
            return file.read(limit).decode(errors="replace")
    except FileNotFoundError:
        return ""

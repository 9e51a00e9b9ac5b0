"""The process that runs one job and outlives Interlock. A program, not a library: `python -I -S supervisor.py DIR …`.

It uses nothing but the standard library, so that it starts in a few hundredths of a second. One JSON object on stdin says
what to run (never the disk: it may hold secrets); one line on stdout says what came of it, and is the last thing its
starter hears. Then it lives on alone, until the job has ended:

- `lock` is held, by flock, for as long as it lives: who can take it knows that nobody watches the job any more.
- `begun` is created, exclusively and durably, just before the job is started, and taken away again only when it is certain
  that the job did not start. Whoever creates it is the only one who may run the job: so a job runs at most once, however
  many supervisors are started for its directory.
- `epoch` is raised by whoever declares that nothing was started. A supervisor of an older epoch does nothing.
- `control` is a pipe: a byte in it asks for the job to be stopped. A pipe has no pid that could be somebody else's by now.
- `outcome.json` is written last, whole or not at all.

The job runs in a process group of its own. The group is led by a guard, a fork of the supervisor that does nothing but
wait for the supervisor's end: if the supervisor is killed, the guard kills the group. It also keeps the number of the
group taken, so that a signal to the group cannot reach strangers. What a job leaves running in its group is stopped when
the job ends.
"""

# Importing pathlib takes longer than everything else this program does before the job runs.
# ruff: noqa: PTH105, PTH108, PTH110, PTH118, PTH123
from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import sys
from time import monotonic
from typing import Any

LOCK, BEGUN, EPOCH, CONTROL, OUTCOME = "lock", "begun", "epoch", "control", "outcome.json"
LOG, OLD_LOG, RESULT = "output.log", "output.old.log", "result.json"
_HOPELESS = "ENOENT EACCES ENOEXEC ENOTDIR EISDIR E2BIG ELOOP ENAMETOOLONG EPERM EINVAL"
PERMANENT_ERRNOS = frozenset(getattr(errno, name) for name in _HOPELESS.split())
_PR_SET_PDEATHSIG = 1


class NotStarted(Exception):
    """The job was certainly not started."""

    def __init__(self, why: str, category: str = "TRANSIENT") -> None:
        self.why = why
        self.category = category
        super().__init__(why)


class Output:
    """The job's output on disk: the newest between half and all of `cap` bytes, in two files that take turns."""

    def __init__(self, cap: int) -> None:
        self._half = max(cap // 2, 1)
        self._file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._size = 0

    def write(self, data: bytes) -> None:
        """Keep some output. A full disk loses output, never the job."""
        with contextlib.suppress(OSError):
            if self._size >= self._half:
                os.close(self._file)
                os.replace(LOG, OLD_LOG)
                self._file = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
                self._size = 0
            self._size += os.write(self._file, data)


def take_lock(begin_by: float) -> None:
    """Take the lock of the directory, for life: only the end of this process, and of its guard, lets go of it."""
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if os.path.exists(BEGUN):
                raise NotStarted("it was started before") from None
            if monotonic() >= begin_by:
                raise NotStarted("another supervisor holds the job") from None
            select.select([], [], [], 0.005)
        else:
            return


def claim(epoch: int, begin_by: float) -> None:
    """Become the only one who may run the job. Called with the lock held."""
    if read_epoch() != epoch:
        raise NotStarted("the start was given up before it came to pass")
    if monotonic() >= begin_by:
        raise NotStarted("the time for starting was up")
    try:
        os.close(os.open(BEGUN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise NotStarted("it was started before") from None
    sync_directory()


def unclaim() -> None:
    """Let another start try again: this one certainly did not start the job."""
    with contextlib.suppress(OSError):
        os.unlink(BEGUN)
        sync_directory()


def read_epoch(directory: str = ".") -> int:
    """Return how often somebody has declared that nothing was started."""
    try:
        with open(os.path.join(directory, EPOCH), encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def sync_directory(directory: str = ".") -> None:
    """Make the names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(name: str, text: str, directory: str = ".") -> None:
    """Write a file durably, whole or not at all."""
    path = os.path.join(directory, name)
    handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(path + ".new", path)
    sync_directory(directory)


def start_ticks(pid: int) -> str:
    """Return when a process began, in the kernel's ticks, where the system tells: with the pid it names one process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    # The state (a zombie has ended), and the start time.
    return "" if fields[0] in ("Z", "X") else fields[19]


class Family:
    """The job and its guard, in one process group."""

    def __init__(self) -> None:
        self._lifeline, self._held = os.pipe()
        self.guard = os.fork()
        if self.guard == 0:
            self._stand_guard()
        os.close(self._lifeline)
        with contextlib.suppress(OSError):
            os.setpgid(self.guard, self.guard)
        self.job = 0

    def _stand_guard(self) -> None:
        try:
            os.setpgid(0, 0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
                signal.signal(number, signal.SIG_IGN)
            os.close(self._held)
            os.close(1)
            os.read(self._lifeline, 1)
        finally:
            os.kill(0, signal.SIGKILL)
            os._exit(1)

    def start(self, request: dict[str, Any], output: int) -> None:
        """Fork and run the job; raise `NotStarted` when its program could not be run."""
        trouble, report = os.pipe()
        parent = os.getpid()
        libc = None
        with contextlib.suppress(OSError):
            libc = ctypes.CDLL(None)
        self.job = os.fork()
        if self.job == 0:
            become(request, output, report, (self.guard, parent, libc))
        os.close(report)
        with os.fdopen(trouble, "rb") as file:
            said = file.read()
        if said:
            os.waitpid(self.job, 0)
            number, _, what = said.decode(errors="replace").partition(" ")
            category = "PERMANENT" if int(number) in PERMANENT_ERRNOS else "TRANSIENT"
            raise NotStarted(f"{what}: {os.strerror(int(number))}", category)

    def signal(self, number: int) -> None:
        """Signal the whole group. The guard keeps its number taken, so no stranger is hit."""
        with contextlib.suppress(OSError):
            os.killpg(self.guard, number)

    def end(self) -> None:
        """Kill whatever is left in the group, the guard included."""
        self.signal(signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(self.guard, signal.SIGKILL)
            os.waitpid(self.guard, 0)


def become(request: dict[str, Any], output: int, report: int, kin: tuple[int, int, Any]) -> None:
    """Turn this fork into the job. Never returns."""
    guard, parent, libc = kin
    what = "the job's process"
    try:
        os.setpgid(0, guard)
        if hasattr(libc, "prctl"):
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.dup2(stdin_of(request), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        what = f"the working directory {request['cwd']}"
        os.chdir(request["cwd"])
        what = f"the program {request['argv'][0]}"
        os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606  (a shell is what it avoids)
    except OSError as exc:
        os.write(report, f"{exc.errno or errno.EIO} {what}".encode())
    except ValueError as exc:
        os.write(report, f"{errno.EINVAL} {what} ({exc})".encode())
    finally:
        os._exit(127)


def stdin_of(request: dict[str, Any]) -> int:
    """Return a descriptor the job reads its stdin from: empty, or a file that has no name any more."""
    text = request.get("stdin", "")
    if not text:
        return os.open(os.devnull, os.O_RDONLY)
    handle = os.open("stdin", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.unlink("stdin")
    os.write(handle, text.encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


class Watch:
    """Waits for the job's end, its timeout, or the wish that it be stopped; copies its output meanwhile."""

    def __init__(self, request: dict[str, Any], output: int) -> None:
        self._grace = float(request["grace"])
        self._deadline = monotonic() + float(request["timeout"])
        self._output: int | None = output
        self._log = Output(int(request["cap"]))
        self._control = os.open(CONTROL, os.O_RDWR | os.O_NONBLOCK)
        self._wakeup, wake = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wake, False)
        os.set_blocking(output, False)
        signal.set_wakeup_fd(wake)
        self._told_to_stop = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self._told_to_stop = True

    def until_the_end(self, family: Family) -> dict[str, Any]:
        """Return how the job ended."""
        why, next_at, killed = "", self._deadline, False
        while True:
            asked = self._wait(next_at)
            ended, status = os.waitpid(family.job, os.WNOHANG)
            if ended:
                break
            if not why:
                why = self._reason(asked=asked)
                if why:
                    family.signal(signal.SIGTERM)
                    family.signal(signal.SIGCONT)
                    next_at = monotonic() + self._grace
            elif monotonic() >= next_at:
                family.signal(signal.SIGKILL)
                killed, next_at = True, float("inf")
        self._let_the_rest_go(family, monotonic() if killed else min(next_at, monotonic() + self._grace))
        return {"end": why or "exited", "code": os.waitstatus_to_exitcode(status)}

    def _reason(self, *, asked: bool) -> str:
        if asked:
            return "cancelled"
        if self._told_to_stop:
            return "stopped"
        return "timeout" if monotonic() >= self._deadline else ""

    def _wait(self, until: float) -> bool:
        """Wait for something to happen, copying output; say whether the job is asked to be stopped."""
        sources = [self._control, self._wakeup] + ([self._output] if self._output is not None else [])
        left = None if until == float("inf") else max(until - monotonic(), 0)
        ready, _, _ = select.select(sources, [], [], left)
        if self._wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        if self._output in ready:
            self._copy()
        if self._control in ready:
            os.read(self._control, 4096)
            return True
        return False

    def _copy(self) -> None:
        if self._output is None:
            return
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return
        if data:
            self._log.write(data)
        else:
            os.close(self._output)
            self._output = None

    def _let_the_rest_go(self, family: Family, until: float) -> None:
        # Whoever still holds the job's output is one of its children. They get the same grace as the job itself.
        self._drain(monotonic())
        if self._output is not None:
            family.signal(signal.SIGTERM)
            self._drain(until)
        family.end()

    def _drain(self, until: float) -> None:
        """Copy output until nobody holds it any more; when the time is up, only what a pipe may hold."""
        spare = 16
        while self._output is not None:
            left = until - monotonic()
            if left <= 0:
                spare -= 1
            if spare < 0 or not select.select([self._output], [], [], max(left, 0))[0]:
                return
            self._copy()


def tell(answer: dict[str, Any]) -> None:
    """Say the one line the starter waits for, and let go of its pipe. A starter that has died is not an error."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(answer).encode() + b"\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def supervise(request: dict[str, Any], epoch: int, begin_by: float) -> None:
    """Run the job once, if it is this process that may."""
    take_lock(begin_by)
    if not os.path.exists(CONTROL):
        os.mkfifo(CONTROL, 0o600)
    claim(epoch, begin_by)
    family = None
    try:
        # The guard is forked before the pipe is made: it must not hold the job's output open.
        family = Family()
        output, sink = os.pipe()
        watch = Watch(request, output)
        family.start(request, sink)
    except (NotStarted, OSError) as exc:
        if family is not None:
            family.end()
        unclaim()
        if isinstance(exc, NotStarted):
            raise
        raise NotStarted(f"the system refused: {exc}") from exc
    os.close(sink)
    begun = {"pid": family.job, "ticks": start_ticks(family.job)}
    with contextlib.suppress(OSError):  # the file is there; what it says is for people
        write_whole(BEGUN, json.dumps(begun))
    tell({"begun": begun})
    write_whole(OUTCOME, json.dumps(watch.until_the_end(family)))


def main() -> None:
    """Read the request, leave the starter's process tree, and do the work."""
    directory, epoch, begin_by = sys.argv[1:4]
    try:
        request = json.loads(sys.stdin.buffer.read())
    except ValueError:
        return  # the starter died while it was speaking: nobody has asked for anything
    if os.fork():
        os._exit(0)
    os.chdir(directory)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        supervise(request, int(epoch), float(begin_by))
    except NotStarted as exc:
        tell({"refused": exc.why, "category": exc.category})


if __name__ == "__main__":
    main()

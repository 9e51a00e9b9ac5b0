"""Run a child process under supervision: by a deadline, within bounds, and leaving nothing behind.

One loop in the calling thread watches the three pipes and the process itself; there is no thread per child. The child
leads a session of its own, so that whatever it starts can be ended with it: at the deadline the group gets TERM and,
a moment later, KILL; and a child that ends by itself has its group killed too, because a grandchild that outlives its
parent has nothing more to say. A grandchild which makes a session of its own escapes that, but never delays the return:
the loop waits for the child, not for the end of its pipes.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

MAX_OUTPUT: Final = 1 << 20
STDERR_KEPT: Final = 4096

_CHUNK: Final = 65_536
_GRACE: Final = 0.5
_REAP: Final = 0.4
_LINGER: Final = 0.25
_BLIND_POLL: Final = 0.02
_LONGEST_POLL: Final = 0.2  # how late a halt may be noticed
_READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE: Final = select.POLLOUT | select.POLLHUP | select.POLLERR


class Fate(enum.Enum):
    """How it ended."""

    EXITED = "it ended by itself"
    TIMED_OUT = "it was stopped at its deadline"
    FLOODED = "it was killed because it printed too much"
    HALTED = "it was stopped because Interlock is stopping"


class Ended(NamedTuple):
    """What is left of a child.

    `code` is its exit code, or the negative number of the signal that ended it; None when that is not known: somebody
    else reaped it, or it hangs in the kernel. Never taken for success.
    """

    fate: Fate
    code: int | None
    stdout: bytes
    stderr: bytes


class Output(NamedTuple):
    """How much of stdout is kept: up to `limit` bytes, beyond which the child is killed; or only the tail of it."""

    limit: int = MAX_OUTPUT
    tail: bool = False


def run_child(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes,
    timeout: float,
    output: Output = Output(),  # noqa: B008  (a frozen tuple)
    halt: threading.Event | None = None,
) -> Ended:
    """Run a program to its end, or to `timeout` seconds, whichever comes first; return within a second of that.

    Setting `halt` ends it early: an interrupted command must not wait for its checks, nor leave them behind.

    Raises:
        OSError: it could not be started.
        ValueError: an argument or a variable holds a NUL.
    """
    child = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    watched = _Watched(child, stdin, output, halt or threading.Event())
    try:
        fate = watched.until(time.monotonic() + timeout)
    finally:
        watched.end()
    return Ended(fate, watched.code, bytes(watched.stdout), bytes(watched.stderr))


class _Watched:
    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, output: Output, halt: threading.Event) -> None:
        self._child = child
        self._halt = halt
        self._pipes: list[IO[bytes]] = [pipe for pipe in (child.stdin, child.stdout, child.stderr) if pipe is not None]
        self._in, self._out, self._err = (pipe.fileno() for pipe in self._pipes)
        self._pending = memoryview(stdin)
        self._output = output
        self._poll = select.poll()
        self._open: set[int] = {self._out, self._err}
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.code: int | None = None
        self._pid_fd = _pid_fd(child.pid)
        for fd in (self._in, self._out, self._err):
            os.set_blocking(fd, False)
        self._poll.register(self._out, _READABLE)
        self._poll.register(self._err, _READABLE)
        if self._pid_fd >= 0:
            self._poll.register(self._pid_fd, select.POLLIN)
        self._poll.register(self._in, _WRITABLE)
        self._write()

    def until(self, deadline: float) -> Fate:
        while not self._gone():
            left = deadline - time.monotonic()
            if left <= 0 or self._halt.is_set():
                self._stop()
                return Fate.TIMED_OUT if left <= 0 else Fate.HALTED
            if not self._turn(left):
                return Fate.FLOODED
        return self._rest(deadline)

    def end(self) -> None:
        # The group is killed before its leader is reaped: until then its number cannot belong to anybody else.
        _kill(self._child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._reap()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()
        if self._pid_fd >= 0:
            os.close(self._pid_fd)

    def _reap(self) -> None:
        # Popen.wait polls with growing pauses; the process descriptor tells at once.
        if self._pid_fd >= 0:
            waiter = select.poll()
            waiter.register(self._pid_fd, select.POLLIN)
            waiter.poll(_REAP * 1000)
            self._child.poll()
        else:
            self._child.wait(_REAP)

    def _turn(self, left: float) -> bool:
        """Wait for something to happen and handle it. False: it printed too much."""
        left = min(left, _LONGEST_POLL if self._pid_fd >= 0 else _BLIND_POLL)
        for fd, _ in self._poll.poll(left * 1000 + 1):
            if fd == self._in:
                self._write()
            elif fd in self._open and not self._read(fd):
                return False
        return True

    def _rest(self, deadline: float) -> Fate:
        """Read what the child left in its pipes. Bounded, since a grandchild may be writing for ever."""
        self._close_stdin()
        if self._pid_fd >= 0:
            self._poll.unregister(self._pid_fd)
        until = min(deadline, time.monotonic() + _LINGER)
        for _ in range(self._output.limit // _CHUNK + 64):
            if self._err in self._open:
                self._read(self._err)
            if self._out in self._open and not self._read(self._out):
                return Fate.FLOODED
            # `exec > >(tee log)` is a common opening line: the last words then arrive a moment after the script ended.
            left = until - time.monotonic()
            if self._out not in self._open or self.stdout.rstrip().endswith(b"}") or left <= 0:
                break
            self._poll.poll(left * 1000 + 1)
        return Fate.EXITED

    def _stop(self) -> None:
        """Ask the group to end, and give it a moment to."""
        _kill(self._child.pid, signal.SIGTERM)
        until = time.monotonic() + _GRACE
        self._close_stdin()
        while not self._gone() and (left := until - time.monotonic()) > 0:
            if not self._turn(left):
                return

    def _gone(self) -> bool:
        """Say whether the child has ended, without reaping it."""
        try:
            ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        if ended is None:
            return False
        self.code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        return True

    def _write(self) -> None:
        try:
            while self._pending:
                self._pending = self._pending[os.write(self._in, self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            pass  # it does not read its input, which is its right
        self._close_stdin()

    def _close_stdin(self) -> None:
        if not self._pipes[0].closed:
            self._poll.unregister(self._in)
            with contextlib.suppress(OSError):
                self._pipes[0].close()

    def _read(self, fd: int) -> bool:
        """Read once. False: that was too much."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            chunk = b""
        if not chunk:
            self._open.discard(fd)
            self._poll.unregister(fd)
            return True
        if fd == self._err:
            _append_tail(self.stderr, chunk)
        elif self._output.tail:
            _append_tail(self.stdout, chunk)
        else:
            self.stdout += chunk
            return len(self.stdout) <= self._output.limit
        return True


def _append_tail(kept: bytearray, chunk: bytes) -> None:
    kept += chunk
    del kept[:-STDERR_KEPT]


def _pid_fd(pid: int) -> int:
    """Return a descriptor that becomes readable when the process ends, or -1 where there is no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def _kill(group: int, number: signal.Signals) -> None:
    # macOS answers EPERM for a group in which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)

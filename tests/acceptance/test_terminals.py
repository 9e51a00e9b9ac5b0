"""What is different on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.cli import INTERLOCK, a_project, environment, interlock

CONTROLLED = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Screen:
    """A terminal, with one command in its foreground."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, found: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + 30
        while not found(self.seen):
            assert time.monotonic() < deadline, f"waited in vain; seen: {self.seen!r}"
            if not self._read() and self.process.poll() is not None and not self._read():
                assert found(self.seen), f"it ended; seen: {self.seen!r}"
        return self.seen

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.1)[0]:
            return False
        try:
            self.seen += os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # the other side is closed
            return False
        return True

    def end(self) -> int:
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end; seen: {self.seen!r}"
            self._read()
        return self.process.returncode


@contextmanager
def a_screen(*argv: str, cwd: Path) -> Iterator[Screen]:
    master, slave = pty.openpty()
    command = [sys.executable, "-c", CONTROLLED, *INTERLOCK, *argv]
    env = environment({"TERM": "xterm", "COLUMNS": "100", "LINES": "20"})
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    try:
        yield Screen(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_status_is_drawn_in_its_place_until_ctrl_c(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    with a_screen("status", "--watch", "--interval", "200ms", cwd=project) as screen:
        screen.until(lambda seen: seen.count("Ctrl-C leaves") >= 2)
        assert interlock("run", "orders", cwd=project).code == 0
        screen.until(lambda seen: "COMPLETED" in seen)
        screen.type("\x03")
        assert screen.end() == 0


def test_ctrl_c_is_the_commands_and_interlock_waits_for_its_end(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    script = "trap 'sleep 0.3; echo gone; exit 7' INT; echo up; while :; do sleep 0.05; done"
    with a_screen("exec", "orders", "--", "sh", "-c", script, cwd=project) as screen:
        screen.until(lambda seen: "up" in seen)
        screen.type("\x03")
        assert screen.end() == 7
    assert "FAILED" in interlock("history", "orders", cwd=project).out


def test_a_command_in_the_foreground_can_be_typed_to(tmp_path: Path) -> None:
    """A process in another group than the terminal's would be stopped as soon as it reads."""
    project = a_project(tmp_path)
    with a_screen("exec", "orders", "--", "sh", "-c", "read answer; echo got $answer", cwd=project) as screen:
        screen.type("yes\n")
        screen.until(lambda seen: "got yes" in seen)
        assert screen.end() == 0


def test_on_a_terminal_a_slot_that_is_done_is_said_to_be_done(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("run", "orders", cwd=project).code == 0
    with a_screen("exec", "orders", "--", "true", cwd=project) as screen:
        screen.until(lambda seen: "a slot runs once" in seen)
        assert screen.end() == 0


def test_cancel_reaches_a_command_on_a_terminal_without_its_shell(tmp_path: Path) -> None:
    """It shares the terminal's process group with whoever typed it."""
    project = a_project(tmp_path)
    with a_screen("exec", "orders", "--", "sh", "-c", "echo up; exec sleep 300", cwd=project) as screen:
        screen.until(lambda seen: "up" in seen)
        assert interlock("cancel", "orders", "--reason", "x", cwd=project).code == 0
        assert screen.end() == 143

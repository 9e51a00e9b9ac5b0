"""Nobody stays behind: a small process that ends our servers when we end, even if we are killed.

It reads the numbers of our servers and the names of their folders from a pipe that only we hold. When the pipe closes it kills and removes what is left.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Final

_WATCH: Final = """
import os, shutil, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
kept = set()
for line in sys.stdin:
    verb, what = line.rstrip("\\n").split(" ", 1)
    (kept.add if verb == "watch" else kept.discard)(what)
for number in kept:
    if number.isdigit():
        try:
            os.killpg(int(number), signal.SIGKILL)
        except OSError:
            pass
folders = [what for what in kept if not what.isdigit()]
for again in range(50):
    # The children of a server notice a moment later, and may still write.
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    if not any(map(os.path.exists, folders)):
        break
    time.sleep(0.1)
"""
_lock: Final = threading.Lock()


def watch_over(what: int | Path) -> None:
    """When our process ends, end this one, the head of a session of its own; or remove this folder."""
    _say(f"watch {what}\n")


def forget(what: int | Path) -> None:
    """It is gone; the number of a process may soon be somebody else's."""
    _say(f"forget {what}\n")


def _say(line: str) -> None:
    # A fork of ours has servers of its own, and so a guard of its own.
    with _lock:
        guard = _guard_of(os.getpid())
        assert guard.stdin is not None
        guard.stdin.write(line.encode())
        guard.stdin.flush()


@cache
def _guard_of(owner: int) -> subprocess.Popen[bytes]:
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_dismiss, guard, owner)
    return guard


def _dismiss(guard: subprocess.Popen[bytes], owner: int) -> None:
    if owner == os.getpid():
        guard.communicate()

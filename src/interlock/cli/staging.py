"""What a command on a stage of `interlock exec` has around it: the terminal's signals, and whether anybody reads along."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interlock.triggers.foreground import Stage

PASSED_ON: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGCONT,
)
_HARMLESS: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP, signal.SIGCONT)


@contextmanager
def signals(stage: Stage) -> Iterator[None]:
    """Hand signals to the command as soon as there is one; before that they end this process as usual."""
    from interlock.cli.main import Terminated

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the shape of a signal handler)
        taken = stage.pass_on(number)
        if number == signal.SIGTSTP:
            os.kill(os.getpid(), signal.SIGSTOP)  # as it would have without a handler
        if taken or number in _HARMLESS:
            return
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    # What nobody here heeds (nohup), the command need not either.
    before = {number: signal.getsignal(number) for number in PASSED_ON}
    heeded = [number for number, known in before.items() if known is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])

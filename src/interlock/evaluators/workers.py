"""Call code that nobody can kill, and stop waiting for it at the deadline.

A function in this process cannot be ended from outside. It runs on a thread of its own; when its time is up the thread
is abandoned, and goes on until the function returns. How many may be under way at once is bounded, so that a check that
always hangs cannot fill the process with threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from time import monotonic
from typing import Final

from interlock.codec.evaluator_protocol import failure
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory
from interlock.errors import ConfigError, StoreError, StoreUnavailable
from interlock.ports.evaluators import Answer

MOST: Final = 64

_HALT_POLL: Final = 0.2


class Workers:
    """Threads for answers, at most `most` at a time. Once `halt` is set nobody waits for an answer any more."""

    def __init__(self, most: int = MOST, *, halt: threading.Event | None = None) -> None:
        self._most = most
        self._halt = halt or threading.Event()
        self._lock = threading.Lock()
        self._under_way: list[threading.Thread] = []

    def answer(
        self, function: Callable[[], Answer], *, what: str, timeout: timedelta, grace: timedelta = timedelta()
    ) -> Answer:
        """Call a function and return its answer; or say why there is none: it raised, it took too long, or all are busy.

        `grace` is added to the time for functions that mind the timeout themselves.
        """
        answers: list[Answer] = []

        def work() -> None:
            try:
                answers.append(function())
            except BaseException as exc:  # noqa: BLE001  (SystemExit too: it is the check's end, not ours)
                answers.append(raised(what, exc))

        with self._lock:
            self._under_way = [thread for thread in self._under_way if thread.is_alive()]
            if len(self._under_way) >= self._most:
                said = f"{what} was not asked: {self._most} earlier calls have not come back"
                return failure(FailureCategory.TRANSIENT, said)
            # What the caller's context says, such as whose run it is, holds for the function, too.
            thread = threading.Thread(target=copy_context().run, args=(work,), name=what[:40], daemon=True)
            thread.start()
            self._under_way.append(thread)
        self._wait(thread, monotonic() + (timeout + grace).total_seconds())
        if answers:
            return answers[0]
        if self._halt.is_set():
            said = f"{what} had not answered when Interlock was stopped"
            return failure(FailureCategory.TRANSIENT, said)
        return too_late(what, timeout)

    def _wait(self, thread: threading.Thread, until: float) -> None:
        while thread.is_alive() and not self._halt.is_set() and (left := until - monotonic()) > 0:
            thread.join(min(left, _HALT_POLL))


def too_late(what: str, timeout: timedelta) -> Answer:
    """Answer for something that did not."""
    return failure(FailureCategory.TIMEOUT, f"{what} gave no answer within {format_duration(timeout)}")


def raised(what: str, exc: BaseException) -> Answer:
    """Answer for something that raised."""
    if isinstance(exc, ConfigError):
        return failure(FailureCategory.PERMANENT, f"{what}: {exc}")
    if isinstance(exc, StoreUnavailable):
        return failure(FailureCategory.TRANSIENT, f"{what}: the store did not answer: {exc}")
    if isinstance(exc, StoreError):
        return failure(FailureCategory.PERMANENT, f"{what}: {exc}")
    return failure(FailureCategory.EVALUATOR_CRASH, f"{what} raised {type(exc).__name__}: {exc}")

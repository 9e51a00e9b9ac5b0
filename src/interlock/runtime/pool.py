"""Doing several things at once, within bounds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

WIDTH: Final = max(4, min(32, 4 * (os.cpu_count() or 1)))
"""How many evaluators run at once: waiting for them costs nothing, and more processes than this gain nothing."""


_STRETCH: Final = 0.5


class Pool:
    """A bounded pool of threads. A task sees the context variables of whoever asked for it.

    Even one task alone is done on a thread of the pool: Ctrl-C interrupts the main thread anywhere, and a start that is
    interrupted between the call and its record would look like one whose answer was lost.
    """

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def __call__(self, tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
        """Do each task once and return their results in order; see `app.hands.Together`."""
        futures: list[Future[T]] = [self._started().submit(copy_context().run, task) for task in tasks]
        for future in futures:
            _outlast(future)
        return tuple(future.result() for future in futures)

    def close(self) -> None:
        """Take no more tasks, forget those not begun, and wait for those under way, which have deadlines of their own."""
        with self._lock:
            executor = self._executor
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max_workers=self._width, thread_name_prefix="interlock")
            return self._executor


def _outlast(future: Future[T]) -> None:
    """Wait until a task has ended, a while at a time.

    A signal that arrives in the moment before the wait begins does not end it, and its handler would run after the task.
    """
    while not future.done():
        with suppress(TimeoutError, CancelledError):
            future.exception(_STRETCH)

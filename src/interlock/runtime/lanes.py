"""Threads for work of one kind each, so that what hangs in one lane is not felt in another; and fair within a lane.

Work belongs to an owner, a pipeline. Owners take turns, and while others wait none has more than a quarter of a lane. An
owner that took more while nobody waited is not counted for more than its quarter when somebody comes: a lane then grows for
a while, to twice its width at most. So a single owner whose work hangs never keeps anybody else waiting.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Task = Callable[[], None]

_LINGER: Final = 5.0
"""How many seconds a thread without work stays, so that a busy lane does not make a thread for every task."""


class Lane(Protocol):
    """Does tasks, some at once."""

    def submit(self, owner: str, task: Task) -> bool:
        """Do a task in its turn; False when nothing is taken any more. The task itself says what becomes of its trouble."""
        ...

    def forget(self) -> None:
        """Drop what has not begun, and take nothing more."""
        ...

    def idle_within(self, wait: timedelta) -> bool:
        """Wait until nothing is queued and nothing runs; say whether that came true."""
        ...


class ThreadLane:
    """A lane of threads, made when they are needed. They never keep the process from ending.

    A task sees the context variables of whoever submitted it.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width
        self._share = max(1, width // 4)
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._idle = threading.Condition(lock)
        self._queues: dict[str, deque[Task]] = {}
        self._running: Counter[str] = Counter()
        self._counted = 0  # the running, nobody's for more than its share
        self._threads = 0
        self._waiting = 0  # threads without work
        self._taking = True

    def submit(self, owner: str, task: Task) -> bool:
        """Do a task in its turn; see `Lane.submit`."""
        with self._changed:
            if not self._taking:
                return False
            self._queues.setdefault(owner, deque()).append(partial(copy_context().run, task))
            self._changed.notify()
            self._hire()
        return True

    def forget(self) -> None:
        """Drop what has not begun, and take nothing more."""
        with self._changed:
            self._taking = False
            self._queues.clear()
            self._changed.notify_all()
            self._idle.notify_all()

    def load(self) -> tuple[int, int]:
        """Return how many tasks wait, and how many are being done."""
        with self._changed:
            return sum(map(len, self._queues.values())), self._running.total()

    def idle_within(self, wait: timedelta) -> bool:
        """Wait until nothing is queued and nothing runs; say whether that came true."""
        with self._changed:
            return self._idle.wait_for(self._is_idle, wait.total_seconds())

    def _is_idle(self) -> bool:
        return not self._queues and not self._running

    def _hire(self) -> None:
        # Called with the lock. Twice the width is the most that `_may_run` ever lets run at once.
        if not self._waiting and self._threads < 2 * self._width:
            self._threads += 1
            threading.Thread(target=self._work, name=f"interlock-{self._name}", daemon=True).start()

    def _work(self) -> None:
        while True:
            taken = self._taken()
            if taken is None:
                return
            owner, task = taken
            try:
                task()
            finally:
                self._done(owner)

    def _taken(self) -> tuple[str, Task] | None:
        with self._changed:
            while True:
                owner = self._chosen()
                if owner is not None:
                    return owner, self._started(owner)
                self._waiting += 1
                wanted = self._taking and (self._changed.wait(_LINGER) or bool(self._queues))
                self._waiting -= 1
                if not wanted:
                    self._threads -= 1
                    return None

    def _chosen(self) -> str | None:
        if self._counted < self._width:
            modest = next((owner for owner in self._queues if self._running[owner] < self._share), None)
            if modest is not None:
                return modest
            if self._running.total() < self._width:
                return next(iter(self._queues), None)
        return None

    def _started(self, owner: str) -> Task:
        queue = self._queues.pop(owner)
        task = queue.popleft()
        if queue:
            self._queues[owner] = queue  # to the end: the others come first
        self._counted += self._running[owner] < self._share
        self._running[owner] += 1
        return task

    def _done(self, owner: str) -> None:
        with self._changed:
            self._running[owner] -= 1
            self._counted -= self._running[owner] < self._share
            if not self._running[owner]:
                del self._running[owner]
            # Nobody is woken to work: one place is free, and whoever has just finished takes it.
            if self._is_idle():
                self._idle.notify_all()


class Lanes(NamedTuple):
    """One lane for each kind of work: deciding, asking, starting and looking, telling people, housekeeping."""

    decisions: Lane
    evaluations: Lane
    starts: Lane
    deliveries: Lane
    chores: Lane


def lanes_of(workers: int) -> Lanes:
    """Make the lanes of a watcher that asks at most so many evaluators at once."""
    return Lanes(
        decisions=ThreadLane("decisions", 16),
        evaluations=ThreadLane("evaluations", workers),
        starts=ThreadLane("starts", max(16, workers)),
        deliveries=ThreadLane("deliveries", 32),
        chores=ThreadLane("chores", 4),
    )


def side_by_side(tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
    """Do each task on a thread of its own, and return their results in order; see `app.hands.Together`."""
    answers: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def do(place: int, task: Callable[[], T]) -> None:
        try:
            answers[place] = task()
        except BaseException as exc:  # noqa: BLE001  (it is raised in the caller's thread)
            errors[place] = exc

    if len(tasks) == 1:
        return (tasks[0](),)
    threads = [
        threading.Thread(target=copy_context().run, args=(do, place, task), name="interlock-aside", daemon=True)
        for place, task in enumerate(tasks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, error in sorted(errors.items()):
        raise error
    return tuple(answers[place] for place in range(len(tasks)))

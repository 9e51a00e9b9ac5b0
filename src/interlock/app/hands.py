"""The ports a use case may need, bundled; and how to do several things at once."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol, TypeVar

from interlock.core.ids import RunKey
from interlock.core.pipelines import TriggerSpec
from interlock.ports.clock import Clock
from interlock.ports.evaluators import Evaluator
from interlock.ports.sinks import Sink
from interlock.ports.stores import Claims, Evaluations, Runs, Specs, Timeline
from interlock.ports.triggers import Job, Trigger

T = TypeVar("T")


class Silence(enum.Enum):
    """The two ways in which carrying out a wish gives no fact."""

    SETTLED = "it is done, or no longer wished"
    LATER = "it must be tried again later"


class Store(Runs, Specs, Evaluations, Claims, Timeline, Protocol):
    """All that use cases need kept, by one object."""


class Together(Protocol):
    """Does several independent things, perhaps at once, within bounds."""

    def __call__(self, tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
        """Do each task once and return their results in the order of the tasks.

        An exception of a task is raised after all of them have ended.
        """
        ...


class Hands(NamedTuple):
    """What a use case works with. `trigger_for` makes the trigger of a spec for one job, templates expanded."""

    clock: Clock
    store: Store
    evaluator: Evaluator
    trigger_for: Callable[[TriggerSpec, Job], Trigger]
    together: Together
    sinks: tuple[Sink, ...] = ()
    sink_timeout: timedelta = timedelta(seconds=10)


def in_order(tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
    """Do the tasks one after another: for tests, and for drivers with hands of their own."""
    return tuple(task() for task in tasks)


def job_of(key: RunKey, attempt: int, start: str) -> Job:
    """Name the job of one attempt."""
    return Job(run=key, attempt=attempt, key=start)

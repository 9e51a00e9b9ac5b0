"""The ports a use case may need, bundled; and how to do several things at once."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from interlock.app.channels import Alerting
from interlock.core.ids import PipelineName, RunKey
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.ports.agendas import Agendas
from interlock.ports.clock import Clock
from interlock.ports.controls import Controls
from interlock.ports.dispatches import Dispatches
from interlock.ports.evaluators import Evaluator
from interlock.ports.members import Members
from interlock.ports.stores import Claims, DueIndex, Evaluations, Runs, Specs, Timeline
from interlock.ports.telemetry import Telemetry
from interlock.ports.triggers import Job, Trigger

T = TypeVar("T")


class Silence(enum.Enum):
    """The two ways in which carrying out a wish gives no fact."""

    SETTLED = "it is done, or no longer wished"
    LATER = "it must be tried again later"


class Store(Runs, Specs, Evaluations, Claims, Timeline, DueIndex, Protocol):
    """All that use cases need kept, by one object. `telemetry` is told of every decision that is made on it."""

    telemetry: Telemetry


class Together(Protocol):
    """Does several independent things, perhaps at once, within bounds."""

    def __call__(self, tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
        """Do each task once and return their results in the order of the tasks.

        An exception of a task is raised after all of them have ended.
        """
        ...


class Catalog(Protocol):
    """The pipelines as the files say they are now."""

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        """Return a pipeline's spec; None when the files define none of that name, or it cannot be read."""
        ...

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        """Return the pipelines that have a trait which waits for this one, sorted."""
        ...


class Hands(NamedTuple):
    """What a use case works with. `trigger_for` makes the trigger of a spec for one job, templates expanded."""

    clock: Clock
    store: Store
    dispatches: Dispatches
    agendas: Agendas
    controls: Controls
    members: Members
    catalog: Catalog
    evaluator: Evaluator
    trigger_for: Callable[[TriggerSpec, Job], Trigger]
    together: Together
    alerting: Alerting = Alerting()


def in_order(tasks: Sequence[Callable[[], T]], /) -> tuple[T, ...]:
    """Do the tasks one after another: for tests, and for drivers with hands of their own."""
    return tuple(task() for task in tasks)


def job_of(key: RunKey, attempt: int, start: str) -> Job:
    """Name the job of one attempt."""
    return Job(run=key, attempt=attempt, key=start)

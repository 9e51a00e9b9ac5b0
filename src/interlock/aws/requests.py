"""What both ways in have in common: what of a request is left to the state machine, and by when it must be answered.

Whoever asks for a run here opens it, and waits while its execution goes on: the functions of the state machine ask traits,
start jobs, look at them and stop them, each with the rights for that and no others.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait
from interlock.core.ids import RunKey
from interlock.core.pipelines import TriggerSpec
from interlock.errors import ServerUnavailable
from interlock.operations.outside import EXTERNAL
from interlock.ports.triggers import Job, Trigger
from interlock.stores.repository import Repository

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

MARGIN: Final = timedelta(seconds=2)
"""So long before the function's time is over a request is broken off, so that there is time for the answer."""

PATIENCE: Final = timedelta(seconds=5)
"""How long a request waits for the execution that goes on with its run; then the answer is the run as it stands."""

TIME_IS_UP: Final = (
    "the time of the function was over: what was asked may or may not be done, and a run that was opened goes on without "
    "it. Look before asking again"
)

_LEFT: Final = (EvaluateTrait, CheckJob, CancelJob)


class Context(Protocol):
    """What is used of what Lambda tells a function."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        ...


class _TimeUp(BaseException):
    """Ends what is under way, past all that handles errors of its own."""


def at_the_counter(work: Interlock, patience: timedelta = PATIENCE) -> Interlock:
    """Return a project at work as it is for those who only take requests: the wishes of runs are left to others.

    `patience` is how long a request waits for them; where nobody hears the answer, it is none.
    """
    return cast("Interlock", _Counter(work, patience))


@contextmanager
def within(context: Context, margin: timedelta = MARGIN) -> Iterator[None]:
    """Break off what is done inside before the function's time is over, as a signal to end breaks off a command.

    Lambda calls functions on the main thread; anywhere else nothing is broken off.

    Raises:
        ServerUnavailable: the time was over.
    """
    left = context.get_remaining_time_in_millis() / 1000 - margin.total_seconds()
    if left <= 0:
        raise ServerUnavailable("there is no time left to begin with this: nothing was done. Ask again")
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, left)
        yield
    except _TimeUp:
        raise ServerUnavailable(TIME_IS_UP) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(_number: int, _frame: object) -> None:
    raise _TimeUp


class _Counter:
    """A project at work, all its own but for what the state machine does for its runs."""

    def __init__(self, work: Interlock, patience: timedelta) -> None:
        self._work = work
        self.patience = patience
        self.afterwards = _Nobody()
        self.hands = work.hands._replace(
            store=_Leaving(work.kernel, work.store.telemetry), trigger_for=_started_elsewhere(work.hands.trigger_for)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


class _Nobody:
    """Looks after no job: nobody is there between two requests."""

    def look_after(self, key: RunKey, attempt: int) -> None:
        """Leave it alone."""


class _Leaving(Repository):
    """The store of whoever leaves to the state machine what that can do."""

    def outstanding(self, key: RunKey) -> tuple[Command, ...]:
        """Return the wishes of a run that are not left to others."""
        return tuple(wish for wish in super().outstanding(key) if not isinstance(wish, _LEFT))


class _StartedElsewhere:
    """A trigger whose jobs another function starts; everything else of it is its own."""

    startable = False

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trigger, name)


def _started_elsewhere(usual: Callable[[TriggerSpec, Job], Trigger]) -> Callable[[TriggerSpec, Job], Trigger]:
    def trigger_for(spec: TriggerSpec, job: Job) -> Trigger:
        made = usual(spec, job)
        # A job that somebody else has started already takes nobody's rights to be known.
        return made if spec.type == EXTERNAL else cast("Trigger", _StartedElsewhere(made))

    return trigger_for

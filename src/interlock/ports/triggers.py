"""Start a job under a key, find it by that key, look at it, stop it."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunKey
from interlock.core.traits import FailureCategory


class Job(Struct, frozen=True, kw_only=True):
    """One start of one attempt of a run: who it is for and the key it goes by.

    `traceparent` names the step of a trace in which it is called (W3C Trace Context); it is handed on to whoever is called.
    """

    run: RunKey
    attempt: int
    key: str
    traceparent: str = ""


class JobHandle(Struct, frozen=True, kw_only=True):
    """What the target system calls the job. `id` is never empty; `details` is for people (a page, a host, a pid)."""

    id: str
    details: Document = EMPTY


class JobState(enum.StrEnum):
    """What a look at a job showed."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    VANISHED = "vanished"
    UNSEEN = "unseen"


class JobReport(Struct, frozen=True, kw_only=True):
    """One look at a job.

    VANISHED: the target is certain that it has no such job, or that its outcome is lost. UNSEEN: this look failed, the
    next may succeed. `category` is set when FAILED.
    """

    state: JobState
    reason: str = ""
    category: FailureCategory | None = None


class Absent(enum.Enum):
    """The two ways of not finding a job."""

    CERTAINLY = "nothing was started under this key"
    UNKNOWN = "this trigger cannot know whether something was started"


class Trigger(Protocol):
    """A way of starting jobs. Every call returns or raises within about `timeout`.

    The keys of jobs hold the name of the store, so that no other store's job is taken for one of its own. A class of
    triggers whose jobs are processes of this project says so by an attribute `local` that is True; the jobs of all others
    are left alone between two looks for a while (`soonest_look`).

    `repeatable` says that `start` may be called again under the same key without starting a second job. `watchable` says
    that `poll` can show a job's end; a job that cannot be watched reports its end itself.
    """

    repeatable: bool
    watchable: bool

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start the job once.

        Raises:
            TriggerError: it was not started (`started` False), or nobody can know (`started` None).
        """
        ...

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for a job started earlier under this key. Called only after any earlier `start` must have ended."""
        ...

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Look at a job. Never raises for trouble on the way: that is UNSEEN."""
        ...

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask for the job to be stopped. A job that has already ended is not an error.

        Raises:
            TriggerError: it could not be stopped, or this trigger cannot stop jobs.
        """
        ...


def soonest_look(trigger: Trigger) -> timedelta:
    """Return how long a job of a trigger is left alone after its start, and at least between two looks.

    A class says so by an attribute `soonest_look`. Looking at a process of this machine costs nothing; another system counts
    the requests that it is sent.
    """
    left_alone: timedelta = getattr(trigger, "soonest_look", timedelta())
    return left_alone


def place_of(trigger: Trigger) -> str:
    """Return where the jobs of a trigger are started, as a text that changes when that does; nothing where it cannot.

    A trigger says so by an attribute `place`. What is made of the environment or of the project's settings may be another
    system in another process, or tomorrow; that a job is not to be found there says nothing of one that was started here.
    """
    return str(getattr(trigger, "place", ""))


def starts_here(trigger: Trigger) -> bool:
    """Say whether this process can start the trigger's jobs.

    One whose jobs belong to a single process, which holds their terminal, says no everywhere else by an attribute
    `startable` that is False; its start is left to that process.
    """
    return bool(getattr(trigger, "startable", True))

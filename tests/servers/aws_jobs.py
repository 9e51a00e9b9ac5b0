"""What the jobs of the AWS stub do, and the shelf on which a service keeps them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.servers.aws_errors import AwsError
from tests.servers.aws_wire import Params, model_of

from interlock.testing.conformance.triggers import Kind

FAILURE: Final = "the job met a row that it could not read"


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a job does. Each look at it (GetJobRun, DescribeStep, DescribeExecution) sees the next of its states.

    Without `states` it does what `kind` says. `shows` is merged into what a look is answered. States must be those of the
    service's model, unless they are `novel`: what the vendor may add tomorrow.
    """

    kind: Kind = Kind.SUCCEEDS
    states: Sequence[str] = ()
    novel: bool = False
    error: str = FAILURE
    code: str = "Interlock.Tests.BadRow"
    output: str = "{}"
    # States that a cancelled job is seen in before it is over; whether a cancel does anything at all.
    cancelling: Sequence[str] = ()
    cancels: bool = True
    # Glue only: what the runs do that Glue begins by itself when this one has failed, one after another.
    retries: Sequence[Behaviour] = ()
    shows: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a service calls the states of a job; `service` and `shape` say where its model lists all of them."""

    service: str
    shape: str
    running: str
    succeeded: str
    failed: str
    cancelled: str
    over: frozenset[str]

    def of(self, kind: Kind) -> str:
        """Return the state that a job of this kind stays in."""
        return {Kind.SUCCEEDS: self.succeeded, Kind.FAILS: self.failed, Kind.LINGERS: self.running}[kind]

    def check(self, states: Iterable[str]) -> None:
        """Refuse a state that the service does not have: a slip of the test's author."""
        strange = set(states) - set(model_of(self.service).shape_for(self.shape).enum)
        if strange:
            raise ValueError(f"{self.service} has no state {sorted(strange)}; a `novel` behaviour may have it")


class Job:
    """One job that a service has really begun."""

    def __init__(self, id_: str, name: str, params: Params, behaviour: Behaviour, words: Words) -> None:
        self.id = id_
        self.name = name
        self.params = params
        self.behaviour = behaviour
        self.created = self.changed = instant()
        self.attempt = 0
        self.previous: str | None = None
        self.cancelled = False
        self.error = behaviour.error
        self._words = words
        self._states = list(behaviour.states) or [words.of(behaviour.kind)]

    @property
    def state(self) -> str:
        """The state it is in."""
        return self._states[0]

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in self._words.over

    @property
    def failed(self) -> bool:
        """Whether it has ended, neither well nor at somebody's wish."""
        return self.over and self.state not in (self._words.succeeded, self._words.cancelled)

    def advance(self) -> None:
        """Go to the next state, after a look."""
        if len(self._states) > 1:
            self.changed = instant()
            del self._states[0]

    def goes(self, *states: str, error: str | None = None) -> None:
        """Be in the first of these states from now on, and in the others one look after another."""
        if not self.behaviour.novel:
            self._words.check(states)
        self._states = list(states)
        self.changed = instant()
        self.error = self.error if error is None else error

    def cancel(self) -> None:
        """Go the way of a cancelled job, if this one can be cancelled."""
        if not self.over and self.behaviour.cancels:
            self.cancelled = True
            self.changed = instant()
            self._states = [*self.behaviour.cancelling, self._words.cancelled]


class Shelf:
    """The jobs of one service, in the order in which they were begun."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.jobs: list[Job] = []
        self.starts = 0
        self._rules: list[tuple[str, list[Behaviour]]] = [("", [Behaviour()])]

    def behave(self, behaviours: Sequence[Behaviour], where: str) -> None:
        """Let jobs whose request contains these words behave so, one start after another; the last stays."""
        for behaviour in behaviours:
            if not behaviour.novel:
                self.words.check([*behaviour.states, *behaviour.cancelling])
        self._rules.insert(0, (where, list(behaviours)))

    def begin(self, id_: str, name: str, params: Params) -> Job:
        """Begin a job."""
        job = self.put(id_, name, params, self.next_behaviour(params))
        self.starts += 1
        return job

    def put(self, id_: str, name: str, params: Params, behaviour: Behaviour) -> Job:
        """Add a job that nobody has asked for."""
        job = Job(id_, name, params, behaviour, self.words)
        self.jobs.append(job)
        return job

    def next_behaviour(self, params: Params) -> Behaviour:
        """Return how a job with this request behaves."""
        text = json.dumps(params, default=str)
        queue = next(queue for where, queue in self._rules if where in text)
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def find(self, id_: str) -> Job | None:
        """Return a job, if there is one."""
        return next((job for job in self.jobs if job.id == id_), None)

    def forget(self, id_: str | None) -> None:
        """Lose a job, or all of them; they stay counted as begun."""
        self.jobs = [job for job in self.jobs if id_ is not None and job.id != id_]

    def newest(self, keep: Callable[[Job], bool]) -> list[Job]:
        """Return jobs, the newest first."""
        return [job for job in reversed(self.jobs) if keep(job)]


def page(jobs: Sequence[Job], token: str | None, size: int) -> tuple[Sequence[Job], str | None]:
    """Return one page of jobs and the token of the next. A page begins behind the last job of the one before."""
    first = 0
    if token is not None:
        try:
            last = base64.urlsafe_b64decode(token).decode()
            first = next(place for place, job in enumerate(jobs) if job.id == last) + 1
        except (ValueError, StopIteration):
            raise AwsError("ValidationException", "The pagination token is not valid.") from None
    part = jobs[first : first + size]
    more = first + size < len(jobs)
    return part, base64.urlsafe_b64encode(part[-1].id.encode()).decode() if more and part else None


def digest(*parts: object) -> str:
    """Return 64 hexadecimal digits that stand for these parts: ids are derived, not rolled."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def instant() -> datetime:
    """Return the time that jobs are stamped with."""
    return datetime.now(UTC)

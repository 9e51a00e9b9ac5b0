"""A line of states being walked: an execution has one, and one more for each item of a map that is under way."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from interlock.ports.clock import Clock
from interlock.testing.asl.failures import DATA_LIMIT, StateFailed
from interlock.testing.asl.history import Entered, History
from interlock.testing.asl.paths import Scope

LIMIT: Final = 262_144


class Outcome(NamedTuple):
    """How a call, a token or a fork ended: with a value, or with a failure."""

    value: Any
    failure: StateFailed | None = None


class Ticket:
    """A task token, and what came for it."""

    __slots__ = ("closed", "reply", "token", "until")

    def __init__(self, token: str) -> None:
        self.token = token
        self.until: datetime | None = None
        self.reply: Outcome | None = None
        self.closed = False


class Pause(NamedTuple):
    """Go on in another step: at an instant, or when the ticket is answered. With neither: now."""

    until: datetime | None = None
    ticket: Ticket | None = None


class Call(NamedTuple):
    """Ask the callable that stands for a resource. It is given its own copy of the parameters."""

    task: Callable[..., Any]
    label: str
    parameters: bytes
    ticket: Ticket | None


class Start(NamedTuple):
    """One line that a fork starts: how it is walked, with which part of the context, under which path."""

    walk: Callable[[Branch], Steps]
    context: dict[str, Any]
    path: str


class Fork(NamedTuple):
    """Walk several lines, at most `limit` at once (0: all). `iterations` are counted as those of a map."""

    starts: list[Start]
    limit: int
    iterations: bool


GO: Final = Pause()
Steps = Generator[Pause | Call | Fork, Outcome, Any]


class Bench(NamedTuple):
    """What all lines of an execution share."""

    clock: Clock
    dice: Random
    history: History
    issue: Callable[[], Ticket]


class Visit:
    """One stay in one state: its raw input and its context object."""

    __slots__ = ("bench", "context", "data", "kind", "path")

    def __init__(self, branch: Branch, name: str, kind: str, data: Any) -> None:
        self.bench = branch.bench
        self.data = data
        self.kind = kind
        self.path = f"{branch.path}{name}"
        at = self.bench.clock.now()
        self.context = {
            **branch.context,
            "State": {"Name": name, "EnteredTime": stamp(at), "RetryCount": 0},
        }
        history = self.bench.history
        history.transitions += 1
        history.add(f"{kind}StateEntered")
        history.entered.append(Entered(at, name, self.path, data))

    def scope(self, data: Any) -> Scope:
        """Let expressions look at some data in this state."""
        return Scope(data, self.context, self.bench.dice)

    def tried_again(self) -> None:
        """Count a retry."""
        self.bench.history.transitions += 1
        self.context["State"]["RetryCount"] += 1


class Branch:
    """One line: its generator, what it waits for, and the fork it belongs to."""

    __slots__ = ("bench", "call", "context", "fork", "index", "path", "pause", "reply", "steps", "visit")

    def __init__(self, bench: Bench, context: dict[str, Any], path: str) -> None:
        self.bench = bench
        self.context = context
        self.path = path
        self.steps: Steps
        self.pause = GO
        self.call: Call | None = None
        self.reply: Outcome | None = None
        self.visit: Visit | None = None
        self.fork: RunningFork | None = None
        self.index = 0

    def ready(self, now: datetime) -> bool:
        """Whether it can go on."""
        until, ticket = self.pause
        if ticket is not None and ticket.reply is not None:
            return True
        return until <= now if until is not None else ticket is None

    def wakes(self, now: datetime) -> datetime | None:
        """When it can go on by itself."""
        return now if self.ready(now) else self.pause.until


class RunningFork:
    """A fork under way: who asked for it, what has come out so far, and who is still to come."""

    def __init__(self, parent: Branch, fork: Fork) -> None:
        self.parent = parent
        self.fork = fork
        self.results: list[Any] = [None] * len(fork.starts)
        self.begun = 0
        self.over = 0

    def may_begin(self) -> bool:
        """Whether one more line may be started now."""
        limit = self.fork.limit or len(self.fork.starts)
        return self.begun < len(self.fork.starts) and self.begun - self.over < limit


def stamp(at: datetime) -> str:
    """Write an instant as the context object does."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(value: Any, what: str) -> bytes:
    """Write a value as JSON, or fail with `States.DataLimitExceeded`."""
    text = msgspec.json.encode(value)
    if len(text) > LIMIT:
        raise StateFailed(DATA_LIMIT, f"{what} is {len(text)} bytes long, and {LIMIT} are allowed")
    return text

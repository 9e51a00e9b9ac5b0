"""The stage of a simulated world: its time, its dice, and what may happen anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple, Protocol

from interlock.errors import StoreUnavailable
from interlock.ports.stores import Commit
from interlock.stores.kernel import Change, Place, Put
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import SECOND
from interlock.testing.clock import FakeClock
from interlock.testing.faults import FaultyKernel

SPANS: Final = tuple(each * SECOND for each in (0.01, 0.5, 2, 2, 9, 11, 40, 95, 400))
_DEEPEST: Final = 4
_CREEP: Final = timedelta(microseconds=1)


class Died(BaseException):
    """A process has died: whatever it knew is gone."""


class Broken(BaseException):
    """A promise was broken inside a call; no use case can swallow this."""


class Actor(Protocol):
    """Somebody who does things. `deaths` counts how often it died: then what it was doing is over."""

    name: str
    deaths: int


class Act(NamedTuple):
    """Somebody in the middle of something."""

    number: int
    actor: Actor
    born: int


class Stage:
    """Time and fate. `chaos` is how rough the world is: 0 is calm, 1 is rough.

    With `fortune` (how badly, and a seed) data and jobs turn out as their names say, in whatever order they are asked about;
    nothing takes time then, and jobs report their ends.

    `meanwhile` lets somebody else act in the middle of what is being done; `afterwards` is called with the number of an act
    that is over, `judge` before each commit of a run. `struck` are the acts that met a fault. `worst` is how far apart two
    clocks have ever been.
    """

    def __init__(self, dice: Random, begins: datetime, chaos: float) -> None:
        self.dice = dice
        self.begins = begins
        self.chaos = chaos
        self.fortune: tuple[float, int] | None = None
        self.clock = FakeClock(begins)
        self.kernel = WatchedKernel()
        self.meanwhile: Callable[[], None] = _nothing
        self.judge: Callable[[Commit], None] = lambda _change: None
        self.afterwards: Callable[[int], None] = lambda _act: None
        self.worst = timedelta()
        self.acts = 0
        self.struck: set[int] = set()
        self._acting: list[Act] = []
        self._calls_end: list[datetime] = []

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.clock.now()

    @property
    def luck(self) -> float:
        """How badly data and jobs turn out."""
        return self.chaos if self.fortune is None else self.fortune[0]

    def fate(self, name: str) -> Random:
        """Return the dice by which something turns out, wherever it is to happen."""
        return self.dice if self.fortune is None else Random(f"{self.fortune[1]}/{name}")

    @property
    def act(self) -> int:
        """The number of the innermost act."""
        return self._acting[-1].number if self._acting else 0

    def enter(self, actor: Actor) -> None:
        """Somebody begins something, perhaps in the middle of something else."""
        self.acts += 1
        if self.fortune is not None:
            self.clock.advance(_CREEP)  # no two things happen at once
        self._acting.append(Act(self.acts, actor, actor.deaths))

    def leave(self) -> None:
        """It is over."""
        self.afterwards(self._acting.pop().number)

    def _end_the_dead(self) -> None:
        if self._acting and self._acting[-1].actor.deaths != self._acting[-1].born:
            self.struck.add(self.act)
            raise Died

    def seam(self) -> None:
        """Somewhere inside what somebody does with the store: time passes, others act, it dies, or gets no answer."""
        if not self.chaos:
            return
        self._end_the_dead()
        fate = self.dice.random() / self.chaos
        if fate >= 0.07:
            return
        if fate < 0.01:
            self.struck.add(self.act)
        if fate < 0.004:
            raise Died
        if fate < 0.01:
            raise StoreUnavailable("the store did not answer")
        if fate < 0.035:
            self.pass_time(self.dice.choice(SPANS))
        else:
            self.others_act()

    def others_act(self) -> None:
        """Let somebody else act in the middle of this."""
        if len(self._acting) <= _DEEPEST:
            self.meanwhile()
            self._end_the_dead()

    def inside(self) -> None:
        """Somewhere inside a call to the outside: time passes, or others act."""
        fate = self.dice.random() / max(self.chaos, 1e-9)
        if fate < 0.2:
            self.pass_time(self.dice.choice((1, 5, 19, 29)) * SECOND)
        elif fate < 0.35:
            self.others_act()

    @contextmanager
    def call(self, timeout: timedelta) -> Iterator[None]:
        """Make a call that is over when its timeout is."""
        self._calls_end.append(self.now + timeout)
        try:
            yield
        finally:
            self._calls_end.pop()

    def pass_time(self, span: timedelta) -> None:
        """Let time pass, as long as no call that is under way may last."""
        now, latest = self.now, min(self._calls_end, default=None)
        self.clock.set(now + span if latest is None else max(now, min(now + span, latest)))


class WatchedKernel(MemoryKernel):
    """A store in memory that says which rows have changed since somebody asked, and when something is due next.

    Where `stream` is a list, every row that is written is added to it, and whether it is new: as a table's stream would.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.stream: list[tuple[str, str, bool]] | None = None
        self._changed: dict[tuple[str, str], None] = {}

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        self.calls += 1
        done = super().commit(pk, batch)
        if done:
            for change in batch:
                sk = getattr(change, "sk", None)
                self._changed[pk, change.record.sk if sk is None else sk] = None  # type: ignore[union-attr]
                if self.stream is not None and isinstance(change, Put):
                    self.stream.append((pk, change.record.sk, change.record.version == 1))
        return done

    def changed(self) -> list[tuple[str, str]]:
        """Return what has changed since this was last asked, in order."""
        found = list(self._changed)
        self._changed.clear()
        return found


class StaleKernel(FaultyKernel):
    """One process's door to the store: its due index sometimes shows what was due a while ago."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.kernel)
        self._stage = stage
        self._seen: list[Place] = []
        self.before = self.after = lambda _call: stage.seam()

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return what is due, or what was."""
        if self._seen and self._stage.dice.random() < 0.15 * self._stage.chaos:
            return self._seen
        self._seen = super().due(before, limit)
        return self._seen


def _nothing() -> None:
    return None

"""The processes of a simulated fleet: watchers, a watchdog, and people's commands. None remembers what matters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock.app import planning
from interlock.app.hands import Hands, in_order
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.errors import Contention, NotFound, StoreUnavailable, UnsafeDecision
from interlock.ports.clock import Clock
from interlock.ports.stores import Commit
from interlock.runtime import chores, flights, lanes, leases, station, watchdog, watcher
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, SECOND
from interlock.testing.clock import SkewedClock
from interlock.testing.fleet.stage import Broken, Died, Stage, StaleKernel

if TYPE_CHECKING:
    from interlock.runtime.lanes import Lane

SCAN: Final = 15 * MINUTE
"""How often the watchdog looks."""

_AT_ONCE: Final = 8
_ROUNDS: Final = 40
Equip: TypeAlias = Callable[[Repository, Clock], Hands]
Specs: TypeAlias = Mapping[PipelineName, PipelineSpec]


class LawfulStore(Repository):
    """A store whose commits are judged before they are made."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(StaleKernel(stage))
        self._stage = stage

    def commit(self, change: Commit) -> bool:
        """Write a change, if it is lawful."""
        self._stage.judge(change)
        return super().commit(change)


class Node:
    """One process with a clock of its own. `down_until` is until when it is dead, or hangs."""

    def __init__(self, name: str, stage: Stage, error: timedelta, equip: Equip) -> None:
        self.name = name
        self.stage = stage
        self.error = error
        self.down_until: datetime | None = None
        self.deaths = 0
        self._equip = equip
        self.begin()

    def begin(self) -> None:
        """Begin anew, with nothing remembered."""
        self.hands = self._equip(LawfulStore(self.stage), self._clock())

    def _clock(self) -> Clock:
        return ErringClock(self)

    @property
    def up(self) -> bool:
        """Whether it is there."""
        return self.down_until is None or self.stage.now >= self.down_until

    def act(self, what: Callable[[], object]) -> None:
        """Do something, perhaps only a part of it."""
        if not self.up:
            return
        born = self.deaths
        self.stage.enter(self)
        try:
            what()
        except Died:
            if self.deaths == born:
                self.die()
        except (StoreUnavailable, Contention):
            pass
        except UnsafeDecision as exc:
            raise Broken(f"SC: {exc}") from exc
        finally:
            self.stage.leave()

    def die(self, back: timedelta | None = None) -> None:
        """Lose what it knows, and be back after a while."""
        lasts = self.stage.dice.choice((1, 5, 30, 30, 300)) * SECOND if back is None else back
        self.down_until = self.stage.now + lasts
        self.deaths += 1
        self.begin()


class ErringClock(SkewedClock):
    """A node's clock: its error changes when somebody sets it."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.stage.clock, node.error)
        self._node = node

    def now(self) -> datetime:
        """Return the wrong time."""
        return self._node.stage.clock.now() + self._node.error


class Queue:
    """What the lanes of one watcher hold: tasks that a thread would take up, in any order, some while others are at it."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], None]] = []
        self._taking = True

    def submit(self, owner: str, task: Callable[[], None]) -> bool:  # noqa: ARG002  (the port's shape)
        """Take a task."""
        if self._taking:
            self.tasks.append(task)
        return self._taking

    def forget(self) -> None:
        """Drop everything, and take nothing more."""
        self.tasks.clear()
        self._taking = False

    def idle_within(self, wait: timedelta) -> bool:  # noqa: ARG002  (the port's shape)
        """Say whether there is nothing to do."""
        return not self.tasks


class ErringLease(leases.Lease):
    """A place among the watchers whose view of the others is sometimes out of date: then two take the same for theirs."""

    stage: Stage

    def mine(self, subject: str) -> bool:
        """Say whether something is this member's to do, as far as it knows."""
        wrong = bool(self.stage.chaos) and self.stage.dice.random() < 0.3 * self.stage.chaos
        return wrong or super().mine(subject)


class ObservedWatcher(watcher.Watcher):
    """A watcher whose work must not fail by itself: nothing in these worlds is poisoned."""

    def _failed(self, flight: flights.Flight, error: Exception, now: datetime) -> None:
        raise Broken(f"the work on {flight.unit} failed at {now}: {type(error).__name__}: {error}") from error


class Looker(Node, ABC):
    """Whoever looks after runs."""

    @abstractmethod
    def work(self) -> None:
        """Do some of what there is to do, or all of it where the world is calm."""

    @abstractmethod
    def turn(self) -> None:
        """Look what is due."""


class Watcher(Looker):
    """A watcher, the real one, whose lanes are a queue of its own."""

    def __init__(self, name: str, stage: Stage, error: timedelta, equip: Equip, specs: Specs) -> None:
        self.specs = specs
        self._turning = False
        super().__init__(name, stage, error, equip)

    def begin(self) -> None:
        """Begin anew."""
        super().begin()
        self.queue = queue = Queue()
        self._planned = False
        self._turning = False
        line = lanes.Lanes(queue, queue, queue, queue, queue)
        post = station.Station(self.hands, line, poke=_nothing, news=self._news, together=in_order)
        process = leases.Process(self.name, self.deaths, f"boot-{self.deaths}")
        name = f"{self.name}-{self.deaths}"
        lease = ErringLease(self.hands.members, process=process, gone=lambda *_: False, name=name)
        lease.stage = self.stage
        look = partial(chores.look_after_watchdog, post, SCAN)
        duties = (
            chores.Chore("plan", self._plan, 30 * SECOND),
            chores.Chore("watchdog", look, 30 * SECOND, alone=True),
        )
        self.watcher = ObservedWatcher(post, lease, chores.Chores(post, duties))

    def _plan(self) -> None:
        if not self._planned:
            planned = planning.plan(self.specs, self.hands)
            self._planned = not planned.troubles

    def _news(self, line: str) -> None:
        expected = "did not answer" in line or "first" in line
        if line.startswith("trouble") and not expected:
            raise Broken(f"{self.name}: {line}")

    def work(self) -> None:
        """Make a turn, or take up what is queued: a part of it and in any order, where the world is rough."""
        dice, chaos = self.stage.dice, self.stage.chaos
        if not chaos:
            self._work_through()
            return
        if not self._turning and (not self.queue.tasks or dice.random() < 0.4):
            self.turn()
        for _ in range(dice.randint(1, _AT_ONCE)):
            if not self.queue.tasks:
                return
            self._take(dice.randrange(len(self.queue.tasks)))

    def _work_through(self) -> None:
        for _ in range(_ROUNDS):
            self.turn()
            if not self.queue.tasks:
                return
            while self.queue.tasks:
                self._take(0)

    def turn(self) -> None:
        """Renew the lease and take up what is due."""
        if self._turning:
            return
        self._turning = True
        try:
            self.watcher.turn()
        finally:
            self._turning = False

    def _take(self, place: int) -> None:
        # A process that died in the middle has another queue afterwards; this one's frames end at the next seam.
        task = self.queue.tasks.pop(place)
        self.stage.enter(self)
        try:
            task()
        finally:
            self.stage.leave()


class Watchdog(Node):
    """A watchdog, the real one."""

    def begin(self) -> None:
        """Begin anew."""
        super().begin()
        self._scanning = False
        rounds = watchdog.Rounds(interval=SCAN, name=self.name)
        self.watchdog = watchdog.Watchdog(self.hands, rounds, alarm=_Alarm(), say=lambda _words: None)

    def scan(self) -> None:
        """Scan once, and tell what is due to be told; a scan under way is not begun again in the middle."""
        if self._scanning:
            return
        self._scanning = True
        try:
            report = self.watchdog.turn()
        finally:
            self._scanning = False
        unsafe = [words for _, words in report.troubles if "it breaks SC" in words]
        if unsafe or (report.troubles and not self.stage.chaos):
            raise Broken(f"the watchdog could not look at everything: {report.troubles}")


class _Alarm:
    def until(self, at: datetime) -> None:
        """Wait for nothing."""

    def poke(self) -> None:
        """End no wait."""


class Person(Node):
    """Whoever types commands; each of them is a process of its own."""

    def types(self, command: Callable[[Hands], object]) -> None:
        """Type one command; that it found nothing to do is an answer like any other."""

        def typed() -> None:
            try:
                command(self.hands)
            except (NotFound, ValueError):
                return

        self.act(typed)
        self.down_until = None


def _nothing() -> None:
    return None


if TYPE_CHECKING:

    def _is_a_lane(it: Queue) -> Lane:
        return it

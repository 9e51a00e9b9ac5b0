"""A watcher over a store in memory, whose lanes do everything at once and in order: the same story every time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from interlock.app.arrivals import open_run
from interlock.app.planning import plan
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.ids import PipelineName, RunKey, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.runtime.chores import Chores
from interlock.runtime.lanes import Lanes
from interlock.runtime.leases import Lease
from interlock.runtime.station import Station
from interlock.runtime.watcher import Watcher
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, Files, a_hand, a_slot
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink
from interlock.testing.faults import FaultyKernel


class StraightLane:
    """Does each task at once, or after the one that is under way; or keeps them until `go` when it is `held`."""

    def __init__(self, shared: deque[Callable[[], None]], busy: list[bool]) -> None:
        self.shared = shared
        self.busy = busy
        self.held = False
        self.kept: list[Callable[[], None]] = []
        self.closed = False

    def submit(self, owner: str, task: Callable[[], None]) -> bool:
        if self.closed:
            return False
        if self.held:
            self.kept.append(task)
            return True
        self.shared.append(task)
        self._run()
        return True

    def _run(self) -> None:
        if self.busy[0]:
            return
        self.busy[0] = True
        try:
            while self.shared:
                self.shared.popleft()()
        finally:
            self.busy[0] = False

    def go(self) -> None:
        """Do what was kept."""
        self.held = False
        self.shared.extend(self.kept)
        self.kept = []
        self._run()

    def forget(self) -> None:
        self.closed = True
        self.kept = []

    def idle_within(self, wait: timedelta) -> bool:
        return not self.kept


class Rig:
    """The watcher, its world, and the story that it tells."""

    def __init__(self, *specs: PipelineSpec, at: datetime = NOON, planned: bool = False) -> None:
        self.clock = FakeClock(at)
        self.kernel = FaultyKernel(MemoryKernel())
        self.store = Repository(self.kernel)
        self.files = Files(*specs)
        self.evaluator = FakeEvaluator()
        self.trigger = FakeTrigger()
        self.sink = RecordingSink()
        hands = a_hand(
            self.store,
            clock=self.clock,
            catalog=self.files,
            evaluator=self.evaluator,
            trigger=self.trigger,
            sinks=(self.sink,),
        )
        shared, busy = deque[Callable[[], None]](), [False]
        self.lanes = Lanes(*(StraightLane(shared, busy) for _ in Lanes._fields))
        self.news: list[str] = []
        self.pokes = 0
        self.station = Station(hands, self.lanes, poke=self._poke, news=self.news.append)
        self.watcher = self.another_watcher()
        if planned:
            plan(self.files.specs, hands)

    def another_watcher(self, chores: Chores | None = None) -> Watcher:
        """Make a watcher that knows nothing: the first one's process has died."""
        return Watcher(self.station, Lease(self.station.hands.members), chores)

    def restart(self) -> None:
        """Let the watcher die, be reaped, and another one begin."""
        members = self.station.hands.members
        for member in members.members("watcher"):
            members.drop_member(member)
        for lane in self.lanes:
            assert isinstance(lane, StraightLane)
            lane.held, lane.kept = False, []
        self.watcher = self.another_watcher()

    def _poke(self) -> None:
        self.pokes += 1

    def lane(self, name: str) -> StraightLane:
        found = getattr(self.lanes, name)
        assert isinstance(found, StraightLane)
        return found

    def open(self, spec: PipelineSpec, slot: Slot | None = None) -> RunKey:
        return open_run(slot or a_slot(pipeline=spec.name), spec, self.store, self.clock.now()).run.key

    def turns(self, count: int = 3) -> datetime:
        """Let the watcher turn so often without any time passing."""
        return [self.watcher.turn() for _ in range(count)][-1]

    def play(self, span: timedelta) -> None:
        """Let time pass as the watcher would wait, turn by turn."""
        ends = self.clock.now() + span
        self.turns()
        while self.clock.now() < ends:
            following = self.watcher.turn()
            self.clock.set(max(min(following, ends), self.clock.now() + timedelta(milliseconds=1)))
            self.turns()

    def run(self, key: RunKey) -> Run:
        found = self.store.run(key)
        assert found is not None
        return found

    def told(self) -> list[AlertType]:
        """Return the types of the alerts that people were told, in order."""
        return [alert.alert_type for alert in self.sink.alerts]

    def kinds(self, pipeline: str = "example") -> list[EventKind]:
        return [line.record.kind for line in self.store.timeline(PipelineName(pipeline), limit=500)]

"""Watchers with real threads and a real store: what hangs delays nobody, and several share the work."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.app.planning import plan
from interlock.core.alerts import Notice
from interlock.core.ids import PipelineName, RunKey
from interlock.core.pipelines import Deadline, PipelineSpec, ScheduleSpec, SlaSpec
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.ports.evaluators import Question
from interlock.ports.triggers import Job, JobState
from interlock.runtime.bell import Bell
from interlock.runtime.clock import SystemClock
from interlock.runtime.lanes import lanes_of
from interlock.runtime.leases import Lease, Process
from interlock.runtime.station import Station
from interlock.runtime.watcher import Watcher
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import SECOND, Files, a_hand, a_spec
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink

HOURLY = ScheduleSpec(every=timedelta(hours=1))


class Node:
    """One watcher on a thread of its own."""

    def __init__(self, hands: Hands, name: str = "node", workers: int = 4) -> None:
        self.bell = Bell()
        self.news: list[str] = []
        self.station = Station(hands, lanes_of(workers), poke=self.bell.poke, news=self.news.append)
        process = Process(f"host-of-{name}", 1, "1")
        self.dead: set[str] = set()
        lease = Lease(hands.members, process=process, gone=lambda member, _: member.host in self.dead)
        self.watcher = Watcher(self.station, lease)
        self.stopped = False
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.stopped:
            following = self.watcher.turn()
            self.bell.wait(following - self.station.hands.clock.now())

    def stop(self) -> None:
        """Die: nothing is drained, nothing given back."""
        self.stopped = True
        self.station.stopping = True
        self.bell.poke()
        self.thread.join(10)

    def end(self) -> bool:
        self.stop()
        drained = self.watcher.drain(10 * SECOND, lambda: None)
        self.bell.close()
        return drained


class World:
    """Watchers over one store, by the real time."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.evaluator = FakeEvaluator()
        self.trigger = FakeTrigger()
        self.sink = RecordingSink()
        self.gate = threading.Event()

    def hands(self, store: Repository, *specs: PipelineSpec) -> Hands:
        return a_hand(
            store,
            clock=SystemClock(),
            evaluator=self.evaluator,
            trigger=self.trigger,
            sinks=(self.sink,),
            catalog=Files(*specs),
        )

    def watch(self, hands: Hands, name: str = "node", workers: int = 4) -> Node:
        node = Node(hands, name, workers)
        self.nodes.append(node)
        return node

    def hang(self, pipeline: str, question: Question) -> None:
        if question.slot.pipeline == pipeline:
            self.gate.wait(30)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.gate.set()
    for node in made.nodes:
        node.end()


def soon(happens: Callable[[], bool], within: float = 15) -> bool:
    ends = monotonic() + within
    while not happens() and monotonic() < ends:
        threading.Event().wait(0.01)
    return happens()


def started(store: Repository, keys: list[RunKey]) -> bool:
    runs = [store.run(key) for key in keys]
    return all(run is not None and run.attempt == 1 and run.status is RunStatus.RUNNING for run in runs)


def opened_now(store: Repository, spec: PipelineSpec, count: int = 1) -> list[RunKey]:
    from interlock.core.schedules import windows

    now = SystemClock().now()
    found = windows(spec.name, spec.schedules[0], now - timedelta(hours=count), now)
    return [open_run(window.slot, spec, store, now).run.key for window in found]


def test_a_pipeline_whose_evaluators_hang_delays_no_other(world: World) -> None:
    """T-86: every worker there is hangs in one pipeline's checks, and the next pipeline's job is started at once."""
    hung, sound = a_spec(name="hung", schedules=(HOURLY,)), a_spec(name="sound", schedules=(HOURLY,))
    store = Repository(MemoryKernel())
    world.evaluator.before = partial(world.hang, "hung")
    opened_now(store, hung, 20)
    node = world.watch(world.hands(store, hung, sound), workers=4)
    assert soon(lambda: len(world.evaluator.questions) >= 0 and len(node.watcher._flights) >= 20)
    keys = opened_now(store, sound, 3)
    assert soon(lambda: started(store, keys))
    assert not world.gate.is_set()


def test_a_start_that_hangs_delays_no_other_pipeline(world: World) -> None:
    """T-86."""
    hung, sound = a_spec(name="hung", schedules=(HOURLY,)), a_spec(name="sound", schedules=(HOURLY,))
    store = Repository(MemoryKernel())

    def hang(job: Job) -> None:
        if job.run.slot.pipeline == "hung":
            world.gate.wait(30)

    world.trigger.before_start = hang
    opened_now(store, hung, 40)
    world.watch(world.hands(store, hung, sound))
    keys = opened_now(store, sound, 3)
    assert soon(lambda: started(store, keys))
    assert not world.gate.is_set()


def test_a_sink_that_hangs_delays_neither_jobs_nor_other_alerts(world: World) -> None:
    """T-86, BUG-40, BUG-188."""
    late = SlaSpec(evaluation=Deadline(span=timedelta()))
    specs = [a_spec(name=f"p-{number}", schedules=(HOURLY,), sla=late) for number in range(6)]
    store = Repository(MemoryKernel())
    hands = world.hands(store, *specs)
    stuck = _StuckSink(world.gate)
    hands = hands._replace(
        alerting=hands.alerting._replace(
            channels=(hands.alerting.channels[0]._replace(name="stuck", sink=stuck), *hands.alerting.channels)
        )
    )
    world.evaluator.script("freshness", TraitStatus.FAIL)
    for spec in specs:
        opened_now(store, spec)
    world.watch(hands)
    assert soon(lambda: len(world.sink.alerts) == 6)
    assert stuck.called >= 1
    assert not world.gate.is_set()


class _StuckSink:
    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.called = 0

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        self.called += 1
        self.gate.wait(30)


def test_three_watchers_open_every_slot_once_and_start_every_job_once_and_share_the_work(
    world: World, tmp_path: Path
) -> None:
    specs = [a_spec(name=f"p-{number:02d}", schedules=(HOURLY,)) for number in range(30)]
    kernels = [SqliteKernel(tmp_path / "store.db") for _ in range(3)]
    stores = [Repository(kernel) for kernel in kernels]
    all_hands = [world.hands(store, *specs) for store in stores]
    nodes = [world.watch(hands, f"n{place}") for place, hands in enumerate(all_hands)]
    assert soon(lambda: all(len(node.watcher._lease.living) == 3 for node in nodes))
    plan(all_hands[0].catalog.specs, all_hands[0])  # type: ignore[attr-defined]
    assert soon(lambda: world.trigger.started == 30, within=30)
    assert len(world.trigger.calls) == len(set(world.trigger.calls)) == 30
    for spec in specs:
        assert len(stores[0].runs_of(spec.name, limit=10)) == 1
    assert soon(lambda: sum(_starts(node) for node in nodes) == 30)
    assert min(_starts(node) for node in nodes) > 0
    for node in nodes:
        node.end()
    for kernel in kernels:
        kernel.close()


def _starts(node: Node) -> int:
    return sum(line.startswith("started") for line in node.news)


def test_the_share_of_a_watcher_that_dies_is_taken_over(world: World) -> None:
    specs = [a_spec(name=f"p-{number:02d}", schedules=(HOURLY,)) for number in range(20)]
    store = Repository(MemoryKernel())
    hands = world.hands(store, *specs)
    nodes = [world.watch(hands, f"n{place}") for place in range(2)]
    assert soon(lambda: all(len(node.watcher._lease.living) == 2 for node in nodes))
    nodes[1].stop()
    nodes[0].dead.add("host-of-n1")
    plan({spec.name: spec for spec in specs}, hands)
    assert soon(lambda: world.trigger.started == 20)
    assert Counter(line.partition(" ")[0] for line in nodes[0].news)["opened"] == 20


def test_a_push_of_another_process_is_acted_upon_in_milliseconds(world: World) -> None:
    from interlock.app.markers import nudge

    spec = a_spec(schedules=(HOURLY,))
    store = Repository(MemoryKernel())
    hands = world.hands(store, spec)
    world.evaluator.script("freshness", TraitStatus.FAIL)
    (key,) = opened_now(store, spec)
    node = world.watch(hands)
    assert soon(lambda: _judged(store, key))
    threading.Event().wait(0.05)
    world.evaluator.script("freshness", TraitStatus.PASS)
    begins = monotonic()
    nudge(PipelineName("example"), "push: freshness", SystemClock().now(), hands)
    node.bell.poke()
    assert soon(lambda: started(store, [key]))
    assert monotonic() - begins < 0.9, "it did not wait for the next look at the index"


def _judged(store: Repository, key: RunKey) -> bool:
    run = store.run(key)
    return run is not None and run.readiness is not None


def test_a_watcher_drains_in_order_and_gives_its_lease_back(world: World) -> None:
    spec = a_spec(schedules=(HOURLY,))
    store = Repository(MemoryKernel())
    hands = world.hands(store, spec)
    (key,) = opened_now(store, spec)
    node = world.watch(hands)
    assert soon(lambda: started(store, [key]))
    world.trigger.end(f"{key.run_id}/1", JobState.SUCCEEDED)
    assert soon(lambda: _ended(store, key) is not None)
    assert node.end()
    assert hands.members.members("watcher") == ()
    world.nodes.clear()


def _ended(store: Repository, key: RunKey) -> datetime | None:
    run = store.run(key)
    return None if run is None else run.ended_at

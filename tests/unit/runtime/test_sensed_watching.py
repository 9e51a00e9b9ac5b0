"""A sensor that is written has the run that waits for it judged at once, by a real watcher and the real rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.runtime.test_watching import HOURLY, Node, World, opened_now, soon, started

from interlock.app.hands import Hands
from interlock.app.sensing import Sensing
from interlock.app.sensor_views import SensorWritten
from interlock.clients.http import HttpSender
from interlock.codec.documents import document
from interlock.core.ids import PipelineName, Slot, TraitName
from interlock.core.pipelines import WatchSpec
from interlock.core.traits import TraitSpec
from interlock.evaluators.context import CheckContext
from interlock.evaluators.router import RoutingEvaluator
from interlock.ports.sensors import SensorId
from interlock.ports.triggers import JobState
from interlock.runtime.clock import SystemClock
from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.pushes import PushRows
from interlock.stores.repository import Repository
from interlock.stores.sensors import SensorRows
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import a_spec

RULE = TraitSpec(
    name=TraitName("rule-landing.rows.gte"),
    evaluator=("builtin:rule",),
    config=document({"sensor": "landing", "field": "rows", "check": "gte", "value": 100}),
)
# Nobody asks again by himself before the test is over.
WATCH = WatchSpec(interval=timedelta(hours=1), monitoring=timedelta(hours=1))
SPEC = a_spec(RULE, schedules=(HOURLY,), watch=WATCH)
EXAMPLE = PipelineName("example")


class NoRuns:
    """A world without other pipelines."""

    def latest(self, slot: Slot) -> None:
        """Return None."""

    def never(self, slot: Slot) -> str:
        return ""


def no_http() -> HttpSender:
    raise AssertionError("nothing here speaks HTTP")


class Sensed:
    """A watcher of one pipeline that has one rule, and somebody who tells what was measured."""

    def __init__(self, kernel: Kernel, root: Path) -> None:
        self.store = Repository(kernel)
        self.world = World()
        rows = SensorRows(kernel)
        context = CheckContext(clock=SystemClock(), root=root, runs=NoRuns(), http=no_http, sensors=rows, env={})
        evaluator = RoutingEvaluator(context, PushRows(kernel))
        hands: Hands = self.world.hands(self.store, SPEC)._replace(evaluator=evaluator)
        (self.key,) = opened_now(self.store, SPEC)
        self.node: Node = self.world.watch(hands)
        self._sensing = Sensing(rows, hands, by="loader")

    def tell(self, by: int, delivery_id: str) -> SensorWritten:
        written = self._sensing.increment(SensorId(EXAMPLE, "landing"), "rows", by, delivery_id=delivery_id)
        self.node.bell.poke()
        return written

    def happened(self, kind: str, times: int = 1) -> bool:
        lines = self.store.timeline("example", limit=100)
        return sum(line.record.kind == kind for line in lines) >= times

    def end(self) -> None:
        self.world.gate.set()
        self.node.end()


@pytest.fixture(params=["memory", "sqlite"])
def sensed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sensed]:
    kernel: Kernel = MemoryKernel() if request.param == "memory" else SqliteKernel(tmp_path / "store.db")
    made = Sensed(kernel, tmp_path)
    yield made
    made.end()
    kernel.close()


def test_a_sensor_that_somebody_writes_starts_the_waiting_run_at_once(sensed: Sensed) -> None:
    assert soon(lambda: sensed.happened("TRAIT_EVALUATED"))
    assert sensed.tell(60, "a").woken == 1
    assert soon(lambda: sensed.happened("TRAIT_EVALUATED", 2)), "it is judged, and still not ready"
    assert not sensed.tell(60, "a").applied
    sensed.tell(60, "b")
    assert soon(lambda: started(sensed.store, [sensed.key]))


def test_a_sensor_that_takes_back_what_a_run_was_let_through_for_is_drift_at_once(sensed: Sensed) -> None:
    sensed.tell(120, "a")
    assert soon(lambda: started(sensed.store, [sensed.key]))
    sensed.world.trigger.end(f"{sensed.key.run_id}/1", JobState.SUCCEEDED)
    assert soon(lambda: sensed.happened("MONITORING_STARTED"))
    sensed.tell(-60, "b")
    assert soon(lambda: sensed.happened("MONITORING_DRIFT_DETECTED"))

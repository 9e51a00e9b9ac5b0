"""A pipeline with an agenda, and a watcher's turn at it."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from msgspec.structs import replace

from interlock.app.agendas import Turn, open_due
from interlock.app.planning import plan
from interlock.core.chronicle import EventKind
from interlock.core.expectations import Expectation
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, ScheduleName, Slot
from interlock.core.pipelines import (
    ScheduleSpec,
)
from interlock.ports.agendas import Agenda
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, Files, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.faults import FaultyKernel

EXAMPLE = PipelineName("example")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY = ScheduleSpec(after=time(6))
TODAY, TOMORROW = a_slot("2026-03-07"), a_slot("2026-03-08")


class Scene:
    """A pipeline, its agendas, and a clock that stands at noon."""

    def __init__(self, *schedules: ScheduleSpec, **rest: Any) -> None:
        self.spec = a_spec(schedules=schedules or (DAILY,), **rest)
        self.clock = FakeClock(NOON)
        self.kernel = FaultyKernel(MemoryKernel())
        self.store = Repository(self.kernel)
        self.files = Files(self.spec)
        self.hands = a_hand(self.store, clock=self.clock, catalog=self.files)

    def plan(self) -> Scene:
        plan(self.files.specs, self.hands)
        return self

    def change(self, **fields: object) -> None:
        known = dict(self.files.specs)
        self.spec = replace(self.spec, **fields)
        self.files.specs[EXAMPLE] = self.spec
        plan(self.files.specs, self.hands, known=known)

    def open(self, schedule: ScheduleName = DEFAULT_SCHEDULE) -> Turn:
        return open_due(EXAMPLE, schedule, self.hands)

    def agenda(self, schedule: ScheduleName = DEFAULT_SCHEDULE) -> Agenda:
        found = self.hands.agendas.agenda(EXAMPLE, schedule)
        assert found is not None
        return found

    def expectation(self, slot: Slot) -> Expectation:
        found = self.hands.agendas.expectation(slot)
        assert found is not None
        return found

    def at(self, hour: int, minute: int = 0) -> Slot:
        return a_slot(f"2026-03-07T{hour:02d}:{minute:02d}")

    def kinds(self) -> list[EventKind]:
        return [line.record.kind for line in self.store.timeline(EXAMPLE, limit=500)]


def opened(turn: Turn) -> list[str]:
    return [run.key.slot.period for run in turn.opened]


def told(scene: Scene) -> object:
    runs = sorted(str(run.key) for run in scene.store.runs_of(EXAMPLE, limit=100))
    rows = scene.hands.agendas.expectations(limit=100)
    expectations = sorted((str(row.slot), row.state, row.reason) for row in rows)
    agenda = scene.agenda()
    return runs, expectations, sorted(scene.kinds()), (agenda.opened_to, agenda.next_at)

"""A store with agendas, runs and watchers in it, to be looked at by a watchdog at any time one likes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from msgspec.structs import replace

from interlock.app.agendas import open_due
from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.app.planning import plan_pipeline
from interlock.app.sweep import Report, Thresholds, sweep
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.dispatching import AlertRecord
from interlock.core.expectations import Expectation
from interlock.core.ids import Slot
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.runs import Run, RunStatus
from interlock.ports.members import Member
from interlock.ports.stores import Commit
from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import Files, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink

MORNING = datetime(2026, 3, 7, 5, tzinfo=UTC)
"""Before the slot of the day opens."""

DAILY = a_spec(schedules=(ScheduleSpec(after=time(6), deadline=time(9)),))
HOURLY = a_spec(schedules=(ScheduleSpec(every=timedelta(hours=1), deadline_span=timedelta(minutes=30)),), name="hourly")
HOUR = timedelta(hours=1)


class Yard:
    """What the tests have in common. `kernel` is what the watchdog sees; the world goes on by `memory` itself."""

    def __init__(self, *specs: PipelineSpec, at: datetime = MORNING, kernel: Kernel | None = None) -> None:
        self.memory = MemoryKernel()
        self.clock = FakeClock(at)
        self.files = Files(*specs)
        self.sink = RecordingSink()
        self.world = self.hands(self.memory)
        self.watchdog = self.hands(kernel or self.memory)
        for spec in specs:
            plan_pipeline(spec.name, spec, self.world)

    def hands(self, kernel: Kernel) -> Hands:
        """Make the hands of another process on the same store, or on one that errs."""
        return a_hand(Repository(kernel), clock=self.clock, catalog=self.files, sinks=(self.sink,))

    # ------------------------------------------------------------------ the world

    def go_to(self, at: datetime) -> None:
        """Let it be a later time."""
        self.clock.set(at)

    def watch(self, *, since: timedelta = HOUR, progress: timedelta = timedelta(), name: str = "one") -> None:
        """Let a watcher be at work: one that joined and made progress so long ago."""
        now = self.clock.now()
        known = [member for member in self.world.members.members("watcher") if member.name == name]
        self.world.members.put_member(
            Member(
                role="watcher",
                name=name,
                host="here",
                pid=1,
                started="1",
                joined_at=known[0].joined_at if known else now - since,
                until=now + timedelta(seconds=10),
                progress_at=now - progress,
                epoch=known[0].epoch + 1 if known else 1,
            )
        )

    def open(self, spec: PipelineSpec = DAILY) -> None:
        """Let a watcher do what the agendas of a pipeline are due for."""
        for agenda in self.world.agendas.agendas_of(spec.name):
            open_due(spec.name, agenda.schedule, self.world)

    def run(self, spec: PipelineSpec = DAILY, slot: Slot | None = None, **fields: Any) -> Run:
        """Open a slot's run and put it into a state, as if it had come into it now."""
        opened = open_run(slot or a_slot(), spec, self.world.store, self.clock.now()).run
        return self.change(opened, since=self.clock.now(), **fields)

    def change(self, run: Run, **fields: Any) -> Run:
        """Put a run into another state."""
        before = self.world.store.run(run.key)
        assert before is not None
        fields.setdefault("updated_at", self.clock.now())
        after = replace(before, version=before.version + 1, **fields)
        assert self.world.store.commit(Commit(before=before, after=after))
        return after

    # ------------------------------------------------------------------ the watchdog

    def scan(self, **thresholds: Any) -> Report:
        """Let the watchdog look at everything once."""
        return sweep(self.watchdog, Thresholds(**thresholds))

    def alerts(self, *kinds: AlertType, open_only: bool = False) -> list[AlertRecord]:
        """Return what people were told, oldest first; of some kinds, if any are given."""
        found = self.world.dispatches.alerts(limit=100_000, open_only=open_only)
        return [record for record in reversed(found) if not kinds or record.alert.alert_type in kinds]

    def told(self) -> list[str]:
        """Return the kinds of everything people know and that still holds, sorted."""
        return sorted(record.alert.alert_type for record in self.alerts(open_only=True))

    def expected(self, slot: Slot | None = None) -> Expectation:
        """Return what is expected of a slot."""
        found = self.world.agendas.expectation(slot or a_slot())
        assert found is not None
        return found

    def lines(self, *kinds: EventKind, pipeline: str = "example") -> list[str]:
        """Return the kinds of a pipeline's timeline, oldest first; only some, if any are given."""
        found = (line.record.kind for line in self.world.store.timeline(pipeline, limit=1000))
        return [kind for kind in found if not kinds or kind in kinds]


def finished(yard: Yard, run: Run, status: RunStatus = RunStatus.COMPLETED) -> Run:
    """End a run now."""
    return yard.change(run, status=status, ended_at=yard.clock.now(), wake_at=None)

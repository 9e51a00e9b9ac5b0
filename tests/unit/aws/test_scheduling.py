"""The scheduler: slots open, runs that were left alone are taken up, and one that fails keeps nobody from the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.unit.aws.test_routing import Machines

from interlock.app.planning import plan
from interlock.aws.parking import Parking
from interlock.aws.patience import LONGEST
from interlock.aws.scheduling import BEATS, PARTS, Agenda, Clockwork, beat
from interlock.core.alerts import AlertType
from interlock.core.pipelines import ScheduleSpec
from interlock.core.runs import Cause
from interlock.core.watchdog import Pulse, Watchers, watchers
from interlock.errors import StoreUnavailable
from interlock.runtime.leases import WATCHER
from interlock.stores.kernel import Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_hand, a_spec
from interlock.testing.clock import FakeClock

HOURLY = ScheduleSpec(name="hourly", every=timedelta(hours=1))  # type: ignore[arg-type]


class Ticking:
    """A deployment of some pipelines, and its scheduler."""

    def __init__(self, count: int = 1) -> None:
        self.specs = {spec.name: spec for spec in (a_spec(name=f"p{n:04}", schedules=(HOURLY,)) for n in range(count))}
        self.kernel = MemoryKernel()
        self.clock = FakeClock(NOON - 30 * MINUTE)
        self.hands = a_hand(Repository(self.kernel), clock=self.clock, catalog=Files(*self.specs.values()))
        self.machines = Machines()
        self.handed: list[Sequence[Agenda]] = []
        plan(self.specs, self.hands)
        self.parking = Parking(self.kernel)
        self.clockwork = Clockwork(self.hands, self.machines, self.parking, self.handed.append, LONGEST)
        self.clock.set(NOON + SECOND)


def test_a_tick_opens_what_is_due() -> None:
    ticking = Ticking()
    assert ticking.clockwork.tick().opened >= 1
    (run, *_) = ticking.hands.store.runs_of("p0000", limit=9)
    assert run.cause is Cause.SCHEDULE


def test_two_ticks_at_once_open_a_slot_once() -> None:
    """AWS-12, AWS-33."""
    ticking = Ticking()
    ticking.clockwork.tick()
    opened = len(ticking.hands.store.runs_of("p0000", limit=99))
    ticking.clockwork.tick()
    assert len(ticking.hands.store.runs_of("p0000", limit=99)) == opened


def test_a_burst_is_opened_by_several_calls_and_none_of_it_is_forgotten() -> None:
    """AWS-33, AWS-44: the tail of a long list is not left to a call that runs out of time."""
    ticking = Ticking(2 * PARTS + 7)
    ticked = ticking.clockwork.tick()
    assert ticked.handed_on == PARTS + 7
    assert [len(part) for part in ticking.handed] == [PARTS, 7]
    for part in ticking.handed:
        ticking.clockwork.open(part)
    assert {run for name in ticking.specs for run in ticking.hands.store.runs_of(name, limit=1)} != set()
    assert all(ticking.hands.store.runs_of(name, limit=1) for name in ticking.specs)


def test_a_part_whose_call_was_lost_is_handed_on_again_by_the_next_tick() -> None:
    ticking = Ticking(PARTS + 1)
    ticking.clockwork.tick()
    ticking.handed.clear()
    ticking.clockwork.tick()
    assert all(ticking.hands.store.runs_of(name, limit=1) for name in ticking.specs)


def test_one_schedule_that_cannot_be_opened_keeps_no_other_from_it() -> None:
    ticking = Ticking(3)

    class Broken(Files):
        def spec(self, pipeline: Any) -> Any:
            if pipeline == "p0001":
                raise StoreUnavailable("no answer")
            return super().spec(pipeline)

    hands = ticking.hands._replace(catalog=Broken(*ticking.specs.values()))
    ticked = ticking.clockwork._replace(hands=hands).tick()
    assert len(ticked.troubles) == 1
    assert "p0001" in ticked.troubles[0]
    assert ticking.hands.store.runs_of("p0002", limit=1)


def test_a_part_that_cannot_be_handed_on_keeps_nothing_else_from_it() -> None:
    """AWS-44: Lambda is short of room exactly when much is due at once."""
    ticking = Ticking(2 * PARTS)

    def refused(_part: Sequence[Agenda]) -> None:
        raise TimeoutError("lambda invoke: no answer")

    ticked = ticking.clockwork._replace(hand_on=refused).tick()
    assert (ticked.opened, ticked.handed_on) == (PARTS, 0)
    assert any("no answer" in trouble for trouble in ticked.troubles)
    assert ticking.clockwork.tick().handed_on == 0
    assert all(ticking.hands.store.runs_of(name, limit=1) for name in ticking.specs)


def test_what_nobody_can_be_told_about_keeps_nothing_else_from_it() -> None:
    ticking = Ticking()
    strange = Record(pk="slot/x", sk="FUTURE", version=1, body={}, wake_at=NOON)
    assert ticking.kernel.commit("slot/x", [Put(strange)])

    class Mute:
        def __getattr__(self, name: str) -> Any:
            raise StoreUnavailable("no answer")

    hands = ticking.hands._replace(dispatches=Mute())
    ticked = ticking.clockwork._replace(hands=hands).tick()
    assert ticked.opened >= 1
    assert any("no answer" in trouble for trouble in ticked.troubles)


def test_what_is_due_and_of_no_known_kind_is_told_and_left_alone() -> None:
    ticking = Ticking()
    strange = Record(pk="slot/x", sk="FUTURE", version=1, body={}, wake_at=NOON)
    assert ticking.kernel.commit("slot/x", [Put(strange)])
    ticked = ticking.clockwork.tick()
    assert any("slot/x/FUTURE" in trouble for trouble in ticked.troubles)
    told = {each.alert.alert_type for each in ticking.hands.dispatches.alerts(limit=9)}
    assert told == {AlertType.RUN_POISONED}


def test_a_scheduler_that_ticks_is_alive_to_the_watchdog_and_one_that_does_not_is_missed() -> None:
    """AWS-33: who opens slots is itself watched."""
    ticking = Ticking()
    for _ in range(5):
        ticking.clockwork.tick()
        ticking.clock.advance(MINUTE)
    now = ticking.clock.now()
    pulses = [Pulse(each.joined_at, each.until, each.progress_at) for each in ticking.hands.members.members(WATCHER)]
    assert watchers(pulses, now, BEATS, wanted=True) is Watchers.ALIVE
    assert watchers(pulses, now + BEATS, BEATS, wanted=True) is Watchers.GONE


def test_a_scheduler_that_never_finishes_a_tick_is_missed() -> None:
    ticking = Ticking()
    ticking.clockwork.tick()
    for _ in range(10):
        ticking.clock.advance(MINUTE)
        beat(ticking.hands.members, ticking.clock.now(), progress_at=None)
    pulses = [Pulse(each.joined_at, each.until, each.progress_at) for each in ticking.hands.members.members(WATCHER)]
    assert watchers(pulses, ticking.clock.now(), BEATS, wanted=True) is Watchers.GONE

"""How things stand, as numbers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.errors import StoreUnavailable
from interlock.ports.members import Member
from interlock.runtime import sampling
from interlock.runtime.lanes import lanes_of
from interlock.runtime.sampling import Sampled, Sampler
from interlock.stores.kernel import Kernel, Place
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, SECOND, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink


class Rig:
    def __init__(self, kernel: Kernel | None = None) -> None:
        self.kernel = kernel or MemoryKernel()
        self.clock = FakeClock(NOON)
        self.hands: Hands = a_hand(Repository(self.kernel), clock=self.clock, sinks=[RecordingSink()])
        self.elapsed = 0.0
        hands = self.hands
        body = Sampled(self.kernel, hands.store, hands.dispatches, hands.members, self.clock)
        self.sampler = Sampler(body, elapsed=lambda: self.elapsed)


def _member(role: str, *, until: datetime, progress_at: datetime | None) -> Member:
    return Member(
        role=role, name="a", host="h", pid=1, started="1", joined_at=NOON, until=until, progress_at=progress_at
    )


def test_of_an_empty_store_nothing_is_late_and_nobody_is_there() -> None:
    seen = Rig().sampler()
    assert (seen.store_up, seen.due_lag, seen.active_runs) == (True, 0.0, 0)
    assert seen.outbox_ages == {"wish": 0.0, "event": 0.0, "alert": 0.0}
    assert seen.members == {"watcher": 0, "watchdog": 0}
    assert seen.progress_ages == {}
    assert set(seen.open_alerts.values()) == {0}


def test_what_is_due_and_not_taken_up_grows_older() -> None:
    rig = Rig()
    open_run(a_slot(), a_spec(), rig.hands.store, NOON)
    rig.clock.advance(90 * SECOND)
    seen = rig.sampler()
    assert seen.active_runs == 1
    assert seen.due_lag == 90
    assert seen.outbox_ages["wish"] == 90


def test_an_alert_that_nobody_was_told_of_grows_older_and_counts_as_open() -> None:
    rig = Rig()
    alert = Alert(alert_id="a", alert_type=AlertType.RUN_POISONED, level=AlertLevel.ERROR, at=NOON, message="stuck")
    raise_alert(alert, rig.hands)
    rig.clock.advance(60 * SECOND)
    seen = rig.sampler()
    assert seen.open_alerts["error"] == 1
    assert seen.outbox_ages["alert"] == 60


def test_the_progress_of_a_role_is_that_of_whoever_made_the_latest() -> None:
    rig = Rig()
    rig.hands.members.put_member(_member("watcher", until=NOON + 60 * SECOND, progress_at=NOON + 5 * SECOND))
    rig.hands.members.put_member(_member("watchdog", until=NOON, progress_at=None))
    rig.clock.advance(20 * SECOND)
    seen = rig.sampler()
    assert seen.progress_ages == {"watcher": 15, "watchdog": 20}
    assert seen.members == {"watcher": 1, "watchdog": 0}


def test_one_look_is_good_for_a_few_seconds_however_many_ask() -> None:
    rig = Rig()
    assert rig.sampler().active_runs == 0
    open_run(a_slot(), a_spec(), rig.hands.store, NOON)
    rig.elapsed += sampling.FRESH - 0.1
    assert rig.sampler().active_runs == 0
    rig.elapsed += 0.2
    assert rig.sampler().active_runs == 1


def test_of_very_many_runs_it_is_told_only_that_there_are_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_PAGE", 2)
    monkeypatch.setattr(sampling, "COUNTED", 4)
    rig = Rig()
    for day in range(1, 8):
        open_run(a_slot(f"2026-03-0{day}"), a_spec(), rig.hands.store, NOON)
    assert rig.sampler().active_runs == 4


class _Gone(MemoryKernel):
    gone = True

    def ping(self) -> None:
        if self.gone:
            raise StoreUnavailable("it is gone")

    def due(self, before: datetime, limit: int) -> list[Place]:
        raise StoreUnavailable("it is gone")


def test_a_store_that_is_gone_is_told_and_raises_nothing() -> None:
    seen = Rig(_Gone()).sampler()
    assert (seen.store_up, seen.due_lag, seen.active_runs) == (False, None, None)


def test_what_alone_cannot_be_read_is_left_out_and_the_rest_is_told() -> None:
    kernel = _Gone()
    kernel.gone = False
    seen = Rig(kernel).sampler()
    assert (seen.store_up, seen.due_lag, seen.active_runs) == (True, None, 0)
    assert "wish" not in seen.outbox_ages


def test_the_lanes_of_a_watcher_are_told_once_there_is_one() -> None:
    rig = Rig()
    rig.sampler.lanes = lanes_of(2)
    assert {lane: tuple(load) for lane, load in rig.sampler().lanes.items()} == dict.fromkeys(
        ("decisions", "evaluations", "starts", "deliveries", "chores"), (0, 0)
    )


def test_a_lane_tells_what_waits_and_what_is_being_done() -> None:
    import threading

    lanes, hold = lanes_of(1), threading.Event()
    lane = lanes.evaluations
    begun = threading.Event()

    def task() -> None:
        begun.set()
        hold.wait(60)

    for _ in range(3):
        lane.submit("one", task)
    assert begun.wait(60)
    load = sampling.loads(lanes)["evaluations"]
    hold.set()
    assert (load.queued + load.running, load.running >= 1) == (3, True)
    assert lane.idle_within(timedelta(seconds=60))

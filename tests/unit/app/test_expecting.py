"""Expectations at work: missed slots are told once each, whoever was there to notice."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, time, timedelta
from itertools import islice

import pytest
from tests.unit.app.yard import DAILY, HOUR, HOURLY, MORNING, Yard, finished

from interlock.app.expecting import WRITTEN_AT_MOST
from interlock.app.planning import plan_pipeline
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.expectations import ExpectationState
from interlock.core.ids import Slot
from interlock.core.pipelines import (
    ScheduleSpec,
)
from interlock.core.schedules import windows
from interlock.errors import StoreUnavailable
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import MINUTE, a_slot, a_spec
from interlock.testing.faults import FaultyKernel

MISSED = AlertType.SCHEDULE_MISSED
STATE = ExpectationState
NINE = datetime(2026, 3, 7, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)


# ------------------------------------------------------------------ missed schedules


def test_a_slot_that_nobody_opened_is_told_once_however_often_it_is_looked_at() -> None:
    """BUG-01, LAT-14."""
    yard = Yard(DAILY)
    for minutes in range(0, 60, 5):
        yard.go_to(NINE + minutes * MINUTE)
        yard.scan(wanted=False)
    (record,) = yard.alerts(MISSED)
    assert (record.alert.slot, record.notices) == (a_slot(), 1)
    assert yard.lines(EventKind.SCHEDULE_MISSED) == [EventKind.SCHEDULE_MISSED]


def test_a_slot_whose_agenda_was_never_written_is_not_settled_while_it_may_still_be_opened() -> None:
    """A watcher that dies between the two leaves an expectation without an agenda; the next one opens the slot."""
    yard = Yard(HOURLY)
    yard.go_to(MIDNIGHT)
    kernel = FaultyKernel(yard.memory)
    orphan = a_spec(name="orphan", schedules=HOURLY.schedules)

    slot = next(windows(orphan.name, orphan.schedules[0], MIDNIGHT, MIDNIGHT + HOUR)).slot

    def die(call: int) -> None:
        if kernel.calls[call] == "commit" and yard.world.agendas.expectation(slot) is not None:
            raise StoreUnavailable("it is dead")

    kernel.before = die
    with pytest.raises(StoreUnavailable):
        plan_pipeline(orphan.name, orphan, yard.hands(kernel))
    yard.go_to(MIDNIGHT + 3 * HOUR)
    yard.scan(wanted=False)
    left = yard.world.agendas.expectation(slot)
    assert left is not None
    assert left.state is STATE.EXPECTED


def test_a_missed_schedule_is_resolved_when_a_run_of_the_slot_is_judged() -> None:
    yard = Yard(DAILY)
    yard.go_to(NINE)
    yard.scan()
    yard.go_to(NINE + HOUR)
    run = yard.run()
    yard.scan()
    assert len(yard.alerts(MISSED, open_only=True)) == 1
    finished(yard, run)
    yard.scan()
    assert yard.alerts(MISSED, open_only=True) == []
    assert yard.alerts(MISSED)[0].resolution == "example:daily:2026-03-07:1 was judged, and is COMPLETED"


@pytest.mark.parametrize("days", [3, 40])
def test_with_the_watcher_dead_for_days_every_missed_slot_is_told_exactly_once(days: int) -> None:
    """T-39, BUG-157: also when the watchdog itself was there at the end only."""
    yard = Yard(DAILY)
    yard.open()
    yard.go_to(MORNING + timedelta(days=days))
    for _ in range(3):
        yard.scan()
    slots = [record.alert.slot for record in yard.alerts(MISSED)]
    assert sorted(filter(None, slots)) == [a_slot(str((MORNING + timedelta(days=day)).date())) for day in range(days)]


def test_a_watchdog_that_looks_all_the_time_tells_the_same_as_one_that_looks_once() -> None:
    """T-39."""
    often, once = Yard(HOURLY), Yard(HOURLY)
    for minutes in range(0, 3 * 24 * 60, 17):
        often.go_to(MORNING + minutes * MINUTE)
        often.scan()
    once.go_to(often.clock.now())
    once.scan()
    slots = [[record.alert.slot for record in yard.alerts(MISSED)] for yard in (often, once)]
    assert set(slots[0]) == set(slots[1])
    assert len(slots[0]) == len(set(slots[0])) == 72


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_writing_down_that_is_cut_short_anywhere_leaves_no_slot_out(*, after: bool) -> None:
    """T-39, BUG-157, G3."""

    class Died(BaseException):
        pass

    def scanned(call: int) -> tuple[Yard, int]:
        kernel = FaultyKernel(MemoryKernel())
        yard = Yard(HOURLY)
        kernel.real = yard.memory
        yard.watchdog = yard.hands(kernel)
        yard.go_to(MORNING + 9 * HOUR)

        def die(number: int) -> None:
            if number == call:
                raise Died

        kernel.before, kernel.after = (kernel.before, die) if after else (die, kernel.after)
        with contextlib.suppress(Died):
            yard.scan()
        kernel.heal()
        yard.scan()
        return yard, len(kernel.calls)

    def slots(yard: Yard) -> list[Slot | None]:
        return sorted((record.alert.slot for record in yard.alerts(MISSED)), key=str)

    whole, calls = scanned(-1)
    assert len(slots(whole)) == 9
    for call in range(calls // 2):
        yard, _ = scanned(call)
        assert slots(yard) == slots(whole), call
        assert {record.notices for record in yard.alerts()} == {1}, call


def test_after_a_very_long_time_only_the_latest_slots_are_written_down() -> None:
    """BUG-36."""
    yard = Yard(HOURLY)
    yard.go_to(MORNING + timedelta(days=365))
    yard.scan()
    slots = [str(record.alert.slot.period) for record in yard.alerts(MISSED) if record.alert.slot]
    assert len(slots) == WRITTEN_AT_MOST + 1  # and the one that the watcher itself had written down
    assert max(slots) == "2027-03-07T04:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_what_is_started_for_the_first_time_tells_of_no_deadline_before_that(zone: str) -> None:
    """T-39, BUG-36, BUG-94."""
    spec = a_spec(schedules=(ScheduleSpec(after=time(0), deadline=time(9), timezone=zone),))
    yard = Yard(spec, at=datetime(2026, 3, 7, 23, tzinfo=UTC))
    for hours in range(8):
        yard.go_to(datetime(2026, 3, 7, 23, tzinfo=UTC) + hours * HOUR)
        yard.scan()
    early = [record.alert.at for record in yard.alerts(MISSED) if record.alert.at < MIDNIGHT]
    assert early == []


def test_a_watcher_that_is_at_work_is_given_five_minutes_to_open_what_is_due() -> None:
    often = a_spec(name="often", schedules=(ScheduleSpec(every=MINUTE),))
    yard = Yard(often)
    (agenda,) = yard.world.agendas.agendas_of(often.name)
    assert agenda.next_at is not None
    third = list(islice(windows(often.name, often.schedules[0], agenda.next_at, agenda.next_at + HOUR), 3))[-1].slot
    for minutes, known in ((4, False), (6, True)):
        yard.go_to(agenda.next_at + minutes * MINUTE)
        yard.watch()
        yard.scan()
        assert (yard.world.agendas.expectation(third) is not None) is known


def test_a_watchdog_without_any_agenda_has_nothing_to_tell() -> None:
    yard = Yard(at=datetime(2026, 3, 7, 23, tzinfo=UTC))
    assert yard.scan().findings == 0
    assert yard.alerts() == []


def test_a_restarted_watchdog_still_tells_of_what_it_slept_through() -> None:
    """LAT-14: from when on somebody is responsible is stored, and is not when a process began."""
    yard = Yard(DAILY)
    yard.go_to(NINE + 5 * HOUR)
    yard.scan(patient=True)
    assert len(yard.alerts(MISSED)) == 1


def test_each_slot_of_an_hour_is_looked_for_under_its_own_name() -> None:
    """BUG-85."""
    yard = Yard(HOURLY)
    for hours in range(12):
        yard.go_to(MORNING + hours * HOUR + MINUTE)
        yard.watch()
        yard.open(HOURLY)
        for run in yard.world.store.runs_of("hourly", limit=5):
            if not run.ended:
                finished(yard, run)
        yard.scan()
    assert yard.alerts() == []


@pytest.mark.parametrize(
    ("zone", "missed"),
    [("UTC", "2026-03-07"), ("Asia/Tokyo", "2026-03-08"), ("America/Los_Angeles", "2026-03-07")],
)
def test_the_day_of_a_missed_slot_is_the_day_of_its_schedule(zone: str, missed: str) -> None:
    """T-31, T-32, T-43, BUG-156."""
    spec = a_spec(schedules=(ScheduleSpec(after=time(6), deadline=time(8), timezone=zone),))
    yard = Yard(spec, at=datetime(2026, 3, 7, 12, tzinfo=UTC))
    yard.open(spec)
    for run in yard.world.store.runs_of("example", limit=5):
        finished(yard, run)
    while not yard.alerts(MISSED):
        yard.go_to(yard.clock.now() + HOUR)
        yard.scan()
    alert = yard.alerts(MISSED)[0].alert
    assert alert.details.get("deadline") == '"08:00"'
    assert alert.slot is not None
    assert alert.slot.period >= missed


@pytest.mark.parametrize(
    ("day", "deadline", "instant"),
    [
        ("2026-03-08", time(2, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-11-01", time(1, 30), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
    ids=["the hour is skipped", "the hour is repeated"],
)
def test_a_deadline_is_missed_at_the_right_instant_when_clocks_change(
    day: str, deadline: time, instant: datetime
) -> None:
    """T-49."""
    schedule = ScheduleSpec(after=time(0, 30), deadline=deadline, timezone="America/New_York")
    yard = Yard(a_spec(schedules=(schedule,)), at=instant - timedelta(hours=4))
    yard.open()
    for seconds in (-1, 0):
        yard.go_to(instant + timedelta(seconds=seconds))
        yard.scan()
        slots = [str(record.alert.slot.period) for record in yard.alerts(MISSED) if record.alert.slot]
        assert slots == ([day] if seconds == 0 else [])


def test_a_window_over_midnight_is_missed_on_the_next_day_and_under_the_first() -> None:
    """T-38, BUG-158."""
    spec = a_spec(schedules=(ScheduleSpec(after=time(22), deadline=time(2)),))
    yard = Yard(spec, at=datetime(2026, 3, 7, 21, tzinfo=UTC))
    for at in (MIDNIGHT - MINUTE, MIDNIGHT + HOUR):
        yard.go_to(at)
        yard.scan()
    assert yard.alerts(MISSED) == []
    yard.go_to(MIDNIGHT + 2 * HOUR)
    yard.scan()
    assert [record.alert.slot for record in yard.alerts(MISSED)] == [a_slot("2026-03-07")]

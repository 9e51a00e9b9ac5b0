"""What an agenda does with its windows."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core import agenda as agenda_module
from interlock.core.agenda import BEGUN_BY, FUTURE, NAMED, PUNCTUAL, TICK, Plan, begins_at, due_windows, expected
from interlock.core.ids import PipelineName
from interlock.core.openings import opening_before
from interlock.core.pipelines import Deadline, MissedPolicy, ScheduleSpec, SlaSpec
from interlock.core.schedules import Window, current_window
from interlock.testing.builders import DIGEST, MINUTE, NOON, a_spec

EXAMPLE = PipelineName("example")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY = ScheduleSpec(after=time(6))
SIX = datetime(2026, 3, 7, 6, tzinfo=UTC)


def a_schedule(missed: MissedPolicy = MissedPolicy.LATEST, *, catch_up: int = 10, **rest: object) -> ScheduleSpec:
    return ScheduleSpec(every=HOUR, missed=missed, max_catch_up=catch_up, **rest)  # type: ignore[arg-type]


def hours(windows: tuple[Window, ...]) -> list[int]:
    return [window.opens_at.hour for window in windows]


def plan(schedule: ScheduleSpec, opened_to: datetime, now: datetime = NOON, *, queued: bool = False) -> Plan:
    return due_windows(schedule, EXAMPLE, opened_to, now, queued=queued)


def test_nothing_is_due_between_two_windows() -> None:
    found = plan(DAILY, SIX, NOON)
    assert (found.open, found.skipped, found.dealt_to) == ((), (), SIX)
    assert found.next is not None
    assert found.next.opens_at == SIX + DAY


def test_a_window_opens_at_its_very_instant() -> None:
    assert hours(plan(DAILY, SIX - DAY, SIX).open) == [6]
    assert plan(DAILY, SIX - DAY, SIX - TICK).open == ()


def test_with_latest_only_the_newest_missed_window_opens_and_the_others_are_named() -> None:
    found = plan(a_schedule(), NOON - 4 * HOUR)
    assert hours(found.open) == [12]
    assert hours(tuple(skip.window for skip in found.skipped)) == [9, 10, 11]
    assert {skip.reason for skip in found.skipped} == {
        "it opened while nobody was there to open it, and the missed-slot policy is latest"
    }
    assert found.dealt_to == NOON


def test_with_all_as_many_as_may_be_made_up_for_open_oldest_first() -> None:
    found = plan(a_schedule(MissedPolicy.ALL, catch_up=3), NOON - 5 * HOUR)
    assert hours(found.open) == [10, 11, 12]
    assert hours(tuple(skip.window for skip in found.skipped)) == [8, 9]
    assert "at most 3 slots are made up for" in found.skipped[0].reason


def test_a_catch_up_of_nothing_still_opens_the_newest() -> None:
    assert hours(plan(a_schedule(MissedPolicy.ALL, catch_up=0), NOON - 5 * HOUR).open) == [12]


@pytest.mark.parametrize(("late", "opens"), [(timedelta(), True), (PUNCTUAL, True), (PUNCTUAL + TICK, False)])
def test_with_skip_a_window_opens_only_while_it_is_punctual(late: timedelta, opens: bool) -> None:
    found = plan(a_schedule(MissedPolicy.SKIP), NOON - HOUR, NOON + late)
    assert hours(found.open) == ([12] if opens else [])
    assert len(found.skipped) == (0 if opens else 1)
    assert found.dealt_to == NOON


def test_windows_that_wait_for_an_earlier_run_are_not_missed() -> None:
    found = plan(a_schedule(catch_up=3), NOON - 5 * HOUR, queued=True)
    assert hours(found.open) == [10, 11, 12]
    assert "wait for an earlier run" in found.skipped[0].reason


def test_a_year_without_a_watcher_costs_a_bounded_amount_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(schedule: ScheduleSpec, at: datetime) -> object:
        nonlocal looks
        looks += 1
        return opening_before(schedule, at)

    monkeypatch.setattr(agenda_module, "opening_before", counted)
    every = ScheduleSpec(every=MINUTE, missed=MissedPolicy.ALL, max_catch_up=10)
    found = plan(every, NOON - 365 * DAY)
    assert looks < 50
    assert len(found.open) == 10
    assert len(found.skipped) == NAMED + 1


def test_what_was_missed_long_ago_is_told_as_one_stretch() -> None:
    found = plan(ScheduleSpec(every=MINUTE), NOON - DAY)
    stretch, *named = found.skipped
    assert len(named) == NAMED
    assert stretch.since is not None
    assert stretch.since.opens_at == NOON - DAY + MINUTE
    assert stretch.window.opens_at == named[0].window.opens_at - MINUTE
    assert stretch.reason.endswith("for every slot from 2026-03-06T12:01 to 2026-03-07T11:29")


def test_a_single_window_before_the_named_ones_is_no_stretch() -> None:
    found = plan(ScheduleSpec(every=MINUTE), NOON - (NAMED + 2) * MINUTE)
    assert len(found.skipped) == NAMED + 1
    assert all(skip.since is None for skip in found.skipped)


def test_a_clock_that_was_set_back_opens_nothing_twice() -> None:
    found = plan(a_schedule(), NOON, NOON - 3 * HOUR)
    assert (found.open, found.skipped, found.dealt_to) == ((), (), NOON)
    assert found.next is not None
    assert found.next.opens_at == NOON + HOUR


def test_a_stamp_from_the_far_future_does_not_stop_the_schedule() -> None:
    found = plan(a_schedule(), NOON + FUTURE + TICK)
    assert found.dealt_to == NOON
    assert found.next is not None
    assert found.next.opens_at == NOON + HOUR


def test_a_schedule_that_never_opens_has_no_next_window() -> None:
    never = ScheduleSpec(cron="0 0 31 2 *")
    assert plan(never, SIX) == Plan((), (), None, SIX)
    assert begins_at(never, EXAMPLE, NOON) == NOON


def test_a_window_that_opens_while_the_clock_skips_its_wall_time_opens_once() -> None:
    new_york = ScheduleSpec(after=time(2, 30), timezone="America/New_York")
    before, after = datetime(2026, 3, 7, 12, tzinfo=UTC), datetime(2026, 3, 8, 12, tzinfo=UTC)
    found = plan(new_york, before, after)
    assert [window.slot.period for window in found.open] == ["2026-03-08"]
    assert plan(new_york, found.dealt_to, after).open == ()


def test_an_agenda_begins_just_before_the_window_that_is_open() -> None:
    assert begins_at(DAILY, EXAMPLE, NOON) == SIX - TICK
    assert begins_at(DAILY, EXAMPLE, SIX - HOUR) == SIX - HOUR


def test_with_skip_an_agenda_begins_now() -> None:
    assert begins_at(a_schedule(MissedPolicy.SKIP), EXAMPLE, NOON + MINUTE) == NOON + MINUTE


WINDOW = current_window(EXAMPLE, DAILY, NOON)


@pytest.mark.parametrize(
    ("sla", "check_at"),
    [
        (SlaSpec(), SIX + BEGUN_BY),
        (SlaSpec(completion=Deadline(span=2 * HOUR)), SIX + BEGUN_BY),
        (SlaSpec(completion=Deadline(span=MINUTE)), SIX + MINUTE),
        (SlaSpec(completion=Deadline(span=HOUR), evaluation=Deadline(span=MINUTE)), SIX + MINUTE),
    ],
)
def test_a_slot_is_first_looked_at_soon_after_its_opening_or_at_its_deadline(sla: SlaSpec, check_at: datetime) -> None:
    found = expected(a_spec(schedules=(DAILY,), sla=sla), WINDOW, DIGEST, SIX - DAY)
    assert (found.check_at, found.opens_at, found.spec_digest) == (check_at, SIX, DIGEST)


def test_a_slot_that_opens_when_its_window_is_over_is_given_as_long_as_a_punctual_one() -> None:
    found = expected(a_spec(schedules=(DAILY,)), WINDOW, DIGEST, SIX + DAY)
    assert found.closes_at == SIX + DAY + (WINDOW.closes_at - WINDOW.opens_at)


SCHEDULES = st.builds(
    ScheduleSpec,
    every=st.sampled_from([timedelta(minutes=15), HOUR, 6 * HOUR]),
    timezone=st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    missed=st.sampled_from(MissedPolicy),
    max_catch_up=st.integers(0, 5),
)


@given(SCHEDULES, st.integers(0, 500), st.integers(-100, 3000))
def test_every_window_is_accounted_for_once_and_in_order(schedule: ScheduleSpec, start: int, minutes: int) -> None:
    opened_to = datetime(2026, 3, 7, tzinfo=UTC) + start * MINUTE
    now = opened_to + minutes * MINUTE
    found = plan(schedule, opened_to, now)
    told = [*(skip.window for skip in found.skipped), *found.open]
    instants = [window.opens_at for window in told]
    assert instants == sorted(set(instants))
    assert all(opened_to < at <= now for at in instants)
    assert plan(schedule, found.dealt_to, now)[:2] == ((), ())
    assert found.next is not None
    assert found.next.opens_at > max(now, opened_to)

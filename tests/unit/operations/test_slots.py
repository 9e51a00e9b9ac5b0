"""Which slot a command is about."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from interlock.core.ids import ScheduleName
from interlock.core.pipelines import ScheduleSpec
from interlock.errors import Invalid, NotFound
from interlock.operations.slots import acted_slot, chosen_window, named_schedules, past_window
from interlock.testing.builders import NOON, a_spec

EARLY = ScheduleSpec(name=ScheduleName("early"), after=time(2))
LATE = ScheduleSpec(name=ScheduleName("late"), after=time(14))
HOURLY = ScheduleSpec(name=ScheduleName("hourly"), every=timedelta(hours=1))
NEVER = ScheduleSpec(name=ScheduleName("never"), cron="0 0 30 2 *")


def test_of_several_schedules_the_one_whose_window_opened_last_is_meant() -> None:
    spec = a_spec(schedules=(EARLY, LATE))
    assert chosen_window(spec, NOON, None).slot.schedule == "early"
    assert chosen_window(spec, NOON + timedelta(hours=3), None).slot.schedule == "late"
    assert chosen_window(spec, NOON, "late").slot.schedule == "late"


def test_a_schedule_that_never_opens_is_passed_over_and_alone_it_is_not_found() -> None:
    assert chosen_window(a_spec(schedules=(NEVER, EARLY)), NOON, None).slot.schedule == "early"
    with pytest.raises(NotFound, match="never opens"):
        chosen_window(a_spec(schedules=(NEVER,)), NOON, None)


def test_a_name_that_no_schedule_has_is_not_found_and_the_nearest_is_named() -> None:
    with pytest.raises(NotFound, match="did you mean early"):
        named_schedules(a_spec(schedules=(EARLY, LATE)), "erly")


def test_a_past_slot_is_found_by_its_period_in_the_schedule_that_has_it() -> None:
    spec = a_spec(schedules=(EARLY, HOURLY))
    assert past_window(spec, NOON, None, "2026-03-01").slot.schedule == "early"
    assert past_window(spec, NOON, None, "2026-03-01T07:00").slot.schedule == "hourly"


def test_a_period_of_several_schedules_needs_the_name_of_one() -> None:
    spec = a_spec(schedules=(EARLY, LATE))
    with pytest.raises(Invalid, match="early, late"):
        past_window(spec, NOON, None, "2026-03-01")
    assert past_window(spec, NOON, "late", "2026-03-01").slot.schedule == "late"


def test_a_period_that_is_no_slot_is_not_found_and_one_that_is_none_is_refused() -> None:
    with pytest.raises(
        NotFound, match=r"no slot of the period 2026-03-01T07:30.*current one is hourly 2026-03-07T12:00"
    ):
        past_window(a_spec(schedules=(HOURLY,)), NOON, None, "2026-03-01T07:30")
    with pytest.raises(Invalid, match="not a period"):
        past_window(a_spec(), NOON, None, "yesterday")


@pytest.mark.parametrize("at", [NOON, NOON + timedelta(hours=3)])
def test_what_is_done_to_a_past_slot_does_not_depend_on_the_hour_at_which_it_is_done(at: datetime) -> None:
    """Today's windows say nothing about which of yesterday's slots is meant."""
    spec = a_spec(schedules=(LATE, HOURLY))
    assert acted_slot(spec, at, None, "2026-03-06").schedule == "late"
    assert acted_slot(spec, at, None, "2026-03-06T14:00").schedule == "hourly"
    assert acted_slot(spec, at, "hourly", "2026-03-06T14:00").schedule == "hourly"
    several = a_spec(schedules=(EARLY, LATE))
    with pytest.raises(Invalid, match="early, late"):
        acted_slot(several, at, None, "2026-03-06")
    with_daily = a_spec(schedules=(EARLY, ScheduleSpec(after=time(14))))
    assert acted_slot(with_daily, at, None, "2026-03-06").schedule == "daily"


def test_a_slot_of_a_plan_that_is_no_longer_so_is_found_as_the_current_schedule_s() -> None:
    """A slot ran before the schedules were changed: it may be run again all the same."""
    spec = a_spec(schedules=(EARLY, LATE))
    assert acted_slot(spec, NOON, None, "2026-03-06T14:00").schedule == "early"
    assert acted_slot(spec, NOON, None, None).period == "2026-03-07"
    with pytest.raises(Invalid, match="date"):
        acted_slot(spec, NOON, None, "yesterday")

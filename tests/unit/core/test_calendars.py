from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.core.calendars import BusinessDays, DaySet
from interlock.core.periods import Period
from interlock.core.pipelines import ExclusionSpec, PipelineSpec, ScheduleSpec
from interlock.core.schedules import exclusion
from interlock.testing.builders import a_spec

DAY = timedelta(days=1)
HOLIDAYS = DaySet(name="holidays", dates=(date(2026, 1, 1), date(2026, 12, 25)))
WEEKENDS = DaySet(name="weekends", weekdays=(5, 6))
days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
places = st.integers(-23, 23).filter(bool)


def _month(day: date) -> list[date]:
    first = day.replace(day=1)
    return [each for n in range(31) if (each := first + n * DAY).month == day.month]


@given(days, places)
def test_a_place_among_business_days_is_what_counting_on_fingers_says(day: date, place: int) -> None:
    business = [each for each in _month(day) if each.weekday() < 5]
    counted = business if place > 0 else business[::-1]
    expected = counted[abs(place) - 1 : abs(place)]
    found = DaySet(business_days=BusinessDays(nth=(place,)))
    assert [each for each in _month(day) if found.contains(each)] == expected


@given(days)
def test_every_month_has_one_first_and_one_last_business_day(day: date) -> None:
    found = DaySet(business_days=BusinessDays(nth=(-1, 1), holidays=HOLIDAYS))
    assert len([each for each in _month(day) if found.contains(each)]) == 2


def test_a_holiday_is_no_business_day() -> None:
    first = DaySet(business_days=BusinessDays(nth=(1,), holidays=HOLIDAYS))
    assert not first.contains(date(2026, 1, 1))
    assert first.contains(date(2026, 1, 2))
    assert first.contains(date(2025, 1, 1)), "nobody said that this is a holiday"


@given(days)
@example(date(2026, 12, 25))
def test_what_is_taken_out_stays_out_whatever_else_is_said(day: date) -> None:
    inner = DaySet(union=(WEEKENDS, HOLIDAYS), weekdays=(0,), without=(HOLIDAYS,))
    assert inner.contains(day) == (day.weekday() in (0, 5, 6) and day not in HOLIDAYS.dates)
    outer = DaySet(union=(inner,), dates=HOLIDAYS.dates)
    assert outer.contains(day) == (inner.contains(day) or day in HOLIDAYS.dates)


def test_what_is_taken_out_of_what_is_taken_out_stays_in() -> None:
    closed = DaySet(union=(WEEKENDS,), without=(DaySet(dates=(date(2026, 3, 7),)),))
    found = DaySet(weekdays=(4, 5), without=(closed,))
    assert [day for day in range(6, 9) if found.contains(date(2026, 3, day))] == [6, 7]
    assert not found.contains(date(2026, 3, 14))


def test_the_leap_day_is_a_day() -> None:
    assert DaySet(business_days=BusinessDays(nth=(-1,))).contains(date(2028, 2, 29))
    assert not DaySet(business_days=BusinessDays(nth=(-1,))).contains(date(2027, 2, 28))
    assert DaySet(business_days=BusinessDays(nth=(-1,))).contains(date(2027, 2, 26))


@pytest.mark.parametrize(
    ("exclusions", "period", "reason"),
    [
        (ExclusionSpec(calendars=(WEEKENDS, HOLIDAYS)), "2026-12-25", "a day of the calendar holidays, which is"),
        (ExclusionSpec(calendars=(WEEKENDS, HOLIDAYS)), "2026-12-26", "a day of the calendar weekends, which is"),
        (ExclusionSpec(calendars=(WEEKENDS, HOLIDAYS)), "2026-12-24", ""),
        (ExclusionSpec(include=DaySet(dates=(date(2026, 3, 7),))), "2026-03-07T14:00", ""),
        (ExclusionSpec(include=DaySet(dates=(date(2026, 3, 7),))), "2026-03-08", "none of the included days"),
        (ExclusionSpec(include=DaySet()), "2026-03-08", "none of the included days"),
        (ExclusionSpec(include=WEEKENDS, weekdays=(6,)), "2026-03-08", "is a Sunday, which is excluded"),
        (ExclusionSpec(include=WEEKENDS, calendars=(HOLIDAYS,)), "2026-03-06", "none of the included days"),
        (ExclusionSpec(include=WEEKENDS, calendars=(HOLIDAYS,)), "2026-03-07", ""),
    ],
)
def test_the_periods_own_day_is_looked_up_in_calendars(exclusions: ExclusionSpec, period: str, reason: str) -> None:
    """BUG-129, LAT-11."""
    said = exclusion(exclusions, Period.parse(period))
    assert said.endswith(reason) or reason in said
    assert bool(said) == bool(reason)


def test_a_period_at_the_repeated_hour_is_of_its_own_day() -> None:
    """BUG-129."""
    sunday = ExclusionSpec(dates=(date(2026, 11, 1),))
    assert exclusion(sunday, Period.parse("2026-11-01T01:00-05:00"))
    assert not exclusion(sunday, Period.parse("2026-11-02T00:00"))


def test_a_pipeline_is_asked_about_its_own_days() -> None:
    spec: PipelineSpec = a_spec(exclusions=ExclusionSpec(calendars=(WEEKENDS,)), schedules=(ScheduleSpec(),))
    assert "weekends" in exclusion(spec, Period.parse("2026-03-07"))
    assert exclusion(spec, Period.parse("2026-03-06")) == ""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.core.zones import near_changes

from interlock.core.ids import PipelineName, ScheduleName
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, ExclusionSpec, ScheduleSpec, SlaSpec
from interlock.core.schedules import (
    Window,
    current_window,
    deadlines,
    due_at,
    exclusion,
    in_own_zone,
    limits,
    runs_over_midnight,
    window_of,
)
from interlock.testing.builders import a_slot, a_spec

SALES = PipelineName("sales")
NEW_YORK = "America/New_York"
TOKYO = "Asia/Tokyo"
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
walls = st.builds(time, st.integers(0, 23), st.integers(0, 59))


def _schedule(after: str = "", deadline: str = "", zone: str = "UTC") -> ScheduleSpec:
    return ScheduleSpec(
        after=time.fromisoformat(after) if after else None,
        deadline=time.fromisoformat(deadline) if deadline else None,
        timezone=zone,
    )


def window(pipeline: PipelineName, schedule: ScheduleSpec, day: date) -> Window:
    found = window_of(pipeline, schedule, Period.of_day(day))
    assert found is not None
    return found


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_schedule_without_times_is_a_whole_local_day() -> None:
    found = window(SALES, _schedule(zone=TOKYO), date(2026, 3, 7))
    assert (found.opens_at, found.ends_at, found.due_at) == (_at("2026-03-06T15:00"), _at("2026-03-07T15:00"), None)
    assert str(found.slot) == "sales:daily:2026-03-07"


def test_a_window_opens_at_its_time_and_its_end_belongs_to_the_next() -> None:
    found = window(SALES, _schedule("06:00", "09:00"), date(2026, 3, 7))
    assert not found.is_open(found.opens_at - TICK)
    assert found.is_open(found.opens_at)
    assert found.is_open(found.ends_at - TICK)
    assert not found.is_open(found.ends_at)
    assert found.due_at == _at("2026-03-07T09:00")


def test_the_day_of_a_slot_is_the_schedules_and_not_the_machines() -> None:
    """T-31, T-32, BUG-156."""
    schedule = _schedule("06:00", "08:00", TOKYO)
    found = current_window(SALES, schedule, _at("2026-03-06T21:00"))
    assert found.slot.period == "2026-03-07"
    assert found.opens_at == _at("2026-03-06T21:00")


def test_the_same_instant_is_another_day_for_another_schedule() -> None:
    """T-32."""
    at = _at("2026-03-07T02:00")
    periods = [current_window(SALES, _schedule(zone=zone), at).slot.period for zone in (NEW_YORK, "UTC", TOKYO)]
    assert periods == ["2026-03-06", "2026-03-07", "2026-03-07"]


def test_a_window_over_midnight_is_due_on_the_next_day_and_belongs_to_the_day_it_opens() -> None:
    """T-38."""
    schedule = _schedule("22:00", "02:00")
    found = current_window(SALES, schedule, _at("2026-03-07T22:00"))
    assert found.due_at == found.ends_at == _at("2026-03-08T02:00")
    assert current_window(SALES, schedule, _at("2026-03-08T00:30")).slot == found.slot
    assert current_window(SALES, schedule, _at("2026-03-08T02:00")).slot.period == "2026-03-08"


def test_a_deadline_at_midnight_is_the_midnight_to_come() -> None:
    assert window(SALES, _schedule("", "00:00"), date(2026, 3, 7)).due_at == _at("2026-03-08T00:00")
    assert runs_over_midnight(_schedule("06:00", "06:00"))
    assert not runs_over_midnight(_schedule("06:00", "06:01"))
    assert not runs_over_midnight(_schedule("06:00"))


def test_where_two_windows_are_open_the_later_opened_one_is_current() -> None:
    schedule = ScheduleSpec(after=time(1, 30), deadline=time(1, 30), timezone=NEW_YORK)
    # 01:30 comes twice on this day: yesterday's window lasts until the second, today's opens at the first.
    at = _at("2026-11-01T06:00")
    assert window(SALES, schedule, date(2026, 10, 31)).is_open(at)
    assert current_window(SALES, schedule, at).slot.period == "2026-11-01"


def test_before_the_first_window_of_the_day_the_current_one_is_the_one_to_come() -> None:
    found = current_window(SALES, _schedule("06:00"), _at("2026-03-07T05:00"))
    assert found.slot.period == "2026-03-07"
    assert not found.is_open(_at("2026-03-07T05:00"))


@pytest.mark.parametrize(
    ("zone", "day", "opens", "hours"),
    [
        (NEW_YORK, "2026-03-08", "2026-03-08T07:30", 23),
        (NEW_YORK, "2026-11-01", "2026-11-01T07:30", 25),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T01:30", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T00:30", 25),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:30", 23.5),
        ("Antarctica/Troll", "2026-03-29", "2026-03-29T02:30", 22),
    ],
)
def test_windows_on_days_when_clocks_change(zone: str, day: str, opens: str, hours: float) -> None:
    """T-49."""
    whole = window(SALES, _schedule(zone=zone), date.fromisoformat(day))
    found = window(SALES, _schedule("02:30", zone=zone), date.fromisoformat(day))
    assert whole.ends_at - whole.opens_at == hours * HOUR
    assert found.opens_at == _at(opens)


@given(near_changes(), st.none() | walls, st.none() | walls)
@example(("America/Nuuk", _at("2024-03-31T01:10")), time(23, 30), None)
def test_consecutive_days_never_leave_a_gap_and_never_claim_one_instant_twice(
    place: tuple[str, datetime], after: time | None, deadline: time | None
) -> None:
    """T-49."""
    zone, at = place
    schedule = ScheduleSpec(after=after, deadline=deadline, timezone=zone)
    found = current_window(SALES, schedule, at)
    following = current_window(SALES, schedule, found.ends_at)
    assert at < found.ends_at, "the current window is never over"
    assert found.opens_at < found.ends_at
    assert following.slot.period > found.slot.period
    assert following.opens_at >= found.opens_at
    if after is None and not runs_over_midnight(schedule):
        assert found.is_open(at)
        assert following.opens_at == found.ends_at


@given(near_changes(), walls, walls)
def test_a_deadline_never_lies_before_its_window_opens(
    place: tuple[str, datetime], after: time, deadline: time
) -> None:
    """T-38, BUG-89."""
    zone, at = place
    found = current_window(SALES, ScheduleSpec(after=after, deadline=deadline, timezone=zone), at)
    assert found.due_at is not None
    assert found.due_at > found.opens_at
    assert found.due_at <= found.ends_at
    assert due_at(Deadline(wall=deadline), found, zone) > found.opens_at


@pytest.mark.parametrize("how", ["after", "cron", "sla", "closeAt"])
@pytest.mark.parametrize(
    ("after", "deadline", "due"),
    [
        ("02:30", "03:00", "2026-03-08T08:00"),
        ("02:30", "03:30", "2026-03-08T08:30"),
        ("02:30", "03:31", "2026-03-08T07:31"),
        ("02:30", "02:45", "2026-03-08T07:45"),
        ("02:30", "02:30", "2026-03-09T06:30"),
        ("02:30", "02:00", "2026-03-09T06:00"),
        ("03:30", "03:00", "2026-03-09T07:00"),
    ],
)
def test_a_deadline_that_the_shift_of_its_opening_would_overtake_is_shifted_along(
    after: str, deadline: str, due: str, how: str
) -> None:
    """T-38, T-49."""
    opens, wall = _schedule(after, zone=NEW_YORK), time.fromisoformat(deadline)
    if how == "closeAt":
        found = window(SALES, replace(opens, close_at=Deadline(wall=wall)), date(2026, 3, 8))
        assert found.closes_at == _at(due)
        return
    if how == "cron":
        hour, _, minute = after.partition(":")
        opens = ScheduleSpec(cron=f"{int(minute)} {int(hour)} * * *", timezone=NEW_YORK)
    found = window(SALES, opens if how == "sla" else replace(opens, deadline=wall), date(2026, 3, 8))
    assert found.opens_at == _at("2026-03-08T07:30")
    assert (found.due_at if how != "sla" else due_at(Deadline(wall=wall), found, NEW_YORK)) == _at(due)


def test_a_deadline_in_a_zone_whose_clocks_stay_is_not_shifted_along() -> None:
    found = window(SALES, _schedule("02:30", zone=NEW_YORK), date(2026, 3, 8))
    assert due_at(Deadline(wall=time(7, 15)), found, "UTC") == _at("2026-03-09T07:15")
    assert due_at(Deadline(wall=time(3)), found, "America/Toronto") == _at("2026-03-08T08:00")


def test_a_window_of_the_last_hour_of_a_day_that_lacks_it_is_a_day_long() -> None:
    found = window(SALES, _schedule("23:00", "23:30", zone="America/Nuuk"), date(2024, 3, 30))
    assert (found.opens_at, found.due_at, found.ends_at) == (
        _at("2024-03-31T01:00"),
        _at("2024-03-31T01:30"),
        _at("2024-04-01T01:00"),
    )


WEEKEND = ExclusionSpec(weekdays=(5, 6), dates=(date(2026, 12, 25),), calendar="holidays")


@pytest.mark.parametrize("period", ["2026-03-07", "2026-03-07T13:00"])
def test_the_periods_own_day_is_excluded_whatever_today_is(period: str) -> None:
    """BUG-129."""
    assert exclusion(WEEKEND, Period.parse(period)) == "2026-03-07 is a Saturday, which is excluded"
    assert exclusion(WEEKEND, Period.parse("2026-03-06")) == ""


def test_an_excluded_date_names_the_calendar_it_may_come_from() -> None:
    assert (
        exclusion(WEEKEND, Period.parse("2026-12-25")) == "2026-12-25 is one of the excluded dates or calendar holidays"
    )
    assert exclusion(ExclusionSpec(dates=(date(2026, 12, 25),)), Period.parse("2026-12-25")).endswith("excluded dates")


def test_a_duration_counts_from_the_opening_and_not_from_midnight() -> None:
    """BUG-21, T-49."""
    found = window(SALES, _schedule("14:00"), date(2026, 3, 7))
    assert due_at(Deadline(span=timedelta(minutes=20)), found, "UTC") == _at("2026-03-07T14:20")


NINE = [
    ("2026-03-07T22:00", "2026-03-08T02:00"),
    ("2026-03-07T02:00", "2026-03-08T02:00"),
    ("2026-03-07T00:05", "2026-03-07T02:00"),
    ("2026-03-07T23:59", "2026-03-08T02:00"),
    ("2026-04-30T22:00", "2026-05-01T02:00"),
    ("2026-12-31T22:00", "2027-01-01T02:00"),
    ("2028-02-28T22:00", "2028-02-29T02:00"),
    ("2028-02-29T22:00", "2028-03-01T02:00"),
    ("2026-02-28T22:00", "2026-03-01T02:00"),
]


@pytest.mark.parametrize(("opens", "due"), NINE)
def test_a_wall_time_deadline_is_the_next_one_after_the_opening(opens: str, due: str) -> None:
    """BUG-89, BUG-154."""
    opening = _at(opens)
    ends = opening + 24 * HOUR
    found = Window(slot=a_slot(), opens_at=opening, ends_at=ends, closes_at=ends)
    assert due_at(Deadline(wall=time(2)), found, "UTC") == _at(due)


def test_a_deadline_is_read_in_its_own_zone() -> None:
    """BUG-172."""
    found = window(SALES, _schedule("06:00", zone=NEW_YORK), date(2026, 3, 7))
    assert due_at(Deadline(wall=time(9)), found, NEW_YORK) == _at("2026-03-07T14:00")
    assert due_at(Deadline(wall=time(9)), found, "UTC") == _at("2026-03-08T09:00")


def test_a_deadline_in_the_repeated_hour_is_its_second_occurrence() -> None:
    """T-49."""
    found = window(SALES, _schedule(zone=NEW_YORK), date(2026, 11, 1))
    assert due_at(Deadline(wall=time(1, 30)), found, NEW_YORK) == _at("2026-11-01T06:30")


def test_a_deadline_in_the_repeated_hour_of_the_next_day_is_its_second_occurrence_too() -> None:
    """T-49."""
    found = window(SALES, _schedule("22:00", zone=NEW_YORK), date(2026, 10, 31))
    assert due_at(Deadline(wall=time(1, 30)), found, NEW_YORK) == _at("2026-11-01T06:30")


def test_deadlines_of_a_pipeline_are_in_its_own_zone_and_not_in_that_of_the_schedule() -> None:
    """BUG-172."""
    wall = Deadline(wall=time(9))
    spec = a_spec(
        sla=SlaSpec(evaluation=wall, completion=wall, validation_timeout=wall, timezone=TOKYO),
        schedules=(_schedule("06:00", zone=NEW_YORK),),
    )
    found = window(SALES, spec.schedules[0], date(2026, 3, 7))
    assert deadlines(spec, found) == (_at("2026-03-08T00:00"), _at("2026-03-08T00:00"))
    assert limits(spec, found, found.opens_at).closes_at == _at("2026-03-08T00:00")


def test_the_schedules_own_deadline_goes_before_the_pipelines() -> None:
    sla = SlaSpec(evaluation=Deadline(wall=time(9)), completion=Deadline(span=HOUR))
    spec = a_spec(sla=sla)
    own = window(SALES, _schedule("06:00", "08:00"), date(2026, 3, 7))
    assert deadlines(spec, own) == (own.due_at, own.due_at)
    plain = window(SALES, _schedule("06:00"), date(2026, 3, 7))
    assert deadlines(spec, plain) == (_at("2026-03-07T09:00"), _at("2026-03-07T07:00"))
    assert deadlines(a_spec(), plain) == (None, None)


def test_every_instant_that_leaves_carries_its_zone() -> None:
    """BUG-65."""
    found = window(SALES, _schedule("06:00", "08:00", TOKYO), date(2026, 3, 7))
    assert {each.tzinfo for each in (found.opens_at, found.ends_at, found.due_at) if each} == {UTC}


def test_a_slot_goes_by_the_one_name_of_its_period_in_its_schedules_zone() -> None:
    spec = a_spec(schedules=(ScheduleSpec(name=ScheduleName("hourly"), timezone=NEW_YORK),))
    named = in_own_zone(spec, a_slot("2026-03-07T14:00-05:00", schedule="hourly"))
    assert named == a_slot("2026-03-07T14:00", schedule="hourly")
    unknown = a_slot("2026-03-07T14:00-05:00", schedule="weekly")
    assert in_own_zone(spec, unknown) == unknown

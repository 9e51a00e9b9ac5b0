"""Openings of every kind of schedule, against an oracle that walks minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.core.zones import instants_of, moments, near_changes, offset, zones

from interlock.core.openings import (
    Opening,
    day_exists,
    opening_before,
    opening_of,
    openings_after,
    opens_once_a_day,
)
from interlock.core.periods import Period
from interlock.core.pipelines import ScheduleSpec
from interlock.core.times import zone

NEW_YORK = "America/New_York"
unhurried = settings(deadline=None)  # the oracle walks minute by minute, and coverage makes that slow
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EVERY = [timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 90, 120, 360, 720)]
CRONS = [
    "*/15 * * * *",
    "0 * * * *",
    "30 */2 * * *",
    "*/20 1-3 * * *",
    "0 0,12 * * *",
    "30 0,1,2,3,23 * * *",
    "15,45 23 * * 6,0",
    "0 6,18 1,15,L * *",
    "10,50 2,3 * 3,4,10,11 *",
    "0,30 0 29 2 *",
]
DAILY = ["30 2 * * *", "0 0 * * *", "30 23 * * *", "0 8 * * 1-5", "0 6 29 2 *", "0 6 L * *", "30 1 * * 0"]

timed = st.sampled_from(EVERY).map(lambda every: ScheduleSpec(every=every)) | st.sampled_from(CRONS).map(
    lambda cron: ScheduleSpec(cron=cron)
)
walls = st.builds(time, st.integers(0, 23), st.integers(0, 59))
daily = (
    st.builds(lambda after: ScheduleSpec(after=after), st.none() | walls)
    | st.sampled_from(DAILY).map(lambda cron: ScheduleSpec(cron=cron))
)  # fmt: skip


def _in(schedule: ScheduleSpec, zone_name: str) -> ScheduleSpec:
    return ScheduleSpec(after=schedule.after, cron=schedule.cron, every=schedule.every, timezone=zone_name)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _between(schedule: ScheduleSpec, since: datetime, until: datetime) -> list[Opening]:
    found = []
    for each in openings_after(schedule, since):
        if each.at > until:
            break
        found.append(each)
    return found


# ---------------------------------------------------------------- the oracle


def _oracle(schedule: ScheduleSpec, since: datetime, until: datetime) -> list[datetime]:
    found = set(_every(schedule, since, until) if schedule.every else _cron(schedule, since, until))
    return sorted(at for at in found if since < at <= until)


def _every(schedule: ScheduleSpec, since: datetime, until: datetime) -> Iterator[datetime]:
    """Walk minute by minute; a count of them begins anew whenever the clocks first show another day."""
    assert schedule.every is not None
    shown = zone(schedule.timezone)
    at = since - 3 * DAY
    day, count = at.astimezone(shown).date(), None
    while at <= until:
        if at.astimezone(shown).date() > day:
            day, count = at.astimezone(shown).date(), 0
        if count is not None and timedelta(minutes=count) % schedule.every == timedelta():
            yield at
        at, count = at + MINUTE, None if count is None else count + 1


def _cron(schedule: ScheduleSpec, since: datetime, until: datetime) -> Iterator[datetime]:
    """Ask the library for wall times without a zone, and look for the instants at which clocks show them."""
    minute, hour = schedule.cron.split()[:2]
    fixed = "*" not in (minute[0], hour[0])
    wall = since.replace(tzinfo=None) - 3 * DAY
    for wall in CronSim(schedule.cron, wall):  # noqa: B020
        if wall > until.replace(tzinfo=None) + 3 * DAY:
            return
        found = instants_of(schedule.timezone, wall)
        if not fixed:
            yield from found
        elif found:
            yield found[0]
        else:
            around = [wall.replace(tzinfo=UTC) + hours * HOUR for hours in range(-30, 31, 2)]
            yield max(wall.replace(tzinfo=UTC) - offset(schedule.timezone, each) for each in around)


# ---------------------------------------------------------------- laws


@unhurried
@given(timed, near_changes())
@example(ScheduleSpec(cron="30 0,1,2,3,23 * * *"), ("America/Nuuk", _at("2024-03-31T00:30")))
@example(ScheduleSpec(cron="30 22,23 30 3 *"), ("America/Nuuk", _at("2024-03-31T00:30")))
@example(ScheduleSpec(cron="*/20 1-3 * * *"), ("Australia/Lord_Howe", _at("2026-04-04T15:10")))
@example(ScheduleSpec(every=HOUR / 4), ("America/St_Johns", _at("2010-11-07T02:31")))
@example(ScheduleSpec(cron="*/15 * * * 6"), ("America/St_Johns", _at("2010-11-07T02:31")))
@example(ScheduleSpec(cron="15 23,0 * * *"), ("America/St_Johns", _at("2010-11-07T02:31")))
def test_slots_of_a_day_open_exactly_when_a_naive_count_says_even_when_clocks_change(
    schedule: ScheduleSpec, place: tuple[str, datetime]
) -> None:
    """T-49."""
    zone_name, around = place
    schedule = _in(schedule, zone_name)
    found = _between(schedule, around - DAY, around + DAY)
    assert [each.at for each in found] == _oracle(schedule, around - DAY, around + DAY)


@unhurried
@given(timed, zones, moments)
def test_slots_of_a_day_open_exactly_when_a_naive_count_says_in_every_zone(
    schedule: ScheduleSpec, zone_name: str, around: datetime
) -> None:
    schedule = _in(schedule, zone_name)
    found = _between(schedule, around, around + DAY)
    assert [each.at for each in found] == _oracle(schedule, around, around + DAY)


@unhurried
@given(daily, near_changes())
@example(ScheduleSpec(after=time(23, 30)), ("America/Nuuk", _at("2024-03-31T00:30")))
def test_a_slot_a_day_opens_on_each_of_its_days_even_when_clocks_change(
    schedule: ScheduleSpec, place: tuple[str, datetime]
) -> None:
    """T-49."""
    zone_name, around = place
    schedule = _in(schedule, zone_name)
    found = _between(schedule, around - 2 * DAY, around + 5 * DAY)
    if schedule.cron:
        assert [each.at for each in found] == _oracle(schedule, around - 2 * DAY, around + 5 * DAY)
    else:
        days = [each.period.day for each in found]
        assert all(after - before == DAY for before, after in pairwise(days))
        assert len(days) in (6, 7, 8)
    later = [each for each in found if each.at > around]
    assert list(islice(openings_after(schedule, around), len(later))) == later


@unhurried
@given(timed | daily, near_changes(), st.integers(0, 59_999_999))
def test_openings_ascend_and_no_two_have_one_instant_or_one_period(
    schedule: ScheduleSpec, place: tuple[str, datetime], micros: int
) -> None:
    """BUG-72."""
    schedule = _in(schedule, place[0])
    at = place[1] + timedelta(microseconds=micros)
    found = list(islice(openings_after(schedule, at), 25))
    assert found[0].at > at
    assert all(before.at < after.at for before, after in pairwise(found))
    assert len({each.period for each in found}) == len(found)


@unhurried
@given(timed | daily, near_changes(), st.integers(0, 59_999_999))
@example(ScheduleSpec(every=HOUR / 4), ("America/St_Johns", _at("2010-11-07T03:00")), 0)
def test_the_opening_before_and_the_one_after_have_nothing_between_them(
    schedule: ScheduleSpec, place: tuple[str, datetime], micros: int
) -> None:
    schedule = _in(schedule, place[0])
    at = place[1] + timedelta(microseconds=micros)
    before = opening_before(schedule, at)
    assert before is not None
    assert before.at <= at
    assert next(openings_after(schedule, before.at)) == next(openings_after(schedule, at))
    assert opening_before(schedule, before.at) == before


@unhurried
@given(timed | daily, near_changes())
def test_a_period_leads_back_to_its_opening(schedule: ScheduleSpec, place: tuple[str, datetime]) -> None:
    schedule = _in(schedule, place[0])
    for each in islice(openings_after(schedule, place[1]), 5):
        assert opening_of(schedule, each.period) == each
        assert Period.parse(each.period) == each.period


# ---------------------------------------------------------------- single days


@pytest.mark.parametrize(
    ("zone_name", "day", "every", "slots"),
    [
        (NEW_YORK, "2026-03-08", 15, 92),
        (NEW_YORK, "2026-11-01", 15, 100),
        (NEW_YORK, "2026-03-07", 15, 96),
        ("Australia/Lord_Howe", "2026-10-04", 60, 24),
        ("Australia/Lord_Howe", "2026-04-05", 60, 25),
        ("Antarctica/Troll", "2026-03-29", 60, 22),
        ("Pacific/Kiritimati", "2028-02-29", 720, 2),
        ("Pacific/Apia", "2011-12-30", 60, 0),
    ],
)
def test_a_day_has_as_many_slots_as_it_has_stretches(zone_name: str, day: str, every: int, slots: int) -> None:
    schedule = ScheduleSpec(every=timedelta(minutes=every), timezone=zone_name)
    start = Period.parse(day).starts_at(zone_name)
    found = _between(schedule, start - 2 * DAY, start + 2 * DAY)
    assert sum(each.period.startswith(day) for each in found) == slots


def test_the_repeated_hour_has_slots_of_its_own() -> None:
    schedule = ScheduleSpec(every=HOUR, timezone=NEW_YORK)
    found = _between(schedule, _at("2026-11-01T04:00"), _at("2026-11-01T07:00"))
    assert [str(each.period) for each in found] == ["2026-11-01T01:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00"]


@pytest.mark.parametrize(
    ("cron", "opens"),
    [
        ("30 2 * * *", ["2026-03-08T07:30"]),
        ("0,30 2 * * *", ["2026-03-08T07:00", "2026-03-08T07:30"]),
        ("30 2,3 * * *", ["2026-03-08T07:30"]),
        ("*/30 2 * * *", []),
        ("30 1 1 11 *", ["2026-11-01T05:30"]),
        ("30 1,2 1 11 *", ["2026-11-01T05:30", "2026-11-01T07:30"]),
        ("*/30 1 1 11 *", ["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30"]),
    ],
)
def test_a_named_time_happens_once_and_a_star_as_often_as_clocks_show_it(cron: str, opens: list[str]) -> None:
    """T-49."""
    schedule = ScheduleSpec(cron=cron, timezone=NEW_YORK)
    start = _at("2026-11-01T04:00") if "11" in cron else _at("2026-03-08T05:00")
    found = _between(schedule, start - MINUTE, start + 23 * HOUR)
    assert [each.at for each in found] == [_at(text) for text in opens]


def test_a_cron_expression_of_one_time_is_the_same_as_after() -> None:
    """A wall time in the gap is shifted by the length of the gap, whichever way it was written."""
    at = _at("2026-03-06T00:00")
    cron = ScheduleSpec(cron="30 2 * * *", timezone=NEW_YORK)
    after = ScheduleSpec(after=time(2, 30), timezone=NEW_YORK)
    assert opens_once_a_day(cron)
    assert list(islice(openings_after(cron, at), 400)) == list(islice(openings_after(after, at), 400))


def test_a_slot_in_the_last_hour_of_a_day_that_lacks_it_opens_on_the_next_and_keeps_its_day() -> None:
    schedule = ScheduleSpec(after=time(23, 30), timezone="America/Nuuk")
    found = _between(schedule, _at("2024-03-30T12:00"), _at("2024-04-01T12:00"))
    assert [(each.period, each.at) for each in found] == [
        ("2024-03-30", _at("2024-03-31T01:30")),
        ("2024-03-31", _at("2024-04-01T00:30")),
    ]
    assert next(openings_after(schedule, _at("2024-03-31T01:10"))) == found[0]


def test_a_day_that_a_zone_skipped_has_no_slot() -> None:
    assert not day_exists(date(2011, 12, 30), "Pacific/Apia")
    schedule = ScheduleSpec(after=time(6), timezone="Pacific/Apia")
    found = _between(schedule, _at("2011-12-28T00:00"), _at("2012-01-02T00:00"))
    assert [str(each.period) for each in found] == [
        "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"
    ]  # fmt: skip
    assert opening_of(schedule, Period.parse("2011-12-30")) is None


def test_the_leap_day_comes_every_four_years() -> None:
    schedule = ScheduleSpec(cron="0 6 29 2 *")
    found = list(islice(openings_after(schedule, _at("2026-01-01T00:00")), 3))
    assert [str(each.period) for each in found] == ["2028-02-29", "2032-02-29", "2036-02-29"]


@pytest.mark.parametrize(
    ("schedule", "period"),
    [
        (ScheduleSpec(), "2026-03-07T14:00"),
        (ScheduleSpec(), "1000-01-01"),
        (ScheduleSpec(), "2999-12-31"),
        (ScheduleSpec(cron="0 8 * * 1-5"), "2026-03-07"),
        (ScheduleSpec(cron="0 8 * * 1-5"), "2026-03-06T08:00"),
        (ScheduleSpec(every=HOUR), "2026-03-07"),
        (ScheduleSpec(every=HOUR), "2026-03-07T14:30"),
        (ScheduleSpec(cron="0 8,20 * * *"), "2026-03-07T08:01"),
        (ScheduleSpec(cron="0 8,20 * 2 *"), "2026-03-07T08:00"),
    ],
)
def test_a_period_that_is_none_of_the_schedules_has_no_opening(schedule: ScheduleSpec, period: str) -> None:
    assert opening_of(schedule, Period.parse(period)) is None


def test_a_period_may_be_named_with_an_offset() -> None:
    schedule = ScheduleSpec(every=HOUR, timezone=NEW_YORK)
    found = opening_of(schedule, Period.parse("2026-03-07T19:00+00:00"))
    assert found is not None
    assert found.period == "2026-03-07T14:00"


@pytest.mark.parametrize("cron", ["0 8 30 2 *", "0 8 31 4,6 *", "no cron at all"])
def test_an_expression_that_no_day_matches_opens_nothing(cron: str) -> None:
    never = ScheduleSpec(cron=cron, timezone=NEW_YORK)
    assert list(openings_after(never, _at("2026-03-07T12:00"))) == []
    assert opening_before(never, _at("2026-03-07T12:00")) is None
    assert opening_of(never, Period.parse("2026-03-07")) is None


def test_the_rarest_day_is_found_forty_years_away() -> None:
    rare = ScheduleSpec(cron="0 6,7 * 2 1#5", timezone=NEW_YORK)
    at = _at("2088-12-01T00:00")
    assert [str(each.period) for each in islice(openings_after(rare, at), 2)] == [
        "2112-02-29T06:00",
        "2112-02-29T07:00",
    ]
    before = opening_before(rare, _at("2112-02-29T00:00"))
    assert before is not None
    assert before.period == "2072-02-29T07:00"


def test_the_search_ends_where_periods_do() -> None:
    assert list(openings_after(ScheduleSpec(), _at("2999-12-27T12:00")))[-1].period == "2999-12-28"
    assert list(openings_after(ScheduleSpec(every=HOUR), _at("2999-12-28T22:30")))[-1].at == _at("2999-12-28T23:00")
    assert list(openings_after(ScheduleSpec(cron="0 6 29 2 *"), _at("2997-01-01T00:00"))) == []
    assert opening_before(ScheduleSpec(every=HOUR), _at("1000-01-01T00:00")) is None
    assert opening_before(ScheduleSpec(), _at("1000-01-01T00:00")) is None

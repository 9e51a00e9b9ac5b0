from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.core.zones import CHANGING, ZONES, changes, instants_of, moments, near_changes, offset, zones

from interlock.core.times import Overlap, format_duration, format_instant, instant, parse_duration, parse_wall, zone

NEW_YORK = "America/New_York"
SPRING = date(2026, 3, 8)
AUTUMN = date(2026, 11, 1)
DAY = timedelta(days=1)


def test_a_wall_time_that_exists_once_is_that_instant() -> None:
    at = instant(date(2026, 3, 7), time(6), NEW_YORK, overlap=Overlap.FIRST)
    assert at == datetime(2026, 3, 7, 11, tzinfo=UTC)
    assert at.tzinfo is UTC


def test_a_skipped_wall_time_is_shifted_forward_by_the_gap() -> None:
    """T-49."""
    for overlap in Overlap:
        at = instant(SPRING, time(2, 30), NEW_YORK, overlap=overlap)
        assert at == datetime(2026, 3, 8, 7, 30, tzinfo=UTC), "02:30 is skipped, and means 03:30"


def test_a_repeated_wall_time_is_the_first_for_openings_and_the_second_for_deadlines() -> None:
    """T-49."""
    assert instant(AUTUMN, time(1, 30), NEW_YORK, overlap=Overlap.FIRST) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert instant(AUTUMN, time(1, 30), NEW_YORK, overlap=Overlap.SECOND) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def _check(zone_name: str, wall: datetime) -> None:
    first = instant(wall.date(), wall.time(), zone_name, overlap=Overlap.FIRST)
    second = instant(wall.date(), wall.time(), zone_name, overlap=Overlap.SECOND)
    there = instants_of(zone_name, wall)
    if there:
        assert (first, second) == (there[0], there[-1])
        return
    assert first == second
    change = min(changes(zone_name), key=lambda each: abs(each - first))
    gap = offset(zone_name, change) - offset(zone_name, change - timedelta(minutes=1))
    shown = first.astimezone(zone(zone_name)).replace(tzinfo=None)
    assert gap > timedelta()
    assert shown == wall + gap


@given(near_changes())
def test_every_wall_time_near_a_change_of_any_zone_follows_the_policy(place: tuple[str, datetime]) -> None:
    """T-49."""
    zone_name, at = place
    _check(zone_name, at.astimezone(zone(zone_name)).replace(tzinfo=None, fold=0))


@given(near_changes())
def test_every_wall_time_in_a_gap_of_any_zone_follows_the_policy(place: tuple[str, datetime]) -> None:
    """T-49."""
    zone_name, at = place
    change = min(changes(zone_name), key=lambda each: abs(each - at))
    before = offset(zone_name, change - timedelta(minutes=1))
    # The wall as it would be without the change: in a gap it does not exist.
    _check(zone_name, (change.replace(tzinfo=None) + before) + (at - change) / 8)


@given(zones, moments)
def test_every_wall_time_of_any_zone_follows_the_policy(zone_name: str, at: datetime) -> None:
    _check(zone_name, at.astimezone(zone(zone_name)).replace(tzinfo=None, fold=0))


def test_the_database_of_zones_is_there_and_has_changes_to_test_with() -> None:
    assert len(ZONES) > 400
    assert len(CHANGING) > 100


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "../../etc/passwd", "Europe", "UTC\0", "a\ud800", "EST5EDT4", "x" * 5000, ".", "zone.tab"],
)
def test_a_zone_that_does_not_exist_is_an_error_and_never_utc(name: str) -> None:
    """T-41, LAT-36."""
    with pytest.raises(ValueError, match="no such time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("text", "wall"), [("09:00", time(9)), ("9:00", time(9)), ("00:00", time(0)), ("23:59", time(23, 59))]
)
def test_times_of_day_are_read_as_they_are_written(text: str, wall: time) -> None:
    """BUG-47."""
    assert parse_wall(text) == wall


@pytest.mark.parametrize(
    "text",
    [
        "24:00",
        "12:60",
        "",
        "0900",
        " 09:00",
        "09:00 ",
        "::",
        "9",
        "9:0",
        "09:00:00",
        "-1:00",
        ":30",
        "١٢:٠٠",
        "１２:00",
        "12：00",
    ],
)
def test_odd_times_of_day_are_errors_and_never_wrong_times(text: str) -> None:
    """BUG-47, T-41."""
    with pytest.raises(ValueError, match="not a time of day"):
        parse_wall(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
        ("+10m", timedelta(minutes=10)),
        ("-10m", timedelta(minutes=-10)),
        ("1.5h", timedelta(minutes=90)),
        ("0.1s", timedelta(milliseconds=100)),
        ("1500000ns", timedelta(milliseconds=1.5)),
        ("1us", timedelta(microseconds=1)),
        ("1µs", timedelta(microseconds=1)),
        ("0", timedelta()),
        ("0s", timedelta()),
        ("3660d", timedelta(days=3660)),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        "5 m",
        "5M",
        "1h-5m",
        "--5m",
        "1e3s",
        "nan",
        "inf",
        "5m ",
        "٥m",
        "1.h",
        ".5h",
        "3661d",
        "9" * 400 + "d",
    ],
)
def test_odd_durations_are_errors(text: str) -> None:
    """LAT-36."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=-timedelta(days=3660), max_value=timedelta(days=3660)))
@example(timedelta(microseconds=1))
@example(timedelta(seconds=1, milliseconds=250))
def test_every_duration_that_is_written_is_read_back(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


@given(st.text(max_size=20))
@example("1h\n")
def test_no_text_at_all_raises_anything_but_value_error(text: str) -> None:
    for read in (parse_duration, parse_wall, zone):
        try:
            read(text)
        except ValueError:
            continue


def test_an_instant_is_written_in_utc_whatever_zone_it_came_in() -> None:
    there = datetime(2026, 3, 8, 0, 30, 5, 999, tzinfo=zone("Asia/Tokyo"))
    assert format_instant(there) == "2026-03-07 15:30:05Z"

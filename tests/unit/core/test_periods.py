from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.core.zones import moments, near_changes, zones

from interlock.core.periods import Period

NEW_YORK = "America/New_York"
HOUR = timedelta(hours=1)


def test_a_day_and_a_moment_of_a_day_are_periods() -> None:
    day, moment = Period.parse("2026-03-07"), Period.parse("2026-03-07T14:00")
    assert (day.day, day.hour) == (date(2026, 3, 7), "")
    assert (moment.day, moment.hour) == (date(2026, 3, 7), "14")
    assert Period.of_day(date(2026, 3, 7)) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-3-7",
        "2026-02-30",
        "20260307",
        "2026-03-07T",
        "2026-03-07T24:00",
        "2026-03-07T14:60",
        "2026-03-07 14:00",
        "2026-03-07T14",
        "2026-03-07T14:00Z",
        "2026-03-07T14:00+24:00",
        "2026-03-07T14:00+05:99",
        "2026-03-07T14:00-05",
        "today",
        "2026-W10-1",
        "٢٠٢٦-٠٣-٠٧",
        "2026-03-07\n",
        "0001-01-01",
        "9999-12-31",
    ],
)
def test_a_malformed_period_is_an_error(text: str) -> None:
    """BUG-123, T-41."""
    with pytest.raises(ValueError, match="not a period"):
        Period.parse(text)


@given(
    st.from_regex(
        r"[12][0-9]{3}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]([+-][0-2][0-9]:[0-5][0-9])?)?", fullmatch=True
    )
)
@example("2999-12-31T23:59-23:59")
@example("1000-01-01T00:00+23:59")
def test_whatever_is_accepted_can_be_placed_in_time(text: str) -> None:
    try:
        period = Period.parse(text)
    except ValueError:
        return
    assert period.starts_at("Pacific/Kiritimati").tzinfo is UTC
    assert period.in_zone("Pacific/Kiritimati").day <= date.max


@given(near_changes())
def test_naming_an_instant_and_placing_the_name_are_inverse_even_when_clocks_change(
    place: tuple[str, datetime],
) -> None:
    """T-49."""
    zone_name, at = place
    period = Period.at(at, zone_name)
    assert period.starts_at(zone_name) == at
    assert Period.parse(str(period)) == period
    assert period.in_zone(zone_name) == period


@given(zones, moments)
def test_naming_an_instant_and_placing_the_name_are_inverse_in_every_zone(zone_name: str, at: datetime) -> None:
    assert Period.at(at, zone_name).starts_at(zone_name) == at


@given(near_changes(), st.integers(1, 240))
def test_two_instants_never_share_a_name(place: tuple[str, datetime], minutes: int) -> None:
    """BUG-72."""
    zone_name, at = place
    assert Period.at(at, zone_name) != Period.at(at + timedelta(minutes=minutes), zone_name)


def test_the_repeated_hour_has_two_names() -> None:
    """T-49."""
    first = datetime(2026, 11, 1, 5, tzinfo=UTC)
    assert [Period.at(first + n * HOUR, NEW_YORK) for n in (-1, 0, 1, 2)] == [
        "2026-11-01T00:00",
        "2026-11-01T01:00",
        "2026-11-01T01:00-05:00",
        "2026-11-01T02:00",
    ]


def test_the_repeated_hour_east_of_greenwich_carries_a_positive_offset() -> None:
    assert Period.at(datetime(2026, 10, 25, 1, tzinfo=UTC), "Europe/Berlin") == "2026-10-25T02:00+01:00"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("2026-03-07T14:00-05:00", "2026-03-07T14:00"),
        ("2026-03-07T19:00+00:00", "2026-03-07T14:00"),
        ("2026-03-08T02:30", "2026-03-08T03:30"),
        ("2026-11-01T01:00-04:00", "2026-11-01T01:00"),
        ("2026-11-01T01:00-05:00", "2026-11-01T01:00-05:00"),
        ("2026-03-07", "2026-03-07"),
    ],
)
def test_one_stretch_of_time_has_one_name_in_its_zone(written: str, name: str) -> None:
    assert Period.parse(written).in_zone(NEW_YORK) == name


def test_a_day_begins_at_its_local_midnight() -> None:
    """T-31."""
    assert Period.parse("2026-03-07").starts_at("Asia/Tokyo") == datetime(2026, 3, 6, 15, tzinfo=UTC)


def test_periods_sort_in_the_order_of_time() -> None:
    written = ["2026-03-07", "2026-03-07T00:00", "2026-03-07T14:00", "2026-03-08"]
    assert sorted(map(Period.parse, reversed(written))) == written

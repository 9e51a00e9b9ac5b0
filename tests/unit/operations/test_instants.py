"""Instants, days and lengths of time as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from interlock.errors import Invalid
from interlock.operations.instants import day_of, end_of, instant_of, length_of
from interlock.testing.builders import NOON

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-03-07T18:00Z", datetime(2026, 3, 7, 18, tzinfo=UTC)),
        ("2026-03-07T18:00+02:00", datetime(2026, 3, 7, 16, tzinfo=UTC)),
        ("2026-03-07T18:00", datetime(2026, 3, 7, 17, tzinfo=UTC)),
        ("2026-03-08", datetime(2026, 3, 7, 23, tzinfo=UTC)),
        ("18:00", datetime(2026, 3, 7, 17, tzinfo=UTC)),
        ("13:00", datetime(2026, 3, 8, 12, tzinfo=UTC)),
        ("06:00", datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("2026-03-29T02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_the_pipelines_zone_and_a_time_is_the_next_one(text: str, read: datetime) -> None:
    """It is noon in Greenwich, 13:00 in Paris; a time that is now is tomorrow's; both days on which clocks change."""
    assert instant_of(text, NOON, PARIS, "until") == read


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2h", "18", "2026-13-01T00:00", "18:00:00:00"])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid, match=r"^until: .*such as 18:00"):
        instant_of(text, NOON, PARIS, "until")


@pytest.mark.parametrize("text", ["", "2026-03-07T14:00", "2026-02-30", "20260307", "tomorrow"])
def test_a_day_is_a_day(text: str) -> None:
    assert day_of("2026-03-07", "from") == date(2026, 3, 7)
    with pytest.raises(Invalid, match=r"^from: not a day"):
        day_of(text, "from")


@pytest.mark.parametrize(("length", "until"), [(None, None), ("2h", "18:00")])
def test_what_holds_for_a_time_says_its_end_in_one_way(length: str | None, until: str | None) -> None:
    with pytest.raises(Invalid, match=r"`for`.*`until`"):
        end_of(NOON, length, until, PARIS)


@pytest.mark.parametrize(("length", "until"), [("5h", None), (None, "18:00")])
def test_an_end_is_a_length_of_time_from_now_or_an_instant(length: str | None, until: str | None) -> None:
    assert end_of(NOON, length, until, PARIS) == NOON + timedelta(hours=5)


@pytest.mark.parametrize("text", ["", "soon", "2", "-1h", "1e3s", "9" * 400 + "d", "11000d"])
def test_what_is_no_length_of_time_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(Invalid, match=r"^for: "):
        length_of(text, "for")


def test_what_would_end_after_the_last_year_is_refused() -> None:
    late = datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(Invalid, match=r"^for: "):
        end_of(late, "2d", None, PARIS)
    with pytest.raises(Invalid, match=r"^until: "):
        end_of(NOON, None, "9999-12-31T23:59-14:00", PARIS)

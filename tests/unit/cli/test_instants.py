"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click
import pytest

from interlock.cli.instants import day_of, instant_of
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
    assert instant_of(text, NOON, PARIS, "--until") == read


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2h", "18", "2026-13-01T00:00", "18:00:00:00"])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 18:00"):
        instant_of(text, NOON, PARIS, "--until")


@pytest.mark.parametrize("text", ["", "2026-03-07T14:00", "2026-02-30", "20260307", "tomorrow"])
def test_a_day_is_a_day(text: str) -> None:
    assert day_of("2026-03-07", "--from") == date(2026, 3, 7)
    with pytest.raises(click.BadParameter, match="not a day"):
        day_of(text, "--from")

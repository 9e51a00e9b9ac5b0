from __future__ import annotations

from datetime import date, datetime, time
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.crons import parse_cron

fields = st.tuples(
    st.sampled_from(["0", "*", "*/15", "5,50", "10-20/5"]),
    st.sampled_from(["0", "*", "*/6", "8-18", "23"]),
    st.sampled_from(["*", "1", "L", "LW", "13", "1-7", "31"]),
    st.sampled_from(["*", "2", "3,9", "JAN-MAR"]),
    st.sampled_from(["*", "1-5", "MON", "5#2", "5L", "0,7"]),
).map(" ".join)


@given(fields, st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001  (wall times)
def test_days_and_times_are_those_that_the_library_itself_fires_at(text: str, start: datetime) -> None:
    try:
        cron = parse_cron(text)
    except ValueError:
        return
    for wall in islice(CronSim(text, start), 5):
        assert cron.matches(wall.date())
        assert 3600 * wall.hour + 60 * wall.minute in cron.seconds


@pytest.mark.parametrize(
    ("text", "at", "fixed"),
    [
        ("30 2 * * *", time(2, 30), True),
        ("0 08 * * 1-5", time(8), True),
        ("0 8,20 * * *", None, True),
        ("0-0 8 * * *", None, True),
        ("0 */6 * * *", None, False),
        ("*/15 8 * * *", None, False),
    ],
)
def test_an_expression_of_single_numbers_has_one_time_a_day(text: str, at: time | None, *, fixed: bool) -> None:
    cron = parse_cron(text)
    assert (cron.at, cron.fixed) == (at, fixed)


def test_names_of_months_and_days_may_be_written_in_any_case() -> None:
    assert parse_cron("0 8 * mar Mon").matches(date(2026, 3, 9))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "five fields"),
        ("@daily", "five fields"),
        ("0 8 * *", "five fields"),
        ("0 0 8 * * *", "five fields"),
        ("0 8 * * *" + " " * 200, "five fields"),
        ("60 8 * * *", "Bad minute"),
        ("0 24 * * *", "Bad hour"),
        ("0 8 32 * *", "Bad day-of-month"),
        ("0 8 30 2 *", "Bad day-of-month"),
        ("0 8 * 13 *", "Bad month"),
        ("0 8 * * FRY", "Bad day-of-week"),
        ("*/0 8 * * *", "Bad minute"),
        ("٣ 8 * * *", "Bad minute"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_parsers_words(text: str, words: str) -> None:
    """LAT-11."""
    with pytest.raises(ValueError, match=f"not a cron expression: .*{words}"):
        parse_cron(text)

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.zones import moments, zones

from interlock.core.ids import (
    NAME_PATTERN,
    PipelineName,
    RunKey,
    ScheduleName,
    Slot,
    command_id,
    is_name,
    parse_run_id,
    start_key,
)
from interlock.core.periods import Period
from interlock.testing.builders import a_key, a_slot

names = st.from_regex(rf"(?!.{{256}})(?:{NAME_PATTERN})", fullmatch=True)


@pytest.mark.parametrize("name", ["ab", "daily-sales", "a.b_c-9", "0" * 255])
def test_names_of_the_alphabet_are_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "a", "A1", "-ab", "ab-", "a b", "a/b", "a:b", "a#b", "ab\n", "äb", "0" * 256, "../x", "a*"]
)
def test_everything_else_is_none(name: str) -> None:
    """T-64, LAT-17."""
    assert not is_name(name)


@given(names, names, zones, moments, st.integers(1, 999_999))
def test_every_run_id_is_read_back(pipeline: str, schedule: str, zone: str, at: datetime, number: int) -> None:
    slot = Slot(PipelineName(pipeline), ScheduleName(schedule), Period.at(at, zone))
    key = RunKey(slot, number)
    assert parse_run_id(key.run_id) == key
    assert str(key) == key.run_id


def test_a_run_id_says_pipeline_schedule_period_and_number() -> None:
    assert a_key("2026-03-07T14:00", number=2).run_id == "example:daily:2026-03-07T14:00:2"


@pytest.mark.parametrize(
    "text",
    ["", "example", "example:daily", "example:daily:2026-03-07", "example:daily:2026-03-07:0", "example:daily:2026-03-07:01",
     "example:daily:2026-03-07:x", "Example:daily:2026-03-07:1", "example:DAILY:2026-03-07:1", "example:daily:2026-13-07:1",
     "example:daily:2026-03-07:1\n", "example:daily:2026-03-07:1000000"],
)  # fmt: skip
def test_what_is_no_run_id_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_run_id(text)


def test_the_hours_of_a_day_are_slots_of_their_own() -> None:
    """BUG-72."""
    hours = [a_slot(f"2026-03-07T{hour:02d}:00") for hour in range(3)]
    assert len({RunKey(slot).run_id for slot in hours}) == 3


def test_slots_of_one_pipeline_sort_by_time() -> None:
    slots = [a_slot(f"2026-03-{day:02d}") for day in (7, 8, 9)]
    assert slots[0] < slots[1] < slots[2]


def test_names_of_starts_and_wishes_are_derived_and_never_collide() -> None:
    run_id = a_key().run_id
    assert start_key(run_id, 2) == "example:daily:2026-03-07:1/2"
    assert len({command_id(run_id, version, index) for version in (1, 11) for index in (1, 11)}) == 4

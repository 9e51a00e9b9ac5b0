"""The slots to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.unit.operations.office import Office, a_reader, an_office

from interlock.api.planning import PreviewSchedule, SchedulePreviewList
from interlock.errors import Invalid, NotFound
from interlock.operations.performing import perform

SCHEDULES = """\
schedules:
  - {name: morning, after: "06:00", timezone: Europe/Berlin}
  - {name: quarters, every: 15m}
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with an_office(tmp_path / "project", pipeline=SCHEDULES) as found:
        yield found


def preview(office: Office, **more: Any) -> SchedulePreviewList:
    return perform(PreviewSchedule(pipeline_id="orders", **more), office.desk)


def test_five_slots_of_each_schedule_are_shown_by_default(office: Office) -> None:
    found = preview(office).items
    assert [(each.schedule_id, len(each.slots)) for each in found] == [("morning", 5), ("quarters", 5)]
    assert found[0].slots[0].date == "2026-03-08"


def test_one_schedule_and_a_number_and_a_beginning_can_be_chosen(office: Office) -> None:
    (found,) = preview(office, schedule="morning", count=2, since=date(2026, 12, 24)).items
    assert [slot.date for slot in found.slots] == ["2026-12-24", "2026-12-25"]


def test_a_stretch_shows_all_of_its_slots(office: Office) -> None:
    (found,) = preview(office, schedule="quarters", days=1).items
    assert len(found.slots) == 97


def test_around_the_clock_changes_both_sides_are_shown_and_a_zone_without_any_says_so(office: Office) -> None:
    found = preview(office, around_dst=True, count=1).items
    assert [(each.schedule_id, each.change is not None, len(each.slots)) for each in found] == [
        ("morning", True, 2),
        ("morning", True, 2),
        ("quarters", False, 0),
    ]


def test_what_cannot_be_shown_is_said(office: Office) -> None:
    with pytest.raises(NotFound, match="there are: morning, quarters"):
        preview(office, schedule="evening")
    with pytest.raises(NotFound):
        perform(PreviewSchedule(pipeline_id="nobody"), office.desk)
    with pytest.raises(Invalid, match="one of them"):
        preview(office, around_dst=True, days=3)
    with pytest.raises(Invalid, match="out of range"):
        preview(office, since=date(9999, 12, 31))


def test_looking_ahead_needs_nothing_to_act_with(office: Office) -> None:
    """T-97."""
    with a_reader(office.root) as desk:
        assert perform(PreviewSchedule(pipeline_id="orders"), desk).items

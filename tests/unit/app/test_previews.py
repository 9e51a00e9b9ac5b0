"""What is to come, as concrete instants."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from interlock.app.previews import around_changes, preview
from interlock.core.pipelines import Deadline, ScheduleSpec, SlaSpec
from interlock.testing.builders import MINUTE, a_spec

NEW_YORK, HOUR = "America/New_York", timedelta(hours=1)
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


def test_the_slots_around_a_change_are_in_order_and_the_one_that_opens_with_it_is_among_them() -> None:
    """T-49."""
    schedule = ScheduleSpec(every=HOUR, timezone=NEW_YORK)
    back, forward = around_changes(a_spec(schedules=(schedule,)), schedule, SUMMER, 2)
    assert [slot.date for slot in back.slots] == [
        "2026-11-01T00:00",
        "2026-11-01T01:00",
        "2026-11-01T01:00-05:00",
        "2026-11-01T02:00",
    ]
    assert [slot.opens_at.local for slot in forward.slots] == [
        "2027-03-14T00:00-05:00",
        "2027-03-14T01:00-05:00",
        "2027-03-14T03:00-04:00",
        "2027-03-14T04:00-04:00",
    ]


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Australia/Lord_Howe", "2026-10-04T02:00+10:30", "2026-10-04T02:30+11:00"),
        ("Africa/Cairo", "2026-10-30T00:00+03:00", "2026-10-29T23:00+02:00"),
        ("Antarctica/Troll", "2026-10-25T03:00+02:00", "2026-10-25T01:00+00:00"),
    ],
)
def test_a_change_is_shown_as_clocks_show_it_however_long_it_is(zone: str, before: str, after: str) -> None:
    """T-49."""
    schedule = ScheduleSpec(timezone=zone)
    change = around_changes(a_spec(schedules=(schedule,)), schedule, SUMMER, 1)[0].change
    assert change is not None
    assert (change.before, change.after) == (before, after)


def test_a_zone_whose_clocks_stay_has_nothing_to_show() -> None:
    schedule = ScheduleSpec(timezone="Asia/Tokyo")
    assert around_changes(a_spec(schedules=(schedule,)), schedule, SUMMER, 3) == ()


def test_a_slot_whose_opening_is_shifted_is_shown_with_its_deadline_shifted_along() -> None:
    schedule = ScheduleSpec(
        after=time(2, 30), deadline=time(3), close_at=Deadline(wall=time(3, 15)), timezone="Europe/Berlin"
    )
    spec = a_spec(schedules=(schedule,), sla=SlaSpec(at_risk=10 * MINUTE))
    (slot,) = preview(spec, schedule, datetime(2027, 3, 28, tzinfo=UTC), None, 1).slots
    shown = (slot.opens_at, slot.completion_at_risk_at, slot.complete_by, slot.closes_at)
    assert [one.local[11:] for one in shown if one] == ["03:30+02:00", "03:50+02:00", "04:00+02:00", "04:15+02:00"]

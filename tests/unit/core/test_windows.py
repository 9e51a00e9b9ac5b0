"""Windows of every kind of schedule, and the instants that a run of one goes by."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.zones import near_changes, zones

from interlock.core.ids import PipelineName, ScheduleName
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, PipelineSpec, ScheduleSpec, SlaSpec
from interlock.core.schedules import (
    Limits,
    Window,
    current_window,
    limits,
    next_window,
    window_of,
    windows,
)

SALES = PipelineName("sales")
NEW_YORK = "America/New_York"
unhurried = settings(deadline=None)  # some of these search through decades, and coverage makes that slow
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
NO_SLA = SlaSpec()

KINDS = [
    ScheduleSpec(),
    ScheduleSpec(after=time(6), deadline=time(9)),
    ScheduleSpec(after=time(23, 30), deadline=time(2)),
    ScheduleSpec(after=time(2, 30), deadline_span=20 * HOUR),
    ScheduleSpec(after=time(22), close_at=Deadline(span=3 * HOUR)),
    ScheduleSpec(cron="30 2 * * *", deadline=time(2, 30)),
    ScheduleSpec(cron="0 8 * * 1-5", close_at=Deadline(wall=time(12))),
    ScheduleSpec(cron="*/20 1-3 * * *"),
    ScheduleSpec(cron="30 1,2,23 * * *", deadline_span=45 * MINUTE),
    ScheduleSpec(every=15 * MINUTE, deadline_span=10 * MINUTE, close_at=Deadline(span=14 * MINUTE)),
    ScheduleSpec(every=HOUR, deadline=time(7)),
    ScheduleSpec(every=12 * HOUR),
]
kinds = st.sampled_from(KINDS)
SPANNING = [kind for kind in KINDS if kind.every or kind.cron] + [ScheduleSpec()]


def _in(schedule: ScheduleSpec, zone_name: str) -> ScheduleSpec:
    return msgspec.structs.replace(schedule, timezone=zone_name)


def window(pipeline: PipelineName, schedule: ScheduleSpec, day: date) -> Window:
    found = window_of(pipeline, schedule, Period.of_day(day))
    assert found is not None
    return found


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _spec(schedule: ScheduleSpec, sla: SlaSpec = NO_SLA) -> PipelineSpec:
    return PipelineSpec(name=SALES, archetype="any", traits=(), schedules=(schedule,), sla=sla)


# ---------------------------------------------------------------- laws


@unhurried
@given(kinds, near_changes())
def test_windows_ascend_and_each_is_found_by_its_period(schedule: ScheduleSpec, place: tuple[str, datetime]) -> None:
    """T-49."""
    zone_name, around = place
    schedule = _in(schedule, zone_name)
    found = list(windows(SALES, schedule, around - 2 * DAY, around + 2 * DAY, limit=300))
    assert all(before.opens_at < after.opens_at for before, after in pairwise(found))
    assert len({each.slot for each in found}) == len(found)
    for each in found[:5] + found[-5:]:
        assert each.opens_at < each.ends_at
        assert each.due_at is None or each.due_at >= each.opens_at
        assert each.closes_at > each.opens_at
        assert window_of(SALES, schedule, each.slot.period) == each


@unhurried
@given(st.sampled_from(SPANNING), near_changes())
def test_windows_leave_no_gap_and_do_not_overlap(schedule: ScheduleSpec, place: tuple[str, datetime]) -> None:
    """T-49."""
    schedule = _in(schedule, place[0])
    found = list(windows(SALES, schedule, place[1] - 2 * DAY, place[1] + 2 * DAY, limit=300))
    assert all(before.ends_at == after.opens_at for before, after in pairwise(found))


@unhurried
@given(kinds, near_changes(), st.integers(0, 59_999_999))
def test_the_current_window_is_the_latest_open_one_else_the_next(
    schedule: ScheduleSpec, place: tuple[str, datetime], micros: int
) -> None:
    schedule = _in(schedule, place[0])
    at = place[1] + timedelta(microseconds=micros)
    found = list(windows(SALES, schedule, at - 4 * DAY, at + 4 * DAY, limit=2000))
    opened = [each for each in found if each.is_open(at)]
    expected = opened[-1] if opened else next(each for each in found if each.opens_at > at)
    assert current_window(SALES, schedule, at) == expected
    assert next_window(SALES, schedule, at) == next(each for each in found if each.opens_at > at)


@unhurried
@given(kinds, zones, st.integers(0, 3650))
def test_windows_of_consecutive_stretches_are_those_of_the_whole(
    schedule: ScheduleSpec, zone_name: str, days: int
) -> None:
    """Whoever looks again from where the last look ended misses no slot and meets none twice."""
    schedule = _in(schedule, zone_name)
    start = _at("2026-01-01T00:00") + days * DAY
    ends = [start, start + 7 * HOUR, start + 7 * HOUR, start + 8 * HOUR + TICK, start + 2 * DAY]
    parts = [each for since, until in pairwise(ends) for each in windows(SALES, schedule, since, until)]
    assert parts == list(windows(SALES, schedule, start, start + 2 * DAY))


# ---------------------------------------------------------------- single windows


def test_an_opening_belongs_to_the_stretch_that_ends_with_it() -> None:
    schedule = ScheduleSpec(every=HOUR)
    at = _at("2026-03-07T06:00")
    assert [each.opens_at for each in windows(SALES, schedule, at - HOUR, at)] == [at]
    assert list(windows(SALES, schedule, at, at)) == []
    found = next_window(SALES, schedule, at)
    assert found is not None
    assert found.opens_at == at + HOUR


def test_no_more_windows_are_made_than_asked_for() -> None:
    every_minute = ScheduleSpec(every=MINUTE)
    at = _at("2026-03-07T06:00")
    assert len(list(windows(SALES, every_minute, at, at + 3650 * DAY))) == 1000
    assert len(list(windows(SALES, every_minute, at, at + 3650 * DAY, limit=3))) == 3
    assert list(windows(SALES, every_minute, at, at + DAY, limit=0)) == []


def test_a_schedule_that_never_opens_has_no_windows() -> None:
    never = ScheduleSpec(name=ScheduleName("never"), cron="0 6 30 2 *")
    at = _at("2026-03-07T06:00")
    assert next_window(SALES, never, at) is None
    assert list(windows(SALES, never, at, at + 400 * DAY)) == []
    assert window_of(SALES, never, Period.parse("2026-03-07")) is None
    with pytest.raises(ValueError, match="the schedule never of sales never opens"):
        current_window(SALES, never, at)


def test_before_anything_has_opened_the_current_window_is_the_one_to_come() -> None:
    found = current_window(SALES, ScheduleSpec(cron="0 6 29 2 *"), _at("1000-01-02T00:00"))
    assert found.slot.period == "1004-02-29"


def test_the_last_window_that_there_is_ends_a_day_after_its_opening() -> None:
    schedule = ScheduleSpec(cron="0 6 29 2 *")
    found = list(windows(SALES, schedule, _at("2995-01-01T00:00"), _at("2999-12-31T00:00")))
    assert [(each.slot.period, each.ends_at - each.opens_at) for each in found] == [("2996-02-29", DAY)]
    assert window_of(SALES, schedule, Period.parse("2996-02-29")) == found[0]


def test_a_slot_of_weekdays_lasts_until_the_next_opening() -> None:
    schedule = ScheduleSpec(cron="0 8 * * 1-5", timezone=NEW_YORK)
    friday = window_of(SALES, schedule, Period.parse("2026-03-06"))
    assert friday is not None
    assert (friday.opens_at, friday.ends_at) == (_at("2026-03-06T13:00"), _at("2026-03-09T12:00"))
    assert current_window(SALES, schedule, _at("2026-03-08T12:00")) == friday


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (ScheduleSpec(every=6 * HOUR, deadline_span=45 * MINUTE), "2026-03-07T06:45"),
        (ScheduleSpec(every=6 * HOUR, deadline=time(8)), "2026-03-07T08:00"),
        (ScheduleSpec(every=6 * HOUR, deadline=time(6)), "2026-03-08T06:00"),
        (ScheduleSpec(cron="0 6,18 * * *", deadline=time(2)), "2026-03-08T02:00"),
    ],
)
def test_a_deadline_of_a_slot_within_a_day_counts_from_its_opening(schedule: ScheduleSpec, due: str) -> None:
    found = window_of(SALES, schedule, Period.parse("2026-03-07T06:00"))
    assert found is not None
    assert found.due_at == _at(due)


def test_a_span_that_ends_after_midnight_keeps_a_window_open() -> None:
    found = window(SALES, ScheduleSpec(after=time(22), deadline_span=4 * HOUR), date(2026, 3, 7))
    assert found.due_at == found.ends_at == found.closes_at == _at("2026-03-08T02:00")


@pytest.mark.parametrize(
    ("close_at", "closes"),
    [
        (Deadline(wall=time(9)), "2026-03-07T09:00"),
        (Deadline(wall=time(6)), "2026-03-08T06:00"),
        (Deadline(span=90 * MINUTE), "2026-03-07T07:30"),
    ],
)
def test_a_window_closes_when_its_schedule_says(close_at: Deadline, closes: str) -> None:
    found = window(SALES, ScheduleSpec(after=time(6), close_at=close_at), date(2026, 3, 7))
    assert (found.closes_at, found.hard) == (_at(closes), True)


def test_a_window_that_closes_in_the_repeated_hour_closes_the_second_time() -> None:
    """T-49."""
    schedule = ScheduleSpec(close_at=Deadline(wall=time(1, 30)), timezone=NEW_YORK)
    found = window(SALES, schedule, date(2026, 11, 1))
    assert found.closes_at == _at("2026-11-01T06:30")


# ---------------------------------------------------------------- limits


OPENS = _at("2026-03-07T06:00")


def _limits(schedule: ScheduleSpec, sla: SlaSpec = NO_SLA, at: datetime = OPENS) -> Limits:
    return limits(_spec(schedule, sla), _window_of(schedule), at)


def _window_of(schedule: ScheduleSpec) -> Window:
    return window(SALES, schedule, date(2026, 3, 7))


SIX = ScheduleSpec(after=time(6))


def test_without_a_word_a_slot_has_no_deadline_and_closes_with_its_window() -> None:
    assert _limits(SIX) == Limits(
        opens_at=OPENS, closes_at=_at("2026-03-08T00:00"), closes_because="the end of its window", hard=False
    )


@pytest.mark.parametrize(
    ("sla", "evaluation_warn", "completion_warn"),
    [
        (SlaSpec(), None, None),
        (SlaSpec(at_risk=10 * MINUTE), "08:50", "09:50"),
        (SlaSpec(expected_duration=25 * MINUTE), None, "09:35"),
        (SlaSpec(at_risk=10 * MINUTE, expected_duration=25 * MINUTE), "08:50", "09:35"),
        (SlaSpec(at_risk=30 * MINUTE, expected_duration=25 * MINUTE), "08:30", "09:30"),
    ],
)
def test_people_are_warned_before_a_deadline(
    sla: SlaSpec, evaluation_warn: str | None, completion_warn: str | None
) -> None:
    sla = msgspec.structs.replace(sla, evaluation=Deadline(wall=time(9)), completion=Deadline(wall=time(10)))
    found = _limits(SIX, sla)
    assert (found.evaluation_due, found.completion_due) == (_at("2026-03-07T09:00"), _at("2026-03-07T10:00"))
    assert found.evaluation_warn == (evaluation_warn and _at(f"2026-03-07T{evaluation_warn}"))
    assert found.completion_warn == (completion_warn and _at(f"2026-03-07T{completion_warn}"))


def test_a_lead_as_long_as_the_slot_warns_of_nothing() -> None:
    """A pipeline-wide lead of half an hour must not tell people of every quarter-hourly slot as it opens."""
    sla = SlaSpec(completion=Deadline(span=10 * MINUTE), evaluation=Deadline(span=10 * MINUTE), at_risk=10 * MINUTE)
    found = _limits(SIX, sla)
    assert (found.evaluation_warn, found.completion_warn) == (None, None)


def test_a_slot_that_is_due_later_than_its_window_ends_is_not_given_up_before() -> None:
    """BUG-102."""
    found = _limits(SIX, SlaSpec(completion=Deadline(span=30 * HOUR)))
    assert (found.closes_at, found.closes_because, found.hard) == (OPENS + 30 * HOUR, "its deadline", False)
    said = _limits(SIX, SlaSpec(completion=Deadline(span=30 * HOUR), validation_timeout=Deadline(span=HOUR)))
    assert (said.closes_at, said.hard) == (OPENS + HOUR, True)


def test_without_a_deadline_there_is_nothing_to_warn_of() -> None:
    found = _limits(SIX, SlaSpec(at_risk=10 * MINUTE, expected_duration=HOUR))
    assert (found.evaluation_warn, found.completion_warn) == (None, None)


def test_the_deadline_of_the_schedule_is_the_one_to_warn_of() -> None:
    schedule = ScheduleSpec(after=time(6), deadline=time(8))
    found = _limits(schedule, SlaSpec(completion=Deadline(wall=time(23)), at_risk=10 * MINUTE))
    assert found.evaluation_due == found.completion_due == _at("2026-03-07T08:00")
    assert found.evaluation_warn == found.completion_warn == _at("2026-03-07T07:50")


@pytest.mark.parametrize(
    ("schedule", "sla", "closes", "because"),
    [
        (ScheduleSpec(after=time(6), close_at=Deadline(wall=time(9))), SlaSpec(), "09:00", "the schedule's closeAt"),
        (ScheduleSpec(after=time(6), window=90 * MINUTE), SlaSpec(), "07:30", "the evaluation window"),
        (SIX, SlaSpec(validation_timeout=Deadline(span=45 * MINUTE)), "06:45", "sla.validationTimeout"),
        (SIX, SlaSpec(validation_timeout=Deadline(wall=time(7))), "07:00", "sla.validationTimeout"),
        (
            ScheduleSpec(after=time(6), window=2 * HOUR, close_at=Deadline(span=3 * HOUR)),
            SlaSpec(validation_timeout=Deadline(span=HOUR)),
            "07:00",
            "sla.validationTimeout",
        ),
        (
            ScheduleSpec(after=time(6), window=2 * HOUR, close_at=Deadline(span=2 * HOUR)),
            SlaSpec(validation_timeout=Deadline(span=4 * HOUR)),
            "08:00",
            "the schedule's closeAt",
        ),
    ],
)
def test_a_slot_is_given_up_at_the_earliest_instant_that_somebody_named(
    schedule: ScheduleSpec, sla: SlaSpec, closes: str, because: str
) -> None:
    found = _limits(schedule, sla)
    assert (found.closes_at, found.closes_because, found.hard) == (_at(f"2026-03-07T{closes}"), because, True)


def test_a_named_instant_counts_even_when_it_lies_after_the_window() -> None:
    found = _limits(ScheduleSpec(after=time(6), window=30 * HOUR))
    assert found.closes_at == _at("2026-03-08T12:00")


def test_a_stop_counts_from_the_opening_of_the_slot_and_not_from_the_run() -> None:
    """BUG-21."""
    sla = SlaSpec(validation_timeout=Deadline(span=HOUR))
    assert _limits(SIX, sla, OPENS + 30 * MINUTE).closes_at == OPENS + HOUR


@pytest.mark.parametrize("late", [HOUR, 2 * HOUR, 400 * DAY])
def test_a_run_that_opens_too_late_is_given_the_time_that_a_punctual_one_has(late: timedelta) -> None:
    schedule = ScheduleSpec(after=time(6), deadline=time(9), window=HOUR)
    found = _limits(schedule, SlaSpec(at_risk=10 * MINUTE), OPENS + late)
    assert (found.closes_at, found.closes_because) == (OPENS + late + HOUR, "the evaluation window")
    assert (found.evaluation_due, found.evaluation_warn) == (_at("2026-03-07T09:00"), _at("2026-03-07T08:50"))
    assert found.opens_at == OPENS


def test_a_run_that_opens_after_its_window_is_given_as_long_as_the_window_was() -> None:
    assert _limits(SIX, at=_at("2026-03-07T23:59")).closes_at == _at("2026-03-08T00:00")
    assert _limits(SIX, at=_at("2026-03-08T00:00")).closes_at == _at("2026-03-08T18:00")


def test_a_run_that_opens_after_its_window_is_late_even_before_the_instant_that_was_named() -> None:
    found = _limits(ScheduleSpec(after=time(6), window=30 * HOUR), at=_at("2026-03-08T01:00"))
    assert found.closes_at == _at("2026-03-09T07:00")


def test_a_window_of_a_schedule_that_is_no_longer_there_closes_with_itself() -> None:
    other = ScheduleSpec(name=ScheduleName("other"), after=time(6), window=HOUR)
    found = limits(_spec(other), _window_of(SIX), OPENS)
    assert (found.closes_at, found.hard) == (_at("2026-03-08T00:00"), False)

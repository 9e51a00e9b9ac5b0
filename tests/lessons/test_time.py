"""Group 1: clocks, days, zones and deadlines. What went wrong elsewhere, tried on the living system."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.lessons.living import DAY, HOUR, SCAN, Living
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline

from interlock.app.markers import Arrival, arrive
from interlock.app.reruns import Rerun, ask_rerun
from interlock.codec.documents import document
from interlock.core.calendars import DaySet
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, ScheduleName, Slot
from interlock.core.openings import day_start
from interlock.core.periods import Period
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    PipelineSpec,
    ScheduleSpec,
    SlaSpec,
    TriggerSpec,
    WatchSpec,
)
from interlock.core.runs import Cause, RunStatus, SlaState, Watch
from interlock.core.schedules import deadlines, limits, window_of, windows
from interlock.core.traits import DriftSpec, TraitStatus
from interlock.operations.instants import instant_of
from interlock.ports.controls import Marker
from interlock.ports.evaluators import Answer, Question
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot, a_spec, a_trait

NEW_YORK = "America/New_York"
HOURLY = ScheduleSpec(name=ScheduleName("hourly"), every=HOUR, deadline_span=30 * MINUTE)


def _local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[misc,arg-type]


def _never_ready(_question: Question, _at: datetime) -> TraitStatus:
    return TraitStatus.FAIL


# ---------------------------------------------------------------- deadlines of slots within a day


@pytest.mark.parametrize("how", ["every: 1h", 'cron: "0 * * * *"'])
def test_an_hourly_schedule_takes_a_deadline_within_the_hour(tmp_path: Path, how: str) -> None:
    """BUG-67."""
    root = small_project(tmp_path)
    write_pipeline(root, "one", f"schedules:\n  - {{name: hourly, {how}, deadline: 30m}}\n")
    (schedule,) = loaded(root).pipelines["one"].spec.schedules
    assert schedule.deadline_span == 30 * MINUTE


@pytest.mark.parametrize("schedule", ["every: 1h", 'after: "06:00"'])
def test_a_deadline_without_an_hour_is_refused_at_its_line_with_what_is_expected(tmp_path: Path, schedule: str) -> None:
    """BUG-67."""
    root = small_project(tmp_path)
    write_pipeline(root, "one", f'schedules:\n  - {{name: it, {schedule}, deadline: ":30"}}\n')
    (problem,) = problems_of(root)
    assert problem.line > 0
    assert "not a time of day: ':30' (expected HH:MM" in problem.message


@given(
    zone=st.sampled_from(["UTC", NEW_YORK, "Asia/Tokyo", "Europe/Berlin", "Australia/Lord_Howe"]),
    day=st.integers(0, 400),
    minutes=st.integers(1, 180),
)
def test_the_deadline_of_an_hour_is_counted_from_its_opening_also_over_midnight(
    zone: str, day: int, minutes: int
) -> None:
    """BUG-93, BUG-21."""
    schedule = ScheduleSpec(timezone=zone, every=HOUR, deadline_span=minutes * MINUTE)
    since = day_start(date(2026, 1, 1), zone) + day * DAY - SECOND
    found = list(windows(PipelineName("example"), schedule, since, since + 26 * HOUR))
    assert len(found) >= 25
    for window in found:
        due = window.opens_at + minutes * MINUTE
        assert deadlines(a_spec(schedules=(schedule,)), window) == (due, due)


def test_the_last_hour_of_a_day_is_due_on_the_next() -> None:
    """BUG-93."""
    schedule = ScheduleSpec(every=HOUR, deadline_span=90 * MINUTE)
    window = window_of(PipelineName("example"), schedule, Period.parse("2026-03-05T23:00"))
    assert window is not None
    assert deadlines(a_spec(schedules=(schedule,)), window)[0] == datetime(2026, 3, 6, 0, 30, tzinfo=UTC)


def test_an_hourly_pipeline_that_runs_has_missed_nothing() -> None:
    """BUG-85, BUG-72."""
    living = Living(a_spec(schedules=(HOURLY,))).plan().on(DAY)
    assert len(living.runs()) == 25
    assert living.told == []


def test_a_job_is_not_missed_before_it_had_to_begin_and_is_at_its_deadline() -> None:
    """BUG-113, BUG-91."""
    sla = SlaSpec(completion=Deadline(span=60 * MINUTE), expected_duration=20 * MINUTE)
    spec = a_spec(sla=sla, schedules=(ScheduleSpec(name=ScheduleName("hourly"), every=2 * HOUR),))
    living = Living(spec, ask=_never_ready).plan()
    living.until(NOON + 40 * MINUTE - SECOND)
    assert living.told == []
    living.until(NOON + 60 * MINUTE)
    assert living.told == ["completion_sla_at_risk", "completion_sla_breach"]


# ---------------------------------------------------------------- over midnight


@pytest.mark.parametrize("due", [Deadline(wall=time(2)), Deadline(span=8 * HOUR)])
@pytest.mark.parametrize("which", ["evaluation", "completion"])
def test_nothing_is_given_up_before_it_is_due(due: Deadline, which: str) -> None:
    """BUG-89, BUG-158: a deadline after midnight is not cut off by the day."""
    sla = SlaSpec(evaluation=due) if which == "evaluation" else SlaSpec(completion=due)
    spec = a_spec(sla=sla, schedules=(ScheduleSpec(after=time(18)),))
    living = Living(spec, ask=_never_ready, at=NOON).plan().until(NOON + 14 * HOUR - SECOND)
    assert (living.told, living.runs()[-1].status) == ([], RunStatus.PENDING)
    living.on(MINUTE)
    assert living.told == [f"{which}_sla_breach"]
    assert living.runs()[0].status is RunStatus.CANCELLED


def test_a_deadline_counted_from_the_opening_is_missed_on_the_next_day_for_the_day_before() -> None:
    """BUG-158, BUG-26."""
    late = ScheduleSpec(after=time(23), timezone=NEW_YORK)
    spec = a_spec(sla=SlaSpec(evaluation=Deadline(span=2 * HOUR), timezone=NEW_YORK), schedules=(late,))
    living = Living(spec, ask=_never_ready, at=_local(NEW_YORK, 2026, 3, 10, 12)).plan()
    living.until(_local(NEW_YORK, 2026, 3, 11, 0, 59, 59))
    assert living.told == []
    living.until(_local(NEW_YORK, 2026, 3, 11, 1))
    assert living.told == ["evaluation_sla_breach"]
    assert living.sink.alerts[0].slot == a_slot("2026-03-10")


def _drifting(question: Question, at: datetime) -> Answer | TraitStatus:
    midnight = at.replace(hour=0, minute=0, second=0)
    return TraitStatus.FAIL if midnight <= at < midnight + 20 * MINUTE else TraitStatus.PASS


def test_what_completed_just_before_midnight_is_watched_on_the_next_day() -> None:
    """LAT-32: the watch belongs to the run, and not to what day it is."""
    watch = WatchSpec(monitoring=HOUR, interval=MINUTE, rerun_on_drift=False)
    hourly = ScheduleSpec(name=ScheduleName("hourly"), every=HOUR)
    spec = a_spec(watch=watch, schedules=(hourly,), stuck_after=DAY)
    living = Living(spec, ask=_drifting, at=NOON + 11 * HOUR, takes=50 * MINUTE).plan().on(100 * MINUTE)
    drifted = [run.key.slot.period for run in living.runs() if run.monitor and run.monitor.state is Watch.DRIFTED]
    assert drifted == ["2026-03-07T23:00"]
    assert living.told == ["trait_drift"]


# ---------------------------------------------------------------- a baseline of its own


def test_what_was_measured_for_one_day_is_no_baseline_for_another() -> None:
    """BUG-112."""

    def rows(question: Question, _at: datetime) -> Answer:
        day = question.slot.period.day.day
        return Answer(status=TraitStatus.PASS, value=document({"rows": 1000 * day}))

    trait = a_trait("volume", drift=DriftSpec(field="rows", threshold=0.1, relative=True))
    watch = WatchSpec(monitoring=30 * HOUR, interval=HOUR)
    living = Living(a_spec(trait, watch=watch, schedules=(ScheduleSpec(after=time(6)),)), ask=rows).plan().on(4 * DAY)
    ended = [run for run in living.runs() if run.ended]
    assert len(ended) == 3
    assert {run.monitor.state for run in ended if run.monitor} == {Watch.OVER}
    assert living.told == []


# ---------------------------------------------------------------- clocks


def test_two_systems_with_different_clocks_do_not_meet() -> None:
    """BUG-128."""
    spec = a_spec(schedules=(ScheduleSpec(after=time(6)),))
    one, other = Living(spec).plan(), Living(spec, at=NOON + 100 * DAY).plan()
    for _ in range(3):
        one.on(HOUR)
        other.on(DAY)
    assert one.periods() == ["2026-03-07"]
    assert other.periods() == ["2026-06-15", "2026-06-16", "2026-06-17", "2026-06-18"]
    assert all(run.updated_at < NOON + DAY for run in one.runs())


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-09T12:00Z",
        "2026-03-09T12:00:00.000Z",
        "2026-03-09T12:00:00+00:00",
        "2026-03-09T08:00-04:00",
        "2026-03-09T21:00+09:00",
        "2026-03-09T08:00",
        "08:00",
    ],
)
def test_one_instant_is_one_instant_in_whatever_form_it_is_written(text: str) -> None:
    """BUG-174: and without an offset it is the wall time of the pipeline's zone."""
    assert instant_of(text, NOON + 41 * HOUR, NEW_YORK, "--until") == datetime(2026, 3, 9, 12, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1970 < at.year < 2200), st.integers(-14 * 60, 14 * 60))
def test_what_is_kept_of_an_instant_is_the_instant_whatever_offset_it_came_with(at: datetime, offset: int) -> None:
    """BUG-174, BUG-65."""
    given_one = at.astimezone(timezone(timedelta(minutes=offset)))
    living = Living(a_spec())
    living.hands.controls.put_marker(Marker(slot=a_slot(), source="it", at=given_one))
    (kept,) = living.hands.controls.markers(PipelineName("example"), limit=9)
    assert kept.at == given_one


# ---------------------------------------------------------------- days that are included or excluded


MONTH_END = ExclusionSpec(
    include=DaySet(name="closing", dates=(date(2026, 3, 10), date(2026, 3, 12), date(2026, 3, 16)))
)
CLOSING = a_spec(exclusions=MONTH_END, schedules=(ScheduleSpec(after=time(8), deadline=time(9), timezone=NEW_YORK),))


def _unwatched(*specs: PipelineSpec, at: datetime) -> Living:
    living = Living(*specs, at=at).plan()
    living.watched = False
    return living


def test_an_included_day_is_missed_at_its_deadline_and_not_at_its_midnight() -> None:
    """BUG-155."""
    living = _unwatched(CLOSING, at=_local(NEW_YORK, 2026, 3, 9, 12))
    living.until(_local(NEW_YORK, 2026, 3, 10, 8, 59))
    assert "schedule_missed" not in living.told
    living.until(_local(NEW_YORK, 2026, 3, 10, 9, 1) + SCAN)
    assert living.told.count("schedule_missed") == 1
    living.until(_local(NEW_YORK, 2026, 3, 11, 23))
    assert living.told.count("schedule_missed") == 1, "the day after it is none of the included"


def test_every_missed_day_is_told_once_by_a_watchdog_that_was_away_over_several() -> None:
    """BUG-157, T-39."""
    living = _unwatched(CLOSING, at=_local(NEW_YORK, 2026, 3, 9, 12))
    living.guarded = False
    living.until(_local(NEW_YORK, 2026, 3, 17, 12))
    living.guarded = True
    living.on(DAY / 2)
    missed = [alert.slot.period for alert in living.sink.alerts if alert.slot and alert.alert_type == "schedule_missed"]
    assert sorted(set(missed)) == ["2026-03-10", "2026-03-12", "2026-03-16"]
    assert living.told.count("schedule_missed") == 3


SATURDAY, FRIDAY = a_slot("2026-03-07"), a_slot("2026-03-06")
ON_WEEKDAYS = a_spec(exclusions=ExclusionSpec(weekdays=(5, 6)))


def _at(living: Living, slot: Slot) -> Arrival:
    return arrive(Marker(slot=slot, source="landed", at=living.clock.now()), living.hands).how


@pytest.mark.parametrize("today", [NOON, NOON + 2 * DAY], ids=["saturday", "monday"])
def test_it_is_the_slots_own_day_that_is_excluded_whenever_its_data_lands(today: datetime) -> None:
    """LAT-35, BUG-129."""
    living = Living(ON_WEEKDAYS, at=today)
    assert _at(living, FRIDAY) is Arrival.OPENED
    assert _at(living, SATURDAY) is Arrival.RECORDED
    assert living.periods() == ["2026-03-06"]


@pytest.mark.parametrize(("slot", "how"), [(FRIDAY, Rerun.OPENED), (SATURDAY, Rerun.REJECTED)])
def test_a_rerun_goes_by_the_same_rule_as_the_first_run(slot: Slot, how: Rerun) -> None:
    """LAT-35."""
    living = Living(a_spec()).plan()
    _at(living, slot)
    living.on(HOUR)
    living.files.specs[ON_WEEKDAYS.name] = ON_WEEKDAYS
    key = a_key(slot.period)
    assert ask_rerun(key, Cause.LATE_DATA, "more of it", living.hands).how is how


def test_what_is_running_goes_on_over_days_on_which_nothing_starts() -> None:
    """T-35: Friday's job of sixty hours is followed to its end on Monday."""
    seldom = replace(ON_WEEKDAYS, trigger=TriggerSpec(type="fake", poll_interval=HOUR), stuck_after=9 * DAY)
    living = Living(seldom, at=NOON - DAY, takes=60 * HOUR).plan().on(4 * DAY)
    assert living.runs()[0].key.slot == FRIDAY
    assert living.runs()[0].status is RunStatus.COMPLETED
    assert [run.key.slot.period for run in living.runs()] == ["2026-03-06", "2026-03-09", "2026-03-10"]


# ---------------------------------------------------------------- verdicts from stored instants


@pytest.mark.parametrize(("minutes", "verdict"), [(29, SlaState.MET), (31, SlaState.BREACHED)])
def test_a_job_is_late_by_the_deadline_of_its_own_day_in_its_own_zone(minutes: int, verdict: SlaState) -> None:
    """LAT-02, BUG-172."""
    schedule = ScheduleSpec(after=time(9, 30), timezone=NEW_YORK)
    sla = SlaSpec(completion=Deadline(wall=time(10)), timezone=NEW_YORK)
    opens = _local(NEW_YORK, 2026, 3, 10, 9, 30)
    living = Living(a_spec(sla=sla, schedules=(schedule,)), at=opens - HOUR, takes=minutes * MINUTE).plan()
    living.until(opens + 2 * HOUR)
    run = living.runs()[-1]
    assert run.completion_sla is not None
    assert (run.key.slot.period, run.completion_sla.state) == ("2026-03-10", verdict)


@pytest.mark.parametrize("deadline", [None, Deadline(span=HOUR), Deadline(wall=time(13))])
@pytest.mark.parametrize("expected", [None, 20 * MINUTE])
@pytest.mark.parametrize("lead", [None, 10 * MINUTE])
def test_every_combination_of_what_may_be_said_of_a_deadline_has_its_instants(
    deadline: Deadline | None, expected: timedelta | None, lead: timedelta | None
) -> None:
    """LAT-33, LAT-01."""
    sla = SlaSpec(completion=deadline, expected_duration=expected, at_risk=lead)
    living = Living(a_spec(sla=sla, schedules=(ScheduleSpec(after=time(12)),)), ask=_never_ready, at=NOON - HOUR)
    living.plan().until(NOON + 90 * MINUTE)
    warns = deadline is not None and (expected is not None or lead is not None)
    told = [*["completion_sla_at_risk"] * warns, *["completion_sla_breach"] * (deadline is not None)]
    assert living.told == told


def test_a_rerun_is_not_late_by_what_was_due_before_it_was_asked_for() -> None:
    """LAT-33."""
    spec = a_spec(sla=SlaSpec(completion=Deadline(span=HOUR)), schedules=(ScheduleSpec(after=time(12)),))
    living = Living(spec, at=NOON - HOUR).plan().until(NOON + 5 * HOUR)
    assert ask_rerun(living.runs()[-1].key, Cause.RERUN, "corrected", living.hands).how is Rerun.OPENED
    living.on(HOUR)
    again = living.runs()[-1]
    assert (again.key.number, again.status) == (2, RunStatus.COMPLETED)
    assert again.completion_sla is not None
    assert again.completion_sla.state is SlaState.WAIVED
    assert living.told == []


# ---------------------------------------------------------------- missed schedules by a cron


def test_a_missed_cron_is_told_once_within_its_grace_whatever_restarts() -> None:
    """LAT-14, T-43."""
    cron = ScheduleSpec(cron="0 8 * * 1-5", timezone=NEW_YORK, deadline_span=30 * MINUTE)
    living = _unwatched(a_spec(schedules=(cron,)), at=_local(NEW_YORK, 2026, 3, 6, 20))
    living.until(_local(NEW_YORK, 2026, 3, 9, 8, 29, 59))
    assert "schedule_missed" not in living.told, "nothing of Saturday, of Sunday, or of five past midnight"
    for _ in range(3):
        living.restart().on(10 * MINUTE)
    assert living.told.count("schedule_missed") == 1
    assert living.told.count("watcher_stalled") == 1


@pytest.mark.parametrize(("cron", "missed"), [("*/15 * * * *", 4), ("0 13,20 * * *", 1), ("30 12 * * 6", 1)])
def test_steps_lists_and_weekdays_are_missed_where_they_are(cron: str, missed: int) -> None:
    """LAT-14."""
    spec = a_spec(schedules=(ScheduleSpec(cron=cron, deadline_span=MINUTE),))
    living = _unwatched(spec, at=NOON + 2 * MINUTE).until(NOON + 71 * MINUTE)
    assert living.told.count("schedule_missed") == missed


def test_a_deadline_means_the_same_day_for_the_gate_and_for_the_watchdog() -> None:
    """T-43, BUG-156: an evening that spans two days of UTC is one slot, and one alert."""
    schedule = ScheduleSpec(after=time(15), deadline=time(17, 30), timezone="America/Los_Angeles")
    spec = a_spec(schedules=(schedule,))
    window = window_of(spec.name, schedule, Period.parse("2026-03-10"))
    assert window is not None
    due = limits(spec, window, window.opens_at).evaluation_due
    living = _unwatched(spec, at=_local("America/Los_Angeles", 2026, 3, 10, 9))
    living.until(_local("America/Los_Angeles", 2026, 3, 11, 9))
    alerts = [alert for alert in living.sink.alerts if alert.alert_type == "schedule_missed"]
    assert due == datetime(2026, 3, 11, 0, 30, tzinfo=UTC)
    assert {alert.alert_id for alert in alerts} == {f"schedule_missed/example:{DEFAULT_SCHEDULE}:2026-03-10"}
    assert living.told.count("schedule_missed") == 1

"""Group 9: a healthy fleet is silent, and one fault is one alert."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from tests.lessons.living import DAY, HOUR, SCAN, Ask, Living
from tests.unit.triggers.test_command import config, run

from interlock.core.alerts import AlertType
from interlock.core.ids import PipelineName, ScheduleName, Slot
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    PipelineSpec,
    RerunSpec,
    ScheduleSpec,
    SlaSpec,
    WatchSpec,
)
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Answer, Question
from interlock.ports.triggers import JobState
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec

AT_SIX: Final = ScheduleSpec(after=time(6), deadline=time(9))


def _some(number: int, **fields: object) -> tuple[PipelineSpec, ...]:
    return tuple(a_spec(name=f"p{n:03d}", **fields) for n in range(number))


# ---------------------------------------------------------------- a fleet in which all is well


def _mixed() -> tuple[PipelineSpec, ...]:
    sla = SlaSpec(evaluation=Deadline(span=30 * MINUTE), completion=Deadline(span=HOUR), at_risk=10 * MINUTE)
    hourly = ScheduleSpec(name=ScheduleName("hourly"), every=HOUR, deadline_span=50 * MINUTE)
    kinds = (
        {"schedules": (AT_SIX,)},
        {"schedules": (hourly,)},
        {"schedules": (ScheduleSpec(cron="*/30 * * * *"),), "sla": sla},
        {"schedules": (AT_SIX, hourly), "exclusions": ExclusionSpec(weekdays=(6,))},
        {"schedules": (ScheduleSpec(after=time(23, 30), deadline=time(1), timezone="America/New_York"),)},
        {"schedules": (hourly,), "watch": WatchSpec(monitoring=2 * HOUR, interval=5 * MINUTE)},
        {"schedules": (AT_SIX,), "trigger": None},
    )
    return tuple(a_spec(name=f"p{n:03d}", **kinds[n % len(kinds)]) for n in range(8))


def _a_little_late() -> Ask:
    """Let the data of half of the pipelines come three minutes after it is first asked for."""
    first: dict[Slot, datetime] = {}

    def ask(question: Question, at: datetime) -> TraitStatus:
        since = first.setdefault(question.slot, at)
        late = question.slot.pipeline >= "p004" and at - since < 3 * MINUTE
        return TraitStatus.FAIL if late else TraitStatus.PASS

    return ask


def test_a_day_of_a_healthy_fleet_is_silent() -> None:
    """BUG-48, BUG-85, LAT-38: also where data is a little late, and jobs take their time."""
    living = Living(*_mixed(), ask=_a_little_late(), takes=7 * MINUTE).plan().on(DAY)
    assert living.told == []
    assert len(living.trigger.jobs) > 100
    assert all(report.whole and report.findings == 0 for report in living.reports)


FAULTS: Final = {
    "data never comes": "evaluation_sla_breach",
    "a check is broken": "evaluation_failed",
    "a job fails for good": "run_failed",
    "a job hangs": "completion_sla_breach",
    "a watcher dies": "watcher_stalled",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_a_healthy_fleet_is_one_alert(fault: str) -> None:
    """BUG-48, BUG-86."""
    sla = SlaSpec(evaluation=Deadline(span=30 * MINUTE), completion=Deadline(span=HOUR))
    specs = _some(8, sla=sla, schedules=(ScheduleSpec(after=time(12)),), stuck_after=DAY)

    def ask(question: Question, _at: datetime) -> TraitStatus | Answer:
        if question.slot.pipeline == "p003" and fault == "data never comes":
            return TraitStatus.FAIL
        if question.slot.pipeline == "p003" and fault == "a check is broken":
            return Answer(status=TraitStatus.FAIL, category=FailureCategory.PERMANENT, reason="no such table")
        return TraitStatus.PASS

    living = Living(*specs, ask=ask, at=NOON - HOUR).plan()
    living.trigger.category = FailureCategory.PERMANENT
    living.ends_with = lambda key: {
        "a job fails for good": JobState.FAILED,
        "a job hangs": JobState.RUNNING,
    }.get(fault if key.startswith("p003") else "", JobState.SUCCEEDED)
    living.until(NOON + 10 * MINUTE)
    living.watched = fault != "a watcher dies"
    living.until(NOON + 3 * HOUR)
    assert living.told == [FAULTS[fault]]


# ---------------------------------------------------------------- what is new was not late


def test_a_fleet_that_is_new_at_noon_was_not_late_at_nine() -> None:
    """BUG-36, BUG-94, T-39: its slots of today are opened, and nobody is told of deadlines that were over."""
    living = Living(*_some(20, schedules=(AT_SIX,))).plan().on(HOUR)
    assert len(living.trigger.jobs) == 20
    assert living.told == []


@pytest.mark.parametrize("away", [7 * HOUR, 3 * DAY])
def test_a_watcher_that_was_away_is_no_excuse_for_a_deadline_that_passed_meanwhile(away: timedelta) -> None:
    """BUG-36, BUG-91: somebody was there to expect it, and would have."""
    living = Living(a_spec(schedules=(AT_SIX,)), at=NOON - 5 * DAY).plan().until(NOON - away)
    living.watched = living.guarded = False
    living.until(NOON)
    living.watched = living.guarded = True
    living.restart().on(HOUR)
    assert living.told == ["evaluation_sla_breach"]


def test_a_deadline_that_was_told_as_missed_is_not_told_again_by_the_run_that_comes_late() -> None:
    """BUG-48: whichever of them noticed it, it is one fact."""
    living = Living(a_spec(schedules=(AT_SIX,)), at=NOON - DAY).plan().until(NOON - 7 * HOUR)
    living.watched = False
    living.until(NOON)
    assert living.told == ["watcher_stalled", "schedule_missed"]
    living.watched = True
    living.restart().on(2 * HOUR)
    assert living.runs()[-1].status is RunStatus.COMPLETED
    assert living.told == ["watcher_stalled", "schedule_missed"]
    assert living.hands.dispatches.alerts(limit=9, open_only=True) == ()


@pytest.mark.parametrize(("hour", "missed"), [(8, 0), (13, 0), (16, 1)])
def test_only_what_was_to_come_when_a_schedule_was_first_seen_can_be_missed(hour: int, missed: int) -> None:
    """BUG-94: and restarting changes nothing about that."""
    cron = ScheduleSpec(cron=f"0 {hour} * * *", deadline_span=5 * MINUTE)
    living = Living(a_spec(schedules=(cron,)), at=NOON + 2 * HOUR).plan()
    living.watched = False
    for _ in range(5):
        living.restart().on(HOUR)
    assert living.told.count("schedule_missed") == missed


# ---------------------------------------------------------------- how often


def test_a_breach_is_told_once_however_often_somebody_looks_and_restarts() -> None:
    """BUG-48, T-42."""

    def no(_question: Question, _at: datetime) -> TraitStatus:
        return TraitStatus.FAIL

    spec = a_spec(sla=SlaSpec(evaluation=Deadline(span=HOUR)), schedules=(ScheduleSpec(after=time(12)),))
    living = Living(spec, ask=no, at=NOON - MINUTE).plan().until(NOON + HOUR)
    for _ in range(10):
        living.restart().on(15 * MINUTE)
    assert len(living.world.asked) > 100
    assert [notice.number for notice in living.sink.delivered] == [1]


def _drifts(living: Living, question: Question) -> TraitStatus:
    watched = [run for run in living.runs() if run.key.slot == question.slot and run.status == "COMPLETED_MONITORING"]
    return TraitStatus.FAIL if watched else TraitStatus.PASS


def test_data_that_keeps_changing_is_run_again_as_often_as_allowed_and_then_people_are_told_once() -> None:
    """BUG-35, T-17, T-114: each period has a budget of its own."""
    spec = a_spec(
        watch=WatchSpec(monitoring=HOUR, interval=MINUTE),
        reruns=RerunSpec(drift=5),
        schedules=(ScheduleSpec(after=time(6)),),
    )
    living = Living(spec)
    living.world.ask = lambda question, _at: _drifts(living, question)
    living.plan().until(NOON + DAY)
    count = Counter(run.key.slot.period for run in living.runs())
    assert count == {"2026-03-07": 6, "2026-03-08": 6}
    assert living.kinds().count("RERUN_REJECTED") == 2
    alerts = [record.alert for record in living.hands.dispatches.alerts(limit=99)]
    capped = [alert.slot for alert in alerts if alert.alert_type is AlertType.RERUN_CAP_REACHED]
    assert sorted(filter(None, capped)) == [a_slot("2026-03-07"), a_slot("2026-03-08")]


def test_an_evaluator_that_cannot_be_asked_is_no_drift() -> None:
    """T-113, BUG-35."""
    living = Living(
        a_spec(watch=WatchSpec(monitoring=HOUR, interval=MINUTE), schedules=(ScheduleSpec(after=time(12)),))
    )

    def ask(question: Question, _at: datetime) -> TraitStatus | Answer:
        answer = _drifts(living, question)
        category = FailureCategory.TIMEOUT
        return Answer(status=TraitStatus.ERROR, category=category) if answer is TraitStatus.FAIL else answer

    living.world.ask = ask
    living.plan().on(2 * HOUR)
    assert [run.status for run in living.runs()] == [RunStatus.COMPLETED]
    assert living.told == []


# ---------------------------------------------------------------- what a scan costs


def _cost_of_a_scan(pipelines: int) -> Counter[str]:
    living = Living(*_some(pipelines, schedules=(AT_SIX,))).plan().on(HOUR)
    living.clock.advance(SCAN)
    before = len(living.kernel.calls)
    assert living.scan().whole
    return Counter(living.kernel.calls[before:])


def test_a_scan_reads_no_list_of_pipelines_and_costs_what_is_due_and_not_what_is_stored() -> None:
    """BUG-49."""
    assert _cost_of_a_scan(40) == _cost_of_a_scan(2)


def test_every_check_of_a_scan_judges_by_one_instant() -> None:
    """BUG-49, BUG-146: however long the scan takes."""
    living = Living(a_spec(schedules=(AT_SIX,))).plan().on(HOUR)

    def slow(_call: int) -> None:
        living.clock.advance(30 * SECOND)

    began = living.clock.now()
    living.kernel.before = slow
    report = living.scan()
    living.kernel.heal()
    assert living.clock.now() - began > 3 * MINUTE
    assert report.at - began < MINUTE


# ---------------------------------------------------------------- words in what a job says


HEALTHY: Final = """\
import sys
sys.stderr.write("ERROR java -XX:OnOutOfMemoryError=kill -9 %p\\n")
sys.stderr.write("WARN 0 errors, 0 failed; Exception: none\\n")
print("Traceback of the plan: FAILED stages: 0")
"""


def test_a_job_that_ends_well_has_ended_well_whatever_words_it_uses(tmp_path: Path) -> None:
    """BUG-142, BUG-114."""
    (tmp_path / "job.py").write_text(HEALTHY)
    assert run(tmp_path, config(command=[sys.executable, "job.py"])).state is JobState.SUCCEEDED


def test_one_pipeline_that_is_late_is_told_and_its_healthy_neighbours_are_not() -> None:
    """LAT-14, T-86."""
    specs = _some(5, schedules=(ScheduleSpec(after=time(12), deadline=time(13)),))

    def ask(question: Question, _at: datetime) -> TraitStatus:
        return TraitStatus.FAIL if question.slot.pipeline == PipelineName("p002") else TraitStatus.PASS

    living = Living(*specs, ask=ask, at=NOON - timedelta(hours=1)).plan().until(NOON + 3 * HOUR)
    assert [alert.slot.pipeline for alert in living.sink.alerts if alert.slot] == ["p002"]
    assert replace(specs[0], name=PipelineName("p002")) == specs[2]

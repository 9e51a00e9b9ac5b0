"""What is counted, and under which names."""

from __future__ import annotations

import pytest

from interlock.core.chronicle import EventKind, EventRecord
from interlock.ports.stores import TimelineRecord
from interlock.ports.telemetry import StepKind
from interlock.telemetry.counts import Counts
from interlock.testing.builders import NOON, a_slot


def _told(kind: EventKind, status: str = "", pipeline: str = "example") -> TimelineRecord:
    record = EventRecord(kind=kind, at=NOON, status=status)
    return TimelineRecord(cursor="", pipeline=pipeline, schedule="", period="", run_id="", record=record)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (EventKind.READINESS_CHECKED, "evaluations_total"),
        (EventKind.TRIGGER_FIRED, "triggers_total"),
        (EventKind.RETRY_SCHEDULED, "retries_scheduled"),
        (EventKind.SLA_BREACHED, "sla_breaches"),
        (EventKind.MONITORING_DRIFT_DETECTED, "monitoring_drift_detected"),
        (EventKind.SCHEDULE_MISSED, "schedules_missed"),
        (EventKind.RUN_STUCK, "runs_stuck"),
    ],
)
def test_what_a_timeline_tells_is_counted_under_the_word_of_the_reference(kind: EventKind, word: str) -> None:
    """T-106: the names are those that are documented, the one of a stuck run among them."""
    counts = Counts()
    counts.heard([_told(kind, "READY"), _told(kind, "READY")])
    plain = counts.plain()
    assert plain[word] == 2
    assert sum(plain.values()) == 2


def test_a_start_that_failed_is_one_of_all_starts() -> None:
    counts = Counts()
    counts.heard([_told(EventKind.TRIGGER_FIRED), _told(EventKind.TRIGGER_FAILED)])
    assert (counts.plain()["triggers_total"], counts.plain()["triggers_failed"]) == (2, 1)


def test_what_is_shown_for_debugging_is_whole_numbers_and_nothing_else() -> None:
    """T-83: no command line, no memory."""
    plain = Counts().plain()
    assert {type(value) for value in plain.values()} == {int}
    assert set(plain) == {
        "evaluations_total",
        "evaluation_errors",
        "triggers_total",
        "triggers_failed",
        "alerts_dispatched",
        "alerts_failed",
        "retries_scheduled",
        "sla_breaches",
        "monitoring_drift_detected",
        "schedules_missed",
        "runs_stuck",
        "lifecycle_events_published",
    }


def test_notices_and_events_are_counted_by_sink_and_by_whether_they_arrived() -> None:
    counts = Counts()
    for kind, outcome in ((StepKind.ALERT, "delivered"), (StepKind.ALERT, "failed"), (StepKind.EVENT, "delivered")):
        with counts.step(kind, a_slot(), sink="pager") as step:
            step.told(outcome=outcome)
    values = counts.values()
    assert values["interlock_alerts_dispatched_total"] == {("pager",): 1}
    assert values["interlock_alerts_failed_total"] == {("pager",): 1}
    assert values["interlock_lifecycle_events_published_total"] == {("pager",): 1}
    assert values["interlock_lifecycle_events_failed_total"] == {}


def test_only_a_trait_that_could_not_be_asked_is_an_error_whatever_its_evaluator_said() -> None:
    counts = Counts()
    for trouble in ("1", ""):
        with counts.step(StepKind.TRAIT, a_slot(), trait="freshness", evaluator="program") as step:
            step.told(outcome="FAIL", category="TIMEOUT", trouble=trouble)
    assert counts.values()["interlock_evaluation_errors_total"]["TIMEOUT",] == 1
    assert counts.plain()["evaluation_errors"] == 1


def test_pipelines_are_told_apart_only_where_that_is_wanted() -> None:
    """T-106: labels, and no series for each pipeline unless it is asked for."""
    told = [_told(EventKind.RUN_STUCK, pipeline=name) for name in ("one", "two")]
    together, apart = Counts(), Counts(per_pipeline=True)
    together.heard(told)
    apart.heard(told)
    assert together.values()["interlock_runs_stuck_total"] == {(): 2}
    assert apart.values()["interlock_runs_stuck_total"] == {("one",): 1, ("two",): 1}
    assert together.plain() == apart.plain()


def test_what_may_be_counted_is_shown_as_nothing_before_it_happens() -> None:
    counts = Counts()
    counts.expect(sinks=["pager"], subscribers=["catalogue"])
    values = counts.values()
    assert values["interlock_alerts_failed_total"] == {("pager",): 0}
    assert values["interlock_lifecycle_events_published_total"] == {("catalogue",): 0}
    assert values["interlock_triggers_total"]["failed",] == 0

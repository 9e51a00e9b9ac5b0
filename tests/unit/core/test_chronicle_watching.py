"""The lines of a timeline about what watches a run: evidence, holds, deadlines, limits, drift, what is passed on."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace
from tests.unit.core.states import (
    DUE,
    HARD,
    HOUR,
    MONITORED,
    SOFT,
    SPEC,
    Story,
    blocked,
    drifted,
    held,
    hopeless,
    limits,
    looking,
    monitoring,
    running,
    waiting,
)

from interlock.core.chronicle import EventKind, EventRecord, told
from interlock.core.events import CancelAsked, Event, EvidenceArrived, Held, JobFinished, Released, TraitEvaluated, Woke
from interlock.core.pipelines import SlaSpec
from interlock.core.traits import TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec

K = EventKind
CLOSES = DUE + 2 * HOUR


def _told(story: Story, event: Event) -> list[EventRecord]:
    before = story.run
    return list(told(before, event, story.tell(event)))


def _woken(story: Story, at: datetime) -> list[EventRecord]:
    return _told(story, Woke(at=at))


def _of(records: list[EventRecord], *kinds: EventKind) -> list[str]:
    return [record.message for record in records if record.kind in kinds]


def test_evidence_says_what_it_is() -> None:
    (record,) = _told(waiting(), EvidenceArrived(at=NOON + SECOND, source="push of fresh"))
    assert (record.kind, record.message) == (K.EVIDENCE_ARRIVED, "push of fresh")


def test_a_hold_says_until_when_by_whom_and_why_and_its_end_by_whom() -> None:
    story = waiting()
    (record,) = _told(story, Held(at=NOON + SECOND, until=NOON + HOUR, actor="ann", reason="a freeze"))
    assert (record.kind, record.message) == (K.RUN_HELD, "until 2026-03-07T13:00:00+00:00 by ann: a freeze")
    (record,) = _told(story, Released(at=NOON + MINUTE, actor="ben"))
    assert (record.kind, record.message) == (K.RUN_RELEASED, "by ben")


def test_a_run_that_stops_asking_says_why_once() -> None:
    story = Story()
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("fresh")))
    records = _told(story, TraitEvaluated(at=NOON, round=1, result=hopeless("upstream")))
    assert _of(records, K.EVALUATION_STOPPED) == ["upstream (PERMANENT): no such table"]
    assert [record.kind for record in records][-1] is K.ALERT_RAISED
    assert _of(_told(story, Released(at=NOON + SECOND, actor="ann")), K.EVALUATION_STOPPED) == []


@pytest.mark.parametrize("terms", [SOFT, HARD])
def test_a_run_that_is_given_up_leaves_one_line_that_says_so(terms: object) -> None:
    """BUG-84, BUG-101."""
    story = waiting(SOFT if terms is SOFT else HARD)
    records = _woken(story, CLOSES)
    assert _of(records, K.VALIDATION_EXHAUSTED) == [f"given up: {story.run.closes_because}"]
    assert _of(records, K.RUN_STATE_CHANGED) == ["PENDING to CANCELLED"]


def test_a_run_that_a_person_cancels_was_not_given_up() -> None:
    records = _told(waiting(SOFT), CancelAsked(at=NOON + SECOND, actor="ann", reason="enough"))
    assert _of(records, K.VALIDATION_EXHAUSTED) == []
    assert _of(records, K.RUN_CANCELLED) == ["by ann: enough"]


def test_a_failure_after_the_limit_announces_no_retry() -> None:
    """BUG-135."""
    records = _told(running(HARD), JobFinished(at=CLOSES, attempt=1, succeeded=False, reason="exit 1"))
    assert _of(records, K.RETRY_SCHEDULED, K.RETRY_EXHAUSTED) == []
    assert len(_of(records, K.VALIDATION_EXHAUSTED)) == 1


def test_each_verdict_is_one_line() -> None:
    """BUG-160, BUG-164."""
    story = running(SOFT)
    records = _told(story, JobFinished(at=NOON + MINUTE, attempt=1, succeeded=True))
    assert _of(records, K.SLA_MET) == ["the completion deadline 2026-03-07T14:00:00+00:00"]
    assert _of(records, K.SLA_BREACHED, K.SLA_WAIVED, K.SLA_AT_RISK) == []
    late = waiting(SOFT)
    assert _of(_woken(late, DUE), K.SLA_BREACHED) == ["the evaluation deadline 2026-03-07T13:00:00+00:00"]
    assert _of(_woken(late, DUE + MINUTE), K.SLA_BREACHED) == []
    cancelled = _told(waiting(SOFT), CancelAsked(at=NOON, actor="ann", reason="enough"))
    assert len(_of(cancelled, K.SLA_WAIVED)) == 2


def test_the_verdict_of_a_slot_that_opens_late_is_told_with_its_opening() -> None:
    story = Story(at=DUE + SECOND, limits=limits(completion_due=DUE))
    records = list(told(None, None, story.last))
    assert [record.kind for record in records] == [K.RUN_OPENED, K.SLA_BREACHED, K.SLA_BREACHED, K.ALERT_RAISED]


def test_an_armed_deadline_is_not_worth_a_line() -> None:
    assert [record.kind for record in told(None, None, Story(limits=SOFT).last)] == [K.RUN_OPENED]


def test_a_deadline_at_risk_is_one_line() -> None:
    spec = replace(SPEC, sla=SlaSpec(at_risk=MINUTE))
    story = Story(spec, limits=limits(evaluation_warn=DUE - MINUTE)).answers(TraitStatus.FAIL)
    assert _of(_woken(story, DUE - MINUTE), K.SLA_AT_RISK) == ["the evaluation deadline 2026-03-07T13:00:00+00:00"]
    assert _of(_woken(story, DUE - 30 * SECOND), K.SLA_AT_RISK) == []


def test_a_watch_for_drift_says_until_when() -> None:
    story = Story(MONITORED).started()
    records = _told(story, JobFinished(at=NOON, attempt=1, succeeded=True))
    assert [record.kind for record in records] == [
        K.CALLBACK_RECEIVED,
        K.RUN_STATE_CHANGED,
        K.MONITORING_STARTED,
        K.DOWNSTREAM_NOTIFIED,
        K.PIPELINE_COMPLETED,
    ]
    assert _of(records, K.MONITORING_STARTED) == ["until 2026-03-07T14:00:00+00:00"]
    assert [record.status for record in records if record.kind is K.PIPELINE_COMPLETED] == ["COMPLETED_MONITORING"]


def test_a_watch_that_is_over_says_so_once() -> None:
    story = monitoring()
    assert story.run.monitor is not None
    records = _woken(story, story.run.monitor.until)
    assert [record.kind for record in records] == [K.RUN_STATE_CHANGED, K.MONITORING_COMPLETED]


def test_a_look_while_watching_is_not_told() -> None:
    story = monitoring()
    assert story.run.wake_at is not None
    assert _woken(story, story.run.wake_at) == []


def test_drift_names_the_traits_and_the_rerun_that_it_asks_for() -> None:
    """T-17, BUG-81."""
    story = looking()
    story.tell(TraitEvaluated(at=story.at, round=story.run.round, result=a_result("upstream", at=story.at)))
    fact = TraitEvaluated(at=story.at, round=story.run.round, result=a_result("fresh", TraitStatus.FAIL, at=story.at))
    records = _told(story, fact)
    assert [record.kind for record in records] == [
        K.TRAIT_EVALUATED,
        K.RUN_STATE_CHANGED,
        K.MONITORING_DRIFT_DETECTED,
        K.RERUN_REQUESTED,
        K.ALERT_RAISED,
    ]
    assert _of(records, K.MONITORING_DRIFT_DETECTED) == ["drift of fresh"]
    assert _of(records, K.RERUN_REQUESTED) == ["drift: drift of fresh"]
    assert drifted().run.ended


def test_a_pipeline_without_a_trigger_tells_its_completion_too() -> None:
    story = Story(a_spec(trigger=None))
    records = _told(story, TraitEvaluated(at=NOON, round=1, result=a_result()))
    assert [record.kind for record in records] == [
        K.TRAIT_EVALUATED,
        K.READINESS_CHECKED,
        K.RUN_STATE_CHANGED,
        K.DOWNSTREAM_NOTIFIED,
        K.PIPELINE_COMPLETED,
    ]


@pytest.mark.parametrize("make", [blocked, held, drifted])
def test_no_line_is_told_twice(make: object) -> None:
    """BUG-164."""
    assert callable(make)
    records = told(None, None, make().last)
    assert len(records) == len(set(records))

from __future__ import annotations

import pytest
from tests.unit.core.cases import FORCED
from tests.unit.core.states import SPEC, Story, retrying, running, triggering, waiting

from interlock.codec.documents import document
from interlock.core.chronicle import EventKind, EventRecord, told
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    JobSeen,
    JobVanished,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
)
from interlock.core.lifecycle import Terms, opened
from interlock.core.runs import Cause
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec

K = EventKind


def _told(story: Story, event: Event) -> tuple[EventRecord, ...]:
    before = story.run
    return told(before, event, story.tell(event))


def _kinds(records: tuple[EventRecord, ...]) -> list[EventKind]:
    return [record.kind for record in records]


def test_an_opening_says_why_and_by_whom_it_was_forced() -> None:
    plain = opened(a_key(), SPEC, DIGEST, NOON)
    (record,) = told(None, None, plain)
    assert (record.kind, record.at, record.status, record.message) == (K.RUN_OPENED, NOON, "PENDING", "opened (manual)")
    forced = opened(a_key(), SPEC, DIGEST, NOON, Terms(cause=Cause.RERUN, note="late data", override=FORCED))
    assert (
        told(None, None, forced)[0].message == "opened (rerun: late data), forced by ann past readiness: told by phone"
    )


def test_the_last_answer_is_told_before_the_verdict_and_the_new_state() -> None:
    """T-117."""
    story = Story(a_spec())
    value = document({"lag": 4})
    result = a_result(ttl=MINUTE, value=value, reason="fresh enough")
    records = _told(story, TraitEvaluated(at=NOON, round=1, result=result))
    assert _kinds(records) == [K.TRAIT_EVALUATED, K.READINESS_CHECKED, K.RUN_STATE_CHANGED]
    assert (records[0].status, records[0].trait, records[0].message) == ("PASS", "freshness", "fresh enough")
    assert records[0].details == value
    assert (records[1].status, records[1].message) == ("READY", "1 of 1 needed passed")
    assert (records[2].status, records[2].message) == ("TRIGGERING", "PENDING to TRIGGERING")


def test_a_no_names_what_blocks() -> None:
    """BUG-20."""
    story = Story(a_spec("aa", "bb"))
    story.answers(TraitStatus.FAIL)
    records = told(None, None, story.last)
    assert [record.message for record in records if record.kind is K.READINESS_CHECKED] == ["blocked by aa"]


def test_a_verdict_is_told_once_and_not_with_every_later_fact() -> None:
    story = waiting()
    assert K.READINESS_CHECKED not in _kinds(_told(story, EvaluationAsked(at=story.after(1))))


def test_an_overridden_start_says_who_set_what_aside() -> None:
    story = Story(a_spec("aa", "bb"), override=FORCED)
    story.tell(TraitEvaluated(at=NOON, round=1, result=a_result("aa")))
    records = _told(story, TraitEvaluated(at=NOON, round=1, result=a_result("bb", TraitStatus.FAIL)))
    assert [r.message for r in records if r.kind is K.READINESS_OVERRIDDEN] == ["ann set aside bb: told by phone"]


def test_a_request_says_by_whom() -> None:
    asked = _told(waiting(), EvaluationAsked(at=NOON + SECOND, actor="ann", override=FORCED))
    assert asked[0].kind is K.EVALUATION_ASKED
    assert asked[0].message == "asked for by ann, forced past readiness: told by phone"
    assert _told(waiting(), EvaluationAsked(at=NOON + SECOND))[0].message == "asked for by nobody in particular"


def test_an_override_that_ends_with_its_spec_is_told() -> None:
    story = Story(override=FORCED)
    records = _told(story, EvaluationAsked(at=story.after(300), actor="ben", spec_digest="e" * 32))
    assert [record.message for record in records[:2]] == [
        "asked for by ben",
        "what ann had forced no longer holds: the run is judged by another spec from here on",
    ]
    cancelled = _told(running(), CancelAsked(at=NOON, actor="ann", reason="enough"))
    assert (cancelled[0].kind, cancelled[0].message) == (K.RUN_CANCELLED, "by ann: enough")


DETAILS = document({"pid": 7})


@pytest.mark.parametrize(
    ("make", "event", "kinds", "message"),
    [
        (
            triggering,
            TriggerAccepted(at=NOON, attempt=1, job_id="j-1", details=DETAILS),
            [K.TRIGGER_FIRED, K.RUN_STATE_CHANGED],
            "attempt 1 was accepted as j-1",
        ),
        (
            triggering,
            TriggerFailed(at=NOON, attempt=1, category=FailureCategory.TRANSIENT, reason="no queue"),
            [K.TRIGGER_FAILED, K.RUN_STATE_CHANGED, K.RETRY_SCHEDULED],
            "attempt 1 could not be started: no queue",
        ),
        (
            triggering,
            TriggerFailed(at=NOON, attempt=1, category=FailureCategory.PERMANENT, reason="no queue"),
            [K.TRIGGER_FAILED, K.RUN_STATE_CHANGED, K.RETRY_EXHAUSTED, K.PIPELINE_FAILED, K.ALERT_RAISED],
            "attempt 1 could not be started: no queue",
        ),
        (
            triggering,
            StartRefused(at=NOON, attempt=1, reason="late"),
            [K.TRIGGER_REFUSED, K.RUN_STATE_CHANGED],
            "attempt 1 was refused: late",
        ),
        (
            triggering,
            TriggerInDoubt(at=NOON, attempt=1, reason="dead line"),
            [K.TRIGGER_IN_DOUBT, K.ALERT_RAISED],
            "dead line",
        ),
        (running, JobVanished(at=NOON, attempt=1, reason="404"), [K.JOB_LOST, K.ALERT_RAISED], "404"),
        (
            running,
            JobFinished(at=NOON, attempt=1, succeeded=True, by="job", details=DETAILS),
            [K.CALLBACK_RECEIVED, K.RUN_STATE_CHANGED, K.DOWNSTREAM_NOTIFIED, K.PIPELINE_COMPLETED],
            "attempt 1, told by job: success",
        ),
        (
            running,
            JobFinished(at=NOON, attempt=1, succeeded=False, reason="exit 1"),
            [K.CALLBACK_RECEIVED, K.RUN_STATE_CHANGED, K.RETRY_SCHEDULED],
            "attempt 1, told by a look at the job: exit 1",
        ),
    ],
)
def test_every_fact_about_an_attempt_is_told_with_what_came_of_it(
    make: type[Story], event: Event, kinds: list[EventKind], message: str
) -> None:
    """T-30."""
    records = _told(make(), event)
    assert _kinds(records) == kinds
    assert records[0].message == message


def test_a_retry_says_when_and_the_last_failure_says_that_none_is_left() -> None:
    story = running()
    retry = _told(story, JobFinished(at=NOON, attempt=1, succeeded=False))[-1]
    assert retry.message == f"attempt 2 begins no earlier than {(NOON + 30 * SECOND).isoformat()}"
    story.wakes().started().fails().wakes().started()
    records = _told(story, JobFinished(at=story.at, attempt=story.run.attempt, succeeded=False))
    assert records[-3].message == "no attempt is left after 3"
    assert (records[-2].kind, records[-2].status) == (K.PIPELINE_FAILED, "FAILED")
    assert (records[-1].kind, records[-1].status) == (K.ALERT_RAISED, "run_failed")


def test_facts_that_only_keep_the_watch_going_are_not_told() -> None:
    assert _told(running(), JobSeen(at=NOON, attempt=1)) == ()
    assert retrying().run.not_before is not None

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.states import (
    SPEC,
    Story,
    asking,
    cancelled,
    completed,
    failed,
    in_doubt,
    lost,
    retrying,
    running,
    triggering,
    unseen,
)

from interlock.codec.documents import document
from interlock.core.alerts import AlertType
from interlock.core.commands import CancelJob, CheckJob, RaiseAlert
from interlock.core.decision import stay
from interlock.core.events import (
    CancelAsked,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.pipelines import TriggerSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import Outcome, RunStatus
from interlock.core.traits import FailureCategory
from interlock.testing.builders import NOON, SECOND, a_spec

PENDING, TRIGGERING, RUNNING = RunStatus.PENDING, RunStatus.TRIGGERING, RunStatus.RUNNING
FAILED = RunStatus.FAILED
TRANSIENT, PERMANENT = FailureCategory.TRANSIENT, FailureCategory.PERMANENT


def _alerts(story: Story) -> list[tuple[AlertType, str]]:
    return [(c.alert.alert_type, c.alert.alert_id) for c in story.commands if isinstance(c, RaiseAlert)]


def test_an_accepted_job_is_looked_at_at_its_interval() -> None:
    """T-34, T-36."""
    story = running()
    assert (story.run.status, story.run.job_id) == (RUNNING, "job-1")
    assert story.run.wake_at == story.at + 30 * SECOND
    story.wakes()
    assert [(c.attempt, c.look) for c in story.commands if isinstance(c, CheckJob)] == [(1, 0)]
    assert story.run.wake_at == story.at + 30 * SECOND
    assert story.ignores(Woke(at=story.after(29)))


def test_a_job_that_ends_before_its_start_is_acknowledged_has_ended() -> None:
    """T-05, T-06."""
    story = triggering()
    story.tell(JobFinished(at=story.after(0.05), attempt=1, succeeded=True, by="job"))
    assert story.run.status is RunStatus.COMPLETED
    assert story.ignores(TriggerAccepted(at=story.after(1), attempt=1, job_id="job"))


def test_a_good_end_is_kept_with_its_times() -> None:
    story = completed()
    (attempt,) = story.run.attempts
    assert (attempt.number, attempt.outcome, attempt.job_id, attempt.reason) == (1, Outcome.SUCCEEDED, "job-1", "done")
    assert (attempt.began_at, attempt.ended_at, story.run.ended_at) == (NOON, story.at, story.at)
    assert story.run.last_failure is None


def test_what_a_callback_brings_replaces_nothing_that_the_trigger_noted() -> None:
    """T-58, BUG-56."""
    story = triggering()
    story.tell(TriggerAccepted(at=NOON, attempt=1, job_id="job", details=document({"pid": 7, "host": "a"})))
    story.tell(JobFinished(at=NOON, attempt=1, succeeded=True, details=document({"pid": 8, "rows": 9})))
    assert story.run.job_details == document({"pid": 7, "host": "a", "rows": 9})


def test_a_failed_job_waits_for_its_backoff_and_asks_everything_afresh() -> None:
    """LAT-42, BUG-25."""
    story = retrying()
    run = story.run
    assert (run.status, run.failures, run.attempt) == (PENDING, 1, 1)
    assert run.not_before == run.wake_at == story.at + 30 * SECOND
    assert (run.results, run.permit, run.job_id, run.asked) == ((), None, "", ())
    assert story.tell(Woke(at=story.after(29))) == stay(run)
    story.wakes().answers()
    assert (story.run.status, story.run.attempt) == (TRIGGERING, 2)


def test_the_news_of_an_earlier_attempt_does_not_touch_a_later_one() -> None:
    """LAT-03, LAT-15."""
    story = retrying().wakes().started()
    assert story.run.attempt == 2
    for late in (
        JobFinished(at=story.at, attempt=1, succeeded=True),
        JobFinished(at=story.at, attempt=1, succeeded=False),
        JobVanished(at=story.at, attempt=1, reason="404"),
    ):
        assert story.ignores(late)


def test_every_attempt_is_kept() -> None:
    """T-59, BUG-16."""
    story = retrying()
    for _ in range(2):
        story.wakes().started().fails()
    assert [attempt.number for attempt in story.run.attempts] == [1, 2, 3]
    assert {attempt.outcome for attempt in story.run.attempts} == {Outcome.FAILED}
    assert story.run.status is RunStatus.FAILED
    assert story.run.failures == 3


def test_when_no_attempt_is_left_people_are_told_once() -> None:
    story = Story(a_spec(retry=RetrySpec(max_attempts=1))).started().fails()
    assert story.run.status is RunStatus.FAILED
    assert _alerts(story) == [(AlertType.RUN_FAILED, f"run_failed/{story.run.key.run_id}")]
    assert "failed after 1 attempt: TRANSIENT: exit 1" in story.commands[0].alert.message  # type: ignore[union-attr]  # an alert
    assert story.run.last_failure == story.run.attempts[-1]


def test_a_permanent_failure_is_not_tried_again_whatever_is_left() -> None:
    """T-21, BUG-18, BUG-19."""
    story = running().fails(PERMANENT)
    assert story.run.status is RunStatus.FAILED
    assert story.run.attempts[0].category is PERMANENT
    assert failed().run.attempts[0].outcome is Outcome.NOT_STARTED


def test_a_failure_without_a_category_is_tried_again_as_transient() -> None:
    """BUG-18."""
    story = running().fails(None)
    assert story.run.status is PENDING
    assert story.run.attempts[0].category is TRANSIENT


def test_a_start_that_failed_for_certain_is_tried_again_like_a_failed_job() -> None:
    """BUG-74."""
    story = triggering()
    story.tell(TriggerFailed(at=story.at, attempt=1, category=TRANSIENT, reason="no queue"))
    assert (story.run.status, story.run.start_failures) == (PENDING, 1)
    assert story.run.attempts[0].outcome is Outcome.NOT_STARTED


def test_starts_that_came_to_nothing_are_not_counted_as_failed_jobs() -> None:
    """The queue was full twice, and the job must still have all of its attempts."""
    story = triggering()
    for _ in range(2):
        story.tell(TriggerFailed(at=story.at, attempt=story.run.attempt, category=TRANSIENT, reason="no queue"))
        story.opens_with()
    story.started()
    assert (story.run.failures, story.run.start_failures) == (0, 0)
    for _ in range(2):
        story.fails().opens_with().started()
    assert story.run.status is RUNNING
    assert story.fails().run.status is FAILED


def test_a_start_that_comes_to_nothing_too_often_is_given_up_by_its_own_policy() -> None:
    trigger = TriggerSpec(type="fake", start_retry=RetrySpec(max_attempts=2, backoff=7 * SECOND))
    story = Story(replace(SPEC, trigger=trigger)).answers()
    story.tell(TriggerFailed(at=story.at, attempt=1, category=TRANSIENT, reason="no queue"))
    assert story.run.not_before == story.at + 7 * SECOND
    story.opens_with()
    story.tell(TriggerFailed(at=story.at, attempt=2, category=TRANSIENT, reason="no queue"))
    assert story.run.status is FAILED
    messages = [wish.alert.message for wish in story.commands if isinstance(wish, RaiseAlert)]
    assert messages == [f"{story.run.key} could not be started in 2 attempts: TRANSIENT: no queue"]


def test_a_start_that_cannot_succeed_is_not_tried_again() -> None:
    """T-20."""
    story = triggering()
    story.tell(TriggerFailed(at=story.at, attempt=1, category=FailureCategory.PERMANENT, reason="no such job"))
    assert story.run.status is FAILED


def test_what_people_are_told_of_a_run_has_the_page_of_its_job() -> None:
    story = triggering()
    details = document({"url": "https://runs.example.com/7"})
    story.tell(TriggerAccepted(at=story.at, attempt=1, job_id="7", details=details))
    story.fails(FailureCategory.PERMANENT)
    alert = next(wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    assert alert.details == document({"jobUrl": "https://runs.example.com/7"})


def test_a_start_in_doubt_is_told_once_and_never_repeated() -> None:
    """T-08, T-10."""
    story = in_doubt()
    assert (story.run.status, story.run.wake_at) == (TRIGGERING, None)
    assert _alerts(story) == [(AlertType.START_UNKNOWN, f"start_unknown/{story.run.key.run_id}/1")]
    assert story.ignores(TriggerInDoubt(at=story.after(9), attempt=1, reason="still"))
    assert story.ignores(Woke(at=story.after(99999)))


def test_a_starter_that_never_says_what_became_of_the_start_is_a_start_in_doubt() -> None:
    """T-60, T-01."""
    story = triggering().wakes()
    assert [kind for kind, _ in _alerts(story)] == [AlertType.START_UNKNOWN]
    assert story.run.doubt


@pytest.mark.parametrize("make", [in_doubt, unseen, lost])
def test_a_doubt_ends_when_somebody_knows(make: object) -> None:
    """T-121, T-22."""
    assert callable(make)
    story = make()
    assert story.run.doubt
    story.tell(JobFinished(at=story.after(5), attempt=1, succeeded=True, by="ann"))
    assert (story.run.status, story.run.doubt) == (RunStatus.COMPLETED, "")


def test_a_start_in_doubt_that_is_found_after_all_goes_on() -> None:
    story = in_doubt()
    story.tell(TriggerAccepted(at=story.after(60), attempt=1, job_id="job"))
    assert (story.run.status, story.run.doubt) == (RUNNING, "")
    assert story.run.wake_at == story.at + 30 * SECOND


def test_a_job_out_of_sight_is_told_once_and_looked_for_for_ever() -> None:
    """T-22, LAT-41."""
    story = unseen()
    assert _alerts(story) == [(AlertType.JOB_LOST, f"job_lost/{story.run.key.run_id}/1")]
    assert (story.run.status, story.run.doubt, story.run.looks) == (RUNNING, "no route", 2)
    story.wakes()
    assert [c.look for c in story.commands if isinstance(c, CheckJob)] == [2]
    assert story.run.wake_at == story.at + 300 * SECOND, "ten times less often"
    story.tell(JobUnseen(at=story.at, attempt=1, look=2, reason="no route"))
    assert _alerts(story) == []


def test_a_look_that_is_told_twice_counts_once() -> None:
    story = running()
    fact = JobUnseen(at=story.at, attempt=1, look=0, reason="no route")
    story.tell(fact)
    assert story.ignores(fact)
    assert story.run.looks == 1


def test_a_job_that_is_seen_again_is_no_longer_in_doubt() -> None:
    story = unseen()
    story.tell(JobSeen(at=story.after(1), attempt=1))
    assert (story.run.doubt, story.run.looks) == ("", 0)


def test_a_job_whose_outcome_is_lost_stops_the_looking_until_people_know() -> None:
    """T-22."""
    story = lost()
    assert (story.run.status, story.run.wake_at, story.run.doubt) == (RUNNING, None, "404")
    assert [kind for kind, _ in _alerts(story)] == [AlertType.JOB_LOST]
    assert story.ignores(JobUnseen(at=story.at, attempt=1, look=0, reason="no route"))


def test_a_lost_job_that_is_seen_after_all_is_looked_at_again() -> None:
    story = lost()
    story.tell(JobSeen(at=story.after(1), attempt=1))
    assert (story.run.doubt, story.run.wake_at) == ("", story.at + 30 * SECOND)


def test_a_running_job_that_is_cancelled_is_asked_to_stop() -> None:
    """T-121."""
    story = cancelled()
    assert (story.run.status, story.run.ended_at, story.run.wake_at) == (RunStatus.CANCELLED, story.at, None)
    assert [(type(c), c.attempt) for c in story.commands if isinstance(c, CancelJob)] == [(CancelJob, 1)]
    assert story.run.attempts[-1].outcome is Outcome.CANCELLED
    assert story.run.job_id == "job-1", "whoever stops it must find it"


def test_a_waiting_run_that_is_cancelled_asks_for_nothing() -> None:
    story = asking()
    story.tell(CancelAsked(at=story.at, actor="ann", reason="enough"))
    assert (story.run.status, story.commands, story.run.attempts) == (RunStatus.CANCELLED, (), ())
    assert SPEC.trigger is not None


def test_a_doubt_without_a_reason_is_a_doubt_all_the_same() -> None:
    """T-22."""
    start, look, sight = triggering(), running(), running()
    start.tell(TriggerInDoubt(at=NOON, attempt=1, reason=""))
    look.tell(JobVanished(at=NOON, attempt=1, reason=""))
    for count in range(2):
        sight.tell(JobUnseen(at=NOON, attempt=1, look=count, reason=""))
    for story in (start, look, sight):
        assert story.run.doubt == "no reason was given"
        assert len(_alerts(story)) == 1

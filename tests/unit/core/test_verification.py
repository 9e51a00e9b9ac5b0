from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.states import Story, limits

from interlock.core.chronicle import EventKind, told
from interlock.core.commands import (
    CancelJob,
    CheckJob,
    EvaluateTrait,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
)
from interlock.core.decision import stay
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    EvidenceArrived,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    TraitEvaluated,
    TriggerAccepted,
)
from interlock.core.lifecycle import decide
from interlock.core.pipelines import TriggerSpec, WatchSpec
from interlock.core.runs import Outcome, RunStatus, SlaState
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.core.verification import LONGEST_PAUSE
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec, a_trait, no_answer

SPEC = a_spec(
    a_trait("fresh", ttl=5 * MINUTE),
    verify=(a_trait("rows"), a_trait("totals")),
    trigger=TriggerSpec(type="fake", poll_interval=30 * SECOND, poll_budget=3),
)
FAIL, ERROR = TraitStatus.FAIL, TraitStatus.ERROR


def _said(spec: object = SPEC, **rest: object) -> Story:
    """A run whose job has just said that it did its work."""
    story = Story(spec or SPEC, **rest)  # type: ignore[arg-type]
    story.answers().started().succeeds()
    return story


def _told(story: Story, *results: TraitResult) -> Story:
    for result in results:
        story.tell(TraitEvaluated(at=story.at, round=story.run.round, result=result))
    return story


def _passes(story: Story, *names: str) -> Story:
    return _told(story, *(a_result(name, at=story.at) for name in names))


def _asked(story: Story) -> list[str]:
    return [wish.trait for wish in story.commands if isinstance(wish, EvaluateTrait)]


def test_a_job_that_says_success_is_not_done_before_its_checks_have_passed() -> None:
    story = _said()
    assert (story.run.status, story.run.attempts) == (RunStatus.RUNNING, ())
    assert _asked(story) == ["rows", "totals"]
    _passes(story, "rows")
    assert (story.run.status, story.run.attempts) == (RunStatus.RUNNING, ())
    _passes(story, "totals")
    assert (story.run.status, story.run.verifying) == (RunStatus.COMPLETED, None)
    assert [type(wish) for wish in story.commands] == [NotifyDownstream, PublishEnd]
    last = story.run.attempts[-1]
    assert (last.outcome, last.reason, last.ended_at) == (Outcome.SUCCEEDED, "done", story.at)


def test_a_verified_run_goes_on_to_be_watched_for_drift() -> None:
    story = _passes(_said(replace(SPEC, watch=WatchSpec(monitoring=60 * MINUTE))), "rows", "totals")
    assert story.run.status is RunStatus.COMPLETED_MONITORING
    assert story.run.results == ()


@pytest.mark.parametrize(
    ("category", "counted", "status"),
    [
        (None, FailureCategory.PERMANENT, RunStatus.FAILED),
        (FailureCategory.PERMANENT, FailureCategory.PERMANENT, RunStatus.FAILED),
        (FailureCategory.TRANSIENT, FailureCategory.TRANSIENT, RunStatus.PENDING),
    ],
)
def test_a_check_that_says_no_makes_the_attempt_a_failed_one(
    category: FailureCategory | None, counted: FailureCategory, status: RunStatus
) -> None:
    """Whether another attempt can help is for the check to say; without a word of it, it cannot."""
    story = _said()
    _passes(story, "totals")
    _told(story, a_result("rows", FAIL, at=story.at, reason="0 rows", category=category))
    assert story.run.status is status
    last = story.run.attempts[-1]
    assert (last.outcome, last.category) == (Outcome.FAILED, counted)
    assert last.reason == "the job said success, and its verification says no: rows: 0 rows"
    assert story.run.verifying is None
    assert story.run.failures == 1


def test_of_several_that_say_no_the_one_that_forbids_another_attempt_decides() -> None:
    story = _said()
    _told(story, a_result("rows", FAIL, at=story.at, category=FailureCategory.TRANSIENT))
    _told(story, a_result("totals", FAIL, at=story.at, category=FailureCategory.PERMANENT))
    assert story.run.status is RunStatus.FAILED


def test_a_retry_after_a_failed_check_earns_a_new_permit_from_new_answers() -> None:
    story = _said()
    _told(story, a_result("rows", FAIL, at=story.at, category=FailureCategory.TRANSIENT))
    _passes(story, "totals")
    assert (story.run.status, story.run.permit, story.run.results) == (RunStatus.PENDING, None, ())
    story.wakes()
    assert _asked(story) == ["fresh"]


def test_a_check_that_could_not_tell_is_asked_again_and_what_passed_is_not() -> None:
    story = _said()
    _passes(story, "totals")
    _told(story, no_answer("rows", at=story.at))
    assert (story.run.status, story.run.wake_at) == (RunStatus.RUNNING, story.at + 30 * SECOND)
    assert not story.raised
    story.wakes()
    assert _asked(story) == ["rows"]
    assert story.run.result(SPEC.verify[1].name) is not None
    _passes(story, "rows")
    assert story.run.status is RunStatus.COMPLETED


def test_answers_that_never_come_are_given_up_on_and_asked_for_again() -> None:
    story = _said().wakes()
    assert story.run.asked == ()
    assert story.run.verifying is not None
    assert story.run.verifying.tries == 1
    story.wakes()
    assert _asked(story) == ["rows", "totals"]


def test_what_cannot_be_verified_is_told_once_and_asked_on_less_and_less_often() -> None:
    story = _said()
    raised, pauses = [], []
    for _ in range(8):
        _passes(story, "totals")
        _told(story, a_result("rows", ERROR, at=story.at, reason="no route"))
        raised += story.raised
        assert story.run.wake_at is not None
        pauses.append(story.run.wake_at - story.at)
        story.wakes()
    assert raised == ["verification_trouble"]
    assert pauses[:4] == [30 * SECOND, 60 * SECOND, 120 * SECOND, 240 * SECOND]
    assert pauses[-1] == LONGEST_PAUSE
    _passes(story, "rows")
    assert story.run.status is RunStatus.COMPLETED
    assert "verification_trouble" in story.resolved


@pytest.mark.parametrize("category", [FailureCategory.PERMANENT, FailureCategory.EVALUATOR_CRASH])
def test_a_check_that_asking_again_will_not_mend_is_told_at_once(category: FailureCategory) -> None:
    story = _said()
    _passes(story, "totals")
    _told(story, replace(no_answer("rows", at=story.at), category=category, reason="no such file"))
    assert story.raised == ["verification_trouble"]
    assert story.run.wake_at is not None
    (alert,) = (wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    # To say that it failed must not start it again behind the back of whoever says so.
    assert f"interlock accept {story.run.key} --reason TEXT" in alert.message
    assert f"interlock complete {story.run.key} --status failed --category PERMANENT" in alert.message


def test_the_checks_of_a_run_that_fails_take_the_alert_about_them_back() -> None:
    story = _said()
    _passes(story, "totals")
    _told(story, replace(no_answer("rows", at=story.at), category=FailureCategory.PERMANENT))
    story.wakes()
    _told(story, a_result("rows", FAIL, at=story.at, reason="0 rows"))
    assert story.raised == ["run_failed"]
    assert "verification_trouble" in story.resolved


def test_a_success_told_again_changes_nothing_while_it_is_checked() -> None:
    story = _said()
    before = story.run
    again = JobFinished(at=story.after(5), attempt=1, succeeded=True, by="job")
    assert decide(before, again, SPEC) == stay(before)


def test_a_failure_told_while_a_success_is_checked_is_believed() -> None:
    story = _said().fails(FailureCategory.PERMANENT)
    assert story.run.status is RunStatus.FAILED
    assert story.run.attempts[-1].reason == "exit 1"


def test_a_person_may_accept_what_cannot_be_checked() -> None:
    story = _said()
    story.tell(JobFinished(at=story.after(5), attempt=1, succeeded=True, reason="looked", by="ann", unverified=True))
    assert story.run.status is RunStatus.COMPLETED
    assert story.run.attempts[-1].reason == "looked"


def test_a_success_that_is_accepted_at_once_is_not_checked_at_all() -> None:
    story = Story(SPEC).answers().started()
    story.tell(JobFinished(at=story.after(5), attempt=1, succeeded=True, by="ann", unverified=True))
    assert story.run.status is RunStatus.COMPLETED


def test_a_job_that_ends_before_its_start_is_acknowledged_is_checked_too() -> None:
    """T-05."""
    story = Story(SPEC).answers().succeeds()
    assert story.run.status is RunStatus.RUNNING
    assert _asked(story) == ["rows", "totals"]
    late = TriggerAccepted(at=story.at, attempt=1, job_id="job-1")
    assert decide(story.run, late, SPEC) == stay(story.run)


@pytest.mark.parametrize(
    "fact",
    [
        JobSeen(at=NOON, attempt=1),
        JobUnseen(at=NOON, attempt=1, look=0, reason="no route"),
        JobVanished(at=NOON, attempt=1, reason="404"),
        EvidenceArrived(at=NOON + 60 * MINUTE, source="a push"),
        EvaluationAsked(at=NOON + 60 * MINUTE, actor="ann"),
        TraitEvaluated(at=NOON, round=1, result=a_result("rows")),
        TraitEvaluated(at=NOON, round=2, result=a_result("nobody")),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_looks_at_the_job_and_news_about_traits_change_nothing_while_its_work_is_checked(fact: object) -> None:
    story = _said()
    assert decide(story.run, fact, SPEC) == stay(story.run)  # type: ignore[arg-type]


def test_a_job_under_check_is_not_looked_at() -> None:
    story = _said().wakes()
    assert not any(isinstance(wish, CheckJob) for wish in story.commands)
    assert decide(story.run, replace(_woke(story), at=story.at), SPEC) == stay(story.run)


def _woke(story: Story) -> JobSeen:
    return JobSeen(at=story.at, attempt=story.run.attempt)


def test_a_run_waits_for_answers_while_its_work_is_checked_and_listens_to_nothing_else() -> None:
    story = Story(SPEC).answers().started()
    before = story.run.judges
    story.succeeds()
    assert (before, story.run.judges, story.run.listens) == (False, True, False)


def test_a_run_that_is_cancelled_while_its_work_is_checked_is_over() -> None:
    story = _said()
    story.tell(CancelAsked(at=story.after(1), actor="ann", reason="enough"))
    assert (story.run.status, story.run.verifying, story.run.asked) == (RunStatus.CANCELLED, None, ())
    assert any(isinstance(wish, CancelJob) for wish in story.commands)


def test_the_deadline_counts_until_the_work_was_seen_to_be_done() -> None:
    """T-33: a job that said so in time and left nothing behind has met nothing."""
    story = _said(limits=limits())
    story.at = NOON + 121 * MINUTE
    _passes(story, "rows", "totals")
    assert story.run.completion_sla is not None
    assert story.run.completion_sla.state is SlaState.BREACHED


def test_the_story_says_when_the_checking_began() -> None:
    story = Story(SPEC).answers().started()
    before = story.run
    event = JobFinished(at=story.after(5), attempt=1, succeeded=True, reason="9 rows")
    records = told(before, event, decide(before, event, SPEC))
    assert [record.message for record in records if record.kind is EventKind.VERIFICATION_STARTED] == [
        "the job of attempt 1 says that its work is done: 9 rows"
    ]


def test_what_was_seen_before_the_job_ended_says_nothing_of_its_work() -> None:
    """G5: an answer under the name of a check, from before, must not stand for the check."""
    story = Story(SPEC).answers().started()
    before = replace(story.run, results=(*story.run.results, a_result("rows", at=story.at)))
    event = JobFinished(at=story.after(5), attempt=1, succeeded=True)
    asked = [wish.trait for wish in decide(before, event, SPEC).commands if isinstance(wish, EvaluateTrait)]
    assert asked == ["rows", "totals"]


def test_the_end_by_a_persons_word_is_not_told_as_if_the_work_had_been_seen() -> None:
    story = _told(_said(), a_result("rows", ERROR, at=NOON, category=FailureCategory.PERMANENT))
    _passes(story, "totals")
    assert story.raised == ["verification_trouble"]
    story.tell(CancelAsked(at=story.after(1), actor="ann", reason="enough"))
    assert [wish.resolution for wish in story.commands if isinstance(wish, ResolveAlert)] == ["the run was cancelled"]

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.cases import FORCED
from tests.unit.core.states import DUE, HARD, HOUR, SOFT, SPEC, Story, hopeless, limits, retrying, triggering, waiting

from interlock.core.commands import EvaluateTrait, NotifyDownstream, PublishEnd, RaiseAlert, StartJob
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    EvidenceArrived,
    Held,
    JobFinished,
    StartRefused,
    TraitEvaluated,
    Woke,
)
from interlock.core.lifecycle import decide
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus, SlaState
from interlock.core.schedules import Limits
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec

FAIL = TraitStatus.FAIL
CLOSES = DUE + 2 * HOUR
BARE = limits(evaluation_due=None, completion_due=None)
BARE_HARD = limits(hard=True, evaluation_due=None, completion_due=None)


def _message(story: Story) -> str:
    (alert,) = (wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    return alert.message


def test_what_was_never_let_through_is_given_up_at_a_limit_that_somebody_set() -> None:
    """BUG-102, LAT-18, BUG-84."""
    story = waiting(BARE_HARD).wakes_at(CLOSES)
    assert (story.run.status, story.run.ended_at) == (RunStatus.CANCELLED, CLOSES)
    assert story.raised == ["validation_timeout"]
    assert "was given up at sla.validationTimeout: blocked by fresh" in _message(story)
    assert (story.run.asked, story.run.wake_at, story.run.due_at) == ((), None, None)


def test_what_was_never_let_through_is_given_up_with_its_window_and_a_warning() -> None:
    """LAT-18."""
    story = waiting(BARE).wakes_at(CLOSES)
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, ["window_closed"])
    assert "was given up at the end of its window" in _message(story)


@pytest.mark.parametrize("terms", [SOFT, HARD], ids=["soft", "hard"])
def test_programs_are_told_once_that_a_slot_was_given_up_and_pipelines_that_wait_for_it_are_not(terms: Limits) -> None:
    """LAT-08, BUG-83, BUG-84."""
    story = waiting(terms).wakes_at(CLOSES)
    assert [(wish.event.event_type, wish.event.status) for wish in story.commands if isinstance(wish, PublishEnd)] == [
        ("PIPELINE_FAILED", "CANCELLED")
    ]
    assert not any(isinstance(wish, NotifyDownstream) for wish in story.commands)


def test_programs_are_not_told_of_what_a_person_cancelled() -> None:
    story = waiting(SOFT)
    story.tell(CancelAsked(at=NOON + SECOND, actor="ann", reason="enough"))
    assert not any(isinstance(wish, PublishEnd) for wish in story.commands)


def test_a_run_goes_on_until_the_very_instant_of_its_limit() -> None:
    story = waiting(BARE_HARD).wakes_at(CLOSES - SECOND)
    assert story.run.status is RunStatus.PENDING


@pytest.mark.parametrize("terms", [SOFT, limits(closes_at=DUE)], ids=["after the deadline", "with the deadline"])
def test_the_end_of_a_window_is_told_by_the_breach_alone(terms: Limits) -> None:
    """One fault, one alert. BUG-86, LAT-14."""
    story = waiting(terms)
    raised = [name for at in (DUE, DUE + HOUR, CLOSES) for name in story.wakes_at(at).raised]
    assert story.run.status is RunStatus.CANCELLED
    assert raised.count("window_closed") == 0
    assert raised.count("evaluation_sla_breach") == 1


def test_a_window_that_is_looked_at_long_after_its_end_tells_the_breach_alone() -> None:
    """BUG-86."""
    story = waiting(SOFT).wakes_at(CLOSES + HOUR)
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, ["evaluation_sla_breach"])
    assert story.run.open_alerts == (f"evaluation_sla_breach/{story.run.key.run_id}",), "nobody was let through"


def test_a_limit_with_the_deadline_is_told_as_the_limit_alone() -> None:
    story = waiting(limits(hard=True, completion_due=DUE, closes_at=DUE)).wakes_at(DUE)
    assert story.raised == ["validation_timeout"]
    assert story.run.evaluation_sla is not None
    assert story.run.evaluation_sla.state is SlaState.BREACHED


def test_a_window_that_ends_while_people_know_that_nothing_goes_on_is_not_told() -> None:
    story = Story(limits=BARE).answers(hopeless("fresh")).wakes_at(CLOSES)
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, [])
    assert story.run.open_alerts == (f"evaluation_failed/{story.run.key.run_id}",)


def test_what_stopped_a_retry_stays_told_when_its_window_ends() -> None:
    """A run that is given up is never silent."""
    story = retrying(BARE).wakes().answers(hopeless("fresh"))
    assert story.raised == ["evaluation_failed"]
    assert story.run.closes_at is not None
    story.wakes_at(story.run.closes_at)
    assert (story.run.status, story.raised, story.resolved) == (RunStatus.CANCELLED, [], [])
    assert story.run.open_alerts != ()


def test_a_round_that_is_cut_short_by_the_limit_leaves_what_stopped_it_told() -> None:
    story = Story(limits=BARE).answers(hopeless("fresh"))
    story.tell(EvidenceArrived(at=CLOSES - SECOND, source="a push"))
    assert story.wakes_at(CLOSES).resolved == []


def test_a_held_run_is_given_up_by_name_of_who_holds_it() -> None:
    story = Story(limits=BARE)
    story.tell(Held(at=NOON + SECOND, until=CLOSES + HOUR, actor="ann", reason="a freeze"))
    story.answers().wakes_at(CLOSES)
    assert story.run.status is RunStatus.CANCELLED
    assert "held until 2026-03-07T16:00:00+00:00 by ann: a freeze" in _message(story)


def test_deadlines_under_a_hold_are_waived_when_the_slot_is_given_up() -> None:
    for hard in (True, False):
        story = waiting(limits(hard=hard, completion_due=DUE, closes_at=DUE))
        story.tell(Held(at=NOON + SECOND, until=CLOSES, actor="ann", reason="a freeze"))
        story.wakes_at(DUE)
        assert story.run.evaluation_sla is not None
        assert story.run.completion_sla is not None
        assert {story.run.evaluation_sla.state, story.run.completion_sla.state} == {SlaState.WAIVED}
        assert story.raised == ["validation_timeout" if hard else "window_closed"]


def test_an_answer_that_comes_after_the_limit_opens_nothing() -> None:
    """BUG-150."""
    story = Story(a_spec(), limits=BARE_HARD)
    story.tell(TraitEvaluated(at=CLOSES, round=1, result=a_result(at=NOON)))
    assert story.run.status is RunStatus.CANCELLED
    assert not any(isinstance(wish, StartJob) for wish in story.commands)


def test_a_permit_does_not_outlive_a_limit_that_somebody_set() -> None:
    """BUG-150."""
    story = Story(a_spec(), limits=BARE_HARD)
    story.at = CLOSES - MINUTE
    story.answers()
    assert story.run.permit is not None
    assert story.run.permit.valid_until == CLOSES
    soft = Story(a_spec(), limits=BARE)
    soft.at = CLOSES - MINUTE
    soft.answers()
    assert soft.run.permit is not None
    assert soft.run.permit.valid_until == CLOSES + 4 * MINUTE


def test_a_limit_too_near_for_any_permit_keeps_the_gate_shut() -> None:
    story = Story(a_spec(clock_skew=5 * SECOND), limits=BARE_HARD)
    story.at = CLOSES - 5 * SECOND
    story.answers()
    assert (story.run.status, story.commands) == (RunStatus.PENDING, ())


def test_a_run_that_was_let_through_is_not_given_up() -> None:
    story = triggering(BARE_HARD)
    story.tell(Woke(at=CLOSES + HOUR))
    assert story.run.status is RunStatus.TRIGGERING
    assert Story(limits=BARE_HARD).started().wakes_at(CLOSES + HOUR).run.status is RunStatus.RUNNING


def test_a_start_refused_after_the_limit_is_given_up_at_once() -> None:
    story = triggering(BARE_HARD)
    story.tell(StartRefused(at=CLOSES, attempt=1, reason="its permit ran out"))
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, ["validation_timeout"])
    assert not any(isinstance(wish, EvaluateTrait) for wish in story.commands)


def test_a_retry_has_to_keep_to_a_limit_that_somebody_set() -> None:
    """BUG-27."""
    story = Story(limits=BARE_HARD).started()
    story.at = CLOSES - 10 * SECOND
    story.fails()
    assert (story.run.status, story.run.closes_at) == (RunStatus.PENDING, CLOSES)
    story.wakes_at(CLOSES)
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, ["validation_timeout"])
    assert "attempt 1 failed (exit 1)" in _message(story)


def test_a_job_that_fails_after_its_limit_is_given_up_and_not_tried_again() -> None:
    story = Story(limits=BARE_HARD).started()
    story.tell(JobFinished(at=CLOSES + SECOND, attempt=1, succeeded=False, reason="exit 1"))
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, ["validation_timeout"])
    assert [attempt.reason for attempt in story.run.attempts] == ["exit 1"]


def test_a_retry_gets_more_patience_than_the_end_of_its_window() -> None:
    """BUG-27."""
    story = Story(limits=BARE).started()
    story.at = CLOSES + HOUR
    story.fails()
    assert story.run.status is RunStatus.PENDING
    assert story.run.closes_at == story.at + 30 * SECOND + (CLOSES - NOON)
    story.wakes().answers()
    assert (story.run.status, story.run.attempt) == (RunStatus.TRIGGERING, 2)


def test_each_retry_gets_the_patience_of_the_opening_however_long_the_ones_before_took() -> None:
    story = Story(limits=BARE).started()
    for _ in range(2):
        story.at += 72 * HOUR
        story.fails()
        due = story.run.not_before
        assert due is not None
        assert story.run.closes_at == due + (CLOSES - NOON)
        story.wakes().started()


def test_a_retry_that_has_time_enough_gets_no_more() -> None:
    spec = replace(SPEC, retry=RetrySpec(backoff=SECOND))
    story = Story(spec, limits=replace(BARE, closes_at=NOON + HOUR)).started()
    story.after(1)
    story.fails()
    assert story.run.closes_at == story.at + SECOND + HOUR


def test_a_person_who_forces_it_on_goes_before_the_limit() -> None:
    story = waiting(BARE_HARD)
    story.tell(EvaluationAsked(at=CLOSES + SECOND, actor="ann", override=FORCED))
    assert (story.run.status, story.run.override) == (RunStatus.PENDING, FORCED)
    assert story.run.closes_at == CLOSES + SECOND + (CLOSES - NOON)
    story.at = CLOSES + 2 * SECOND
    story.answers(FAIL)
    assert story.run.status is RunStatus.TRIGGERING


def test_a_person_who_forces_it_on_in_time_changes_no_limit() -> None:
    story = waiting(BARE_HARD)
    story.tell(EvaluationAsked(at=NOON + SECOND, actor="ann", override=FORCED))
    assert story.run.closes_at == CLOSES


def test_a_person_who_only_asks_does_not_go_before_the_limit() -> None:
    story = waiting(BARE_HARD)
    story.tell(EvaluationAsked(at=CLOSES, actor="ann"))
    assert story.run.status is RunStatus.CANCELLED


def test_a_cancel_after_the_limit_is_the_persons_word() -> None:
    story = waiting(BARE_HARD)
    story.tell(CancelAsked(at=CLOSES + SECOND, actor="ann", reason="enough"))
    assert (story.run.status, story.raised) == (RunStatus.CANCELLED, [])


def test_a_failure_for_good_is_a_failure_whatever_the_limit() -> None:
    story = Story(limits=HARD).started()
    fact = JobFinished(at=CLOSES + SECOND, attempt=1, succeeded=False, category=FailureCategory.PERMANENT)
    assert decide(story.run, fact, SPEC).run.status is RunStatus.FAILED

"""Turns: what each function does with a run, and what it says comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.aws.rig import Turning

from interlock.app.advance import advance
from interlock.app.callbacks import Report, complete
from interlock.aws.onward import RENEWED
from interlock.aws.state import Lost, Next, State
from interlock.aws.turning import LOOKS, STARTS, STUMBLES, Bounds, turn
from interlock.core.alerts import AlertType
from interlock.core.commands import EvaluateTrait
from interlock.core.events import CancelAsked, EvidenceArrived
from interlock.core.ids import TraitName
from interlock.core.pipelines import Deadline, SlaSpec, TriggerSpec, WatchSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus, Watch
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.errors import StoreUnavailable
from interlock.ports.triggers import JobState
from interlock.testing.builders import MINUTE, NOON, SECOND, a_spec, a_trait
from interlock.testing.fakes import Start


def test_the_first_step_has_the_traits_asked() -> None:
    rig = Turning(a_spec("freshness", "volume"))
    state = rig.step()
    assert state.next is Next.EVALUATE
    assert [wish.trait for wish in state.evaluate] == ["freshness", "volume"]
    assert state.status == "PENDING"


def test_a_run_whose_traits_pass_has_its_job_started_by_the_function_that_may() -> None:
    rig = Turning()
    assert rig.until(Next.START).next is Next.START
    assert rig.trigger.started == 0
    assert rig.step(STARTS).next is Next.WAIT_FOR_JOB
    assert rig.trigger.started == 1


def test_a_function_that_may_not_start_jobs_starts_none() -> None:
    """AWS-37: what a function may do is a matter of what it is called for."""
    rig = Turning()
    rig.until(Next.START)
    for mine in ((), LOOKS):
        assert rig.step(mine).next is Next.START
    assert rig.trigger.started == 0


def test_a_turn_that_is_taken_twice_starts_one_job() -> None:
    """AWS-26: a call is repeated whose answer was lost."""
    rig = Turning()
    rig.until(Next.START)
    before = rig.state
    rig.step(STARTS)
    rig.carry(before)
    rig.step(STARTS)
    assert rig.trigger.started == 1


def test_a_start_whose_function_died_is_tried_again_and_not_at_once() -> None:
    rig = Turning()
    rig.until(Next.START)
    rig.carry(replace(rig.state, lost=Lost(error="Lambda.Unknown", cause="exit 1")))
    state = rig.step()
    assert state.next is Next.WAIT_FOR_START
    assert state.wait is not None
    assert state.wait.seconds >= 1
    rig.clock.advance(2 * SECOND)
    assert rig.step().next is Next.START
    assert rig.step(STARTS).next is Next.WAIT_FOR_JOB
    assert rig.trigger.started == 1


def test_a_job_that_has_ended_well_ends_the_execution() -> None:
    """AWS-10."""
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1")
    assert rig.until(Next.COMPLETED).status == "COMPLETED"
    assert not rig.store.outstanding(rig.key)


def test_a_job_that_has_failed_for_good_ends_the_execution_as_failed_with_its_reason() -> None:
    """AWS-14, AWS-32: a failed job is neither green nor silent."""
    rig = Turning(a_spec("freshness", retry=RetrySpec(max_attempts=1)))
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1", JobState.FAILED)
    state = rig.until(Next.FAILED)
    assert rig.key.run_id in state.reason
    told = rig.hands.dispatches.alerts(limit=9)
    assert AlertType.RUN_FAILED in {each.alert.alert_type for each in told}


def test_a_job_that_fails_is_retried_within_the_execution_under_the_same_run() -> None:
    """AWS-06, AWS-36: the attempts are counted in one place, and nothing is let go of in between."""
    rig = Turning(a_spec("freshness", retry=RetrySpec(max_attempts=2)))
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1", JobState.FAILED)
    rig.step(LOOKS)
    rig.until(Next.WAIT_FOR_RETRY)
    rig.until(Next.WAIT_FOR_JOB)
    assert rig.run.attempt == 2
    rig.trigger.end(f"{rig.key.run_id}/2", JobState.FAILED)
    rig.until(Next.FAILED)
    assert rig.trigger.started == 2


def test_a_report_of_the_job_is_all_that_is_needed() -> None:
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    complete(rig.key, Report(succeeded=True), rig.store, rig.clock.now())
    assert rig.step(LOOKS).next is Next.COMPLETED


def test_a_run_that_is_not_ready_waits_and_asks_again() -> None:
    """AWS-04: not ready is not the end of the day."""
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL, TraitStatus.FAIL, TraitStatus.PASS)
    rig.until(Next.WAIT_FOR_READINESS)
    rig.until(Next.START)
    assert rig.evaluator.asked("freshness") == 3


def test_what_arrives_wakes_a_waiting_run_into_a_new_round() -> None:
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL, TraitStatus.PASS)
    rig.until(Next.WAIT_FOR_READINESS)
    rig.clock.advance(SECOND)
    advance(rig.key, EvidenceArrived(at=rig.clock.now(), source="marker"), rig.store)
    assert rig.step().next is Next.EVALUATE


def test_a_question_that_nobody_asks_any_more_is_struck_and_not_put() -> None:
    rig = Turning()
    rig.step()
    advance(rig.key, CancelAsked(at=NOON, actor="ann", reason="no"), rig.store)
    assert rig.step().next is Next.CANCELLED
    assert not rig.store.outstanding(rig.key)


def test_an_answer_to_an_older_round_changes_nothing() -> None:
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.step()
    late = rig.answers()
    rig.until(Next.WAIT_FOR_READINESS)
    version = rig.run.version
    rig.carry(State(run=rig.key.run_id, answers=late))
    rig.step()
    assert rig.run.version == version


def test_an_evaluator_that_died_says_nothing_about_the_data() -> None:
    """AWS-28: one crashed check takes no round with it."""
    rig = Turning(a_spec("freshness", "volume"))
    rig.step()
    answered = list(rig.answers())
    answered[0] = replace(answered[0], fact=None, lost=Lost(error="Runtime.ExitError", cause="signal: killed"))
    rig.carry(State(run=rig.key.run_id, answers=tuple(answered)))
    rig.step()
    dead, well = rig.run.result(TraitName("freshness")), rig.run.result(TraitName("volume"))
    assert dead is not None
    assert well is not None
    assert (dead.status, dead.category) == (TraitStatus.ERROR, FailureCategory.EVALUATOR_CRASH)
    assert dead.origin is Origin.RUNNER
    assert "signal: killed" in dead.reason
    assert well.status is TraitStatus.PASS
    assert rig.trigger.started == 0


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ("Lambda.TooManyRequestsException", FailureCategory.TRANSIENT),
        ("Lambda.ServiceException", FailureCategory.TRANSIENT),
        ("StoreUnavailable", FailureCategory.TRANSIENT),
        ("States.Timeout", FailureCategory.TIMEOUT),
        ("Sandbox.Timedout", FailureCategory.TIMEOUT),
        ("Lambda.Unknown", FailureCategory.EVALUATOR_CRASH),
    ],
)
def test_why_an_evaluator_did_not_answer_decides_whether_it_is_asked_again(
    error: str, category: FailureCategory
) -> None:
    """AWS-18: one throttled call does not end the day."""
    rig = Turning()
    rig.step()
    lost = tuple(replace(each, fact=None, lost=Lost(error=error)) for each in rig.answers())
    rig.carry(State(run=rig.key.run_id, answers=lost))
    rig.step()
    result = rig.run.result(TraitName("freshness"))
    assert result is not None
    assert result.category is category


def test_time_is_told_only_after_what_was_wished_was_tried() -> None:
    """A start that nobody has tried goes before the deadline by which it counts as unknown."""
    rig = Turning()
    rig.until(Next.START)
    rig.clock.advance(60 * MINUTE)
    assert rig.step().next is Next.START
    assert rig.run.status is RunStatus.TRIGGERING
    assert not rig.run.doubt


def test_a_start_that_may_never_have_been_tried_goes_before_its_deadline() -> None:
    """Nobody is told of a doubt about a start that nobody tried: found by a simulated fleet."""
    rig = Turning()
    rig.until(Next.START)
    rig.clock.advance(60 * MINUTE)
    rig.carry(replace(rig.state, lost=Lost(error="Lambda.Unknown")))
    state = rig.step()
    assert state.next is Next.WAIT_FOR_START
    assert not rig.run.doubt
    assert rig.run.status is RunStatus.TRIGGERING


@pytest.mark.parametrize("overdue", [0 * MINUTE, 60 * MINUTE])
def test_a_function_that_always_dies_over_a_start_is_called_less_and_less_often(overdue: timedelta) -> None:
    """People hear of it by the watchdog: the run is stuck."""
    rig = Turning()
    rig.until(Next.START)
    rig.clock.advance(overdue)
    pauses = []
    for _ in range(12):
        rig.carry(replace(rig.state, lost=Lost(error="Lambda.Unknown")))
        state = rig.step()
        assert state.next is Next.WAIT_FOR_START
        assert state.wait is not None
        pauses.append(state.wait.seconds)
        rig.clock.advance(state.wait.seconds * SECOND)
        assert rig.step().next is Next.START
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30
    assert rig.trigger.started == 0


def test_a_run_in_doubt_waits_for_people() -> None:
    rig = Turning()
    rig.trigger.script(Start.ANSWER_LOST)
    rig.trigger.remembers = False
    rig.until(Next.WAIT_FOR_PEOPLE)
    assert rig.run.doubt
    assert rig.trigger.started <= 1


def test_a_job_that_is_to_be_stopped_is_stopped_by_the_function_that_may() -> None:
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    advance(rig.key, CancelAsked(at=rig.clock.now(), actor="ann", reason="wrong day"), rig.store)
    assert rig.step().next is Next.STOP
    assert rig.step(LOOKS).next is Next.CANCELLED


def test_a_run_that_ends_watched_is_watched_until_the_watch_is_over() -> None:
    """AWS-03: what is compared with is what was kept of the start."""
    rig = Turning(a_spec(a_trait("freshness"), watch=WatchSpec(interval=MINUTE, monitoring=10 * MINUTE)))
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1")
    rig.step(LOOKS)
    assert rig.until(Next.WATCH_FOR_DRIFT).status == "COMPLETED_MONITORING"
    rig.until(Next.COMPLETED)
    assert rig.run.monitor is not None
    assert rig.run.monitor.state is Watch.OVER


def test_drift_is_seen_and_told() -> None:
    """AWS-03."""
    rig = Turning(a_spec(a_trait("freshness"), watch=WatchSpec(interval=MINUTE, monitoring=10 * MINUTE)))
    rig.evaluator.script("freshness", TraitStatus.PASS, TraitStatus.FAIL)
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.end(f"{rig.key.run_id}/1")
    rig.until(Next.COMPLETED)
    assert rig.run.monitor is not None
    assert rig.run.monitor.state is Watch.DRIFTED
    told = {each.alert.alert_type for each in rig.hands.dispatches.alerts(limit=9)}
    assert AlertType.TRAIT_DRIFT in told


def test_a_deadline_that_passes_while_the_job_runs_is_told_then() -> None:
    """AWS-35: not only when somebody passes by at the end."""
    rig = Turning(
        a_spec(
            "freshness",
            sla=SlaSpec(completion=Deadline(span=HOUR)),
            trigger=TriggerSpec(type="fake", poll_interval=4 * HOUR),
        )
    )
    rig.until(Next.WAIT_FOR_JOB)
    wait = rig.state.wait
    assert wait is not None
    assert wait.seconds <= 6 * HOUR.total_seconds()
    while AlertType.COMPLETION_SLA_BREACH not in {e.alert.alert_type for e in rig.hands.dispatches.alerts(limit=9)}:
        assert rig.clock.now() < NOON + 24 * HOUR
        rig.clock.advance(60 * MINUTE)
        rig.step(LOOKS)
    assert rig.run.status is RunStatus.RUNNING


def test_an_execution_with_a_long_history_hands_over_to_a_fresh_one() -> None:
    """AWS-30: the history of an execution is bounded."""
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    rig.until(Next.WAIT_FOR_READINESS)
    rig.carry(replace(rig.state, spent=RENEWED))
    rig.clock.advance(1 * SECOND)
    state = rig.step()
    assert state.next is Next.RENEW
    assert state.heir
    assert state.heir != rig.key.run_id
    assert rig.run.status is RunStatus.PENDING


def test_an_execution_is_never_handed_over_in_the_middle_of_something() -> None:
    rig = Turning()
    rig.carry(replace(rig.state, spent=RENEWED))
    assert rig.step().next is Next.EVALUATE


def test_an_execution_for_a_run_that_is_not_there_ends_and_people_are_told() -> None:
    rig = Turning()
    for run in ("nobody:daily:2026-03-07:1", "no run id at all", ""):
        rig.carry(State(run=run))
        state = rig.step()
        assert state.next is Next.UNKNOWN
        assert state.reason
    told = [each.alert for each in rig.hands.dispatches.alerts(limit=9)]
    assert {alert.alert_type for alert in told} == {AlertType.RUN_POISONED}
    assert len(told) == 3


def test_states_that_keep_dying_end_the_execution() -> None:
    rig = Turning()
    rig.step()
    for _ in range(STUMBLES - 1):
        rig.carry(replace(rig.state, next=Next.STEP, lost=Lost(error="DynamoDb.AccessDeniedException")))
        assert rig.step().next is not Next.BROKEN
    rig.carry(replace(rig.state, lost=Lost(error="DynamoDb.AccessDeniedException", cause="not allowed")))
    state = rig.step()
    assert state.next is Next.BROKEN
    assert state.lost is not None
    assert state.lost.cause == "not allowed"


def test_one_state_that_did_not_die_makes_the_count_begin_anew() -> None:
    rig = Turning()
    rig.step()
    rig.carry(replace(rig.state, lost=Lost(error="States.Timeout"), stumbles=STUMBLES - 2))
    assert rig.step().stumbles == STUMBLES - 1
    assert rig.step().stumbles == 0


def test_a_call_whose_time_is_nearly_over_begins_nothing_more() -> None:
    rig = Turning()
    state = turn(rig.state, rig.hands, (), Bounds(over=lambda: True))
    assert state.next is Next.STEP
    assert rig.run.version == 1


def test_a_store_that_does_not_answer_is_an_error_and_not_an_end() -> None:
    rig = Turning()

    def broken(*_: object) -> None:
        raise StoreUnavailable("the store did not answer")

    rig.kernel.rows = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        rig.step()


def test_what_travels_is_a_name_and_a_few_wishes() -> None:
    """AWS-29: the run stays in the table."""
    from interlock.codec import wire

    rig = Turning(a_spec(*(f"trait-{number:02}" for number in range(90))))
    state = rig.step()
    assert len(wire.to_json(state)) < 40_000
    assert {type(wish) for wish in state.evaluate} == {EvaluateTrait}


HOUR = 60 * MINUTE


def test_an_execution_for_what_can_be_no_name_at_all_ends_in_few_words() -> None:
    rig = Turning()
    for run in ("x" * 1_000_000, "half a character: \ud800"):
        rig.state = State(run=run)
        state = turn(rig.state, rig.hands)
        assert state.next is Next.UNKNOWN
        assert len(state.reason) < 1_000
        state.reason.encode()

"""SC-13 to SC-20, and what SC-6, SC-7, SC-8 and SC-9 say of the watching machines: each refuses a decision made by hand."""

from __future__ import annotations

from datetime import timedelta

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
    completed,
    drifted,
    hopeless,
    limits,
    looking,
    monitoring,
    running,
    triggering,
    waiting,
)

from interlock.core.commands import AskRerun, NotifyDownstream, StartJob
from interlock.core.constraints import violations
from interlock.core.decision import Decision, stay
from interlock.core.events import (
    CancelAsked,
    Event,
    EvidenceArrived,
    JobFinished,
    TraitEvaluated,
    TriggerAccepted,
    Woke,
)
from interlock.core.lifecycle import decide
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Attempt, Cause, Monitor, Outcome, Run, RunStatus, Sla, SlaState, Watch
from interlock.core.traits import TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec, a_trait, no_answer

ONE = a_spec()
LAST = TraitEvaluated(at=NOON + MINUTE, round=1, result=a_result(at=NOON + MINUTE))
CLOSES = DUE + 2 * HOUR


def _broken(before: Run | None, event: Event | None, decision: Decision, spec: PipelineSpec = SPEC) -> set[int]:
    return {constraint.number for constraint in violations(before, event, decision, spec)}


def _started() -> tuple[Run, Decision]:
    before = Story(ONE, limits=HARD).run
    return before, decide(before, LAST, ONE)


def _after(decision: Decision, **changes: object) -> Decision:
    return replace(decision, run=replace(decision.run, **changes))


# ---------------------------------------------------------------- SC-6 to SC-9


def test_sc_6_a_ready_run_need_not_open_for_longer_than_its_slot_or_under_a_hold() -> None:
    before, good = _started()
    assert _broken(before, LAST, good, ONE) == set()
    shut = replace(good.run, status=RunStatus.PENDING, permit=None, attempt=0, wake_at=NOON + HOUR)
    shut = replace(shut, evaluation_sla=before.evaluation_sla)
    assert _broken(before, LAST, Decision(run=shut), ONE) == {6}
    closing = replace(shut, closes_at=LAST.at + SECOND)
    skewed = replace(ONE, clock_skew=SECOND)
    assert _broken(replace(before, closes_at=LAST.at + SECOND), LAST, Decision(run=closing), skewed) == set()
    assert _broken(before, LAST, Decision(run=replace(shut, held_until=NOON + HOUR)), ONE) == set()
    assert _broken(before, LAST, Decision(run=replace(shut, held_until=LAST.at)), ONE) == {6}


def test_sc_7_a_run_that_stops_asking_and_tells_nobody_is_unsafe() -> None:
    """BUG-15."""
    event = TraitEvaluated(at=NOON, round=1, result=hopeless("upstream"))
    before = decide(Story().run, TraitEvaluated(at=NOON, round=1, result=a_result("fresh")), SPEC).run
    good = decide(before, event, SPEC)
    assert _broken(before, event, good) == set()
    assert _broken(before, event, _after(replace(good, commands=()), open_alerts=())) == {7}
    known = replace(before, open_alerts=good.run.open_alerts)
    assert _broken(known, event, replace(good, commands=())) == set(), "people know already"


def test_sc_7_a_run_that_is_given_up_and_tells_nobody_is_unsafe() -> None:
    """BUG-84, LAT-18."""
    before, event = waiting(HARD).run, Woke(at=CLOSES)
    good = decide(before, event, SPEC)
    assert _broken(before, event, good) == set()
    assert _broken(before, event, _after(replace(good, commands=()), open_alerts=())) == {7}
    by_a_person = CancelAsked(at=CLOSES, actor="ann", reason="enough")
    assert _broken(before, by_a_person, _after(replace(good, commands=()), open_alerts=())) == set()


def test_sc_8_a_stopped_run_waits_for_people_and_needs_no_alarm_clock() -> None:
    run = blocked().run
    assert run.due_at is None
    assert _broken(run, Woke(at=NOON), stay(run)) == set()


def test_sc_9_giving_up_on_a_job_that_may_be_running_because_of_a_limit_is_unsafe() -> None:
    """LAT-46."""
    before = running(HARD).run
    event = JobFinished(at=CLOSES, attempt=1, succeeded=False)
    given_up = decide(before, event, SPEC)
    assert given_up.run.status is RunStatus.CANCELLED
    assert _broken(before, event, given_up) == set()
    assert 9 in _broken(before, Woke(at=CLOSES), given_up)


# ---------------------------------------------------------------- SC-11


def test_sc_11_a_job_that_was_never_started_is_not_completed() -> None:
    """BUG-171."""
    before = waiting().run
    done = replace(before, status=RunStatus.COMPLETED, ended_at=NOON, version=before.version + 1)
    assert 11 in _broken(before, Woke(at=NOON), Decision(run=done, commands=(NotifyDownstream(),)))
    assert 11 not in _broken(
        before, Woke(at=NOON), Decision(run=done, commands=(NotifyDownstream(),)), a_spec(trigger=None)
    )


# ---------------------------------------------------------------- SC-13


def test_sc_13_a_start_after_the_slot_has_closed_is_unsafe() -> None:
    """BUG-150."""
    before, good = _started()
    late = _after(good, closes_at=LAST.at)
    assert 13 in _broken(before, LAST, late, ONE)
    assert 13 in _broken(before, LAST, _after(good, closes_at=LAST.at, hard=False), ONE)


def test_sc_13_a_permit_that_outlives_a_limit_that_somebody_set_is_unsafe() -> None:
    before, good = _started()
    assert _broken(before, LAST, _after(good, closes_at=LAST.at + SECOND), ONE) == {13}
    assert _broken(before, LAST, _after(good, closes_at=LAST.at + SECOND, hard=False), ONE) == set()


def test_sc_13_a_start_under_a_hold_is_unsafe() -> None:
    before, good = _started()
    assert _broken(before, LAST, _after(good, held_until=LAST.at + SECOND), ONE) == {13}
    assert _broken(before, LAST, _after(good, held_until=LAST.at), ONE) == set()


# ---------------------------------------------------------------- SC-14


@pytest.mark.parametrize("name", ["evaluation_sla", "completion_sla"])
@pytest.mark.parametrize(
    "change",
    [{"state": SlaState.MET}, {"state": SlaState.ARMED}, {"settled_at": DUE}],
    ids=lambda each: next(iter(each)),
)
def test_sc_14_a_verdict_that_is_changed_is_unsafe(name: str, change: dict[str, object]) -> None:
    """BUG-160, BUG-164."""
    before = waiting(SOFT).wakes_at(DUE + HOUR).run
    sla: Sla = getattr(before, name)
    after = replace(before, version=before.version + 1, **{name: replace(sla, **change)})
    assert 14 in _broken(before, Woke(at=DUE + HOUR), Decision(run=after))


@pytest.mark.parametrize(
    "change",
    [{"due_at": DUE + HOUR}, {"warn_at": NOON}, {"begin_by": NOON}],
    ids=lambda each: next(iter(each)),
)
def test_sc_14_an_instant_that_is_moved_is_unsafe(change: dict[str, object]) -> None:
    before = waiting(SOFT).run
    assert before.evaluation_sla is not None
    moved = replace(before, version=before.version + 1, evaluation_sla=replace(before.evaluation_sla, **change))
    assert 14 in _broken(before, Woke(at=NOON), Decision(run=moved))


def test_sc_14_a_deadline_that_appears_or_vanishes_is_unsafe() -> None:
    before = waiting(SOFT).run
    gone = replace(before, version=before.version + 1, completion_sla=None)
    assert 14 not in _broken(before, Woke(at=NOON), stay(before))
    bare = waiting().run
    new = replace(bare, version=bare.version + 1, completion_sla=Sla(due_at=DUE))
    assert 14 in _broken(bare, Woke(at=NOON), Decision(run=new))
    assert 14 in _broken(before, Woke(at=NOON), Decision(run=gone))


def test_sc_14_a_deadline_without_a_verdict_at_its_instant_or_at_the_end_is_unsafe() -> None:
    """BUG-91, BUG-95."""
    before = waiting(SOFT).run
    seen = replace(before, version=before.version + 1, updated_at=DUE)
    assert 14 in _broken(before, Woke(at=DUE), Decision(run=seen))
    ended = replace(before, version=before.version + 1, status=RunStatus.CANCELLED, ended_at=NOON)
    assert 14 in _broken(before, CancelAsked(at=NOON, actor="ann", reason=""), Decision(run=ended))


# ---------------------------------------------------------------- SC-15


def test_sc_15_a_completion_met_by_a_failure_or_too_late_is_unsafe() -> None:
    """LAT-45, LAT-02, BUG-171."""
    before, fact = running(SOFT).run, JobFinished(at=DUE + HOUR + SECOND, attempt=1, succeeded=True)
    late = decide(before, fact, SPEC)
    assert late.run.completion_sla is not None
    met = replace(late.run.completion_sla, state=SlaState.MET)
    assert 15 in _broken(before, fact, _after(late, completion_sla=met))
    undone = replace(before, version=before.version + 1, completion_sla=met)
    assert 15 in _broken(before, fact, Decision(run=undone))


def test_sc_15_an_evaluation_met_by_nothing_or_too_late_is_unsafe() -> None:
    before = waiting(SOFT).run
    assert before.evaluation_sla is not None
    met = replace(before.evaluation_sla, state=SlaState.MET, settled_at=NOON)
    undone = replace(before, version=before.version + 1, evaluation_sla=met)
    assert 15 in _broken(before, Woke(at=NOON), Decision(run=undone))
    through = triggering(SOFT)
    assert 15 not in _broken(through.run, Woke(at=NOON), stay(through.run))
    assert through.run.evaluation_sla is not None
    for when in (DUE + SECOND, None):
        late = replace(through.run, evaluation_sla=replace(through.run.evaluation_sla, settled_at=when))
        assert 15 in _broken(through.run, Woke(at=NOON), Decision(run=late))


# ---------------------------------------------------------------- SC-16


def test_sc_16_a_success_that_is_not_passed_on_or_passed_on_twice_is_unsafe() -> None:
    """BUG-164, BUG-96."""
    before, event = running().run, JobFinished(at=NOON + MINUTE, attempt=1, succeeded=True)
    good = decide(before, event, SPEC)
    assert _broken(before, event, good) == set()
    assert _broken(before, event, replace(good, commands=())) == {16}
    assert _broken(before, event, replace(good, commands=good.commands * 2)) == {16}


def test_sc_16_passing_on_what_is_no_success_or_was_passed_on_is_unsafe() -> None:
    before, event = triggering().run, TriggerAccepted(at=NOON, attempt=1, job_id="job")
    good = decide(before, event, SPEC)
    assert _broken(before, event, replace(good, commands=(NotifyDownstream(),))) == {16}
    story = monitoring()
    assert story.run.monitor is not None
    over = Woke(at=story.run.monitor.until)
    decision = decide(story.run, over, MONITORED)
    assert _broken(story.run, over, decision, MONITORED) == set()
    assert _broken(story.run, over, replace(decision, commands=(NotifyDownstream(),)), MONITORED) == {16}


# ---------------------------------------------------------------- SC-17 and SC-18


def _drift() -> tuple[Run, Event, Decision]:
    story = looking()
    story.tell(TraitEvaluated(at=story.at, round=story.run.round, result=a_result("fresh", at=story.at)))
    result = a_result("upstream", TraitStatus.FAIL, at=story.at)
    event = TraitEvaluated(at=story.at, round=story.run.round, result=result)
    return story.run, event, decide(story.run, event, MONITORED)


def test_sc_17_a_watched_run_that_starts_something_is_unsafe() -> None:
    before, event, good = _drift()
    assert _broken(before, event, good, MONITORED) == set()
    _, started = _started()
    start = next(wish for wish in started.commands if isinstance(wish, StartJob))
    assert 17 in _broken(before, event, replace(good, commands=(*good.commands, start)), MONITORED)


def test_sc_17_a_rerun_without_drift_is_unsafe() -> None:
    """BUG-82, BUG-35, T-17."""
    rerun = AskRerun(cause=Cause.DRIFT, reason="of nothing")
    story = monitoring()
    assert story.run.monitor is not None
    over = Woke(at=story.run.monitor.until)
    decision = decide(story.run, over, MONITORED)
    assert _broken(story.run, over, replace(decision, commands=(rerun,)), MONITORED) == {17}
    before, event, good = _drift()
    going_on = _after(good, status=RunStatus.COMPLETED_MONITORING, ended_at=None, wake_at=good.run.updated_at + HOUR)
    assert 17 in _broken(before, event, going_on, MONITORED)
    bare = _after(good, monitor=None)
    assert 17 in _broken(before, event, bare, MONITORED)
    evidence = EvidenceArrived(at=NOON + SECOND, source="a push")
    asked = decide(waiting().run, evidence, SPEC)
    assert _broken(waiting().run, evidence, replace(asked, commands=(*asked.commands, rerun))) == {17}


def test_sc_18_drift_that_no_evaluator_saw_or_nobody_is_told_of_is_unsafe() -> None:
    """T-112, BUG-10."""
    before, event, good = _drift()
    unseen = tuple(no_answer(each.trait) for each in good.run.results)
    assert _broken(before, event, _after(good, results=unseen), MONITORED) == {18}
    assert _broken(before, event, replace(good, commands=()), MONITORED) == {18}
    assert good.run.monitor is not None
    nothing = replace(good.run.monitor, drifted=())
    assert _broken(before, event, _after(good, monitor=nothing), MONITORED) == {18}
    stranger = replace(good.run.monitor, drifted=("nobody",))
    assert _broken(before, event, _after(good, monitor=stranger), MONITORED) == {18}


def test_sc_18_drift_that_is_known_is_not_seen_again() -> None:
    run = drifted().run
    assert _broken(run, Woke(at=NOON), stay(run), MONITORED) == set()
    watched = replace(completed().run, monitor=Monitor(until=NOON + timedelta(hours=1), state=Watch.OVER))
    assert _broken(watched, Woke(at=NOON), stay(watched)) == set()


def _under_check(answered: str = "") -> tuple[Run, PipelineSpec]:
    spec = replace(SPEC, verify=(a_trait("rows"), a_trait("totals")))
    story = Story(spec).started().succeeds()
    if answered:
        story.tell(TraitEvaluated(at=story.at, round=story.run.round, result=a_result(answered, at=story.at)))
    return story.run, spec


def _done(run: Run) -> Decision:
    last = Attempt(number=1, outcome=Outcome.SUCCEEDED, began_at=NOON, ended_at=run.updated_at)
    ended = replace(run, status=RunStatus.COMPLETED, attempts=(last,), verifying=None, asked=(), wake_at=None)
    wishes = (NotifyDownstream(),)
    return Decision(run=replace(ended, ended_at=run.updated_at, version=run.version + 1), commands=wishes)


def test_sc_19_a_job_counts_as_done_only_when_every_check_of_its_work_passed() -> None:
    before, spec = _under_check()
    one = TraitEvaluated(at=before.updated_at, round=before.round, result=a_result("rows"))
    assert _broken(before, one, _done(before), spec) == {19}
    before, spec = _under_check("totals")
    assert _broken(before, one, _done(before), spec) == set()
    no = replace(one, result=a_result("rows", TraitStatus.FAIL))
    assert _broken(before, no, _done(before), spec) == {19}
    assert _broken(before, Woke(at=before.updated_at), _done(before), spec) == {19}


def test_sc_19_a_job_s_own_word_is_not_enough_and_a_person_s_is() -> None:
    spec = replace(SPEC, verify=(a_trait("rows"),))
    before = Story(spec).started().run
    said = JobFinished(at=before.updated_at, attempt=1, succeeded=True)
    assert _broken(before, said, _done(before), spec) == {19}
    assert _broken(before, replace(said, unverified=True), _done(before), spec) == set()


def test_sc_20_a_check_that_says_no_and_is_not_heard_is_unsafe() -> None:
    before, spec = _under_check("totals")
    no = TraitEvaluated(at=before.updated_at, round=before.round, result=a_result("rows", TraitStatus.FAIL))
    results = (*before.results, no.result)
    deaf = replace(before, asked=(), results=results, wake_at=NOON + HOUR, version=before.version + 1)
    assert _broken(before, no, Decision(run=deaf), spec) == {20}
    unsure = replace(deaf, results=(*before.results, no_answer("rows")))
    assert _broken(before, no, Decision(run=unsure), spec) == set()


def test_sc_7_work_that_cannot_be_verified_for_too_long_in_silence_is_unsafe() -> None:
    before, spec = _under_check("totals")
    assert before.verifying is not None
    unsure = replace(before, asked=(), wake_at=NOON + HOUR, version=before.version + 1)
    tired = replace(unsure, verifying=replace(before.verifying, tries=2))
    event = TraitEvaluated(at=before.updated_at, round=before.round, result=no_answer("rows"))
    assert _broken(before, event, Decision(run=tired), spec) == {7}
    told = replace(tired, open_alerts=(f"verification_trouble/{before.key.run_id}",))
    assert _broken(before, event, Decision(run=told), spec) == set()


def test_a_slot_that_opens_after_its_deadlines_breaks_nothing() -> None:
    story = Story(at=DUE + SECOND, limits=limits(completion_due=DUE))
    assert _broken(None, None, story.last) == set()

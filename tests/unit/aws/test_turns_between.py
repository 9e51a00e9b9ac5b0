"""What others do in the middle of a turn, and turns that are cut short: no question, fact or wish is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.aws.rig import Turning

from interlock.app.advance import Advanced, advance
from interlock.app.callbacks import Report, complete
from interlock.app.postponing import LONGEST_PAUSE
from interlock.aws.onward import RENEWED
from interlock.aws.state import Asked, Lost, Next, State
from interlock.aws.turning import LOOKS, STARTS, STUMBLES, Bounds, turn
from interlock.core.alerts import AlertType
from interlock.core.commands import CancelJob, EvaluateTrait, NotifyDownstream
from interlock.core.events import CancelAsked, EvidenceArrived, Woke
from interlock.core.ids import TraitName
from interlock.core.pipelines import Mode
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import StoreUnavailable, TriggerError
from interlock.ports.stores import Claim
from interlock.stores.kernel import Page, Record
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_spec


class Meanwhile:
    """Lets somebody act once, before or after the first call of a kind."""

    def __init__(self, rig: Turning, call: str, act: Callable[[], object], *, before: bool) -> None:
        plain = getattr(rig.kernel, call)
        self.acted = 0

        def called(*given: Any) -> Any:
            if before:
                self._once(act)
            found = plain(*given)
            if not before:
                self._once(act)
            return found

        setattr(rig.kernel, call, called)

    def _once(self, act: Callable[[], object]) -> None:
        if not self.acted:
            self.acted = 1
            act()


@pytest.mark.parametrize("call", ["get", "rows"])
@pytest.mark.parametrize("before", [True, False])
def test_a_question_that_somebody_else_asks_in_the_middle_of_a_turn_is_not_struck(call: str, before: bool) -> None:
    """A marker wakes the run between the look at it and the look at its wishes."""
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL, TraitStatus.PASS)
    rig.until(Next.WAIT_FOR_READINESS)
    rig.clock.advance(SECOND)
    marker = EvidenceArrived(at=rig.clock.now(), source="marker")
    other = Meanwhile(rig, call, lambda: advance(rig.key, marker, rig.store), before=before)
    state = rig.step()
    assert other.acted
    assert rig.run.asked == (TraitName("freshness"),)
    (wish,) = rig.store.outstanding(rig.key)
    assert isinstance(wish, EvaluateTrait)
    assert wish.round == rig.run.round
    # It is asked at once, or as soon as the change is seen; nobody sleeps over it.
    assert state.next is Next.EVALUATE or (state.wait is not None and state.wait.seconds <= 1)


def test_a_run_that_ends_in_the_middle_of_a_turn_keeps_its_execution_until_everything_is_told() -> None:
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    cancelled = CancelAsked(at=rig.clock.now(), actor="ann", reason="no")
    Meanwhile(rig, "rows", lambda: advance(rig.key, cancelled, rig.store), before=False)
    rig.step()
    assert rig.state.next is not Next.CANCELLED
    assert any(isinstance(wish, CancelJob) for wish in rig.store.outstanding(rig.key))
    rig.until(Next.CANCELLED)
    assert not rig.store.outstanding(rig.key)


def test_a_turn_that_is_cut_short_counts_in_the_history_all_the_same() -> None:
    """AWS-30: else an execution that is always cut short would never hand over."""
    rig = Turning()
    state = turn(rig.state, rig.hands, (), Bounds(over=lambda: True))
    assert state.next is Next.STEP
    assert state.spent > rig.state.spent


def test_a_turn_that_is_cut_short_has_heard_the_answers() -> None:
    rig = Turning()
    rig.step()
    rig.carry(State(run=rig.key.run_id, answers=rig.answers()))
    state = turn(rig.state, rig.hands, (), Bounds(over=lambda: True))
    assert state.answers == ()
    assert rig.run.result(TraitName("freshness")) is not None


def test_an_answer_and_the_question_it_is_to_are_dealt_with_in_one_commit() -> None:
    """Who died in between would leave a question that was answered."""
    rig = Turning()
    rig.step()
    rig.carry(State(run=rig.key.run_id, answers=rig.answers()))
    plain = rig.kernel.rows
    calls = iter((plain,))  # what is asked is looked up first

    def rows(pk: str, prefix: str, page: Page) -> list[Record]:
        return next(calls, _broken)(pk, prefix, page)

    rig.kernel.rows = rows  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        rig.step()
    rig.kernel.rows = plain  # type: ignore[method-assign]
    assert rig.run.result(TraitName("freshness")) is not None
    assert not any(isinstance(wish, EvaluateTrait) for wish in rig.store.outstanding(rig.key))


def test_an_answer_under_the_name_of_another_wish_strikes_nothing() -> None:
    """Whoever may start executions could take a permit away with it: that nobody answered needs no seal."""
    rig = Turning()
    rig.until(Next.START)
    (permit,) = rig.store.outstanding(rig.key)
    question = EvaluateTrait(id=permit.id, round=rig.run.round, trait=TraitName("freshness"), deadline=NOON)
    rig.carry(State(run=rig.key.run_id, answers=(Asked(run=rig.key.run_id, wish=question, lost=Lost(error="x")),)))
    assert rig.step().next is Next.START
    assert rig.store.outstanding(rig.key) == (permit,)


def test_a_question_of_an_earlier_round_is_struck_and_not_asked() -> None:
    rig = Turning()
    rig.step()
    (old,) = rig.state.evaluate
    while rig.run.round == old.round:  # another execution tells the time until the next round begins
        assert rig.run.due_at is not None
        rig.clock.set(max(rig.run.due_at, rig.clock.now()))
        advance(rig.key, Woke(at=rig.clock.now()), rig.store)
    assert old in rig.store.outstanding(rig.key)
    (wish,) = rig.step().evaluate
    assert (wish.round, wish.trait) == (rig.run.round, old.trait)
    assert old not in rig.store.outstanding(rig.key)


def test_a_start_that_cannot_be_made_yet_is_tried_once_and_then_time_is_told() -> None:
    """Somebody else may be in the middle of it; the run's deadlines do not wait for that."""
    rig = Turning()
    rig.until(Next.START)
    now = rig.clock.now()
    assert rig.store.put_claim(Claim(run=rig.key, attempt=1, turn=1, at=now, until=now + 180 * MINUTE))
    rig.clock.advance(60 * MINUTE)
    states = [rig.step(), rig.step(STARTS)]
    assert [state.next for state in states] == [Next.START, Next.WAIT_FOR_PEOPLE]
    assert rig.run.doubt
    assert rig.trigger.started == 0


def test_a_start_that_was_put_off_is_tried_once_more_before_a_time_is_told_that_has_come_meanwhile() -> None:
    rig = Turning()
    rig.until(Next.START)
    (wish,) = rig.store.outstanding(rig.key)
    rig.clock.advance(60 * MINUTE)
    rig.store.postpone(rig.key, wish.id, rig.clock.now() + 20 * SECOND)
    assert rig.step().next is Next.START
    assert not rig.run.doubt


def test_what_a_clock_that_was_ahead_has_put_off_is_not_left_for_so_long() -> None:
    rig = Turning()
    rig.until(Next.START)
    (wish,) = rig.store.outstanding(rig.key)
    rig.store.postpone(rig.key, wish.id, rig.clock.now() + 60 * MINUTE)
    assert rig.step().next is Next.START


def test_what_was_put_off_is_not_put_off_further_by_something_else_that_died() -> None:
    rig = Turning()
    rig.until(Next.START)
    (wish,) = rig.store.outstanding(rig.key)
    until = rig.clock.now() + 20 * SECOND
    rig.store.postpone(rig.key, wish.id, until)
    rig.carry(replace(rig.state, lost=Lost(error="DynamoDb.InternalServerError")))
    rig.step()
    ((_, due_at, tries),) = rig.store.wishes(rig.key)
    assert (due_at, tries) == (until, 1)


def test_a_run_whose_time_has_come_and_changes_nothing_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be told the time for ever, as fast as functions can be called."""
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    rig.clock.advance(60 * MINUTE)
    told: list[object] = []

    def unmoved(_key: object, fact: object, *_: object, **__: object) -> Advanced:
        told.append(fact)
        return Advanced(run=rig.run, changed=False)

    monkeypatch.setattr("interlock.aws.turning.advance", unmoved)
    state = rig.step(LOOKS)
    assert len(told) == 1
    assert state.wait is not None
    assert state.wait.seconds == LONGEST_PAUSE.total_seconds()


def test_what_was_tried_travels_until_the_execution_rests() -> None:
    rig = Turning(a_spec("freshness", "volume"))
    rig.step()
    rig.carry(replace(rig.state, tried=("00000001#0001",)))
    assert rig.step().tried == ("00000001#0001",)
    rig.carry(State(run=rig.key.run_id, tried=rig.state.tried, answers=rig.answers()))
    assert rig.step().tried == ("00000001#0001",)
    rig.step(STARTS)
    assert rig.state.wait is not None
    assert rig.state.tried == ()


def test_answers_of_an_execution_that_breaks_are_asked_for_again_by_the_next() -> None:
    rig = Turning()
    rig.step()
    answers = rig.answers()
    rig.carry(replace(rig.state, answers=answers, lost=Lost(error="x"), stumbles=STUMBLES - 1))
    assert rig.step().next is Next.BROKEN
    assert rig.state.answers == ()
    rig.carry(State(run=rig.key.run_id))
    assert rig.step().next is Next.EVALUATE


def test_a_round_of_which_everything_was_lost_is_asked_again() -> None:
    """The Map itself failed: nobody was asked, and nothing is known."""
    rig = Turning()
    rig.step()
    rig.carry(replace(rig.state, lost=Lost(error="States.DataLimitExceeded")))
    state = rig.step()
    assert state.next is Next.EVALUATE
    assert state.stumbles == 1
    assert rig.run.result(TraitName("freshness")) is None


def test_a_job_that_nobody_could_stop_is_told_after_so_many_tries_and_the_execution_ends() -> None:
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    rig.trigger.cancel = _dead_line  # type: ignore[method-assign]
    advance(rig.key, CancelAsked(at=rig.clock.now(), actor="ann", reason="no"), rig.store)
    rig.until(Next.CANCELLED, turns=60)
    told = {each.alert.alert_type for each in rig.hands.dispatches.alerts(limit=9)}
    assert AlertType.CANCEL_UNCONFIRMED in told


def test_a_run_that_has_ended_keeps_its_execution_while_the_pipelines_behind_it_are_told_one_by_one() -> None:
    """Between two of them is a pause that is longer than anybody waits."""
    first, second = (a_spec("up", name=name) for name in ("one", "two"))
    spec = a_spec("freshness", cascade_delay=10 * MINUTE)
    rig = Turning(spec)
    files = Files(spec, first, second, downstream={spec.name: (first.name, second.name)})
    rig.hands = rig.hands._replace(catalog=files)
    rig.until(Next.WAIT_FOR_JOB)
    complete(rig.key, Report(succeeded=True), rig.store, rig.clock.now())
    state = rig.step()
    assert rig.run.ended
    assert state.wait is not None
    assert any(isinstance(wish, NotifyDownstream) for wish in rig.store.outstanding(rig.key))
    rig.until(Next.COMPLETED, turns=60)
    assert all(rig.hands.controls.markers(name, limit=9) for name in (first.name, second.name))


def test_in_shadow_nothing_is_started_and_the_execution_ends() -> None:
    rig = Turning(a_spec("freshness", mode=Mode.SHADOW))
    rig.until(Next.COMPLETED)
    assert rig.trigger.started == 0
    assert rig.run.status is RunStatus.COMPLETED


def test_an_execution_that_hands_over_names_an_heir_that_no_other_has() -> None:
    rig = Turning()
    rig.evaluator.script("freshness", TraitStatus.FAIL)
    names = set()
    for _ in range(3):
        rig.until(Next.WAIT_FOR_READINESS)
        rig.clock.advance(SECOND)
        rig.carry(replace(rig.state, spent=RENEWED))
        assert rig.step().next is Next.RENEW
        names.add(rig.state.heir)
        rig.carry(State(run=rig.key.run_id))
    assert len(names) == 3


def test_functions_whose_clocks_differ_do_not_hand_a_wish_to_and_fro() -> None:
    """The one that may start is behind, so that for it the wish is not due yet: it waits for it, and does not spin."""
    rig = Turning()
    rig.clock.advance(8 * SECOND)
    rig.until(Next.START)
    rig.clock.set(NOON)
    state = rig.step(STARTS)
    assert rig.trigger.started == 0
    assert state.next is Next.WAIT_FOR_START
    assert state.wait is not None
    rig.clock.advance(timedelta(seconds=state.wait.seconds))
    rig.until(Next.START)
    rig.step(STARTS)
    assert rig.trigger.started == 1


def test_a_look_at_a_job_is_never_made_by_who_may_only_start() -> None:
    rig = Turning()
    rig.until(Next.WAIT_FOR_JOB)
    rig.clock.advance(60 * MINUTE)
    assert rig.step(STARTS).next is Next.CHECK
    assert rig.step(LOOKS).next is Next.WAIT_FOR_JOB


def _broken(*_: object) -> Any:
    raise StoreUnavailable("the store did not answer")


def _dead_line(*_: object, **__: object) -> None:
    raise TriggerError("the line went dead", category="TRANSIENT")

"""Executions that somebody started by hand: what their state says was never measured, and no job starts for it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.aws.rig import Turning
from tests.unit.aws.urls import Call

from interlock.aws import evaluator
from interlock.aws.answering import answer
from interlock.aws.bodies import take_turn
from interlock.aws.seals import opened, sealed
from interlock.aws.state import Asked, Lost, Next, State
from interlock.codec import wire
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import Invalid, NotDeployed

KEY = "0123456789abcdef" * 4


def asked(rig: Turning) -> Asked:
    """The question that a run has just asked."""
    (wish,) = rig.until(Next.EVALUATE).evaluate
    return Asked(run=rig.key.run_id, wish=wish)


def told(rig: Turning, *answers: Any, key: str = KEY, **state: Any) -> State:
    """Have an execution with these answers in its state take its first turn, and return what comes next."""
    event = json.loads(json.dumps({"run": rig.key.run_id, "answers": answers, **state}))
    rig.state = wire.from_builtins(opened(event, key), State)
    return rig.step()


def an_office(rig: Turning) -> Any:
    """What functions work with, but for AWS."""
    environment = SimpleNamespace(longest_wait=timedelta(), table="interlock")
    return SimpleNamespace(work=SimpleNamespace(hands=rig.hands), seal=KEY, environment=environment)


def test_the_functions_seal_what_they_say_and_believe_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Turning()
    monkeypatch.setattr(evaluator, "_OFFICE", lambda: an_office(rig))
    question = wire.to_builtins(asked(rig))
    given = evaluator.handler(question, Call())
    forged = wire.to_builtins(answer(asked(rig), rig.hands))
    state = {"run": rig.key.run_id}
    assert take_turn({**state, "answers": [given]}, Call(), an_office(rig))["next"] == Next.START
    rig = Turning()
    asked(rig)
    assert take_turn({**state, "answers": [forged]}, Call(), an_office(rig))["next"] != Next.START


def test_a_sealed_answer_counts_as_it_was_given() -> None:
    rig = Turning()
    assert told(rig, sealed(answer(asked(rig), rig.hands), KEY)).next is Next.START


def test_a_sealed_answer_is_not_taken_away_by_a_word_that_it_was_lost() -> None:
    rig = Turning()
    given = sealed(answer(asked(rig), rig.hands), KEY)
    assert told(rig, {**given, "lost": {"Error": "States.Timeout"}}).next is Next.START


@pytest.mark.parametrize("more", [{"lost": {"Error": "States.Timeout"}}, {}], ids=["lost", "forged"])
def test_what_counts_as_lost_brings_no_evidence(more: dict[str, Any]) -> None:
    """That nobody answered needs no seal, so nothing else of it is believed."""
    rig = Turning()
    given = {**wire.to_builtins(answer(asked(rig), rig.hands)), **more}
    (found,) = opened({"run": rig.key.run_id, "answers": [given]}, KEY)["answers"]
    assert (given["fact"] is None, found["fact"]) == (False, None)


def test_forged_evidence_starts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may start an execution writes its state, and must not be able to say that the data are ready."""
    rig = Turning()
    forged = wire.to_builtins(answer(asked(rig), rig.hands))
    with caplog.at_level(logging.ERROR):
        following = told(rig, forged)
    assert following.next is not Next.START
    assert rig.run.status is RunStatus.PENDING
    (result,) = rig.run.results
    assert (result.status, "was not given by this deployment's evaluator" in result.reason) == (TraitStatus.ERROR, True)
    assert "has no seal of ours" in caplog.text


@pytest.mark.parametrize("seal", ["", "0" * 64, None, 5, "é"])
def test_a_seal_that_is_none_opens_nothing(seal: object) -> None:
    rig = Turning()
    given = sealed(answer(asked(rig), rig.hands), KEY)
    assert told(rig, {**given, "seal": seal}).next is not Next.START


def test_a_seal_of_another_deployment_opens_nothing() -> None:
    rig = Turning()
    assert told(rig, sealed(answer(asked(rig), rig.hands), KEY[::-1])).next is not Next.START


def test_an_answer_that_was_changed_on_its_way_is_none() -> None:
    rig = Turning()
    rig.evaluator.script("freshness", OSError("the data cannot be reached"))
    given = sealed(answer(asked(rig), rig.hands), KEY)
    better = given["answer"].replace('"status":"ERROR"', '"status":"PASS"').replace('"FAIL"', '"PASS"')
    assert better != given["answer"]
    assert told(rig, {**given, "answer": better}).next is not Next.START


def test_answers_that_another_run_got_say_nothing_about_this_one() -> None:
    """The state of an execution, pasted into a new one for another run: its round and its traits are called the same."""
    rig = Turning()
    question = asked(rig)
    other = sealed(answer(question, rig.hands), KEY)
    told_other = json.loads(other["answer"]) | {"run": "example:daily:2026-03-06:1"}
    assert told(rig, sealed(wire.from_builtins(told_other, Asked), KEY)).next is not Next.START


def test_a_question_whose_function_died_is_answered_by_nothing_else() -> None:
    """Step Functions adds what it knows of the death to the question, and so could somebody else."""
    rig = Turning()
    died = wire.to_builtins(replace(answer(asked(rig), rig.hands), lost=Lost(error="Runtime.ExitError")))
    assert told(rig, died).next is not Next.START
    (result,) = rig.run.results
    assert "Runtime.ExitError" in result.reason


def test_the_same_answer_twice_is_told_once() -> None:
    rig = Turning()
    given = sealed(answer(asked(rig), rig.hands), KEY)
    assert told(rig, given, given).next is Next.START
    assert len(rig.run.results) == 1


def test_an_old_answer_that_is_told_again_later_starts_nothing() -> None:
    """It is what the run knows already, and too old by then."""
    rig = Turning()
    rig.evaluator.script("freshness", OSError("not now"))
    early = sealed(answer(asked(rig), rig.hands), KEY)
    told(rig, early)
    rig.clock.advance(timedelta(hours=2))
    assert told(rig, early).next is not Next.START


@pytest.mark.parametrize("nonsense", [None, 5, "text", [1], {"answer": "5", "seal": ""}, {"answer": "{"}])
def test_what_is_no_answer_ends_the_turn_with_words(nonsense: object) -> None:
    with pytest.raises((Invalid, ValueError), match=r"expected an object|truncated"):
        opened({"run": "a", "answers": [nonsense]}, KEY)


@pytest.mark.parametrize("event", [None, [], "text", {}, {"run": "a"}, {"run": "a", "answers": []}])
def test_a_state_without_answers_stays_as_it_is(event: object) -> None:
    assert opened(event, "") == event


def test_without_a_key_nothing_is_sealed_and_nothing_believed() -> None:
    rig = Turning()
    given = answer(asked(rig), rig.hands)
    with pytest.raises(NotDeployed, match="deploy sync once more"):
        sealed(given, "")
    with pytest.raises(NotDeployed, match="deploy sync once more"):
        opened({"run": rig.key.run_id, "answers": [sealed(given, KEY)]}, "")


def test_numbers_come_through_as_they_were_measured() -> None:
    """Step Functions may write numbers in its own way; text it leaves alone."""
    rig = Turning()
    given = answer(asked(rig), rig.hands)
    carried = sealed(given, KEY)
    assert all(isinstance(each, str) for each in carried.values())
    (back,) = opened({"run": given.run, "answers": [carried]}, KEY)["answers"]
    assert wire.from_builtins(back, Asked) == given

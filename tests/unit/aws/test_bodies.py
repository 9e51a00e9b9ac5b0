"""The functions of the state machine as Lambda calls them: a state in, the next one out, and what is counted on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.aws.offices import metrics
from tests.unit.aws.rig import Turning
from tests.unit.aws.urls import Call

from interlock.aws import bodies, evaluator
from interlock.aws.asl import OUTAGES
from interlock.aws.state import Asked, Next, State
from interlock.aws.turning import LOOKS, STARTS
from interlock.codec import wire
from interlock.errors import StoreUnavailable


def broken(*_: object, **__: object) -> Any:
    raise StoreUnavailable("the store did not answer")


class Desk:
    """An office of which only the work and the environment are used."""

    def __init__(self, rig: Turning) -> None:
        self.seal = "5e" * 32
        self.work = SimpleNamespace(hands=rig.hands)
        self.environment = SimpleNamespace(table="interlock-test", longest_wait=timedelta())


def test_a_function_carries_a_state_as_json_does() -> None:
    rig = Turning()
    found = bodies.take_turn({"run": rig.key.run_id}, Call(60), Desk(rig))  # type: ignore[arg-type]
    assert json.loads(json.dumps(found))["next"] == "evaluate"


def test_an_end_is_counted_by_what_it_was_and_nothing_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    """AWS-32, AWS-49."""
    rig = Turning()
    bodies.take_turn({"run": rig.key.run_id}, Call(60), Desk(rig))  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    bodies.take_turn({"run": "nobody:daily:2026-03-07:1"}, Call(60), Desk(rig))  # type: ignore[arg-type]
    (line,) = metrics(capsys.readouterr().out)
    assert (line["RunsEnded"], line["Outcome"], line["Deployment"]) == (1, "unknown", "interlock-test")
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Deployment", "Outcome"]]


def test_a_function_that_is_nearly_over_begins_nothing() -> None:
    rig = Turning()
    rig.until(Next.START)
    state = wire.to_builtins(rig.state)
    assert bodies.take_turn(state, Call(19), Desk(rig), STARTS)["next"] == "step"  # type: ignore[arg-type]
    assert rig.trigger.started == 0
    bodies.take_turn(state, Call(21), Desk(rig), STARTS)  # type: ignore[arg-type]
    assert rig.trigger.started == 1


def test_an_execution_is_as_patient_as_its_environment_says() -> None:
    """AWS-52."""
    waits = []
    for longest in (timedelta(), timedelta(minutes=5)):
        rig = Turning()
        rig.until(Next.WAIT_FOR_JOB)
        rig.clock.advance(timedelta(hours=10))
        desk = Desk(rig)
        desk.environment.longest_wait = longest
        state = wire.to_builtins(rig.state)
        waits.append(bodies.take_turn(state, Call(60), desk, LOOKS)["wait"]["seconds"])  # type: ignore[arg-type]
    assert waits == [30, 300]


def test_what_is_no_state_is_an_error() -> None:
    rig = Turning()
    with pytest.raises(ValueError, match="spent"):
        bodies.take_turn({"run": "x", "spent": "many"}, Call(60), Desk(rig))  # type: ignore[arg-type]


def test_an_evaluator_that_fails_says_so_in_few_words_and_under_the_same_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """AWS-29: sixty of them travel together, and each with its stack would be more than an execution carries."""
    rig = Turning()
    (wish,) = rig.step().evaluate
    asked = wire.to_builtins(Asked(run=rig.key.run_id, wish=wish))
    monkeypatch.setattr(evaluator, "_OFFICE", lambda: Desk(rig))
    assert json.loads(evaluator.handler(asked, Call())["answer"])["fact"]["result"]["status"] == "PASS"
    monkeypatch.setattr(rig.kernel, "get", broken)
    with pytest.raises(StoreUnavailable) as caught:
        evaluator.handler(asked, Call())
    frames = 0
    place = caught.tb.tb_next  # the first is this test's
    while place is not None:
        frames, place = frames + 1, place.tb_next
    assert frames == 1
    assert caught.value.__cause__ is None
    assert "broken" in caplog.text
    assert type(caught.value).__name__ in OUTAGES


def test_a_state_of_nothing_but_a_run_is_enough_to_go_on() -> None:
    """AWS-45."""
    rig = Turning()
    assert State(run=rig.key.run_id) == wire.from_builtins({"run": rig.key.run_id, "ofTomorrow": 1}, State)

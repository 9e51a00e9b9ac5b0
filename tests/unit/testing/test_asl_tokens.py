"""Tasks that wait until somebody answers for their token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.testing.asl_bench import PARK, Bench, Json

from interlock.testing.asl.execution import Execution, Status, finish
from interlock.testing.asl.failures import TaskError
from interlock.testing.asl.machine import TokenRefused

END: Json = {"Type": "Succeed"}


def parking(**fields: Any) -> Json:
    """Return a machine that parks for `seconds`, then ends by one way or another."""
    park = {
        "Type": "Task",
        "Resource": PARK,
        "Parameters": {"Item": {"S.$": r"States.Format('\{\"token\": \"{}\"\}', $$.Task.Token)"}},
        "TimeoutSecondsPath": "$.seconds",
        "ResultPath": "$.woke",
        "Next": "Woken",
        "Catch": [
            {"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": "Late"},
            {"ErrorEquals": ["States.ALL"], "Next": "Failed"},
        ],
        **fields,
    }
    return {"Park": park, "Woken": END, "Late": END, "Failed": END}


class Lot:
    """A machine that is parked."""

    def __init__(self, states: Json | None = None) -> None:
        self.parked: list[tuple[Any, str]] = []
        self.bench = Bench(states or parking(), tasks={PARK: lambda given, token: self.parked.append((given, token))})
        self.execution: Execution = self.bench.start({"seconds": 60})
        self.execution.settle()

    def end(self) -> str:
        """Let time pass, and say where it ended."""
        finish(self.execution, self.bench.clock)
        return self.execution.trace[-1]

    def later(self, seconds: int) -> None:
        self.bench.clock.advance(timedelta(seconds=seconds))


def test_the_task_is_told_the_token_that_its_parameters_hold() -> None:
    lot = Lot()
    ((given, token),) = lot.parked
    assert given == {"Item": {"S": f'{{"token": "{token}"}}'}}
    assert lot.execution.tokens == (token,)


def test_a_parked_execution_wakes_by_itself_only_at_its_timeout() -> None:
    lot = Lot()
    assert (lot.execution.ready, lot.execution.due) == (False, lot.bench.clock.now() + timedelta(seconds=60))


def test_an_answer_wakes_it_with_its_output() -> None:
    lot = Lot()
    lot.bench.machine.succeed(lot.parked[0][1], {"why": "data"})
    assert lot.execution.ready
    assert lot.end() == "Woken"
    assert lot.execution.output == {"seconds": 60, "woke": {"why": "data"}}


def test_a_failure_is_caught_by_its_name() -> None:
    lot = Lot()
    lot.bench.machine.fail(lot.parked[0][1], "Mine", "why")
    assert lot.end() == "Failed"
    assert lot.execution.output == {"Error": "Mine", "Cause": "why"}


def test_without_an_answer_it_times_out() -> None:
    assert Lot().end() == "Late"


def test_a_call_that_fails_is_not_waited_for() -> None:
    def refuse(_: Any, token: str) -> None:
        tokens.append(token)
        raise TaskError("DynamoDb.TransactionCanceledException", "a condition does not hold")

    tokens: list[str] = []
    bench = Bench(parking(), tasks={PARK: refuse})
    execution = bench.start({"seconds": 60})
    execution.settle()
    assert execution.trace == ["Park", "Failed"]
    with pytest.raises(TokenRefused):
        bench.machine.succeed(tokens[0], None)


def test_an_answer_that_comes_before_the_call_has_returned_is_kept() -> None:
    bench = Bench(parking(), tasks={PARK: lambda _, token: bench.machine.succeed(token, "early")})
    execution = bench.start({"seconds": 60})
    execution.settle()
    assert (execution.trace[-1], execution.output["woke"]) == ("Woken", "early")


def test_an_answer_at_the_instant_of_the_timeout_is_too_late() -> None:
    lot = Lot()
    lot.later(60)
    with pytest.raises(TokenRefused, match="TaskTimedOut"):
        lot.bench.machine.succeed(lot.parked[0][1], None)
    assert lot.end() == "Late"


def test_an_answer_that_came_in_time_counts_even_if_it_is_seen_later() -> None:
    lot = Lot()
    lot.later(59)
    lot.bench.machine.succeed(lot.parked[0][1], None)
    lot.later(100)
    assert lot.end() == "Woken"


def test_a_token_can_be_answered_once() -> None:
    lot = Lot()
    lot.bench.machine.succeed(lot.parked[0][1], None)
    with pytest.raises(TokenRefused, match="TaskTimedOut"):
        lot.bench.machine.fail(lot.parked[0][1], "Mine")


def test_a_token_of_an_execution_that_was_stopped_is_worth_nothing() -> None:
    lot = Lot()
    lot.execution.stop()
    with pytest.raises(TokenRefused, match="TaskTimedOut"):
        lot.bench.machine.succeed(lot.parked[0][1], None)


def test_a_token_that_never_was_is_another_error() -> None:
    with pytest.raises(TokenRefused, match="InvalidToken"):
        Lot().bench.machine.succeed("made up", None)


def test_an_answer_that_is_too_long_is_refused_and_the_task_waits_on() -> None:
    """Where an answer comes from outside."""
    lot = Lot()
    with pytest.raises(TokenRefused, match="InvalidOutput"):
        lot.bench.machine.succeed(lot.parked[0][1], "x" * 262_143)
    assert lot.execution.tokens == (lot.parked[0][1],)


def test_each_visit_has_a_token_of_its_own() -> None:
    lot = Lot(parking(Next="Park"))
    for _ in range(2):
        lot.bench.machine.succeed(lot.execution.tokens[0], None)
        lot.execution.settle()
    assert len({token for _, token in lot.parked}) == 3


def test_a_token_of_one_execution_does_not_wake_another() -> None:
    lot = Lot()
    other = lot.bench.start({"seconds": 60}, name="other")
    other.settle()
    lot.bench.machine.succeed(lot.parked[0][1], None)
    assert (lot.execution.ready, other.ready) == (True, False)
    assert other.status is Status.RUNNING

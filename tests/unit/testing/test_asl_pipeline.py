"""The interpreter plays a machine of the shape that runs are driven with."""

from __future__ import annotations

from typing import Any

from tests.unit.testing.asl_bench import PARK, Json, functions
from tests.unit.testing.asl_pipeline import PIPELINE

from interlock.testing.asl.execution import Execution, Status, finish
from interlock.testing.asl.failures import TaskError
from interlock.testing.asl.machine import Machine
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock


class Plant:
    """The functions of the machine: the orchestrator says what is next from a list, and notes what it was given."""

    def __init__(self, *turns: Json, evaluate: Any = None, start: Any = None) -> None:
        self.turns = list(turns)
        self.given: list[Json] = []
        self.parked: list[Json] = []
        self.clock = FakeClock(NOON)
        tasks = functions(orchestrator=self.turn, evaluator=evaluate or self.answer, trigger=start or self.turn)
        self.machine = Machine(PIPELINE, {PARK: self.park, **tasks}, clock=self.clock)

    def turn(self, event: Json) -> Json:
        self.given.append(event)
        return {"run": "a:b:c", "spent": event["spent"] + 1, **self.turns.pop(0)}

    def answer(self, event: Json) -> Json:
        return {"wish": event["wish"], "answer": "PASS"}

    def park(self, parameters: Json, token: str) -> None:
        self.parked.append({"row": parameters, "token": token})

    def play(self) -> Execution:
        execution = self.machine.start({"run": "a:b:c", "spent": 0}, name="run")
        finish(execution, self.clock)
        return execution


EVALUATE: Json = {"next": "evaluate", "evaluate": [{"trait": "fresh"}, {"trait": "full"}]}
START: Json = {"next": "start"}
DONE: Json = {"next": "completed"}
WAIT: Json = {"next": "wait", "wait": {"seconds": 60, "version": 3}}


def test_a_run_goes_its_way() -> None:
    plant = Plant(EVALUATE, START, {"next": "wait", "wait": {"seconds": 5, "version": 1}}, DONE)
    execution = plant.play()
    ways = [name for name in execution.trace if "[" not in name]
    assert ways == [
        "Step",
        "Route",
        "EvaluateTraits",
        "Step",
        "Route",
        "StartJob",
        "Route",
        "Wait",
        "Step",
        "Route",
        "Completed",
    ]
    assert plant.given[1]["answers"] == [{"wish": {"trait": t}, "answer": "PASS"} for t in ("fresh", "full")]


def test_an_evaluator_that_breaks_loses_its_own_answer_only() -> None:
    def evaluate(event: Json) -> Json:
        if event["wish"]["trait"] == "fresh":
            raise TaskError("Lambda.Unknown", "out of memory")
        return plant.answer(event)

    plant = Plant(EVALUATE, DONE, evaluate=evaluate)
    assert plant.play().status is Status.SUCCEEDED
    assert plant.given[1]["answers"] == [
        {"wish": {"trait": "fresh"}, "lost": "Lambda.Unknown"},
        {"wish": {"trait": "full"}, "answer": "PASS"},
    ]


def test_a_start_whose_answer_is_lost_goes_back_to_the_step() -> None:
    def start(_: Json) -> Json:
        raise TaskError("Lambda.Unknown", "")

    plant = Plant(START, DONE, start=start)
    assert plant.play().trace == ["Step", "Route", "StartJob", "Step", "Route", "Completed"]
    assert plant.given[1]["lost"]["Error"] == "Lambda.Unknown"


def test_throttling_is_tried_again_where_it_happened() -> None:
    left = ["Lambda.TooManyRequestsException"] * 2

    def start(event: Json) -> Json:
        if left:
            raise TaskError(left.pop())
        return plant.turn(event)

    plant = Plant(START, DONE, start=start)
    assert plant.play().trace == ["Step", "Route", "StartJob", "Route", "Completed"]
    assert (plant.clock.now() - NOON).total_seconds() == 3


def test_the_parked_row_holds_the_token_and_the_version() -> None:
    plant = Plant(WAIT, DONE)
    plant.play()
    (parked,) = plant.parked
    item = parked["row"]["TransactItems"][0]["Put"]["Item"]
    assert item["PK"] == {"S": "PARKED#a:b:c"}
    assert item["version"] == {"N": "3"}
    assert item["body"] == {"S": f'{{"token": "{parked["token"]}"}}'}


def test_a_token_wakes_a_run_before_its_time() -> None:
    plant = Plant(WAIT, DONE)
    execution = plant.machine.start({"run": "a:b:c", "spent": 0}, name="run")
    execution.settle()
    plant.machine.succeed(plant.parked[0]["token"], {})
    execution.settle()
    assert (execution.trace[-1], plant.clock.now()) == ("Completed", NOON)


def test_a_run_that_fails_says_why() -> None:
    execution = Plant({"next": "failed", "reason": "no data"}).play()
    assert (execution.status, execution.error, execution.cause) == (Status.FAILED, "RunFailed", "no data")


def test_a_next_that_nobody_knows_is_broken() -> None:
    assert Plant({"next": "dance"}).play().error == "Broken"


def test_a_step_that_says_nothing_of_what_is_next_fails_uncaught() -> None:
    """The default of a choice does not help against a variable that is missing."""
    assert Plant({}).play().error == "States.Runtime"


def test_polling_for_ever_fills_the_history_unless_it_is_renewed() -> None:
    """A round of waiting takes 13 events here."""
    plant = Plant(*[WAIT] * 2000)
    execution = plant.play()
    assert (execution.error, execution.history.length) == ("States.Runtime", 25_000)
    assert len(plant.given) == 1 + 24_998 // 13


def test_a_renewed_run_goes_on_in_a_fresh_execution() -> None:
    """With an empty history."""
    plant = Plant(*[WAIT] * 100, {"next": "renew", "renewal": "run-2"}, DONE)
    assert plant.play().trace[-1] == "Renewed"
    fresh = plant.machine.executions["run-2"]
    finish(fresh, plant.clock)
    assert (fresh.trace, plant.given[-1]) == (["Step", "Route", "Completed"], {"run": "a:b:c", "spent": 0})


def test_the_cost_of_a_run_can_be_told() -> None:
    execution = Plant(EVALUATE, START, DONE).play()
    assert execution.history.invocations == {"orchestrator": 2, "evaluator": 2, "trigger": 1}
    assert execution.history.transitions == 10
    assert execution.history.length == 1 + 3 * 5 + 3 * 2 + (4 + 2 * 7) + 2 + 1

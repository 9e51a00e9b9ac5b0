"""Executions: steps, time, counts, names and ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.testing.asl_bench import PARK, WORK, Bench, Json, a_machine, a_task, functions, passing

from interlock.testing.asl.execution import Execution, Status, finish
from interlock.testing.asl.failures import TaskError
from interlock.testing.asl.machine import START_EXECUTION, ExecutionAlreadyExists, Refused
from interlock.testing.builders import NOON

SECOND = timedelta(seconds=1)
LOOP = {
    "It": a_task(Next="Again"),
    "Again": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.more", "BooleanEquals": True, "Next": "It"}],
        "Default": "Done",
    },
    "Done": {"Type": "Succeed"},
}


def events_of(states: Json, data: Any = None, work: Any = None, **more: Any) -> Execution:
    return Bench(states, work, **more).play(data)


def test_one_step_is_one_state() -> None:
    execution = Bench(LOOP).start({"more": False})
    seen = [list(execution.trace)]
    while execution.ready:
        execution.step()
        seen.append(list(execution.trace))
    assert seen == [[], ["It"], ["It", "Again"], ["It", "Again", "Done"]]


def test_a_step_that_cannot_be_made_is_refused() -> None:
    execution = Bench({"It": {"Type": "Wait", "Seconds": 5, "End": True}}).start()
    execution.step()
    with pytest.raises(RuntimeError, match="cannot go on now"):
        execution.step()


def test_what_waits_says_until_when() -> None:
    execution = Bench({"It": {"Type": "Wait", "Seconds": 5, "End": True}}).start()
    execution.settle()
    assert (execution.ready, execution.due) == (False, NOON + 5 * SECOND)


def test_what_has_ended_is_never_due() -> None:
    execution = Bench(passing()).play()
    assert (execution.ended, execution.ready, execution.due) == (True, False, None)


@pytest.mark.parametrize(
    ("states", "length", "transitions"),
    [
        (passing(), 4, 1),
        ({"It": {"Type": "Succeed"}}, 4, 1),
        ({"It": {"Type": "Wait", "Seconds": 1, "End": True}}, 4, 1),
        ({"It": {"Type": "Fail"}}, 3, 1),
        ({"It": a_task()}, 7, 1),
        ({"It": a_task(Next="Done"), "Done": {"Type": "Succeed"}}, 9, 2),
        (
            {
                "It": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "Done"}],
                    "Default": "Done",
                },
                "Done": {"Type": "Succeed"},
            },
            6,
            2,
        ),
        (
            {
                "It": {
                    "Type": "Map",
                    "ItemsPath": "$.items",
                    "ItemProcessor": a_machine({"Inner": a_task()}),
                    "End": True,
                }
            },
            2 + 4 + 3 * (2 + 5),
            4,
        ),
        ({"It": {"Type": "Parallel", "Branches": [a_machine({"Inner": a_task()})], "End": True}}, 2 + 4 + 5, 2),
    ],
)
def test_history_counts_as_aws_counts(states: Json, length: int, transitions: int) -> None:
    """What each kind of state takes of the quota; what is paid for is another figure."""
    history = events_of(states, {"items": [1, 2, 3], "n": 1}).history
    assert (history.length, history.transitions) == (length, transitions)
    assert sum(history.events.values()) == length


def test_a_task_by_token_takes_one_event_more() -> None:
    """It is submitted, too."""
    bench = Bench({"It": {"Type": "Task", "Resource": PARK, "End": True}})
    execution = bench.start()
    execution.settle()
    bench.machine.succeed(execution.tokens[0], None)
    execution.settle()
    assert execution.history.length == 8
    assert execution.history.events["TaskSubmitted"] == 1


def test_a_retry_takes_three_events_and_one_transition() -> None:
    """Retries count."""
    left = ["Mine", "Mine"]

    def work(_: Any) -> None:
        if left:
            raise TaskError(left.pop())

    history = events_of({"It": a_task(Retry=[{"ErrorEquals": ["Mine"]}])}, None, work).history
    assert (history.length, history.transitions, history.invocations[WORK]) == (7 + 2 * 3, 3, 3)
    assert history.events["LambdaFunctionFailed"] == 2


def test_functions_are_counted_by_name() -> None:
    def invoke(name: str, **fields: Any) -> Json:
        resource = "arn:aws:states:::lambda:invoke"
        return {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": name}, **fields}

    states = {"A": invoke("a", Next="B"), "B": invoke("b", Next="C"), "C": invoke("a", End=True)}
    execution = events_of(states, tasks=functions(a=str, b=str))
    assert execution.history.invocations == {"a": 2, "b": 1}
    assert execution.history.events["TaskScheduled"] == 3


def test_states_inside_maps_are_named_with_their_item() -> None:
    states = {"Each": {"Type": "Map", "ItemProcessor": a_machine({"Inner": a_task()}), "End": True}}
    execution = events_of(states, [7])
    assert execution.trace == ["Each", "Each[0].Inner"]
    assert [(entered.state, entered.data) for entered in execution.history.entered] == [("Each", [7]), ("Inner", 7)]


def test_the_event_that_fills_the_history_is_the_failure() -> None:
    """A loop without end is ended after 25,000 events, whatever would catch."""
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]
    states = {**LOOP, "It": a_task(Next="Again", Catch=catch)}
    execution = events_of(states, {"more": True})
    assert (execution.status, execution.error, execution.history.length) == (Status.FAILED, "States.Runtime", 25_000)
    assert execution.cause == "The execution reached the maximum number of history events (25000)."


def test_an_execution_that_just_fits_its_history_succeeds() -> None:
    """The last event may be the success."""
    assert events_of(passing(), quota=4).status is Status.SUCCEEDED
    assert events_of(passing(), quota=3).status is Status.FAILED


def test_a_machine_has_its_own_timeout() -> None:
    bench = Bench({"It": {"Type": "Wait", "Seconds": 100, "End": True}}, TimeoutSeconds=60)
    execution = bench.play()
    assert (execution.status, execution.error) == (Status.TIMED_OUT, "States.Timeout")
    assert bench.clock.now() == NOON + 60 * SECOND


def test_the_timeout_of_a_machine_is_not_for_its_states_to_catch() -> None:
    park = {
        "Type": "Task",
        "Resource": PARK,
        "Next": "Done",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
    }
    execution = Bench({"It": park, "Done": {"Type": "Succeed"}}, TimeoutSeconds=60).play()
    assert (execution.status, execution.trace) == (Status.TIMED_OUT, ["It"])


def test_a_stopped_execution_is_aborted_and_does_nothing_more() -> None:
    execution = Bench(LOOP).start({"more": True})
    execution.step()
    execution.stop("Mine", "why")
    assert (execution.status, execution.error, execution.due) == (Status.ABORTED, "Mine", None)


def test_an_execution_stopped_inside_its_own_task_stays_stopped() -> None:
    def work(_: Any) -> None:
        execution.stop()

    execution = Bench({"It": a_task()}, work).start()
    execution.settle()
    assert (execution.status, execution.trace) == (Status.ABORTED, ["It"])


def test_a_name_and_input_that_are_running_are_the_same_execution() -> None:
    bench = Bench(LOOP)
    assert bench.start({"more": True}) is bench.start({"more": True})


def test_a_name_with_another_input_is_refused() -> None:
    bench = Bench(LOOP)
    bench.start({"more": True})
    with pytest.raises(ExecutionAlreadyExists):
        bench.start({"more": False})


def test_the_name_of_an_execution_that_has_ended_stays_taken() -> None:
    bench = Bench(LOOP)
    bench.play({"more": False})
    with pytest.raises(ExecutionAlreadyExists):
        bench.start({"more": False})


@pytest.mark.parametrize("name", ["", "x" * 81, "a:b", "a b"])
def test_a_name_is_short_and_plain(name: str) -> None:
    with pytest.raises(Refused, match="InvalidName"):
        Bench(LOOP).machine.start({}, name=name)


def test_an_input_that_is_too_long_starts_nothing() -> None:
    """The quota holds before the first state."""
    bench = Bench(passing())
    with pytest.raises(Refused, match="InvalidExecutionInput"):
        bench.machine.start("x" * 262_143, name="long")
    assert bench.machine.executions == {}


def starting(name: str) -> Json:
    """Return a machine that starts another execution of itself unless it is that."""
    renew = {
        "Type": "Task",
        "Resource": START_EXECUTION,
        "Parameters": {"StateMachineArn.$": "$$.StateMachine.Id", "Name": name, "Input": {"renewed": True}},
        "ResultPath": "$.renewed",
        "End": True,
    }
    rule = {"Variable": "$.renewed", "IsPresent": True, "Next": "Done"}
    return {
        "It": {"Type": "Choice", "Choices": [rule], "Default": "Renew"},
        "Renew": renew,
        "Done": {"Type": "Succeed"},
    }


def test_an_execution_can_start_a_fresh_one() -> None:
    """A new execution has a new history."""
    bench = Bench(starting("two"))
    bench.play()
    fresh = bench.machine.executions["two"]
    finish(fresh, bench.clock)
    assert (fresh.output, fresh.history.length) == ({"renewed": True}, 6)


def test_starting_under_a_name_that_is_taken_is_an_error_of_the_task() -> None:
    assert Bench(starting("one")).play().error == "StepFunctions.ExecutionAlreadyExistsException"


def test_the_same_seed_plays_the_same_story() -> None:
    def story(seed: int) -> list[str]:
        inner = a_machine({"A": a_task(Next="B"), "B": a_task()})
        return events_of({"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}, [1, 2, 3, 4], seed=seed).trace

    assert story(3) == story(3)
    assert len({tuple(story(seed)) for seed in range(8)}) > 4

"""Tasks: retries, catches, timeouts, and functions behind them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.testing.asl_bench import WORK, Bench, Json, a_task, error_of, functions, output_of

from interlock.testing.asl.execution import Status, finish
from interlock.testing.asl.failures import TaskError, names_match
from interlock.testing.asl.functions import call
from interlock.testing.asl.work import LAMBDA_INVOKE

CAUGHT = {"Type": "Succeed"}


def failing(*errors: str) -> Callable[[Any], Any]:
    """Return a task that fails with each error in turn, then answers with the number of its calls."""
    left = list(errors)

    def work(_: Any) -> int:
        if left:
            raise TaskError(left.pop(0), "why")
        return len(errors) + 1

    return work


@pytest.mark.parametrize(
    ("names", "error", "matched"),
    [
        (["Mine"], "Mine", True),
        (["Mine"], "Yours", False),
        (["States.ALL"], "Mine", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.TaskFailed"], "Mine", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.ALL"], "States.Runtime", False),
        (["States.Runtime"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
    ],
)
def test_which_names_mean_which_errors(names: list[str], error: str, matched: bool) -> None:
    """States.ALL is not everything."""
    assert names_match(names, error) is matched


@pytest.mark.parametrize(
    ("result_path", "output"),
    [
        ({}, {"Error": "Mine", "Cause": "why"}),
        ({"ResultPath": "$.lost"}, {"n": 1, "lost": {"Error": "Mine", "Cause": "why"}}),
        ({"ResultPath": None}, {"n": 1}),
    ],
)
def test_a_catch_puts_the_error_where_its_result_path_says(result_path: Json, output: Json) -> None:
    caught = {"ErrorEquals": ["States.ALL"], "Next": "Saved", **result_path}
    states = {"It": a_task(Parameters={"x": 1}, ResultPath="$.r", OutputPath="$.r", Catch=[caught]), "Saved": CAUGHT}
    assert output_of(states, {"n": 1}, failing("Mine")) == output


def test_a_catch_puts_the_error_into_the_raw_input_whatever_the_task_was_given() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Saved"}]
    output = output_of({"It": a_task(InputPath="$.a", Catch=catch), "Saved": CAUGHT}, {"a": {"b": 1}}, failing("Mine"))
    assert output == {"a": {"b": 1}, "lost": {"Error": "Mine", "Cause": "why"}}


def test_the_first_catcher_that_matches_is_taken() -> None:
    states = {
        "It": a_task(
            Catch=[
                {"ErrorEquals": ["Other"], "Next": "Wrong"},
                {"ErrorEquals": ["Mine"], "Next": "Right"},
                {"ErrorEquals": ["States.ALL"], "Next": "Wrong"},
            ]
        ),
        "Right": CAUGHT,
        "Wrong": {"Type": "Fail"},
    }
    assert Bench(states, failing("Mine")).play().trace == ["It", "Right"]


def test_an_error_that_nothing_catches_ends_the_execution() -> None:
    assert (
        error_of(
            {"It": a_task(Catch=[{"ErrorEquals": ["Other"], "Next": "Saved"}]), "Saved": CAUGHT}, None, failing("Mine")
        )
        == "Mine"
    )


@pytest.mark.parametrize(
    ("fields", "spans"),
    [
        ({}, [1, 2, 4]),
        ({"IntervalSeconds": 3, "BackoffRate": 1.0}, [3, 3, 3]),
        ({"IntervalSeconds": 10, "MaxDelaySeconds": 25}, [10, 20, 25]),
        ({"IntervalSeconds": 2, "BackoffRate": 1.5, "MaxAttempts": 2}, [2, 3]),
        ({"MaxAttempts": 0}, []),
    ],
)
def test_retries_wait_longer_and_longer_and_then_give_up(fields: Json, spans: list[int]) -> None:
    bench = Bench({"It": a_task(Retry=[{"ErrorEquals": ["Mine"], **fields}])}, failing(*["Mine"] * 9))
    execution, waited = bench.start(), []
    execution.settle()
    while execution.due is not None:
        waited.append((execution.due - bench.clock.now()).total_seconds())
        bench.clock.set(execution.due)
        execution.settle()
    assert waited == spans
    assert (execution.error, execution.history.invocations[WORK]) == ("Mine", len(spans) + 1)


def test_full_jitter_is_drawn_from_the_dice() -> None:
    def first_wait(seed: int) -> float:
        retry = [{"ErrorEquals": ["Mine"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]
        bench = Bench({"It": a_task(Retry=retry)}, failing("Mine"), seed=seed)
        execution = bench.start()
        execution.settle()
        assert execution.due is not None
        return (execution.due - bench.clock.now()).total_seconds()

    assert first_wait(1) == first_wait(1) != first_wait(2)
    assert all(0 <= first_wait(seed) <= 100 for seed in range(20))


def test_each_retrier_counts_for_itself() -> None:
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 2}]
    execution = Bench({"It": a_task(Retry=retry)}, failing("A", "B", "B", "A")).play()
    assert (execution.error, execution.history.invocations[WORK]) == ("A", 4)


def test_a_retry_that_is_used_up_leaves_it_to_the_catcher() -> None:
    states = {
        "It": a_task(
            Retry=[{"ErrorEquals": ["Mine"], "MaxAttempts": 1}], Catch=[{"ErrorEquals": ["Mine"], "Next": "Saved"}]
        ),
        "Saved": CAUGHT,
    }
    execution = Bench(states, failing("Mine", "Mine", "Mine")).play()
    assert (execution.trace, execution.history.invocations[WORK]) == (["It", "Saved"], 2)


def test_the_context_counts_the_retries() -> None:
    seen: list[int] = []

    def work(parameters: Json) -> None:
        seen.append(parameters["tries"])
        if len(seen) < 3:
            raise TaskError("Mine")

    Bench({"It": a_task(Parameters={"tries.$": "$$.State.RetryCount"}, Retry=[{"ErrorEquals": ["Mine"]}])}, work).play()
    assert seen == [0, 1, 2]


class Slow:
    """A machine whose task takes its time."""

    def __init__(self, seconds: int, **fields: Any) -> None:
        self.seconds = seconds
        self.done = 0
        catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
        states = {"It": a_task(Catch=catch, Next="Done", **fields), "Done": CAUGHT, "Late": CAUGHT}
        self.bench = Bench(states, self.work)

    def work(self, _: Any) -> None:
        self.bench.clock.advance(timedelta(seconds=self.seconds))
        self.done += 1


@pytest.mark.parametrize(("seconds", "end"), [(59, "Done"), (60, "Late"), (500, "Late")])
def test_a_task_that_works_too_long_has_worked_and_its_answer_is_lost(seconds: int, end: str) -> None:
    slow = Slow(seconds, TimeoutSeconds=60)
    assert slow.bench.play().trace == ["It", end]
    assert slow.done == 1


def test_a_timeout_may_be_read_from_the_input() -> None:
    slow = Slow(10, TimeoutSecondsPath="$.wait.seconds")
    assert slow.bench.play({"wait": {"seconds": 10}}).trace == ["It", "Late"]


@pytest.mark.parametrize("value", [0, -5, 1.5, "60", None, 100_000_000])
def test_a_timeout_that_is_no_positive_number_of_seconds_fails_before_the_task_is_asked(value: Any) -> None:
    asked: list[Any] = []
    assert error_of({"It": a_task(TimeoutSecondsPath="$.s")}, {"s": value}, asked.append) == "States.Runtime"
    assert asked == []


def test_an_exception_that_is_no_task_error_passes_and_the_call_is_made_again() -> None:
    left = [MemoryError(), None]

    def work(_: Any) -> str:
        trouble = left.pop(0)
        if trouble is not None:
            raise trouble
        return "done"

    execution = Bench({"It": a_task()}, work).start()
    with pytest.raises(MemoryError):
        execution.step()
    assert execution.ready
    execution.step()
    assert (execution.output, execution.trace) == ("done", ["It"])


def test_an_execution_cannot_be_stepped_from_inside_its_own_task() -> None:
    seen: list[Any] = []

    def work(_: Any) -> None:
        seen.append((execution.ready, execution.due))

    execution = Bench({"It": a_task()}, work).start()
    execution.settle()
    assert seen == [(False, None)]


def test_a_task_may_drive_another_execution() -> None:
    def work(parameters: Json) -> str:
        if parameters == {"who": "outer"}:
            inner = bench.machine.start({"who": "inner"}, name="inner")
            finish(inner, bench.clock)
        return str(parameters["who"])

    bench = Bench({"It": a_task()}, work)
    assert bench.play({"who": "outer"}).output == "outer"
    assert bench.machine.executions["inner"].output == "inner"


def invoke(**fields: Any) -> Json:
    return {
        "Type": "Task",
        "Resource": LAMBDA_INVOKE,
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
        "End": True,
        **fields,
    }


def test_a_function_is_given_the_payload_and_its_answer_is_the_payload() -> None:
    bench = Bench({"It": invoke(OutputPath="$.Payload")}, tasks=functions(f=lambda event: {"got": event}))
    assert bench.play({"n": 1}).output == {"got": {"n": 1}}
    assert bench.machine.executions["one"].history.invocations == {"f": 1}


def test_an_exception_of_a_function_is_an_error_by_the_name_of_its_class() -> None:
    def fail(_: Any) -> None:
        raise ValueError("seven")

    execution = Bench({"It": invoke()}, tasks=functions(f=fail)).play()
    assert execution.error == "ValueError"
    assert '"errorMessage": "seven"' in execution.cause


@pytest.mark.parametrize("answer", [{1, 2}, float("nan"), object()])
def test_an_answer_of_a_function_that_is_no_json_is_an_error(answer: Any) -> None:
    with pytest.raises(TaskError) as caught:
        call(lambda _: answer, {})
    assert caught.value.error == "Runtime.MarshalError"


def test_a_function_that_is_not_there_is_an_error() -> None:
    assert Bench({"It": invoke()}, tasks=functions(g=str)).play().error == "Lambda.ResourceNotFoundException"


def test_a_process_that_dies_inside_a_function_is_not_the_functions_error() -> None:
    def die(_: Any) -> None:
        raise KeyboardInterrupt

    execution = Bench({"It": invoke()}, tasks=functions(f=die)).start()
    with pytest.raises(KeyboardInterrupt):
        execution.settle()
    assert execution.status is Status.RUNNING

"""Maps and branches."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.testing.asl_bench import WORK, Bench, Json, a_machine, a_task, error_of, output_of, passing

from interlock.testing.asl.execution import Status
from interlock.testing.asl.failures import TaskError


def a_map(inner: Json | None = None, **fields: Any) -> Json:
    """Return a map over the input's `items` that asks WORK about each."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **a_machine(inner or {"Inner": a_task()})}
    onward = {} if "Next" in fields else {"End": True}
    return {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, **onward, **fields}


def test_a_map_gives_the_results_in_the_order_of_its_items() -> None:
    for seed in range(10):
        bench = Bench({"Each": a_map()}, lambda item: item * 10, seed=seed)
        assert bench.play({"items": [1, 2, 3]}).output == [10, 20, 30]


def test_items_are_worked_on_in_any_order() -> None:
    def order(seed: int) -> list[int]:
        asked: list[int] = []
        Bench({"Each": a_map()}, asked.append, seed=seed).play({"items": list(range(6))})
        return asked

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_an_item_is_made_of_the_input_and_the_item() -> None:
    selector = {"run.$": "$.run", "wish.$": "$$.Map.Item.Value", "nth.$": "$$.Map.Item.Index"}
    output = output_of(
        {"Each": a_map(ItemSelector=selector, ResultPath="$.answers")}, {"run": "r", "items": ["a", "b"]}
    )
    assert output["answers"] == [{"run": "r", "wish": "a", "nth": 0}, {"run": "r", "wish": "b", "nth": 1}]


def test_the_item_is_known_inside_the_map() -> None:
    inner = {"Inner": passing(Parameters={"v.$": "$$.Map.Item.Value.x", "run.$": "$$.Execution.Name"})["It"]}
    assert output_of({"Each": a_map(inner)}, {"items": [{"x": 1}]}) == [{"v": 1, "run": "one"}]


def test_no_items_are_no_results() -> None:
    assert output_of({"Each": a_map()}, {"items": []}) == []


@pytest.mark.parametrize("items", [None, {}, "text", 3])
def test_what_is_no_array_cannot_be_mapped_over(items: Any) -> None:
    assert error_of({"Each": a_map()}, {"items": items}) == "States.Runtime"


def test_no_more_items_are_under_way_than_allowed() -> None:
    inner = {"Hold": {"Type": "Wait", "Seconds": 60, "Next": "Inner"}, "Inner": a_task()}
    bench = Bench({"Each": a_map(inner, MaxConcurrency=2)}, lambda item: item)
    began = bench.clock.now()
    execution = bench.start({"items": [1, 2, 3, 4, 5]})
    execution.settle()
    assert execution.trace == ["Each", *(f"Each[{n}].Hold" for n in (0, 1))] or execution.trace[1:] == [
        "Each[1].Hold",
        "Each[0].Hold",
    ]
    while execution.due is not None:
        bench.clock.set(execution.due)
        execution.settle()
    assert execution.output == [1, 2, 3, 4, 5]
    assert (bench.clock.now() - began).total_seconds() == 180


def fail_on(bad: int) -> Any:
    def work(item: int) -> int:
        if item == bad:
            raise TaskError("Mine", "why")
        return item

    return work


def test_one_item_that_fails_uncaught_takes_the_whole_map_with_it() -> None:
    assert error_of({"Each": a_map()}, {"items": [1, 2, 3]}, fail_on(2)) == "Mine"


def test_an_item_that_catches_its_own_error_leaves_the_others_alone() -> None:
    inner = {
        "Inner": a_task(Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Lost"}]),
        "Lost": {"Type": "Pass", "Parameters": {"lost.$": "$.lost.Error"}, "End": True},
    }

    def work(item: Json) -> Json:
        fail_on(2)(item["n"])
        return item

    assert output_of({"Each": a_map(inner)}, {"items": [{"n": 1}, {"n": 2}, {"n": 3}]}, work) == [
        {"n": 1},
        {"lost": "Mine"},
        {"n": 3},
    ]


def test_a_map_can_be_caught_and_tried_again_as_a_whole() -> None:
    retry = [{"ErrorEquals": ["Mine"], "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Saved"}]
    bench = Bench(
        {"Each": a_map(Retry=retry, Catch=catch), "Saved": {"Type": "Succeed", "OutputPath": "$.lost"}}, fail_on(1)
    )
    execution = bench.play({"items": [1]})
    assert execution.output == {"Error": "Mine", "Cause": "why"}
    assert execution.history.invocations[WORK] == 2


def test_a_missing_path_inside_a_map_goes_through_every_catcher() -> None:
    """Inside a map too."""
    inner = {"Inner": passing(InputPath="$.gone")["It"]}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Saved"}]
    assert (
        error_of({"Each": a_map(inner, Catch=catch), "Saved": {"Type": "Succeed"}}, {"items": [{}]}) == "States.Runtime"
    )


def test_items_under_way_are_given_up_when_another_fails() -> None:
    inner = {
        "Which": {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Inner"}],
            "Default": "Hold",
        },
        "Hold": {"Type": "Wait", "Seconds": 60, "Next": "Inner"},
        "Inner": a_task(),
    }
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Later"}]
    later = {"Type": "Wait", "Seconds": 600, "End": True}
    execution = Bench({"Each": a_map(inner, Catch=catch), "Later": later}, fail_on(1)).play({"items": [1, 2, 3]})
    assert execution.status is Status.SUCCEEDED
    assert execution.history.invocations[WORK] == 1


def test_items_are_looked_for_in_what_the_input_path_leaves() -> None:
    assert output_of({"Each": a_map(InputPath="$.a")}, {"a": {"items": [1]}}) == [1]


def test_an_item_that_is_too_long_is_never_begun() -> None:
    """A selector may double what it was given."""
    selector = {"a.$": "$.items", "b.$": "$.items"}
    execution = Bench({"Each": a_map(ItemSelector=selector)}).play({"items": ["x" * 200_000]})
    assert (execution.error, execution.trace) == ("States.DataLimitExceeded", ["Each"])


def test_a_succeed_inside_a_map_ends_its_item_alone() -> None:
    inner = {"Inner": {"Type": "Succeed"}}
    assert output_of({"Each": a_map(inner, Next="After"), "After": {"Type": "Succeed"}}, {"items": [1, 2]}) == [1, 2]


def test_maps_can_stand_inside_maps() -> None:
    inner = {"Deep": a_map({"Deepest": a_task()})}
    output = output_of({"Each": a_map(inner)}, {"items": [{"items": [1]}, {"items": [2, 3]}]}, lambda item: -item)
    assert output == [[-1], [-2, -3]]


def test_branches_are_given_the_same_input_and_give_an_array() -> None:
    branches = [a_machine({"A": a_task()}), a_machine({"B": {"Type": "Pass", "End": True}})]
    output = output_of(
        {"It": {"Type": "Parallel", "Branches": branches, "End": True}}, {"n": 1}, lambda given: given["n"] + 1
    )
    assert output == [2, {"n": 1}]


def test_one_branch_that_fails_takes_the_others_with_it() -> None:
    branches = [a_machine({"A": a_task()}), a_machine({"B": {"Type": "Wait", "Seconds": 60, "End": True}})]
    bench = Bench({"It": {"Type": "Parallel", "Branches": branches, "End": True}}, fail_on(1))
    execution = bench.start(1)
    execution.settle()
    assert execution.error == "Mine"

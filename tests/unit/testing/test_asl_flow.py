"""How data goes in and out of states."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.testing.asl_bench import Bench, Json, a_task, error_of, output_of, passing

from interlock.testing.asl.execution import Status
from interlock.testing.asl.failures import TaskError, Unsupported

DATA = {"a": {"b": 1}, "c": 2}
LIMIT = 262_144


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, DATA),
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"InputPath": None}, {}),
        ({"OutputPath": "$.a"}, {"b": 1}),
        ({"OutputPath": None}, {}),
        ({"ResultPath": None, "Result": 5}, DATA),
        ({"ResultPath": "$.r", "Result": 5}, {**DATA, "r": 5}),
        ({"Result": [1, 2]}, [1, 2]),
        (
            {"Parameters": {"x.$": "$.c", "y": "$.c", "z": [{"w.$": "$.a.b"}, "$.c"]}},
            {"x": 2, "y": "$.c", "z": [{"w": 1}, "$.c"]},
        ),
        (
            {"Parameters": {"s.$": "States.Format('{}', $.c)"}, "ResultPath": "$.a.s"},
            {"a": {"b": 1, "s": {"s": "2"}}, "c": 2},
        ),
        ({"InputPath": "$.a", "ResultPath": "$.r"}, {**DATA, "r": {"b": 1}}),
        ({"InputPath": "$.a", "Parameters": {"x.$": "$.b"}}, {"x": 1}),
    ],
)
def test_paths_and_templates_shape_what_passes(fields: Json, output: Any) -> None:
    assert output_of(passing(**fields), DATA) == output


@pytest.mark.parametrize(
    "states",
    [
        passing(Parameters={"x.$": "$.gone"}),
        passing(InputPath="$.gone"),
        passing(OutputPath="$.gone"),
        {
            "It": a_task(Parameters={"x.$": "$.gone"}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Saved"}]),
            "Saved": {"Type": "Succeed"},
        },
        {
            "It": a_task(
                ResultSelector={"x.$": "$.gone"}, Catch=[{"ErrorEquals": ["States.Runtime"], "Next": "Saved"}]
            ),
            "Saved": {"Type": "Succeed"},
        },
        {"It": a_task(Retry=[{"ErrorEquals": ["States.ALL"]}], OutputPath="$.gone")},
        passing(Parameters={"token.$": "$$.Task.Token"}),
    ],
)
def test_a_path_that_is_missing_fails_the_execution_and_nothing_can_catch_it(states: Json) -> None:
    """Not the catcher of States.ALL, not one of States.Runtime, and no retry."""
    assert error_of(states) == "States.Runtime"


def test_the_cause_says_which_path_in_which_state() -> None:
    execution = Bench(passing(InputPath="$.gone")).play()
    assert "'It'" in execution.cause
    assert "'$.gone'" in execution.cause


def test_a_tasks_result_is_selected_then_put_into_the_raw_input_then_cut_out() -> None:
    states = {
        "It": a_task(
            InputPath="$.a",
            Parameters={"n.$": "$.b"},
            ResultSelector={"twice.$": "$.answer"},
            ResultPath="$.r",
            OutputPath="$.r.twice",
        )
    }
    assert output_of(states, DATA, lambda parameters: {"answer": parameters["n"] * 2, "noise": 1}) == 2


def test_the_context_object_says_who_and_where() -> None:
    wanted = {
        "id.$": "$$.Execution.Id",
        "name.$": "$$.Execution.Name",
        "began.$": "$$.Execution.StartTime",
        "state.$": "$$.State.Name",
        "entered.$": "$$.State.EnteredTime",
        "tries.$": "$$.State.RetryCount",
        "input.$": "$$.Execution.Input.c",
    }
    output = output_of(
        {"Wait": {"Type": "Wait", "Seconds": 90, "Next": "It"}, "It": passing(Parameters=wanted)["It"]}, DATA
    )
    assert output == {
        "id": "arn:aws:states:us-east-1:123456789012:execution:pipeline:one",
        "name": "one",
        "began": "2026-03-07T12:00:00.000Z",
        "state": "It",
        "entered": "2026-03-07T12:01:30.000Z",
        "tries": 0,
        "input": 2,
    }


def test_a_task_cannot_change_the_data_of_its_execution() -> None:
    def spoil(parameters: Json) -> None:
        parameters["a"]["b"] = "spoilt"

    assert output_of({"It": a_task(ResultPath="$.r")}, DATA, spoil) == {**DATA, "r": None}


def test_an_answer_that_is_changed_later_was_taken_as_it_was() -> None:
    answer = {"n": 1}
    bench = Bench({"It": a_task(Next="Wait"), "Wait": {"Type": "Wait", "Seconds": 1, "End": True}}, lambda _: answer)
    execution = bench.start()
    execution.settle()
    answer["n"] = 2
    bench.clock.set(execution.due or bench.clock.now())
    execution.settle()
    assert execution.output == {"n": 1}


def text_of(size: int) -> str:
    return "x" * (size - 2)  # the quotes count


def test_an_answer_of_just_the_quota_is_taken() -> None:
    """262,144 bytes, and not one more."""
    assert len(output_of({"It": a_task()}, None, lambda _: text_of(LIMIT))) == LIMIT - 2


@pytest.mark.parametrize("caught", ["States.ALL", "States.TaskFailed"])
def test_an_answer_that_is_too_long_ends_the_execution_past_every_wildcard(caught: str) -> None:
    """The error is not in States.ALL."""
    states = {
        "It": a_task(Catch=[{"ErrorEquals": [caught], "Next": "Saved"}], Retry=[{"ErrorEquals": [caught]}]),
        "Saved": {"Type": "Succeed"},
    }
    assert error_of(states, None, lambda _: text_of(LIMIT + 1)) == "States.DataLimitExceeded"


def test_the_size_is_counted_in_bytes() -> None:
    """A letter may have more than one."""
    assert error_of({"It": a_task()}, None, lambda _: "ä" * (LIMIT // 2)) == "States.DataLimitExceeded"


def test_answers_that_pile_up_in_the_data_are_too_long_together() -> None:
    """Each is small, and the state's output is not."""
    states = {f"S{n}": a_task(ResultPath=f"$.r{n}", Next=f"S{n + 1}") for n in range(5)} | {"S5": {"Type": "Succeed"}}
    execution = Bench(states, lambda _: text_of(60_000)).play()
    assert (execution.error, execution.trace[-1]) == ("States.DataLimitExceeded", "S4")


def test_parameters_that_are_too_long_are_never_sent() -> None:
    """A template may double what it was given."""
    asked: list[Any] = []
    states = {"It": a_task(Parameters={"a.$": "$", "b.$": "$"})}
    assert error_of(states, text_of(LIMIT - 100), asked.append) == "States.DataLimitExceeded"
    assert asked == []


def test_a_fail_state_may_read_its_error_and_cause() -> None:
    states = {"It": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('because of {}', $.c)"}}
    execution = Bench(states).play({"e": "Broken", "c": "rain"})
    assert (execution.status, execution.error, execution.cause) == (Status.FAILED, "Broken", "because of rain")


def test_a_choice_in_which_no_rule_holds_and_without_default_fails() -> None:
    states = {
        "It": {"Type": "Choice", "Choices": [{"Variable": "$.c", "NumericEquals": 1, "Next": "End"}]},
        "End": {"Type": "Succeed"},
    }
    assert error_of(states, DATA) == "States.NoChoiceMatched"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"Seconds": 5}, 5),
        ({"SecondsPath": "$.s"}, 7),
        ({"SecondsPath": "$.zero"}, 0),
        ({"Timestamp": "2026-03-07T12:00:09Z"}, 9),
        ({"TimestampPath": "$.t"}, 60),
        ({"TimestampPath": "$.past"}, 0),
    ],
)
def test_a_wait_ends_at_its_instant(fields: Json, seconds: int) -> None:
    bench = Bench({"It": {"Type": "Wait", "End": True, **fields}})
    began = bench.clock.now()
    bench.play({"s": 7, "zero": 0, "t": "2026-03-07T13:01:00+01:00", "past": "2020-01-01T00:00:00Z"})
    assert (bench.clock.now() - began).total_seconds() == seconds


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ("SecondsPath", -1),
        ("SecondsPath", 1.5),
        ("SecondsPath", "5"),
        ("SecondsPath", 100_000_000),
        ("TimestampPath", "noon"),
    ],
)
def test_a_wait_for_nonsense_fails_the_execution(fields: str, value: Any) -> None:
    assert error_of({"It": {"Type": "Wait", "End": True, fields: "$.v"}}, {"v": value}) == "States.Runtime"


@pytest.mark.parametrize(
    "states",
    [
        passing(Assign={"x": 1}),
        passing(QueryLanguage="JSONata"),
        passing(Next="It"),
        {"It": {"Type": "Pass"}},
        {"It": {"Type": "Pass", "Next": "Gone"}},
        {"It": {"Type": "Sing"}},
        {"It": {"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "End": True}},
        {"It": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True}]}},
        {"It": a_task(HeartbeatSeconds=5)},
        {"It": a_task(TimeoutSeconds=5, TimeoutSecondsPath="$.s")},
        {"It": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": True}},
        {"It": a_task(Retry=[{"ErrorEquals": ["States.ALL", "Other"]}])},
        {"It": a_task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Other"]}])},
        {"It": a_task(Catch=[{"ErrorEquals": [], "Next": "It"}])},
        passing(ResultPath="$$.x"),
        passing(Parameters={"x.$": 1}),
        passing(Parameters={"x.$": "$.a", "x": 1}),
        {"It": {"Type": "Fail", "Error": "a", "ErrorPath": "$.a"}},
        {
            "It": {
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "x", "States": {}},
                "End": True,
            }
        },
    ],
)
def test_a_definition_that_is_wrong_or_not_known_here_is_refused(states: Json) -> None:
    with pytest.raises(Unsupported):
        Bench(states)


def test_an_intrinsic_that_fails_can_be_caught_at_a_task() -> None:
    states = {
        "It": a_task(
            Parameters={"x.$": "States.StringToJson($.s)"},
            Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Saved"}],
        ),
        "Saved": {"Type": "Succeed", "OutputPath": "$.lost.Error"},
    }
    assert output_of(states, {"s": "{"}) == "States.IntrinsicFailure"


def test_a_result_that_cannot_be_put_where_it_should_is_an_error_of_its_own() -> None:
    assert error_of({"It": a_task(ResultPath="$.r")}, "text") == "States.ResultPathMatchFailure"


def test_what_a_task_raises_is_what_the_execution_fails_with() -> None:
    def fail(_: Any) -> None:
        raise TaskError("Mine", "because")

    execution = Bench({"It": a_task()}, fail).play()
    assert (execution.error, execution.cause) == ("Mine", "because")

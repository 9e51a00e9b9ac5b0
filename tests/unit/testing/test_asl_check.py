"""What the static checker finds in a definition, and what it leaves in peace."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from tests.unit.testing.asl_bench import PARK, WORK, Json, a_machine, a_task, passing
from tests.unit.testing.asl_pipeline import ALWAYS, OUTPUTS, PIPELINE, TURN, changed

from interlock.testing.asl.check import check
from interlock.testing.asl.flows import Outputs
from interlock.testing.asl.shapes import described as describe
from interlock.testing.asl.shapes import paths_of

SAFE: Json = {"TimeoutSeconds": 60, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Saved"}]}
SAVED: Json = {"Saved": {"Type": "Succeed"}}


def found(states: Json, *, outputs: Outputs | None = None, given: Collection[str] = (), **fields: Any) -> list[str]:
    return check(a_machine(states, **fields), outputs=outputs, given=given)


def described(definition: Json, **outputs: Any) -> list[str]:
    return check(definition, outputs={**OUTPUTS, **outputs}, given={"$.run", "$.spent"})


def without(following: str, path: str) -> dict[str, set[str]]:
    """Return what a turn guarantees, less one path for one value of `next`."""
    return {**TURN, following: TURN[following] - {path}}


def test_a_sound_machine_has_nothing_wrong_with_it() -> None:
    assert described(PIPELINE) == []


# structure


def test_a_start_that_is_not_there_is_found() -> None:
    assert found(passing(), start="Gone") == ["the start 'Gone' is not there"]


@pytest.mark.parametrize(
    "states",
    [
        passing(End=False, Next="Gone"),
        {"It": a_task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Gone"}])},
        {"It": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "Gone"}], "Default": "It"}},
        {"It": {"Type": "Choice", "Choices": [], "Default": "Gone"}},
    ],
)
def test_a_target_that_is_not_there_is_found(states: Json) -> None:
    assert found(states) == ["the state 'It' goes on to 'Gone', which is not there"]


def test_a_state_that_nothing_leads_to_is_found() -> None:
    assert check(changed(Orphan={"Type": "Succeed"})) == ["Orphan: nothing leads to this state"]


def test_an_end_that_no_choice_leads_to_is_found() -> None:
    rules = [rule for rule in PIPELINE["States"]["Route"]["Choices"] if rule["Next"] != "Completed"]
    assert check(changed(Route={"Choices": rules})) == ["Completed: nothing leads to this state"]


def test_a_state_inside_a_map_that_nothing_leads_to_is_found() -> None:
    inner = a_machine({"In": {"Type": "Pass", "End": True}, "Lost": {"Type": "Pass", "End": True}})
    assert found({"Each": {"Type": "Map", "ItemProcessor": inner, "Next": "Saved", **SAFE_CATCH}, **SAVED}) == [
        "Lost: nothing leads to this state"
    ]


SAFE_CATCH: Json = {"Catch": SAFE["Catch"]}


def test_a_loop_without_a_way_out_is_found() -> None:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    assert found(states) == [f"{name}: no end can be reached from this state" for name in "AB"]


def test_a_choice_without_a_default_is_found() -> None:
    definition = changed()
    del definition["States"]["Route"]["Default"]
    assert check(definition) == ["Route: a choice without a default fails when no rule holds"]


def test_a_task_without_a_timeout_is_found() -> None:
    definition = changed()
    del definition["States"]["StartJob"]["TimeoutSeconds"]
    assert check(definition) == ["StartJob: a task without a timeout may wait for ever"]


@pytest.mark.parametrize("caught", [[], [{"ErrorEquals": ["States.TaskFailed"], "Next": "Step"}]])
def test_a_task_whose_failure_is_not_caught_is_found(caught: list[Json]) -> None:
    problem = "StartJob: a failure that nothing catches ends the execution; catch States.ALL"
    assert check(changed(StartJob={"Catch": caught})) == [problem]


def test_a_map_whose_failure_is_not_caught_is_found() -> None:
    assert check(changed(EvaluateTraits={"Catch": []})) == [
        "EvaluateTraits: a failure that nothing catches ends the execution; catch States.ALL"
    ]


def test_a_state_may_be_named_that_needs_no_catch() -> None:
    assert check(changed(StartJob={"Catch": []}), uncaught=["StartJob"]) == []


@pytest.mark.parametrize("error", ["States.ALL", "States.TaskFailed", "Lambda.Unknown", "States.Timeout", "Mine"])
def test_a_retry_of_anything_but_throttling_is_found(error: str) -> None:
    assert check(changed(StartJob={"Retry": [{"ErrorEquals": [error]}]})) == [
        f"StartJob: {error} is tried again, and only throttling may be"
    ]


@pytest.mark.parametrize(
    "error",
    [
        "Lambda.TooManyRequestsException",
        "DynamoDb.ThrottlingException",
        "DynamoDB.ProvisionedThroughputExceededException",
    ],
)
def test_a_retry_of_throttling_is_left_in_peace(error: str) -> None:
    assert check(changed(StartJob={"Retry": [{"ErrorEquals": [error]}]})) == []


def test_an_error_may_be_named_that_is_tried_again() -> None:
    definition = changed(StartJob={"Retry": [{"ErrorEquals": ["Lambda.ServiceException"]}]})
    assert check(definition, retried=["Lambda.ServiceException"]) == []


def test_a_name_that_is_too_long_is_found() -> None:
    name = "x" * 81
    assert found({name: {"Type": "Succeed"}}) == [f"{name}: the name is longer than 80 characters"]


def test_a_task_that_waits_for_a_token_it_tells_nobody_is_found() -> None:
    park = {"Type": "Task", "Resource": PARK, "Parameters": {"a": 1}, "Next": "Saved", **SAFE}
    assert found({"Park": park, **SAVED}) == ["Park: nobody is told the task token, so nobody can answer"]


def test_two_states_of_one_name_are_found() -> None:
    inner = a_machine({"Saved": {"Type": "Pass", "End": True}})
    states = {"Each": {"Type": "Map", "ItemProcessor": inner, "Next": "Saved", **SAFE_CATCH}, **SAVED}
    assert found(states) == ["Saved: two states have this name"]


def test_what_the_interpreter_does_not_know_is_found() -> None:
    assert "HeartbeatSeconds" in check(changed(StartJob={"HeartbeatSeconds": 5}))[0]


# data


def test_a_state_that_reads_what_its_task_never_returns_is_found() -> None:
    """AWS-08: for one value of `next` only, and in the state that comes after it."""
    assert described(PIPELINE, orchestrator=without("wait", "$.wait.seconds")) == [
        "Wait: TimeoutSecondsPath reads '$.wait.seconds', which may not be there when $.next is 'wait'"
    ]


@pytest.mark.parametrize(
    ("following", "path", "problem"),
    [
        ("failed", "$.reason", "RunFailed: CausePath reads '$.reason'"),
        ("renew", "$.renewal", "Renew: Parameters.Name.$ reads '$.renewal'"),
        ("renew", "$.run", "Renew: Parameters.Input.run.$ reads '$.run'"),
        ("wait", "$.wait.version", "Wait: Parameters.TransactItems.Put.Item.version.N.$ reads '$.wait.version'"),
        ("evaluate", "$.run", "EvaluateTraits: ItemSelector.run.$ reads '$.run'"),
    ],
)
def test_a_path_in_any_field_is_looked_at(following: str, path: str, problem: str) -> None:
    """AWS-08: paths, templates, and arguments of functions alike."""
    (only,) = described(PIPELINE, trigger=without(following, path))
    assert only == f"{problem}, which may not be there when $.next is '{following}'"


def test_an_answer_that_a_map_needs_and_does_not_get_is_found() -> None:
    """AWS-08: the items themselves."""
    turn = {**TURN, "evaluate": ALWAYS}
    assert described(PIPELINE, orchestrator=turn, trigger=turn) == [
        "EvaluateTraits: ItemsPath reads '$.evaluate', which may not be there when $.next is 'evaluate'"
    ]


def test_a_field_of_an_item_is_looked_at() -> None:
    """AWS-08: inside a map."""
    selector = {"ItemSelector": {"trait.$": "$$.Map.Item.Value.trait", "name.$": "$$.Map.Item.Value.name", "wish": 1}}
    assert described(changed(EvaluateTraits=selector)) == [
        "EvaluateTraits: ItemSelector.name.$ reads '$$.Map.Item.Value.name', which may not be there when $.next is 'evaluate'"
    ]


def test_an_answer_without_a_next_is_found() -> None:
    """AWS-08: a choice on what is missing takes no default."""
    assert "Route: a rule reads '$.next', which may not be there" in described(PIPELINE, trigger={"": ALWAYS})


def test_a_producer_of_which_nothing_is_said_guarantees_nothing() -> None:
    states = {"It": a_task(OutputPath="$.answer", Next="Saved", **SAFE), **SAVED}
    assert found(states, outputs={}) == ["It: OutputPath reads '$.answer', which may not be there"]
    assert found(states, outputs={WORK: {"": {"$.answer"}}}) == []


def test_a_next_that_no_rule_takes_is_found() -> None:
    turn = {**TURN, "dance": ALWAYS}
    assert described(PIPELINE, orchestrator=turn) == ["Route: '$.next' may be 'dance', and no rule takes it"]


def test_a_rule_that_no_output_leads_to_is_found() -> None:
    turn = {following: paths for following, paths in TURN.items() if following != "renew"}
    assert described(PIPELINE, orchestrator=turn, trigger=turn) == [
        "Route: no output that is described leads to the rule for 'Renew'",
        "Renew: no output that is described leads to this state",
        "Renewed: no output that is described leads to this state",
    ]


def test_what_a_catcher_gives_is_the_input_and_the_error() -> None:
    states = {
        "It": a_task(TimeoutSeconds=5, Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Lost"}]),
        "Lost": {"Type": "Pass", "Parameters": {"n.$": "$.n", "e.$": "$.lost.Error", "x.$": "$.lost.x"}, "End": True},
    }
    assert found(states, outputs={}, given={"$.n"}) == ["Lost: Parameters.x.$ reads '$.lost.x', which may not be there"]


def test_a_catcher_that_replaces_the_input_leaves_the_error_alone() -> None:
    states = {
        "It": a_task(TimeoutSeconds=5, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Lost"}]),
        "Lost": {"Type": "Pass", "Parameters": {"n.$": "$.n"}, "End": True},
    }
    assert found(states, outputs={}, given={"$.n"}) == ["Lost: Parameters.n.$ reads '$.n', which may not be there"]


def choosing(*rules: Json) -> Json:
    """Return a choice that goes to a state that reads `$.n`, or else to a quiet end."""
    return {
        "It": {"Type": "Choice", "Choices": [{**rule, "Next": "Read"} for rule in rules], "Default": "Saved"},
        "Read": {"Type": "Pass", "Parameters": {"n.$": "$.n"}, "End": True},
        **SAVED,
    }


PRESENT = {"Variable": "$.n", "IsPresent": True}
FIVE = {"Variable": "$.n", "NumericEquals": 5}


@pytest.mark.parametrize(
    ("rule", "sound"),
    [
        (PRESENT, True),
        ({"Variable": "$.n", "IsPresent": False}, False),
        (FIVE, False),
        ({"And": [PRESENT, FIVE]}, True),
        ({"And": [FIVE, PRESENT]}, False),
        ({"Or": [PRESENT, FIVE]}, False),
        ({"Or": [{"Variable": "$.n", "IsPresent": False}, FIVE]}, False),
        ({"Not": {"Variable": "$.n", "IsPresent": False}}, True),
        ({"Not": {"Or": [{"Variable": "$.n", "IsPresent": False}, FIVE]}}, True),
    ],
)
def test_a_rule_that_asks_whether_something_is_there_makes_it_certain_behind_it(rule: Json, sound: bool) -> None:
    assert (found(choosing(rule), outputs={}) == []) is sound


def test_what_is_certain_at_the_start_is_certain_while_nothing_replaces_it() -> None:
    assert found(choosing(FIVE), outputs={}, given={"$.n"}) == []


def test_the_length_of_an_array_is_never_certain() -> None:
    """AWS-08: the first of none."""
    states = passing(Parameters={"a.$": "$.list[0].x", "b.$": "$.list[*].x"})
    assert found(states, outputs={}, given={"$.list[*].x"}) == [
        "It: Parameters.a.$ reads '$.list[0].x', which may not be there"
    ]


@pytest.mark.parametrize(
    ("path", "sound"), [("$$.Execution.Name", True), ("$$.Execution.Nam", False), ("$$.Task.Token", False)]
)
def test_the_context_is_looked_at_too(path: str, sound: bool) -> None:
    assert (found(passing(Parameters={"x.$": path}), outputs={}) == []) is sound


def test_examples_are_told_apart_by_their_next_and_have_in_common_what_all_have() -> None:
    """AWS-08: an example without a `next` says that it may be missing."""
    examples: list[Json] = [{"next": "a", "x": 1, "y": 1}, {"next": "a", "x": 2}, {"next": "b", "y": 1}, {"x": 1}]
    assert describe(examples) == {"a": {"$['next']", "$['x']"}, "b": {"$['next']", "$['y']"}, "": {"$['x']"}}


def test_what_comes_out_of_a_map_is_what_all_its_ends_have() -> None:
    inner = a_machine(
        {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "Two"}],
                "Default": "One",
            },
            "One": {"Type": "Pass", "Result": {"x": 1}, "End": True},
            "Two": {"Type": "Pass", "Result": {"x": 1, "y": 1}, "End": True},
        }
    )
    states = {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.list",
            "ItemProcessor": inner,
            "ResultPath": "$.out",
            "Next": "Again",
            **SAFE_CATCH,
        },
        "Again": {
            "Type": "Map",
            "ItemsPath": "$.out",
            "ItemSelector": {"x.$": "$$.Map.Item.Value.x", "y.$": "$$.Map.Item.Value.y"},
            "ItemProcessor": a_machine({"In": {"Type": "Pass", "End": True}}),
            "Next": "Saved",
            **SAFE_CATCH,
        },
        **SAVED,
    }
    assert found(states, outputs={}, given={"$.list[*].n"}) == [
        "Again: ItemSelector.y.$ reads '$$.Map.Item.Value.y', which may not be there"
    ]


def test_examples_can_describe_what_a_producer_returns() -> None:
    """AWS-08: a field that is left out while it has its default is no field to rely on."""
    paths = paths_of({"run": "r", "asked": [{"x": 1, "y": 2}, {"x": 1}], "wait": {"for s": 1}})
    states = passing(Parameters={"x.$": "$.asked[*].x", "w.$": "$.wait['for s']", "n.$": "$.next"})
    assert found(states, outputs={}, given=paths) == ["It: Parameters.n.$ reads '$.next', which may not be there"]
    assert "$['asked'][*]['y']" not in paths


def test_a_wait_that_reads_its_seconds_is_looked_at() -> None:
    states = {"It": {"Type": "Wait", "SecondsPath": "$.n", "End": True}}
    assert found(states, outputs={}) == ["It: SecondsPath reads '$.n', which may not be there"]


def test_branches_are_walked_with_what_they_are_given() -> None:
    branch = a_machine({"In": {"Type": "Pass", "Parameters": {"x.$": "$.n"}, "End": True}})
    parallel = {"Type": "Parallel", "Branches": [branch], "Parameters": {"n": 1}, "Next": "After", **SAFE_CATCH}
    after = {"Type": "Pass", "Parameters": {"a.$": "$[*].x", "b.$": "$.n"}, "Next": "Saved"}
    states = {"Both": parallel, "After": after, **SAVED}
    assert found(states, outputs={}) == ["After: Parameters.b.$ reads '$.n', which may not be there"]


def test_what_a_selector_leaves_is_what_is_certain() -> None:
    states = {
        "It": a_task(ResultSelector={"kept.$": "$.a"}, ResultPath="$.r", Next="After", **SAFE),
        "After": {"Type": "Pass", "Parameters": {"k.$": "$.r.kept", "g.$": "$.r.a"}, "Next": "Saved"},
        **SAVED,
    }
    assert found(states, outputs={WORK: {"": {"$.a"}}}) == [
        "After: Parameters.g.$ reads '$.r.a', which may not be there"
    ]


def test_what_two_paths_compare_has_to_be_certain_on_both_sides() -> None:
    rule = {"Variable": "$.n", "NumericEqualsPath": "$.m"}
    assert found(choosing(rule), outputs={}, given={"$.n"}) == ["It: a rule reads '$.m', which may not be there"]


def test_a_constant_is_known_to_the_choice_behind_it() -> None:
    states = {
        "Set": {"Type": "Pass", "Result": {"next": "a"}, "Next": "Route"},
        "Route": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.next", "StringEquals": each, "Next": "Saved"} for each in ("a", "b")],
            "Default": "Saved",
        },
        **SAVED,
    }
    assert found(states, outputs={}) == ["Route: no output that is described leads to the rule for 'Saved'"]


def test_data_that_grows_in_a_loop_is_found() -> None:
    """Until it is too long."""
    states = {
        "It": {"Type": "Pass", "Parameters": {"last.$": "$"}, "Next": "Again"},
        "Again": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.last", "IsPresent": True, "Next": "It"}],
            "Default": "Saved",
        },
        **SAVED,
    }
    assert "It: the data grows with every round of a loop that begins here" in found(states, outputs={})

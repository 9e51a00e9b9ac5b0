"""The laboratory's Step Functions: everything that our state machine is made of works as on AWS, with real functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.functions import Function
from tests.aws.lab.stepfunctions import Ended, lint
from tests.servers.aws_errors import failure
from tests.servers.base import ServerMissing, until
from tests.servers.fixtures import missing

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

HANDLERS: Final = """
import boto3

class BlueMoon(Exception):
    pass

def doubles(event, context):
    return {**event, "number": event["number"] * 2}

def fails(event, context):
    raise BlueMoon("once")

def reads(event, context):
    found = boto3.client("dynamodb").get_item(TableName=event["table"], Key={"PK": {"S": "RUN"}, "SK": {"S": "RUN"}})
    return found["Item"]["version"]
"""
PARK: Final = "arn:aws:states:::aws-sdk:dynamodb:transactWriteItems.waitForTaskToken"
_NAMES: Final = ("doubles", "fails", "reads")
SUCCEED: Final = {"Type": "Succeed"}
Machine = Callable[[dict[str, Any]], str]


@pytest.fixture
def machine(lab: Lab, request: pytest.FixtureRequest) -> Machine:
    """Make a state machine of the test's own that starts with the first of its states."""
    name = request.node.originalname.removeprefix("test_")[-60:]
    return lambda states: lab.machines.machine(name, {"StartAt": next(iter(states)), "States": states})


@pytest.fixture(scope="module")
def functions(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    here = tmp_path_factory.mktemp("handlers")
    (here / "handlers.py").write_text(HANDLERS)
    return {name: lab.functions.add(Function(f"sfn-{name}", f"handlers.{name}", [here])) for name in _NAMES}


@pytest.fixture(scope="module")
def table(lab: Lab) -> str:
    name, keys = lab.ministack.fresh_table(), ("PK", "SK")
    lab.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"PK": {"S": "RUN"}, "SK": {"S": "RUN"}, "version": {"N": "3"}}
    lab.client("dynamodb").put_item(TableName=name, Item=item)
    return name


def invoking(function: str, **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload"}
    return {**state, "Parameters": {"FunctionName": function, "Payload.$": "$"}, **more}


def parking(table: str, row: str = "RUN") -> dict[str, Any]:
    """Return states that park a token on condition that a run has the version that was seen, and say how they went on."""
    check = {
        "TableName": table,
        "Key": {"PK": {"S": row}, "SK": {"S": "RUN"}},
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"N.$": "States.Format('{}', $.wait.version)"}},
    }
    body = r"""States.Format('\{"token":"{}"\}', $$.Task.Token)"""
    place = {"PK": "States.Format('PARKED#{}', $.run)", "SK": "States.Format('TOKEN#{}', $$.Execution.Name)"}
    parked = {**{key: {"S.$": text} for key, text in place.items()}, "body": {"S.$": body}}
    park = {
        "Type": "Task",
        "Resource": PARK,
        "TimeoutSecondsPath": "$.wait.seconds",
        "Parameters": {"TransactItems": [{"ConditionCheck": check}, {"Put": {"TableName": table, "Item": parked}}]},
        "ResultPath": None,
        "Catch": [
            {"ErrorEquals": ["States.Timeout"], "ResultPath": None, "Next": "InTime"},
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.why", "Next": "Changed"},
        ],
        "Next": "Woken",
    }
    return {"Park": park, "Woken": SUCCEED, "InTime": SUCCEED, "Changed": SUCCEED}


def parked_of(lab: Lab, table: str, run: str) -> list[dict[str, Any]]:
    asked = {"KeyConditionExpression": "PK = :run", "ExpressionAttributeValues": {":run": {"S": f"PARKED#{run}"}}}
    found: list[dict[str, Any]] = lab.client("dynamodb").query(TableName=table, ConsistentRead=True, **asked)["Items"]
    return found


def token_of(lab: Lab, table: str, run: str) -> str:
    found: list[str] = []

    def look() -> bool:
        found.extend(json.loads(item["body"]["S"])["token"] for item in parked_of(lab, table, run))
        return bool(found)

    until(look, f"{run} is parked")
    return found[0]


# ---------------------------------------------------------------- waiting with a token


def test_a_token_that_a_transaction_put_into_a_row_wakes_whoever_waits(lab: Lab, machine: Machine, table: str) -> None:
    data = {"run": "woken", "wait": {"seconds": 60, "version": 3}}
    execution = lab.machines.start(machine(parking(table)), data)
    lab.machines.succeed(token_of(lab, table, "woken"), {"ignored": True})
    assert lab.machines.ended(execution) == Ended("SUCCEEDED", data, None, None)
    assert lab.machines.path(execution) == ["Park", "Woken"]


def test_a_wait_ends_when_its_time_has_come(lab: Lab, machine: Machine, table: str) -> None:
    execution = lab.machines.start(machine(parking(table)), {"run": "in time", "wait": {"seconds": 1, "version": 3}})
    token = token_of(lab, table, "in time")
    assert lab.machines.ended(execution).status == "SUCCEEDED"
    assert lab.machines.path(execution) == ["Park", "InTime"]
    assert failure(lambda: lab.machines.succeed(token)) == ("TaskTimedOut", 400)


def test_two_executions_of_one_run_have_a_row_each(lab: Lab, machine: Machine, table: str) -> None:
    data = {"run": "twins", "wait": {"seconds": 60, "version": 3}}
    arn = machine(parking(table))
    twins = [lab.machines.start(arn, data) for _ in range(2)]
    until(lambda: len(parked_of(lab, table, "twins")) == len(twins), "both are parked")
    names = {item["SK"]["S"].removeprefix("TOKEN#") for item in parked_of(lab, table, "twins")}
    assert names == {twin.rpartition(":")[2] for twin in twins}
    for item in parked_of(lab, table, "twins"):
        lab.machines.succeed(json.loads(item["body"]["S"])["token"])
    assert [lab.machines.ended(twin).status for twin in twins] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_run_that_has_changed_meanwhile_is_not_waited_for(lab: Lab, machine: Machine, table: str) -> None:
    execution = lab.machines.start(machine(parking(table)), {"run": "changed", "wait": {"seconds": 60, "version": 2}})
    assert lab.machines.ended(execution).output["why"]["Error"] == "DynamoDb.TransactionCanceledException"
    assert parked_of(lab, table, "changed") == []


def test_another_try_waits_with_a_token_that_wakes_it(lab: Lab, machine: Machine, table: str) -> None:
    states = parking(table, row="LATE")
    refused = ["DynamoDb.TransactionCanceledException"]
    states["Park"]["Retry"] = [{"ErrorEquals": refused, "IntervalSeconds": 1, "MaxAttempts": 1}]
    execution = lab.machines.start(machine(states), {"run": "late", "wait": {"seconds": 60, "version": 7}})
    until(lambda: "TaskFailed" in [event["type"] for event in lab.machines.history(execution)], "the first try fails")
    item = {"PK": {"S": "LATE"}, "SK": {"S": "RUN"}, "version": {"N": "7"}}
    lab.client("dynamodb").put_item(TableName=table, Item=item)
    lab.machines.succeed(token_of(lab, table, "late"))
    lab.machines.ended(execution)
    assert lab.machines.path(execution) == ["Park", "Woken"]


def test_a_stopped_execution_has_ended_at_once_and_nobody_can_wake_it(lab: Lab, machine: Machine, table: str) -> None:
    data = {"run": "stopped", "wait": {"seconds": 60, "version": 3}}
    execution = lab.machines.start(machine(parking(table)), data)
    token = token_of(lab, table, "stopped")
    lab.machines.waits_in(execution, "Park")
    lab.machines.stop(execution, error="Enough", cause="the test")
    said = lab.machines.describe(execution)
    assert (said["status"], said["error"], said["cause"]) == ("ABORTED", "Enough", "the test")
    assert failure(lambda: lab.machines.succeed(token)) == ("TaskTimedOut", 400)


def test_a_token_that_never_was_is_invalid(lab: Lab) -> None:
    assert failure(lambda: lab.machines.succeed("no token")) == ("InvalidToken", 400)


# ---------------------------------------------------------------- functions


def test_the_answer_of_a_function_is_the_data_of_the_next_state(
    lab: Lab, machine: Machine, functions: dict[str, str]
) -> None:
    states = {"One": invoking(functions["doubles"], Next="Two"), "Two": invoking(functions["doubles"], End=True)}
    execution = lab.machines.start(machine(states), {"run": "r", "number": 5})
    assert lab.machines.ended(execution).output == {"run": "r", "number": 20}
    events = [event["type"] for event in lab.machines.history(execution)]
    task = ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"]
    assert events == ["ExecutionStarted", *task, *task, "ExecutionSucceeded"]


def test_an_error_of_a_function_is_caught_by_its_class(lab: Lab, machine: Machine, functions: dict[str, str]) -> None:
    catch = [
        {"ErrorEquals": ["RedMoon"], "Next": "Wrong"},
        {"ErrorEquals": ["BlueMoon"], "ResultPath": "$.lost", "Next": "Right"},
    ]
    states = {"Ask": invoking(functions["fails"], Catch=catch, Next="Wrong"), "Wrong": SUCCEED, "Right": SUCCEED}
    execution = lab.machines.start(machine(states), {"run": "r"})
    ended = lab.machines.ended(execution)
    assert lab.machines.path(execution) == ["Ask", "Right"]
    assert (ended.output["run"], ended.output["lost"]["Error"]) == ("r", "BlueMoon")
    assert json.loads(ended.output["lost"]["Cause"])["errorMessage"] == "once"


def test_an_error_that_nothing_catches_fails_the_execution(
    lab: Lab, machine: Machine, functions: dict[str, str]
) -> None:
    ended = lab.machines.ended(lab.machines.start(machine({"Ask": invoking(functions["fails"], End=True)}), {}))
    assert (ended.status, ended.error) == ("FAILED", "BlueMoon")


def test_a_throttled_function_is_asked_again(lab: Lab, machine: Machine, functions: dict[str, str]) -> None:
    again = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    states = {"Ask": invoking(functions["doubles"], Retry=again, End=True)}
    lab.functions.throttle("sfn-doubles", 1)
    execution = lab.machines.start(machine(states), {"number": 1})
    assert lab.machines.ended(execution).output == {"number": 2}
    failed = [
        event["taskFailedEventDetails"] for event in lab.machines.history(execution) if event["type"] == "TaskFailed"
    ]
    assert [each["error"] for each in failed] == ["Lambda.TooManyRequestsException"]


def test_a_function_reaches_the_same_table_as_a_task(
    lab: Lab, machine: Machine, functions: dict[str, str], table: str
) -> None:
    execution = lab.machines.start(machine({"Read": invoking(functions["reads"], End=True)}), {"table": table})
    assert lab.machines.ended(execution) == Ended("SUCCEEDED", {"N": "3"}, None, None)


# ---------------------------------------------------------------- maps and further executions


def test_a_map_asks_for_each_item_and_a_lost_answer_is_one_of_its_answers(
    lab: Lab, machine: Machine, functions: dict[str, str]
) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Lost"}]
    ask = invoking("unused", Catch=catch, End=True)
    ask["Parameters"] = {"FunctionName.$": "$.wish.function", "Payload.$": "$.wish"}
    each = {
        "Type": "Map",
        "ItemsPath": "$.evaluate",
        "MaxConcurrency": 10,
        "ItemSelector": {"run.$": "$.run", "wish.$": "$$.Map.Item.Value"},
        "ResultPath": "$.answers",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Ask",
            "States": {"Ask": ask, "Lost": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    wishes = [{"function": functions[name], "number": number} for number, name in enumerate(["doubles", "fails"], 1)]
    arn = machine({"Each": each})
    answers = lab.machines.ended(lab.machines.start(arn, {"run": "r", "evaluate": wishes})).output["answers"]
    assert answers[0] == {**wishes[0], "number": 2}
    assert (answers[1]["wish"], answers[1]["lost"]["Error"]) == (wishes[1], "BlueMoon")
    assert lab.machines.ended(lab.machines.start(arn, {"run": "r", "evaluate": []})).output["answers"] == []


@pytest.mark.parametrize("resource", ["states:startExecution", "aws-sdk:sfn:startExecution"])
def test_an_execution_starts_the_next_one_of_its_own_machine(lab: Lab, machine: Machine, resource: str) -> None:
    renew = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{resource}",
        "Parameters": {
            "StateMachineArn.$": "$$.StateMachine.Id",
            "Name.$": "States.Format('{}-again', $$.Execution.Name)",
            "Input": {"run.$": "$.run", "next": "end"},
        },
        "End": True,
    }
    choices = [{"Variable": "$.next", "StringEquals": "renew", "Next": "Renew"}]
    arn = machine({"Route": {"Type": "Choice", "Choices": choices, "Default": "End"}, "Renew": renew, "End": SUCCEED})
    name = resource.replace(":", "-")
    first = lab.machines.start(arn, {"run": "r", "next": "renew"}, name)
    assert lab.machines.ended(first).status == "SUCCEEDED"
    second = lab.machines.executions(arn)[f"{name}-again"]
    assert lab.machines.ended(second).output == {"run": "r", "next": "end"}


def test_a_name_is_used_once(lab: Lab, machine: Machine, table: str) -> None:
    arn, data = machine(parking(table)), {"run": "once", "wait": {"seconds": 60, "version": 3}}
    execution = lab.machines.start(arn, data, "once")
    assert lab.machines.start(arn, data, "once") == execution
    assert failure(lambda: lab.machines.start(arn, {}, "once")) == ("ExecutionAlreadyExists", 400)
    lab.machines.succeed(token_of(lab, table, "once"))
    lab.machines.ended(execution)
    assert failure(lambda: lab.machines.start(arn, data, "once")) == ("ExecutionAlreadyExists", 400)


def test_a_machine_of_a_known_name_is_given_another_definition(lab: Lab, machine: Machine) -> None:
    arns = [machine({state: SUCCEED}) for state in ("Before", "After")]
    assert arns[0] == arns[1]
    execution = lab.machines.start(arns[1], {})
    lab.machines.ended(execution)
    assert lab.machines.path(execution) == ["After"]


def test_the_linter_names_what_is_wrong(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"StartAt": "A", "States": {"A": SUCCEED}}))
    bad.write_text(json.dumps({"StartAt": "A", "States": {"A": {"Type": "Success"}}}))
    try:
        assert lint(good) == []
        assert '"Success"' in lint(bad)[0]
    except ServerMissing as exc:
        missing("stepfunctions", exc)

"""What the interpreter mends of moto is still broken in moto.

A test that fails here says that the mending can go: moto does by itself what the laboratory had to teach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import pytest
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.interpreter import MENDED
from tests.aws.lab.stepfunctions import StateMachines, StepFunctionsServer
from tests.servers.aws_errors import failure

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

numbers: Final = count()
# Any call does: a wait for a token begins when it has been answered.
LISTS: Final = "arn:aws:states:::aws-sdk:dynamodb:listTables"


@pytest.fixture(scope="module")
def as_it_came(lab: Lab) -> Iterator[StateMachines]:
    """Moto's interpreter without anything mended."""
    places = {"services": lab.ministack.url, "functions": lab.functions.url}
    with StepFunctionsServer(**places, as_it_came=True) as server, StateMachines(server) as machines:
        yield machines


def run(machines: StateMachines, states: dict[str, Any], data: Any) -> str:
    name = f"mended-{next(numbers)}"
    return machines.start(machines.machine(name, {"StartAt": next(iter(states)), "States": states}), data, name)


def passed(machines: StateMachines, value: str, data: Any) -> Any:
    """Return what a Pass state makes of an expression, or the error."""
    ended = machines.ended(run(machines, {"A": {"Type": "Pass", "Parameters": {"v.$": value}, "End": True}}, data))
    return ended.output["v"] if ended.output else ended.error


def place_in_a_list(machines: StateMachines) -> Any:
    return passed(machines, "$.results[0].status", {"results": [{"status": "PASS"}]})


def escaped_braces(machines: StateMachines) -> Any:
    return passed(machines, r"""States.Format('\{"a\'b":"{}"\}', $.t)""", {"t": "{}"})


def wildcard(machines: StateMachines) -> Any:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
    task = {"Type": "Task", "Resource": LISTS, "Parameters": {"Limit.$": "$.nothing"}, "Catch": catch, "End": True}
    return machines.ended(run(machines, {"A": task, "B": {"Type": "Succeed"}}, {})).status


def waiting(machines: StateMachines, seconds: int) -> str:
    """Start an execution that waits for a token, and for a minute more if that does not come."""
    task = {"Type": "Task", "Resource": f"{LISTS}.waitForTaskToken", "TimeoutSeconds": seconds, "Next": "B"}
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "B"}]
    states = {
        "A": {**task, "Parameters": {"ExclusiveStartTableName.$": "$$.Task.Token"}, "Catch": catch},
        "B": {"Type": "Wait", "Seconds": 60, "End": True},
    }
    return run(machines, states, {})


def spent_token(machines: StateMachines) -> Any:
    execution = waiting(machines, 1)
    machines.waits_in(execution, "B")
    scheduled = next(event for event in machines.history(execution) if event["type"] == "TaskScheduled")
    token = scheduled["taskScheduledEventDetails"]["parameters"].split('"')[-2]
    try:
        return failure(lambda: machines.succeed(token))[0]
    except AssertionError:
        return "accepted"


def stopped(machines: StateMachines) -> Any:
    execution = waiting(machines, 60)
    machines.waits_in(execution, "A")
    machines.stop(execution)
    return machines.describe(execution)["status"]


def unnamed(machines: StateMachines) -> Any:
    arn = machines.machine("unnamed", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    machines.start(arn, {"first": True})
    try:
        return failure(lambda: machines.start(arn, {"first": False}))[0]
    except AssertionError:
        return len(machines.executions(arn))


def starting_another(machines: StateMachines) -> Any:
    arn = machines.machine("another", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    parameters = {"StateMachineArn": arn, "Input": {"a": 1}}
    start = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": parameters}
    return machines.ended(run(machines, {"A": {**start, "End": True}}, {})).status


LAWS: Final[dict[str, tuple[Callable[[StateMachines], Any], Any, Any]]] = {
    "a_place_in_a_list_is_one_value": (place_in_a_list, ["PASS"], "PASS"),
    "braces_can_be_escaped": (escaped_braces, "States.Runtime", """{"a'b":"{}"}"""),
    "states_all_is_not_every_error": (wildcard, "SUCCEEDED", "FAILED"),
    "a_spent_token_is_refused": (spent_token, "accepted", "TaskTimedOut"),
    "a_stopped_execution_has_ended": (stopped, "RUNNING", "ABORTED"),
    "an_unnamed_execution_has_a_name_of_its_own": (unnamed, "ExecutionAlreadyExists", 2),
    "an_execution_can_start_another": (starting_another, "FAILED", "SUCCEEDED"),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_defect_of_moto_is_still_there(as_it_came: StateMachines, law: str) -> None:
    ask, wrong, _ = LAWS[law]
    assert ask(as_it_came) == wrong


@pytest.mark.parametrize("law", LAWS)
def test_a_defect_of_moto_is_mended_here(lab: Lab, law: str) -> None:
    ask, _, right = LAWS[law]
    assert ask(lab.machines) == right


def test_nothing_is_mended_without_a_test_that_it_has_to_be() -> None:
    assert [mend.__name__ for mend in MENDED] == list(LAWS)

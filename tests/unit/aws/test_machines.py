"""Starting and waking executions, and keeping what nobody can use: what AWS's answers mean."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from interlock.aws.machines import FailureQueue, StepFunctions
from interlock.aws.naming import execution_name
from interlock.clients.trouble import AwsTrouble
from interlock.core.traits import FailureCategory
from interlock.testing.builders import a_key

ARN = "arn:aws:states:eu-central-1:123456789012:stateMachine:interlock-pipeline"


class Door:
    """A way to AWS that answers as it is told."""

    def __init__(self, code: str = "") -> None:
        self.code = code
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, options: Any, *, timeout: timedelta, **given: Any) -> dict[str, Any]:
        assert timedelta() < timeout <= timedelta(seconds=15)
        self.calls.append((service, operation, options.region, given))
        if self.code:
            raise _trouble(self.code)
        return {}


def machines(door: Door) -> StepFunctions:
    return StepFunctions(door, ARN)  # type: ignore[arg-type]


def test_an_execution_is_started_under_the_name_of_its_run_in_the_machines_own_region() -> None:
    door = Door()
    assert machines(door).start(a_key(), "s1")
    ((service, operation, region, given),) = door.calls
    assert (service, operation, region) == ("stepfunctions", "start_execution", "eu-central-1")
    assert given["stateMachineArn"] == ARN
    assert given["name"] == execution_name(a_key(), "s1")
    assert json.loads(given["input"]) == {"run": a_key().run_id}


def test_the_same_start_is_the_same_request() -> None:
    """AWS-25: only so does AWS take the second for the first."""
    door = Door()
    for _ in range(2):
        machines(door).start(a_key())
    assert door.calls[0] == door.calls[1]


def test_an_execution_that_was_started_before_is_no_trouble() -> None:
    """AWS-25."""
    assert not machines(Door("ExecutionAlreadyExists")).start(a_key())


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "StateMachineDeleting", ""])
def test_a_start_that_was_not_made_is_raised(code: str) -> None:
    """AWS-24: so that its record comes again."""
    with pytest.raises(AwsTrouble):
        machines(_Mute() if not code else Door(code)).start(a_key())


def test_a_token_is_answered_with_what_a_state_can_do_without() -> None:
    door = Door()
    assert machines(door).wake("t0ken")
    ((service, operation, region, given),) = door.calls
    assert (service, operation, region) == ("stepfunctions", "send_task_success", "eu-central-1")
    assert given == {"taskToken": "t0ken", "output": "{}"}


@pytest.mark.parametrize("code", ["InvalidToken", "TaskDoesNotExist", "TaskTimedOut"])
def test_nobody_waits_for_a_spent_token(code: str) -> None:
    assert not machines(Door(code)).wake("t0ken")


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "KmsAccessDeniedException"])
def test_a_wake_that_was_not_made_is_raised(code: str) -> None:
    with pytest.raises(AwsTrouble):
        machines(Door(code)).wake("t0ken")


def test_what_nobody_can_use_is_kept_with_the_reason() -> None:
    door = Door()
    FailureQueue(door, "https://sqs.example/q").keep("no such day", {"PK": {"S": "x"}})  # type: ignore[arg-type]
    ((service, operation, _, given),) = door.calls
    assert (service, operation, given["QueueUrl"]) == ("sqs", "send_message", "https://sqs.example/q")
    body = json.loads(given["MessageBody"])
    assert body["reason"] == "no such day"
    assert json.loads(body["record"]) == {"PK": {"S": "x"}}


def test_what_is_kept_fits_into_a_message() -> None:
    door = Door()
    FailureQueue(door, "q").keep("\u00e9" * 90_000, {"x": "\u00e9" * 900_000})  # type: ignore[arg-type]
    assert len(door.calls[0][3]["MessageBody"].encode()) < 256 * 1024


def test_what_cannot_be_kept_is_raised() -> None:
    """AWS-24: nothing is dropped."""
    with pytest.raises(AwsTrouble):
        FailureQueue(Door("AccessDenied"), "q").keep("why", {})  # type: ignore[arg-type]


class _Mute(Door):
    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise _trouble("")


def _trouble(code: str) -> AwsTrouble:
    return AwsTrouble(f"it answered {code}", code=code, done=None, category=FailureCategory.TRANSIENT)

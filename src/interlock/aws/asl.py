"""The state machine, made from what its functions can say: an interpreter that knows no pipeline.

`python -m interlock.aws.asl --write FILE` writes it for Terraform, which fills in the names in `${…}`. States are named for
whoever looks at an execution; everything that is decided is decided by `Step` and the other functions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from interlock.aws.functions import named
from interlock.aws.parking import parking_request
from interlock.aws.state import Next

State = dict[str, Any]

THROTTLING: Final = ("Lambda.TooManyRequestsException",)
"""What is asked again without asking anybody: nothing was begun. Everything else is decided by `Step`."""

OUTAGES: Final = (
    *("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("StoreUnavailable", "Contention"),
)
"""AWS itself could not call a function, or the table could not be used just then: nobody needs to be told."""

STUMBLED: Final = 30
AT_ONCE: Final = 10
"""How many traits of one run are asked at once."""

ROUTES: Final[dict[Next, str]] = {
    Next.STEP: "Step",
    Next.EVALUATE: "EvaluateTraits",
    Next.START: "StartJob",
    Next.CHECK: "CheckJob",
    Next.STOP: "StopJob",
    Next.WAIT_FOR_READINESS: "WaitForReadiness",
    Next.WAIT_FOR_START: "WaitForStart",
    Next.WAIT_FOR_JOB: "WaitForJob",
    Next.WAIT_FOR_VERIFICATION: "WaitForVerification",
    Next.WAIT_FOR_RETRY: "WaitForRetry",
    Next.WAIT_FOR_PEOPLE: "WaitForPeople",
    Next.WATCH_FOR_DRIFT: "WatchForDrift",
    Next.RENEW: "Renew",
    Next.COMPLETED: "Completed",
    Next.CANCELLED: "Cancelled",
    Next.FAILED: "RunFailed",
    Next.UNKNOWN: "UnknownRun",
    Next.BROKEN: "Broken",
}

_STARTED: Final = "StepFunctions.ExecutionAlreadyExistsException"
_CANCELLED: Final = ("DynamoDb.TransactionCanceledException", "DynamoDB.TransactionCanceledException")
_WAITS: Final = {
    Next.WAIT_FOR_READINESS: "Not ready yet. A marker, a pushed trait or a sensor wakes it at once",
    Next.WAIT_FOR_START: "A start whose outcome is not known yet is looked for again",
    Next.WAIT_FOR_JOB: "The job runs. Its report wakes it at once; otherwise it is looked at",
    Next.WAIT_FOR_VERIFICATION: "The job says that it is done; what checks that could not tell yet",
    Next.WAIT_FOR_RETRY: "The attempt failed, and the next one may not begin yet",
    Next.WAIT_FOR_PEOPLE: "Only people can say how it goes on: it is held, blocked or in doubt",
    Next.WATCH_FOR_DRIFT: "The job has ended well; what it was started on is watched for a while",
}


def state_machine() -> dict[str, Any]:
    """Return the definition, with `${…}` where Terraform knows better."""
    states: dict[str, State] = {
        "Step": _step(),
        "Route": _route(),
        "EvaluateTraits": _evaluate_traits(),
        "StartJob": _turn("trigger", "Starts the job that the permit is for, or finds it", "Route", "Step"),
        "CheckJob": _turn("run_checker", "Looks at the job", "Route", "Step"),
        "StopJob": _turn("run_checker", "Asks for the job to be stopped", "Route", "Step"),
    }
    for each, about in _WAITS.items():
        states[ROUTES[each]] = _waiting(about, "CheckJob" if each is Next.WAIT_FOR_JOB else "Step")
    states |= {
        "Renew": _renew(),
        "Stumbled": {
            "Type": "Wait",
            "Comment": "The table cannot be used, or AWS cannot call or start something: not again at once",
            "Seconds": STUMBLED,
            "Next": "Step",
        },
        "Renewed": {"Type": "Succeed", "Comment": "A fresh execution goes on with the run"},
        "Completed": {"Type": "Succeed"},
        "Cancelled": {"Type": "Succeed"},
        "RunFailed": _fail("RunFailed", "The run has failed, and people were told"),
        "UnknownRun": _fail("UnknownRun", "There is nothing to work on"),
        "Broken": _fail("Broken", "Interlock itself failed; the scheduler starts another execution", "$.lost.Cause"),
    }
    return {
        "Comment": "One run of Interlock. Made by interlock.aws.asl: do not edit",
        "StartAt": "Step",
        "States": states,
    }


def text() -> str:
    """Return the file's text."""
    return json.dumps(state_machine(), indent=2) + "\n"


def _call(function: str, payload: Any) -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": f"${{{function}_arn}}", **payload},
        "OutputPath": "$.Payload",
        # Longer than the function can take: Lambda ends it first, and says so.
        "TimeoutSeconds": named(function.replace("_", "-")).timeout + 30,
        "Retry": [
            {
                "ErrorEquals": list(THROTTLING),
                "IntervalSeconds": 2,
                "BackoffRate": 2.0,
                "MaxAttempts": 6,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            }
        ],
    }


def _turn(function: str, about: str, following: str, on_loss: str) -> State:
    return {
        "Comment": about,
        **_call(function, {"Payload.$": "$"}),
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": on_loss}],
        "Next": following,
    }


def _step() -> State:
    step = _turn("orchestrator", "Tells the run what happened, and says what comes next", "Route", "Broken")
    outage = {"ErrorEquals": list(OUTAGES), "ResultPath": "$.lost", "Next": "Stumbled"}
    return {**step, "Catch": [outage, *step["Catch"]]}


def _route() -> State:
    choices = [{"Variable": "$.next", "StringEquals": each.value, "Next": target} for each, target in ROUTES.items()]
    return {"Type": "Choice", "Choices": choices, "Default": "UnknownRun"}


def _evaluate_traits() -> State:
    asked = _call("evaluator", {"Payload.$": "$"})
    asked |= {
        "Comment": "Asks one trait",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "AnswerLost"}],
        "End": True,
    }
    return {
        "Type": "Map",
        "Comment": "Asks the traits of a round, each by itself",
        "ItemsPath": "$.evaluate",
        "ItemSelector": {"run.$": "$.run", "room.$": "$.room", "wish.$": "$$.Map.Item.Value"},
        "MaxConcurrency": AT_ONCE,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "EvaluateTrait",
            "States": {
                "EvaluateTrait": asked,
                "AnswerLost": {"Type": "Pass", "Comment": "Step tells the run that nobody answered", "End": True},
            },
        },
        "ResultPath": "$.answers",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Step"}],
        "Next": "Step",
    }


def _waiting(about: str, following: str) -> State:
    return {
        "Type": "Task",
        "Comment": about,
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:transactWriteItems.waitForTaskToken",
        "Parameters": parking_request("${table_name}"),
        "TimeoutSecondsPath": "$.wait.seconds",
        "ResultPath": None,
        "Catch": [
            # Its time has come, or the run changed before it could lie down.
            {"ErrorEquals": ["States.Timeout", *_CANCELLED], "ResultPath": None, "Next": following},
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Stumbled"},
        ],
        "Next": following,
    }


def _renew() -> State:
    return {
        "Type": "Task",
        "Comment": "The history of an execution is bounded: a fresh one goes on",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {
            "StateMachineArn.$": "$$.StateMachine.Id",
            "Name.$": "$.heir",
            "Input": {"run.$": "$.run", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id"},
        },
        "TimeoutSeconds": 60,
        "Catch": [
            {"ErrorEquals": [_STARTED], "ResultPath": None, "Next": "Renewed"},
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Stumbled"},
        ],
        "Next": "Renewed",
    }


def _fail(error: str, about: str, cause: str = "$.reason") -> State:
    return {"Type": "Fail", "Comment": about, "Error": error, "CausePath": cause}


def main(argv: list[str] | None = None) -> None:
    """Write the definition."""
    parser = argparse.ArgumentParser(description="write the state machine")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE")
    parser.parse_args(argv).write.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()

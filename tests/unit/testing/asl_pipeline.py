"""A machine of the shape that runs are driven with: a step, a choice of what comes next, and ways back to the step."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.unit.testing.asl_bench import PARK, Json

from interlock.testing.asl.machine import START_EXECUTION
from interlock.testing.asl.work import LAMBDA_INVOKE

THROTTLED = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "MaxAttempts": 4}]


def invoking(function: str, *, lost: str, payload: Any = "$", **fields: Any) -> Json:
    """Return a task that asks a function with the whole data."""
    return {
        "Type": "Task",
        "Resource": LAMBDA_INVOKE,
        "Parameters": {"FunctionName": function, "Payload.$": payload},
        "OutputPath": "$.Payload",
        "TimeoutSeconds": 130,
        "Retry": THROTTLED,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": lost}],
        **fields,
    }


def waiting() -> Json:
    """Return a task that parks until a time or a token."""
    row = {
        "PK": {"S.$": "States.Format('PARKED#{}', $.run)"},
        "version": {"N.$": "States.Format('{}', $.wait.version)"},
        "body": {"S.$": r"States.Format('\{\"token\": \"{}\"\}', $$.Task.Token)"},
    }
    return {
        "Type": "Task",
        "Resource": PARK,
        "Parameters": {"TransactItems": [{"Put": {"Item": row}}]},
        "TimeoutSecondsPath": "$.wait.seconds",
        "ResultPath": None,
        "Next": "Step",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Step"}],
    }


PIPELINE: Json = {
    "StartAt": "Step",
    "States": {
        "Step": invoking("orchestrator", lost="Broken", Next="Route"),
        "Route": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.next", "StringEquals": following, "Next": target}
                for following, target in (
                    ("evaluate", "EvaluateTraits"),
                    ("start", "StartJob"),
                    ("wait", "Wait"),
                    ("renew", "Renew"),
                    ("completed", "Completed"),
                    ("failed", "RunFailed"),
                )
            ],
            "Default": "Broken",
        },
        "EvaluateTraits": {
            "Type": "Map",
            "ItemsPath": "$.evaluate",
            "MaxConcurrency": 10,
            "ItemSelector": {"run.$": "$.run", "wish.$": "$$.Map.Item.Value"},
            "ResultPath": "$.answers",
            "ItemProcessor": {
                "StartAt": "EvaluateTrait",
                "States": {
                    "EvaluateTrait": invoking("evaluator", lost="AnswerLost", End=True),
                    "AnswerLost": {
                        "Type": "Pass",
                        "Parameters": {"wish.$": "$.wish", "lost.$": "$.lost.Error"},
                        "End": True,
                    },
                },
            },
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.lost", "Next": "Step"}],
            "Next": "Step",
        },
        "StartJob": invoking("trigger", lost="Step", Next="Route"),
        "Wait": waiting(),
        "Renew": {
            "Type": "Task",
            "Resource": START_EXECUTION,
            "Parameters": {"Name.$": "$.renewal", "Input": {"run.$": "$.run", "spent": 0}},
            "TimeoutSeconds": 60,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Broken"}],
            "Next": "Renewed",
        },
        "Renewed": {"Type": "Succeed"},
        "Completed": {"Type": "Succeed"},
        "RunFailed": {"Type": "Fail", "Error": "RunFailed", "CausePath": "$.reason"},
        "Broken": {"Type": "Fail", "Error": "Broken"},
    },
}

ALWAYS = {"$.run", "$.spent"}
TURN = {
    "evaluate": ALWAYS | {"$.evaluate[*].trait"},
    "start": ALWAYS,
    "wait": ALWAYS | {"$.wait.seconds", "$.wait.version"},
    "renew": ALWAYS | {"$.renewal"},
    "completed": ALWAYS,
    "failed": ALWAYS | {"$.reason"},
}
OUTPUTS = {"orchestrator": TURN, "trigger": TURN, "evaluator": {"": {"$.wish", "$.answer"}}}


def changed(**states: Json | None) -> Json:
    """Return the machine with some states changed: fields set, or with null the state left out."""
    definition = deepcopy(PIPELINE)
    for name, fields in states.items():
        if fields is None:
            del definition["States"][name]
        else:
            definition["States"].setdefault(name, {}).update(fields)
    return definition

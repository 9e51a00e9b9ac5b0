"""Lambda functions as tasks: what `arn:aws:states:::lambda:invoke` does with Python callables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from interlock.testing.asl.failures import TaskError

Handler = Callable[[Any], Any]


def invoking(handlers: Mapping[str, Handler]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the task that calls a handler by FunctionName with the payload.

    An exception becomes the task's error under the name of its class; an answer that is no JSON is `Runtime.MarshalError`.
    What is no `Exception`, such as a process that dies in a simulation, passes.
    """

    def invoke(parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["FunctionName"]
        if name not in handlers:
            raise TaskError("Lambda.ResourceNotFoundException", f"there is no function {name}")
        return {
            "ExecutedVersion": "$LATEST",
            "Payload": call(handlers[name], parameters.get("Payload")),
            "StatusCode": 200,
        }

    return invoke


def call(handler: Handler, payload: Any) -> Any:
    """Call one handler as the runtime of Lambda does, and return its answer as it comes out of JSON."""
    try:
        answer = handler(payload)
    except TaskError:
        raise
    except Exception as exc:  # whatever a function raises is the error of its task
        raise TaskError(type(exc).__name__, _cause(type(exc).__name__, str(exc))) from exc
    try:
        return json.loads(json.dumps(answer, allow_nan=False))
    except (TypeError, ValueError) as exc:
        raise TaskError(
            "Runtime.MarshalError", _cause("Runtime.MarshalError", f"the answer is no JSON: {exc}")
        ) from exc


def _cause(kind: str, message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": []})

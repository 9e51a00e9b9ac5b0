"""Lambda, as far as invoking goes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.servers.aws_errors import ACCOUNT, REGION, AwsError
from tests.servers.aws_wire import Params

FUNCTION: Final = "start-sales"
_PREFIX: Final = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
_SYNC, _ASYNC = 6 * 1024 * 1024, 1024 * 1024


class Invocation(NamedTuple):
    """One invocation that really took place."""

    function: str
    qualifier: str | None
    kind: str
    payload: bytes
    context: Any

    @property
    def event(self) -> Any:
        """What the function was given."""
        return json.loads(self.payload or b"null")


@dataclass(frozen=True, kw_only=True)
class Function:
    """What a function answers: a payload, or what is made of the invocation; `error` is Handled or Unhandled."""

    payload: bytes | Callable[[Invocation], bytes] = b"null"
    error: str = ""
    log: bytes = b""


class Lambda:
    """Known functions and what they were invoked with."""

    def __init__(self) -> None:
        self.functions = {FUNCTION: Function()}
        self.invocations: list[Invocation] = []

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {"Invoke": self._invoke}

    def _known(self, given: str) -> tuple[str, str | None]:
        """Return the name and the qualifier that are in a name or an ARN."""
        text = given.removeprefix(_PREFIX).removeprefix(f"{ACCOUNT}:function:")
        name, _, qualifier = text.partition(":")
        if name not in self.functions:
            raise AwsError("ResourceNotFoundException", f"Function not found: {_PREFIX}{name}", 404)
        return name, qualifier or None

    def _invoke(self, params: Params) -> Params:
        name, qualifier = self._known(params["FunctionName"])
        kind, payload = params.get("InvocationType", "RequestResponse"), params.get("Payload") or b""
        if len(payload) > (_ASYNC if kind == "Event" else _SYNC):
            raise AwsError("RequestTooLargeException", f"{len(payload)} byte payload is too large", 413)
        invocation = Invocation(name, params.get("Qualifier", qualifier), kind, payload, _context(params))
        try:
            _ = invocation.event
        except ValueError:
            said = "Could not parse request body into json"
            raise AwsError("InvalidRequestContentException", said, 400) from None
        if kind == "DryRun":
            return {"StatusCode": 204}
        self.invocations.append(invocation)
        if kind == "Event":
            return {"StatusCode": 202, "Payload": b""}
        function = self.functions[name]
        answer: Params = {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": function.payload(invocation) if callable(function.payload) else function.payload,
        }
        if function.error:
            answer["FunctionError"] = function.error
        if function.log and params.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(function.log[-4096:]).decode()
        return answer


def _context(params: Params) -> Any:
    given = params.get("ClientContext")
    if given is None:
        return None
    try:
        return json.loads(base64.b64decode(given, validate=True))
    except ValueError:
        said = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", said, 400) from None

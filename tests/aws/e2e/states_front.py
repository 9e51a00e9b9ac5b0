"""What stands before moto's Step Functions for Terraform, which asks two things that moto does not know."""

from __future__ import annotations

import json
import tempfile
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.aws.lab.stepfunctions import lint
from tests.servers.aws_http import Listener, Reply, Request

_JSON: Final = {"Content-Type": "application/x-amz-json-1.0"}
_SHOWN: Final = ("content-type", "x-amzn-requestid", "x-amzn-errortype")


class StatesFront:
    """Answers ValidateStateMachineDefinition by what statelint says, and ListStateMachineVersions with none."""

    def __init__(self, behind: str) -> None:
        self._behind = urlsplit(behind)
        self._listener = Listener(self._answer)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.port}"

    def _answer(self, request: Request) -> Reply:
        match request.headers.get("x-amz-target", "").partition(".")[2]:
            case "ValidateStateMachineDefinition":
                return _reply(_validated(json.loads(request.body)["definition"]))
            case "ListStateMachineVersions":
                return _reply({"stateMachineVersions": []})
            case _:
                return self._passed_on(request)

    def _passed_on(self, request: Request) -> Reply:
        connection = HTTPConnection(str(self._behind.hostname), self._behind.port, timeout=60)
        try:
            connection.request(request.method, request.target, request.body, dict(request.headers))
            answer = connection.getresponse()
            shown = {name: value for name, value in answer.getheaders() if name.lower() in _SHOWN}
            return Reply(answer.status, shown, answer.read())
        finally:
            connection.close()


def _validated(definition: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "definition.json")
        place.write_text(definition, encoding="utf-8")
        found = lint(place)
    said = [{"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": each} for each in found]
    return {"result": "FAIL" if said else "OK", "diagnostics": said, "truncated": False}


def _reply(content: object) -> Reply:
    return Reply(200, _JSON, json.dumps(content).encode())

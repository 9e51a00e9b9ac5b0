"""Step Functions: moto's interpreter, mended, whose tasks reach real functions and MiniStack.

with StateMachines(services=ministack.url, functions=functions.url) as machines:
    arn = machines.machine("sales", definition)
    ended = machines.ended(machines.start(arn, {"run": "sales:daily"}))
    assert (ended.status, ended.output) == ("SUCCEEDED", {"run": "sales:daily"})
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import boto3
from botocore.config import Config
from tests.servers.base import TOOLS, ServerFailed, tool, until
from tests.servers.dynamodb import DynamoServer

ROLE: Final = "arn:aws:iam::123456789012:role/lab"
_INTERPRETER: Final = Path(__file__).with_name("interpreter.py")
_PATIENCE: Final = 20.0


class Ended(NamedTuple):
    """How an execution ended; `output` is there if it succeeded, `error` and `cause` if it failed or was stopped."""

    status: str
    output: Any
    error: str | None
    cause: str | None


class StepFunctionsServer(DynamoServer):
    """Step Functions over HTTP; all that it knows goes with it."""

    name = "stepfunctions"

    def __init__(self, *, services: str, functions: str, as_it_came: bool = False) -> None:
        """Send tasks that invoke a function to `functions`, and all others to `services`; `as_it_came` mends nothing."""
        for package in ("moto", "antlr4", "jsonpath_ng"):
            tool(f"lib/python3*/site-packages/{package}", "moto[stepfunctions]")
        self._places = [services, functions, *(["--as-it-came"] if as_it_came else [])]
        super().__init__()

    def _argv(self) -> Sequence[str]:
        return [str(TOOLS / "bin/python"), str(_INTERPRETER), str(self.port), *self._places]

    def _answers(self) -> bool:
        return self._request("GET", "/") == 404


class StateMachines:
    """What tests do with Step Functions. Give machines and executions names of your own: they are never deleted."""

    def __init__(self, server: StepFunctionsServer) -> None:
        self.server = server
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=_PATIENCE)
        options = server.client_options
        self.client = boto3.client("stepfunctions", config=config, **options)  # type: ignore[call-overload, unused-ignore]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    @property
    def url(self) -> str:
        """What to give a client of Step Functions as `endpoint_url`."""
        return self.server.url

    # ------------------------------------------------------------ machines and executions

    def machine(self, name: str, definition: str | dict[str, Any]) -> str:
        """Create a state machine, or give the one of this name another definition; return its ARN."""
        text = definition if isinstance(definition, str) else json.dumps(definition)
        pages = self.client.get_paginator("list_state_machines").paginate()
        known = {each["name"]: str(each["stateMachineArn"]) for page in pages for each in page["stateMachines"]}
        if name in known:
            self.client.update_state_machine(stateMachineArn=known[name], definition=text)
            return known[name]
        return str(self.client.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"])

    def start(self, machine: str, data: Any, name: str | None = None) -> str:
        """Start an execution and return its ARN."""
        named = {"name": name} if name is not None else {}
        return str(
            self.client.start_execution(stateMachineArn=machine, input=json.dumps(data), **named)["executionArn"]
        )

    def describe(self, execution: str) -> dict[str, Any]:
        """Return what DescribeExecution says."""
        found: dict[str, Any] = self.client.describe_execution(executionArn=execution)
        return found

    def executions(self, machine: str) -> dict[str, str]:
        """Return the ARNs of all executions of a machine by their names."""
        pages = self.client.get_paginator("list_executions").paginate(stateMachineArn=machine)
        return {each["name"]: each["executionArn"] for page in pages for each in page["executions"]}

    def ended(self, execution: str, *, patience: float = _PATIENCE) -> Ended:
        """Wait until an execution has ended, and return how. One that does not is a `ServerFailed` with its last events."""
        try:
            until(lambda: self.describe(execution)["status"] != "RUNNING", "it ends", patience=patience, pause=0.01)
        except ServerFailed as exc:
            last = [(each["type"], _gist(each)) for each in self.history(execution)[-6:]]
            raise ServerFailed(f"{execution}: {exc}; its last events: {last}") from None
        said = self.describe(execution)
        output = json.loads(said["output"]) if "output" in said else None
        return Ended(said["status"], output, said.get("error"), said.get("cause"))

    def history(self, execution: str) -> list[dict[str, Any]]:
        """Return the events of an execution so far."""
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def path(self, execution: str) -> list[str]:
        """Return the names of the states that it has entered, in their order."""
        return _entered(self.history(execution))

    def waits_in(self, execution: str, state: str, *, patience: float = _PATIENCE) -> None:
        """Wait until an execution is in a state, or until what that state waits for has been asked for."""
        until(
            lambda: self._is_waiting(execution, state), f"{execution} waits in {state}", patience=patience, pause=0.01
        )

    def _is_waiting(self, execution: str, state: str) -> bool:
        events = self.history(execution)
        return _entered(events)[-1:] == [state] and events[-1]["type"] in {"TaskSubmitted", "WaitStateEntered"}

    # ------------------------------------------------------------ what others do to them

    def stop(self, execution: str, *, error: str = "Stopped", cause: str = "by the test") -> None:
        """Stop an execution."""
        self.client.stop_execution(executionArn=execution, error=error, cause=cause)

    def succeed(self, token: str, output: Any = None) -> None:
        """Wake whoever waits with this token (SendTaskSuccess)."""
        self.client.send_task_success(taskToken=token, output=json.dumps(output))


def _entered(events: list[dict[str, Any]]) -> list[str]:
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def _gist(event: dict[str, Any]) -> Any:
    for key, value in event.items():
        if key.endswith("Details"):
            return {part: str(said)[:300] for part, said in value.items() if part in {"name", "error", "cause"}}
    return None


def lint(definition: Path) -> list[str]:
    """Return what statelint finds wrong in a file with a state machine."""
    linter = tool("bin/statelint", "statelint")
    done = subprocess.run([str(linter), str(definition)], capture_output=True, text=True, check=False, timeout=30)
    return [line.strip() for line in done.stdout.splitlines()[1:]] if done.returncode else []

"""A state machine as Step Functions would run it, without threads, and with no other time than its clock's.

It knows the part of the language (JSONPath) that `compiling` lists; a definition that uses more is refused. Where the
documentation leaves a case open, the interpreter fails: a definition that runs here has to run there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any, Final

import msgspec

from interlock.ports.clock import Clock
from interlock.testing.asl.branch import LIMIT, Bench, Outcome, Ticket, stamp
from interlock.testing.asl.compiling import compile_region
from interlock.testing.asl.execution import Execution
from interlock.testing.asl.failures import TaskError, Unsupported
from interlock.testing.asl.history import QUOTA, History

START_EXECUTION: Final = "arn:aws:states:::states:startExecution"
_ARN: Final = "arn:aws:states:us-east-1:123456789012"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIELDS: Final = {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}


class Refused(Exception):
    """A call of the service itself was refused; `code` is the error's name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class ExecutionAlreadyExists(Refused):
    """The name is taken."""


class TokenRefused(Refused):
    """Nobody waits for this token (`TaskTimedOut`), nobody ever did (`InvalidToken`), or `InvalidOutput`."""


class Machine:
    """A compiled definition, and all its executions.

    `tasks` says what stands for each resource: a callable of the parameters that returns the output or raises `TaskError`;
    for a resource that waits for a token, a callable of the parameters and the token. `dice` decide who goes on first of
    several, full jitter, and UUIDs.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        tasks: Mapping[str, Callable[..., Any]],
        *,
        clock: Clock,
        dice: Random | None = None,
        name: str = "pipeline",
        history_quota: int = QUOTA,
    ) -> None:
        unknown = set(definition) - _FIELDS
        if unknown or definition.get("QueryLanguage", "JSONPath") != "JSONPath":
            raise Unsupported(f"the machine uses what is not known here: {sorted(unknown) or 'QueryLanguage'}")
        self._region = compile_region(dict(definition), {START_EXECUTION: self._start_for_a_task, **tasks})
        seconds = definition.get("TimeoutSeconds")
        self._timeout = None if seconds is None else timedelta(seconds=seconds)
        self._clock = clock
        self._dice = dice or Random(0)
        self._name = name
        self._quota = history_quota
        self._tickets: dict[str, Ticket] = {}
        self.executions: dict[str, Execution] = {}

    def start(self, data: Any, *, name: str) -> Execution:
        """Start an execution. A name can be used once; for a running one with the same input, that one is returned."""
        if _NAME.fullmatch(name) is None:
            raise Refused("InvalidName", f"'{name}' has to be 1 to 80 letters, digits, - and _")
        text = msgspec.json.encode(data)
        if len(text) > LIMIT:
            raise Refused("InvalidExecutionInput", f"the input is {len(text)} bytes long, and {LIMIT} are allowed")
        data = msgspec.json.decode(text)
        known = self.executions.get(name)
        if known is not None and (known.ended or known.data != data):
            raise ExecutionAlreadyExists("ExecutionAlreadyExists", f"an execution named '{name}' is or was there")
        if known is None:
            known = self.executions[name] = self._new(data, name)
        return known

    def succeed(self, token: str, output: Any) -> None:
        """Answer for a task that waits, as SendTaskSuccess does."""
        ticket = self._open(token)
        text = msgspec.json.encode(output)
        if len(text) > LIMIT:
            raise TokenRefused("InvalidOutput", f"the output is {len(text)} bytes long, and {LIMIT} are allowed")
        ticket.reply = Outcome(msgspec.json.decode(text))

    def fail(self, token: str, error: str, cause: str = "") -> None:
        """Let a task that waits fail, as SendTaskFailure does."""
        self._open(token).reply = Outcome(None, TaskError(error, cause))

    def _new(self, data: Any, name: str) -> Execution:
        context = {
            "Execution": {
                "Id": f"{_ARN}:execution:{self._name}:{name}",
                "Name": name,
                "Input": data,
                "StartTime": stamp(self._clock.now()),
            },
            "StateMachine": {"Id": f"{_ARN}:stateMachine:{self._name}", "Name": self._name},
        }
        bench = Bench(self._clock, self._dice, History(self._quota), lambda: self._issue(name))
        return Execution(self._region, bench, data, context, self._timeout)

    def _issue(self, name: str) -> Ticket:
        token = f"{name}.{len(self._tickets)}.{hashlib.sha256(f'{name} {len(self._tickets)}'.encode()).hexdigest()}"
        return self._tickets.setdefault(token, Ticket(token))

    def _open(self, token: str) -> Ticket:
        ticket = self._tickets.get(token)
        if ticket is None:
            raise TokenRefused("InvalidToken", "no task was ever given this token")
        late = ticket.until is not None and ticket.until <= self._clock.now()
        if ticket.closed or ticket.reply is not None or late:
            raise TokenRefused("TaskTimedOut", "no task waits for this token any more")
        return ticket

    def _start_for_a_task(self, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            execution = self.start(parameters.get("Input", {}), name=parameters["Name"])
        except Refused as exc:
            raise TaskError(f"StepFunctions.{exc.code}Exception", str(exc)) from exc
        return {"ExecutionArn": execution.arn, "StartDate": stamp(execution.started_at)}

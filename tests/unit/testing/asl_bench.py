"""Small machines for the tests of the interpreter, and one after the shape of the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from interlock.testing.asl.execution import Execution, Status, finish
from interlock.testing.asl.functions import invoking
from interlock.testing.asl.machine import Machine
from interlock.testing.asl.work import LAMBDA_INVOKE
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock

WORK = "arn:aws:lambda:us-east-1:123456789012:function:work"
PARK = "arn:aws:states:::aws-sdk:dynamodb:transactWriteItems.waitForTaskToken"
Json = dict[str, Any]


def a_machine(states: Json, *, start: str = "", **fields: Any) -> Json:
    """Return a definition that starts at the first state, unless told otherwise."""
    return {"StartAt": start or next(iter(states)), "States": states, **fields}


def a_task(**fields: Any) -> Json:
    """Return a task that asks WORK and ends."""
    return {"Type": "Task", "Resource": WORK, **({} if "Next" in fields else {"End": True}), **fields}


def nothing(_parameters: Any, _token: str) -> None:
    """Stand for a resource that only takes a token."""


class Bench:
    """One machine and its clock."""

    def __init__(
        self,
        states: Json,
        work: Callable[..., Any] | None = None,
        *,
        tasks: Mapping[str, Callable[..., Any]] | None = None,
        seed: int = 0,
        quota: int = 25_000,
        **fields: Any,
    ) -> None:
        self.clock = FakeClock(NOON)
        chosen: dict[str, Callable[..., Any]] = {WORK: work or (lambda parameters: parameters), PARK: nothing}
        chosen |= tasks or {}
        self.machine = Machine(
            a_machine(states, **fields), chosen, clock=self.clock, dice=Random(seed), history_quota=quota
        )

    def start(self, data: Any = None, *, name: str = "one") -> Execution:
        """Start an execution and leave it at that."""
        return self.machine.start({} if data is None else data, name=name)

    def play(self, data: Any = None) -> Execution:
        """Start an execution and let time pass until nothing is left but to wait for a token."""
        execution = self.start(data)
        finish(execution, self.clock)
        return execution


def output_of(states: Json, data: Any = None, work: Callable[..., Any] | None = None) -> Any:
    """Return what a machine makes of its input; it has to succeed."""
    execution = Bench(states, work).play(data)
    assert execution.status is Status.SUCCEEDED, (execution.error, execution.cause)
    return execution.output


def error_of(states: Json, data: Any = None, work: Callable[..., Any] | None = None) -> str:
    """Return the error with which a machine fails; it has to fail."""
    execution = Bench(states, work).play(data)
    assert execution.status is Status.FAILED, execution.output
    return execution.error


def passing(**fields: Any) -> Json:
    """Return one state that passes on."""
    return {"It": {"Type": "Pass", "End": True, **fields}}


def functions(**handlers: Callable[[Any], Any]) -> dict[str, Callable[..., Any]]:
    """Return the tasks of a machine that invokes functions by name."""
    return {LAMBDA_INVOKE: invoking(handlers)}

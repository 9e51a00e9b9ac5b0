"""An AWS without a network: it checks every request against botocore's model, and answers what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import Session
from botocore.validate import ParamValidator

from interlock.clients.aws import AwsOptions, AwsTrouble
from interlock.core.traits import FailureCategory
from interlock.triggers.context import TriggerContext

NOW: Final = datetime(2026, 3, 7, 6, 0, tzinfo=UTC)
Answer: TypeAlias = Mapping[str, Any] | AwsTrouble | Callable[[dict[str, Any]], Mapping[str, Any]]


class Asked(NamedTuple):
    """One call."""

    service: str
    operation: str
    parameters: dict[str, Any]
    options: AwsOptions
    timeout: timedelta


class FakeAws:
    """Answers each operation with what it is given for it: a mapping, an error to raise, or a function of the request.

    A list is answered from one after another. Every answer bears the time `NOW`.
    """

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []

    def call(
        self, service: str, operation: str, /, options: AwsOptions, *, timeout: timedelta, **parameters: Any
    ) -> dict[str, Any]:
        assert timeout > timedelta()
        check(service, operation, parameters)
        self.asked.append(Asked(service, operation, parameters, options, timeout))
        answer = self.answers[operation]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, AwsTrouble):
            raise answer
        made = answer(parameters) if callable(answer) else answer
        stamp = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": format_datetime(NOW, usegmt=True)}}
        return {"ResponseMetadata": stamp, **made}

    def region(self, options: AwsOptions) -> str:
        return options.region

    def place(self, options: AwsOptions) -> str:
        return self.region(options)

    def times(self, operation: str) -> int:
        """Return how often an operation was called."""
        return sum(one.operation == operation for one in self.asked)

    def context(self, *secrets: str) -> TriggerContext:
        """Return the surroundings of a trigger that asks this AWS."""
        return TriggerContext(state_dir=Path("/"), root=Path("/"), aws=self, known_secrets=lambda: secrets)


def trouble(code: str, said: str = "no", *, category: str = "PERMANENT", done: bool | None = False) -> AwsTrouble:
    """Return what the door raises for an error of AWS."""
    return AwsTrouble(f"{code}: {said}", code=code, done=done, category=FailureCategory[category])


@cache
def model(service: str) -> ServiceModel:
    """Return what botocore knows of a service."""
    return Session().get_service_model(service)


def states(service: str, shape: str) -> set[str]:
    """Return every state that a service's jobs can be in."""
    return set(model(service).shape_for(shape).enum)


def check(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Fail when botocore would not send such a request."""
    known = {xform_name(name): name for name in model(service).operation_names}
    shape = model(service).operation_model(known[operation]).input_shape
    report = ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()

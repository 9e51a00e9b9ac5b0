"""Start an execution of a Step Functions state machine, look at it, stop it.

The run's key is the name of the execution, and a standard machine takes a name once in ninety days: so a start can be
repeated, and the execution be found again. An express machine takes every name as often as it comes, and its executions
cannot be looked at: none is started.

| the execution                                                     | the job   | category  |
|-------------------------------------------------------------------|-----------|-----------|
| RUNNING, PENDING_REDRIVE                                          | runs      |           |
| SUCCEEDED                                                         | succeeded |           |
| FAILED, and the error says that definition, data or role is wrong | failed    | PERMANENT |
| FAILED by `States.Timeout`, TIMED_OUT                             | failed    | TIMEOUT   |
| FAILED otherwise                                                  | failed    | TRANSIENT |
| ABORTED                                                           | failed    | PERMANENT |
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from interlock.clients.aws import AwsOptions, AwsTrouble, options_of, region_of_arn
from interlock.clients.names import short_name
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.aws import Allowance, AwsService, Meaning, console_url, handle_of
from interlock.triggers.context import TriggerContext

JsonValue: TypeAlias = dict[str, Any] | list[Any] | str | int | float | bool | None

_LONGEST_NAME: Final = 80
_LARGEST_INPUT: Final = 256 * 1024
_PARTS: Final = 7
_TAKEN: Final = "ExecutionAlreadyExists"
_MISSING: Final = "ExecutionDoesNotExist"
_MEANINGS: Final = {
    "ExecutionLimitExceeded": Meaning(
        FailureCategory.TRANSIENT, advice="too many executions are running: stop some, or have the quota raised"
    ),
    "KmsThrottlingException": Meaning(FailureCategory.TRANSIENT),
}
_LOOK_DENIED: Final = "AccessDeniedException"
_RUNNING: Final = ("RUNNING", "PENDING_REDRIVE")
_FOR_GOOD: Final = frozenset(
    {
        "States.DataLimitExceeded",
        "States.IntrinsicFailure",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultPathMatchFailure",
        "States.Runtime",
    }
)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{8})([0-9a-f]{24})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


class StepFunctionConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The state machine, and what it is given."""

    state_machine_arn: Annotated[
        str, Meta(min_length=1, max_length=256, description="Its ARN; that of a version or an alias is one, too.")
    ]
    arguments: Annotated[dict[str, Any], Meta(description="The input of the execution, by name.")] = field(
        default_factory=dict
    )
    input: Annotated[JsonValue | UnsetType, Meta(description="The input of the execution, as any JSON value.")] = UNSET

    def __post_init__(self) -> None:
        if self.arguments and self.input is not UNSET:
            raise ValueError("`arguments` and `input` are both the input of the execution: keep one of them")
        arn = self.state_machine_arn
        if "{" in arn:
            return
        if not _is_machine(arn):
            raise ValueError(
                "`stateMachineArn` must look like arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, perhaps with :ALIAS or "
                ":VERSION behind it"
            )
        if self.region and "{" not in self.region and self.region != region_of_arn(arn):
            raise ValueError(f"`region` is not that of `stateMachineArn`, which is {region_of_arn(arn)}: leave it out")


class StepFunctionTrigger:
    """Starts executions of standard state machines."""

    Config = StepFunctionConfig
    repeatable = True
    watchable = True

    def __init__(self, config: StepFunctionConfig, context: TriggerContext) -> None:
        options = options_of(config, region=region_of_arn(config.state_machine_arn))
        self._states = AwsService("step-function", "stepfunctions", options, context)
        self._config = config

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start the execution of the run's name, or join the one that has it.

        Raises:
            TriggerError: it was not started, or nobody can know.
        """
        allowance = Allowance(timeout)
        parameters = {"stateMachineArn": self._config.state_machine_arn, "name": _name(job), "input": self._input()}
        if trace := _trace_header(job.traceparent):
            parameters["traceHeader"] = trace
        self._require_standard(allowance)
        try:
            answer = self._states.call("start_execution", timeout=allowance.next(), **parameters)
        except AwsTrouble as exc:
            if exc.code == _TAKEN:
                return self._joined(job, exc, allowance)
            raise self._states.refused(exc, _MEANINGS) from exc
        arn = str(answer.get("executionArn", ""))
        if not arn:
            words = "the execution was started, and its ARN is not in the answer: look for it in the console"
            raise TriggerError(words, category="PERMANENT", started=True)
        return _handle(arn)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for the execution of the run's name."""
        try:
            return self._named(job, timeout)
        except AwsTrouble:
            return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Describe the execution."""
        region = region_of_arn(handle.id)
        try:
            seen = self._states.call("describe_execution", timeout=timeout, region=region, executionArn=handle.id)
        except AwsTrouble as exc:
            return self._states.unseen(exc, gone=_MISSING, job="execution")
        return self._report(seen)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Stop the execution.

        Raises:
            TriggerError: it could not be stopped.
        """
        # No error and no cause are given: to encrypt them, a machine with a key of its own would need more permissions.
        region = region_of_arn(handle.id)
        try:
            self._states.call("stop_execution", timeout=timeout, region=region, executionArn=handle.id)
        except AwsTrouble as exc:
            if exc.code != _MISSING:
                raise self._states.unstopped(exc) from exc

    # ------------------------------------------------------------ starting

    def _input(self) -> str:
        value = self._config.arguments if self._config.input is UNSET else self._config.input
        # In one order always: a repeated start joins the first one only if its input is the same text.
        text = msgspec.json.encode(value, order="deterministic")
        if len(text) > _LARGEST_INPUT:
            words = (
                f"the input has {len(text)} bytes, and Step Functions takes {_LARGEST_INPUT}: hand a place over, such as an "
                "S3 key"
            )
            raise TriggerError(words, category="PERMANENT", started=False)
        return text.decode()

    def _require_standard(self, allowance: Allowance) -> None:
        """Refuse a machine that takes one name twice."""
        machine = _machine(self._config.state_machine_arn)
        try:
            seen = self._states.call(
                "describe_state_machine",
                timeout=allowance.next(),
                stateMachineArn=machine,
                includedData="METADATA_ONLY",
            )
        except AwsTrouble as exc:
            words = f"nothing was started, because it is not known whether the machine is a standard one: {exc}"
            if exc.code == _LOOK_DENIED:
                words += ". Allow states:DescribeStateMachine on it"
            raise TriggerError(self._states.said(words), category=exc.category.value, started=False) from exc
        kind = seen.get("type")
        if kind == "STANDARD":
            return
        words = (
            f"nothing was started: the machine is of the type {self._states.said(kind)}, and only executions of a STANDARD "
            "one can be looked at and are started once under one name. Make the machine a STANDARD one, or start it from a "
            "function (type: lambda) that reports the end itself"
        )
        raise TriggerError(words, category="PERMANENT", started=False)

    def _named(self, job: Job, timeout: timedelta) -> JobHandle | Absent:
        """Look for the execution of the run's name. One with another input is somebody else's, and says nothing."""
        arn = _execution_arn(self._config.state_machine_arn, _name(job))
        try:
            seen = self._states.call("describe_execution", timeout=timeout, executionArn=arn)
        except AwsTrouble as exc:
            if exc.code == _MISSING:
                return Absent.CERTAINLY
            raise
        return _handle(arn) if _same(seen.get("input"), self._input()) else Absent.UNKNOWN

    def _joined(self, job: Job, taken: AwsTrouble, allowance: Allowance) -> JobHandle:
        """Return the execution that has the run's name already: it is this one's, from an earlier call."""
        words = f"Step Functions says that an execution {_name(job)} was started before"
        try:
            found = self._named(job, allowance.next())
        except AwsTrouble as exc:
            words = f"{words}, and it cannot be looked at: {self._states.said(exc)}"
            raise TriggerError(words, category="TRANSIENT", started=None) from taken
        if isinstance(found, JobHandle):
            return found
        odd = (
            "there is none"
            if found is Absent.CERTAINLY
            else "its input is another one: it may be that of another project"
        )
        raise TriggerError(
            f"{words}, and {odd}. Look for it in the console", category="PERMANENT", started=None
        ) from taken

    # ------------------------------------------------------------ looking

    def _report(self, seen: dict[str, Any]) -> JobReport:
        status = seen.get("status")
        if status in _RUNNING:
            return JobReport(state=JobState.RUNNING)
        if status == "SUCCEEDED":
            return JobReport(state=JobState.SUCCEEDED)
        error = str(seen.get("error") or "")
        why = ": ".join(part for part in (error, str(seen.get("cause") or "")) if part)
        category = _category(status, error)
        if category is None:
            return self._states.puzzled("the execution", status)
        words = f"the execution is {status}" + (f": {why}" if why else "")
        return JobReport(state=JobState.FAILED, reason=self._states.said(words), category=category)


def _category(status: Any, error: str) -> FailureCategory | None:
    """Return why an execution failed; None when its state is not known."""
    match status:
        case "TIMED_OUT":
            return FailureCategory.TIMEOUT
        case "ABORTED":
            # Somebody has stopped it, who may not want it to be started again.
            return FailureCategory.PERMANENT
        case "FAILED" if error in _FOR_GOOD:
            return FailureCategory.PERMANENT
        case "FAILED":
            return FailureCategory.TIMEOUT if error == "States.Timeout" else FailureCategory.TRANSIENT
        case _:
            return None


def _handle(arn: str) -> JobHandle:
    region = region_of_arn(arn)
    url = console_url(region, f"states/home?region={region}#/v2/executions/details/{arn}")
    return handle_of(arn, page=url)


def _name(job: Job) -> str:
    return short_name(job.key, _LONGEST_NAME)


def _is_machine(arn: str) -> bool:
    parts = arn.split(":")
    shaped = len(parts) in (_PARTS, _PARTS + 1) and parts[0] == "arn" and parts[2] == "states"
    return shaped and parts[5] == "stateMachine" and all(parts)


def _machine(arn: str) -> str:
    """Return the ARN of a machine without the version or the alias behind it."""
    return ":".join(arn.split(":")[:_PARTS])


def _execution_arn(machine: str, name: str) -> str:
    return f"{_machine(machine).replace(':stateMachine:', ':execution:', 1)}:{name}"


def _same(given: Any, text: str) -> bool:
    """Say whether two inputs are the same JSON; one that is not shown, since it is encrypted, is taken to be."""
    if not isinstance(given, str):
        return True
    try:
        return bool(msgspec.json.decode(given) == msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return False


def _trace_header(traceparent: str) -> str:
    """Return a step of a trace as X-Ray writes it; nothing for what is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return ""
    epoch, rest, parent, flags = found.groups()
    return f"Root=1-{epoch}-{rest};Parent={parent};Sampled={int(flags, 16) & 1}"


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: StepFunctionTrigger) -> Trigger:
        return it

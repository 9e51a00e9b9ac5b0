"""Invoke a Lambda function: wait for its answer, or hand the event over and hear of the end by callback.

Lambda knows no key of ours, and keeps nothing that could be looked at: the outcome of a synchronous invocation is its
answer, and stands in the handle from the start. What is lost with an answer nobody can find again.

What an answer to a synchronous invocation means:

| answer                                                   | the job   | category  |
|----------------------------------------------------------|-----------|-----------|
| a function error: it ran out of its own time             | failed    | TIMEOUT   |
| a function error: its code or its handler is not there   | failed    | PERMANENT |
| any other function error                                 | failed    | TRANSIENT |
| `statusCode` 408, 425, 429, or 500 and above             | failed    | TRANSIENT |
| any other `statusCode` from 400 on                       | failed    | PERMANENT |
| not as the `success` rule wants it                       | failed    | TRANSIENT |
| no JSON, where a rule wants to read it                   | nobody can know | PERMANENT |
| anything else                                            | succeeded |           |
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from interlock.clients.aws import AwsOptions, AwsTrouble, options_of, region_of_arn
from interlock.clients.texts import cleaned
from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.answers import at
from interlock.triggers.aws import AwsService, Meaning, console_url, handle_of
from interlock.triggers.context import TriggerContext

Scalar: TypeAlias = str | int | float | bool | None
JsonValue: TypeAlias = dict[str, Any] | list[Any] | Scalar

_OURS: Final = "interlock"
_MIB: Final = 1024 * 1024
_LARGEST: Final = {"sync": 6 * _MIB, "async": _MIB}
_LARGEST_CONTEXT: Final = 3583
_LATER: Final = (408, 425, 429)
_REASON: Final = 400

_NOT_YET: Final = Meaning(FailureCategory.TRANSIENT)
_NEVER: Final = Meaning(FailureCategory.PERMANENT)
_MEANINGS: Final = {
    # Lambda says all of these of what comes before the function's own code, whatever their HTTP status is.
    "CodeArtifactUserPendingException": _NOT_YET,
    "EC2AccessDeniedException": _NEVER,
    "EC2ThrottledException": _NOT_YET,
    "EC2UnexpectedException": _NOT_YET,
    "EFSMountConnectivityException": _NOT_YET,
    "EFSMountTimeoutException": _NOT_YET,
    "ENILimitReachedException": _NOT_YET,
    "ENINotReadyException": _NOT_YET,
    "InvalidRuntimeException": _NEVER,
    "InvalidSecurityGroupIDException": _NEVER,
    "InvalidSubnetIDException": _NEVER,
    "InvalidZipFileException": _NEVER,
    "KMSAccessDeniedException": _NEVER,
    "KMSDisabledException": _NEVER,
    "KMSInvalidStateException": _NEVER,
    "KMSNotFoundException": _NEVER,
    "ResourceConflictException": _NOT_YET,
    "ResourceNotReadyException": _NOT_YET,
    "S3FilesMountConnectivityException": _NOT_YET,
    "S3FilesMountTimeoutException": _NOT_YET,
    "SnapStartNotReadyException": _NOT_YET,
    "SnapStartRegenerationFailureException": _NOT_YET,
    "SnapStartTimeoutException": _NOT_YET,
    "SubnetIPAddressLimitReachedException": _NOT_YET,
    # This one is about reading and writing, which the function itself may have done.
    "EFSIOException": Meaning(FailureCategory.TRANSIENT, started=None),
}
_TIMED_OUT: Final = "Sandbox.Timedout"
_BROKEN: Final = frozenset(
    {
        "Function.ResponseSizeTooLarge",
        "Runtime.HandlerNotFound",
        "Runtime.ImportModuleError",
        "Runtime.InvalidEntrypoint",
        "Runtime.InvalidWorkingDir",
        "Runtime.MalformedHandlerName",
        "Runtime.UserCodeSyntaxError",
    }
)


class AnswerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which answer of the function means that the job did its work."""

    status_code: Annotated[bool, Meta(description="An answer whose statusCode is 400 or more is a failure.")] = True
    path: Annotated[str, Meta(description="Where in the JSON answer to look, such as data.state.")] = ""
    equals: Annotated[Scalar | UnsetType, Meta(description="What must be found there.")] = UNSET

    def __post_init__(self) -> None:
        if bool(self.path) == (self.equals is UNSET):
            raise ValueError("`path` and `equals` go together: where to look, and what must be found there")


class LambdaConfig(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The function, and what it is invoked with."""

    function_name: Annotated[str, Meta(min_length=1, max_length=256, description="Its name or ARN, alias included.")]
    qualifier: Annotated[str, Meta(max_length=128, description="A version or an alias.")] = ""
    payload: Annotated[JsonValue, Meta(description="Any JSON value; a mapping is given the key `interlock`.")] = field(
        default_factory=dict
    )
    invocation: Annotated[
        Literal["sync", "async"], Meta(description="Wait for the answer, or for a callback that tells the end.")
    ] = "sync"
    success: AnswerRule = AnswerRule()
    client_context: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Sent as the client context, the run's key in its `custom`.")
    ] = UNSET
    idempotent: Annotated[bool, Meta(description="The function heeds the key: repeating does nothing twice.")] = False

    def __post_init__(self) -> None:
        if isinstance(self.payload, dict) and _OURS in self.payload:
            raise ValueError("`payload.interlock` is put there by Interlock: name yours otherwise")
        if self.invocation == "async" and self.client_context is not UNSET:
            raise ValueError("`clientContext` needs `invocation: sync`: Lambda hands it to no other")
        if self.invocation == "async" and self.success != AnswerRule():
            raise ValueError("`success` needs `invocation: sync`: there is no other answer to judge")


class LambdaTrigger:
    """Invokes a function. Interlock is as long in `start` as the function runs, unless it is invoked asynchronously."""

    Config = LambdaConfig
    soonest_look = timedelta()  # Lambda is not asked for it

    def __init__(self, config: LambdaConfig, context: TriggerContext) -> None:
        self.repeatable = config.idempotent
        self.watchable = config.invocation == "sync"
        options = options_of(config, region=region_of_arn(config.function_name))
        self._lambda = AwsService("lambda", "lambda", options, context)
        self._config = config
        self._context = context

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Invoke the function; see the table at the top of this module.

        Raises:
            TriggerError: it was not invoked, or nobody can know.
        """
        parameters: dict[str, Any] = {"FunctionName": self._config.function_name, "Payload": self._payload(job)}
        if self._config.qualifier:
            parameters["Qualifier"] = self._config.qualifier
        waits = self._config.invocation == "sync"
        if self._config.client_context is not UNSET:
            parameters["ClientContext"] = self._client_context(self._config.client_context, job)
        kind = "RequestResponse" if waits else "Event"
        try:
            answer = self._lambda.call("invoke", timeout=timeout, InvocationType=kind, **parameters)
        except AwsTrouble as exc:
            raise self._uninvoked(exc, timeout) from exc
        own = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
        if not own or answer.get("StatusCode") != (200 if waits else 202):
            # Whatever answered so, it was not Lambda: a proxy, perhaps after Lambda has heard of it.
            words = "the answer is not one of Lambda: nobody can know whether the function was invoked"
            raise TriggerError(words, category="TRANSIENT", started=None)
        outcome = self._outcome(answer) if waits else {}
        # Every invocation is a job of its own, unless the function sees to it that those of one key are one.
        name = job.key if self.repeatable else own
        return handle_of(name, page=self._page(), invocation=self._config.invocation, requestId=own, **outcome)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (the port's shape)
        """Say that it cannot be known: Lambda keeps no record of invocations that could be asked."""
        return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Read what the answer to the start has told; of an asynchronous invocation nothing can be seen."""
        told = mapping(handle.details)
        match told.get("outcome"):
            case "succeeded":
                return JobReport(state=JobState.SUCCEEDED)
            case "failed":
                category = FailureCategory(told["category"])
                return JobReport(state=JobState.FAILED, reason=told["reason"], category=category)
        if told.get("invocation") == "async":
            return JobReport(state=JobState.RUNNING, reason="its end is told by callback")
        return JobReport(state=JobState.VANISHED, reason="the answer of the function was not kept")

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Refuse: Lambda offers no way to stop a function.

        Raises:
            TriggerError: always.
        """
        words = "Lambda cannot stop an invocation: it ends by itself, at the latest after the function's own timeout"
        raise TriggerError(words, category="PERMANENT", started=True)

    # ------------------------------------------------------------ what is sent

    def _payload(self, job: Job) -> bytes:
        value = self._config.payload
        if isinstance(value, dict):
            value = {**value, _OURS: self._about(job)}
        body = msgspec.json.encode(value)
        most = _LARGEST[self._config.invocation]
        if len(body) > most:
            words = f"the payload has {len(body)} bytes, and Lambda takes {most}: hand a place over, such as an S3 key"
            raise TriggerError(words, category="PERMANENT", started=False)
        return body

    def _client_context(self, given: dict[str, Any], job: Job) -> str:
        # Some runtimes take nothing but texts there.
        ours = {f"interlock{name[0].upper()}{name[1:]}": str(value) for name, value in self._about(job).items()}
        custom = given.get("custom", {})
        if not isinstance(custom, dict):
            words = "`clientContext.custom` must be a mapping: the run's key is put there"
            raise TriggerError(words, category="PERMANENT", started=False)
        text = base64.b64encode(msgspec.json.encode({**given, "custom": {**custom, **ours}})).decode()
        if len(text) > _LARGEST_CONTEXT:
            words = f"the client context has {len(text)} bytes in base64, and Lambda takes {_LARGEST_CONTEXT}"
            raise TriggerError(words, category="PERMANENT", started=False)
        return text

    def _about(self, job: Job) -> dict[str, str | int]:
        about: dict[str, str | int] = {"runId": job.run.run_id, "key": job.key, "attempt": job.attempt}
        if callback := self._context.callback_url(job):
            about["callbackUrl"] = callback
        if job.traceparent:
            about["traceparent"] = job.traceparent
        return about

    def _page(self) -> str:
        name = self._config.function_name
        # A name, `account:function:name` and an ARN, each perhaps with a version or an alias behind it.
        name = name.rpartition("function:")[2].partition(":")[0]
        region = self._lambda.region
        return console_url(region, f"lambda/home?region={region}#/functions/{name}?tab=monitoring")

    # ------------------------------------------------------------ what is answered

    def _uninvoked(self, exc: AwsTrouble, timeout: timedelta) -> TriggerError:
        error = self._lambda.refused(exc, _MEANINGS)
        if error.started is not None or self._config.invocation == "async":
            return error
        words = f"{error} (the function may be running, or may have run: look at its log"
        if exc.category is FailureCategory.TIMEOUT:
            words += (
                f". No answer came within {timeout.total_seconds():g} s: make `startTimeout` longer than the function's own "
                "timeout, or invoke it with `invocation: async`"
            )
        return TriggerError(f"{words})", category=error.category, started=None)

    def _outcome(self, answer: dict[str, Any]) -> dict[str, str]:
        body: bytes = answer.get("Payload", b"")
        rule = self._config.success
        if answer.get("FunctionError"):
            return self._function_error(body)
        if not (rule.status_code or rule.path):
            return {"outcome": "succeeded"}
        try:
            value = msgspec.json.decode(body or b"null")
        except (msgspec.DecodeError, RecursionError) as exc:
            words = "the function has answered, and not with JSON: nobody can know whether it did its work"
            raise TriggerError(words, category="PERMANENT", started=None) from exc
        status = _status(value) if rule.status_code else 0
        if status >= 400:
            later = status in _LATER or status >= 500
            category = FailureCategory.TRANSIENT if later else FailureCategory.PERMANENT
            return self._failed(f"the function answered with statusCode {status}{_behind(value, 'body')}", category)
        if rule.path and at(value, rule.path) != rule.equals:
            found = cleaned(msgspec.json.encode(at(value, rule.path)).decode(), 100)
            words = f"the function answered, and at {rule.path!r} there is {found}, not what `success` wants"
            return self._failed(words, FailureCategory.TRANSIENT)
        return {"outcome": "succeeded"}

    def _function_error(self, body: bytes) -> dict[str, str]:
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            value = {"errorMessage": body[: 4 * _REASON].decode(errors="replace")}
        said = str(at(value, "errorMessage") or "it says no more")
        kind = str(at(value, "errorType") or "")
        category = FailureCategory.TRANSIENT
        if kind == _TIMED_OUT or (not kind and "Task timed out after" in said):
            category = FailureCategory.TIMEOUT
        elif kind in _BROKEN:
            category = FailureCategory.PERMANENT
        return self._failed(
            f"the function failed: {kind}: {said}" if kind else f"the function failed: {said}", category
        )

    def _failed(self, words: str, category: FailureCategory) -> dict[str, str]:
        return {"outcome": "failed", "reason": self._lambda.said(words), "category": category.value}


def _status(value: Any) -> int:
    """Return the `statusCode` of an answer made for API Gateway; 0 when there is none."""
    found = at(value, "statusCode")
    if isinstance(found, str) and found.isdecimal() and len(found) == 3:
        return int(found)
    return found if isinstance(found, int) else 0


def _behind(value: Any, key: str) -> str:
    found = at(value, key)
    if found in (None, "", {}, []):
        return ""
    return f": {found if isinstance(found, str) else msgspec.json.encode(found).decode()}"


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: LambdaTrigger) -> Trigger:
        return it

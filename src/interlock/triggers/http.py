"""Start a job by one HTTP request; look at it, and stop it, by others where the target offers that.

What an answer says about the start:

| answer                                              | started  | category  |
|-----------------------------------------------------|----------|-----------|
| nothing was sent (name, connection, TLS)            | no       | TRANSIENT |
| the address or the request is not permitted         | no       | PERMANENT |
| sent, and no complete answer                        | unknown  | TRANSIENT, or TIMEOUT |
| 408, 425, 429, and 503 with `Retry-After`           | no       | TRANSIENT |
| 409: something goes by this name or key already     | unknown  | PERMANENT |
| any other 4xx, a redirect, 501                      | no       | PERMANENT |
| any other 5xx                                       | unknown  | TRANSIENT |
| success, but not as the `success` rule wants it     | no       | PERMANENT |
| success, and unreadable where the rule wants to read| unknown  | PERMANENT |

"Unknown" stays unknown for an `idempotent` target: there the same request is safe to repeat, under the same key, and that
is what `repeatable` says. Were it called "not started", a new attempt under a new key could start a second job.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from interlock.clients.http import HttpForbidden, HttpReply, HttpTimeout, HttpTrouble
from interlock.clients.redaction import without_secrets
from interlock.clients.texts import cleaned, redacted
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext

_ERROR_BODY: Final = 512
_LATER: Final = (408, 425, 429)
_GONE: Final = (404, 410)
_HARMLESS_HEADERS: Final = ("accept", "content-type", "user-agent")

Method: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z]{3,10}$")]
Scalar: TypeAlias = str | int | float | bool | None


class SuccessRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which answer to the start means that the job was started."""

    status: Annotated[tuple[int, ...], Meta(description="The statuses that mean success; by default 200 to 299.")] = ()
    path: Annotated[str, Meta(description="Where in the JSON answer to look, such as data.accepted.")] = ""
    equals: Annotated[Scalar | UnsetType, Meta(description="What must be found there.")] = UNSET


class StatusRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the answer of the status URL is read. Words are compared without regard to case."""

    path: Annotated[str, Meta(description="Where in the JSON answer the state stands.")] = "status"
    running: Annotated[tuple[str, ...], Meta(description="States of a job that goes on.")] = (
        "accepted",
        "pending",
        "queued",
        "running",
        "started",
    )
    succeeded: Annotated[tuple[str, ...], Meta(description="States of a job that did its work.")] = (
        "complete",
        "completed",
        "done",
        "finished",
        "succeeded",
        "success",
    )
    failed: Annotated[tuple[str, ...], Meta(description="States of a job that did not.")] = (
        "aborted",
        "canceled",
        "cancelled",
        "error",
        "failed",
        "timeout",
    )


class HttpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The request that starts the job, and those that follow it."""

    url: Annotated[str, Meta(min_length=1, description="What is asked to start the job.")]
    method: Method = "POST"
    headers: Annotated[dict[str, str], Meta(description="Headers of every request to the target.")] = {}
    body: Annotated[
        str | dict[str, Any] | list[Any] | None, Meta(description="A text, sent as it is; or a value, sent as JSON.")
    ] = None
    timeout: Annotated[float, Meta(gt=0, le=3600, description="Seconds for one request.")] = 30
    success: SuccessRule = SuccessRule()
    idempotent: Annotated[bool, Meta(description="The target heeds Idempotency-Key: repeating starts nothing new.")] = (
        False
    )
    run_id_path: Annotated[str, Meta(description="Where in the answer the target's own id of the job stands.")] = ""
    status_url: Annotated[str, Meta(description="Where to look at the job; {id} stands for its id.")] = ""
    status_method: Method = "GET"
    status: StatusRule = StatusRule()
    cancel_url: Annotated[str, Meta(description="How to stop the job; {id} stands for its id.")] = ""
    cancel_method: Method = "POST"

    def __post_init__(self) -> None:
        if self.success.path and self.success.equals is UNSET:
            raise ValueError("`success.path` needs `success.equals`: what must be found there")


class HttpTrigger:
    """Starts jobs by HTTP. Without a status URL a job runs until it reports its own end by callback."""

    Config = HttpConfig

    def __init__(self, config: HttpConfig, context: TriggerContext) -> None:
        if context.http is None:
            raise MissingExtra("the trigger 'http'", "http")
        self.repeatable = config.idempotent
        self.watchable = bool(config.status_url)
        self._http = context.http
        self._config = config
        self._context = context

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Send the request; see the table at the top of this module."""
        try:
            reply = self._send(self._config.method, self._config.url, job, timeout, body=self._body())
        except HttpTrouble as exc:
            reply = self._without_a_whole_answer(exc)
        found = _json(reply)
        self._check_success(reply, found)
        if not self._config.run_id_path:
            return JobHandle(id=job.key)
        own = _at(found, self._config.run_id_path)
        if isinstance(own, str | int) and not isinstance(own, bool) and str(own):
            return JobHandle(id=str(own))
        # T-22: without an id nobody could ever look at the job.
        words = f"the job was started, but its id is not in the answer at {self._config.run_id_path!r}"
        raise TriggerError(words, category="PERMANENT", started=True)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Ask the status URL, where it names this job by its key or run; otherwise nobody can know."""
        url = self._config.status_url
        by_key = "{id}" in url and not self._config.run_id_path
        run_id = job.run.run_id
        by_run = run_id in url or quote(run_id, safe="") in url
        if not (by_key or by_run):
            return Absent.UNKNOWN
        try:
            reply = self._send(self._config.status_method, _filled(url, job.key), job, timeout)
        except HttpTrouble:
            return Absent.UNKNOWN
        if reply.status in _GONE:
            return Absent.CERTAINLY
        if reply.status >= 300 or (job.attempt > 1 and not by_key):
            # What is there under the run's name may be an earlier attempt.
            return Absent.UNKNOWN
        if not self._config.run_id_path:
            return JobHandle(id=job.key)
        own = _at(_json(reply), self._config.run_id_path)
        return JobHandle(id=str(own)) if isinstance(own, str | int) and str(own) else Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Ask the status URL. Without one the job is taken to run until it says otherwise itself."""
        if not self._config.status_url:
            return JobReport(state=JobState.RUNNING)
        url = _filled(self._config.status_url, handle.id)
        try:
            reply = self._send(self._config.status_method, url, job, timeout)
        except HttpTrouble as exc:
            return JobReport(state=JobState.UNSEEN, reason=str(exc))
        if reply.status in _GONE:
            return JobReport(state=JobState.VANISHED, reason=f"the target knows no such job ({reply.status})")
        if not 200 <= reply.status < 300:
            return JobReport(state=JobState.UNSEEN, reason=self._described(reply))
        return self._read(_at(_json(reply), self._config.status.path))

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask the cancel URL.

        Raises:
            TriggerError: there is none, or it did not agree.
        """
        if not self._config.cancel_url:
            raise TriggerError(
                "an http trigger without `cancelUrl` cannot stop its job: stop it in the target system",
                category="PERMANENT",
                started=True,
            )
        url = _filled(self._config.cancel_url, handle.id)
        try:
            reply = self._send(self._config.cancel_method, url, job, timeout)
        except HttpTrouble as exc:
            raise TriggerError(f"the job could not be stopped: {exc}", started=True) from exc
        if reply.status >= 300 and reply.status not in _GONE:
            raise TriggerError(f"the job could not be stopped: {self._described(reply)}", started=True)

    def _send(self, method: str, url: str, job: Job, timeout: timedelta, *, body: bytes | None = None) -> HttpReply:
        headers = {name.lower(): value for name, value in self._config.headers.items()}
        if body is not None:
            headers.setdefault("content-type", "application/json")
        headers["x-interlock-run-id"] = job.run.run_id
        headers["x-interlock-attempt"] = str(job.attempt)
        headers["idempotency-key"] = job.key
        if callback := self._context.callback_url(job):
            headers["x-interlock-callback-url"] = callback
        if job.traceparent:
            headers["traceparent"] = job.traceparent
        within = min(timeout, timedelta(seconds=self._config.timeout))
        return self._http.send(method.upper(), url, headers=headers, body=body, timeout=within)

    def _body(self) -> bytes | None:
        body = self._config.body
        if body is None:
            return None
        return body.encode() if isinstance(body, str) else msgspec.json.encode(body)

    def _without_a_whole_answer(self, exc: HttpTrouble) -> HttpReply:
        """Return what is known of an answer whose body was not had; raise when not even its status is known."""
        wanted = self._config.run_id_path or self._config.success.path
        if exc.status is not None and (exc.status >= 300 or not wanted):
            return HttpReply(exc.status, (), b"")
        category = FailureCategory.TIMEOUT if isinstance(exc, HttpTimeout) else FailureCategory.TRANSIENT
        if isinstance(exc, HttpForbidden):
            category = FailureCategory.PERMANENT
        raise TriggerError(str(exc), category=category.value, started=None if exc.sent else False) from exc

    def _check_success(self, reply: HttpReply, found: Any) -> None:
        rule = self._config.success
        status = reply.status
        expected = status in rule.status if rule.status else 200 <= status < 300
        if expected and not rule.path:
            return
        if expected and _at(found, rule.path) == rule.equals:
            return
        category, started = _verdict(reply, expected=expected)
        if expected and found is None:
            started = None
        raise TriggerError(self._described(reply), category=category, started=started)

    def _described(self, reply: HttpReply) -> str:
        secrets = [*self._context.secrets()]
        for name, value in self._config.headers.items():
            if name.lower() not in _HARMLESS_HEADERS:
                secrets += [value, *value.split()]
        text = redacted(reply.body[: 4 * _ERROR_BODY].decode(errors="replace"), secrets)
        body = cleaned(without_secrets(text), _ERROR_BODY)
        return f"the target answered {reply.status}" + (f": {body}" if body else "")

    def _read(self, word: Any) -> JobReport:
        rule = self._config.status
        state = _word(word)
        if state in map(str.casefold, rule.succeeded):
            return JobReport(state=JobState.SUCCEEDED)
        if state in map(str.casefold, rule.failed):
            words = f"the target says {cleaned(state, 100)}"
            return JobReport(state=JobState.FAILED, reason=words, category=FailureCategory.TRANSIENT)
        if state in map(str.casefold, rule.running):
            return JobReport(state=JobState.RUNNING)
        shown = f"an unknown state {cleaned(state, 100)!r}" if state else "no state"
        words = f"the target's answer has {shown} at {rule.path!r}: list it under `status`"
        return JobReport(state=JobState.UNSEEN, reason=words)


def _verdict(reply: HttpReply, *, expected: bool) -> tuple[str, bool | None]:
    """Return the category of an answer that is no success, and whether something was started."""
    status = reply.status
    if expected:
        return "PERMANENT", False
    if status in _LATER or (status == 503 and reply.header("retry-after")):
        return "TRANSIENT", False
    if status == 409:
        return "PERMANENT", None
    if status in (301, 302, 307, 308, 501) or 400 <= status < 500:
        return "PERMANENT", False
    return ("TRANSIENT" if status >= 500 else "PERMANENT"), None


def _filled(url: str, own: str) -> str:
    return url.replace("{id}", quote(own, safe=""))


def _json(reply: HttpReply) -> Any:
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path in a JSON value, or None; numbers count into lists."""
    for step in path.removeprefix("$.").split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).casefold() if isinstance(value, str | int) else ""


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: HttpTrigger) -> Trigger:
        return it

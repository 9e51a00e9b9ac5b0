"""What triggers over HTTP and AWS have in common: how an answer is read, and what it says about the start of a job.

What an answer to a start means:

| answer                                              | started  | category  |
|-----------------------------------------------------|----------|-----------|
| nothing was sent (name, connection, TLS)            | no       | TRANSIENT |
| the address or the request is not permitted         | no       | PERMANENT |
| sent, and no complete answer                        | unknown  | TRANSIENT, or TIMEOUT |
| 408, 425, 429, and 503 with `Retry-After`           | no       | TRANSIENT |
| 409: something goes by this name or key already     | unknown  | PERMANENT |
| any other 4xx, a redirect, 501                      | no       | PERMANENT |
| any other 5xx                                       | unknown  | TRANSIENT |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from interlock.clients.aws import AwsTrouble
from interlock.clients.http import HttpForbidden, HttpReply, HttpSender, HttpTimeout, HttpTrouble
from interlock.clients.redaction import fit
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError

ERROR_BODY: Final = 512
_LATER: Final = (408, 425, 429)
_HARMLESS_HEADERS: Final = ("accept", "content-type", "user-agent")

SecretText: TypeAlias = Annotated[str, Meta(extra={"secret": True})]
"""A text that a file may not hold itself: a reference such as ${secret:NAME} or ${env:NAME} stands there."""


class Verdict(NamedTuple):
    """What an answer says about a start; `started` is None where nobody can know."""

    category: FailureCategory
    started: bool | None


def verdict(reply: HttpReply) -> Verdict:
    """Return what an answer that is no success says about the start it answers; see the table above."""
    status = reply.status
    if status in _LATER or (status == 503 and reply.header("retry-after")):
        return Verdict(FailureCategory.TRANSIENT, started=False)
    if status == 409:
        return Verdict(FailureCategory.PERMANENT, started=None)
    if status in (301, 302, 307, 308, 501) or 400 <= status < 500:
        return Verdict(FailureCategory.PERMANENT, started=False)
    return Verdict(FailureCategory.TRANSIENT if status >= 500 else FailureCategory.PERMANENT, started=None)


def unanswered(exc: HttpTrouble) -> TriggerError:
    """Return the error of a start whose request got no complete answer."""
    category = FailureCategory.TIMEOUT if isinstance(exc, HttpTimeout) else FailureCategory.TRANSIENT
    if isinstance(exc, HttpForbidden):
        category = FailureCategory.PERMANENT
    return TriggerError(str(exc), category=category.value, started=None if exc.sent else False)


def refused_by_aws(exc: AwsTrouble) -> TriggerError:
    """Return the error of a start that AWS did not accept, or of which nobody can know whether it did."""
    return TriggerError(str(exc), category=exc.category.value, started=exc.done)


def json_of(reply: HttpReply) -> Any:
    """Return the JSON value of an answer; None when there is none, or it cannot be read."""
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        return None


def at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path in a JSON value, or None; numbers count into lists."""
    for step in path.removeprefix("$.").split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def described(reply: HttpReply, secrets: Iterable[str], who: str = "the target") -> str:
    """Return an answer in words, without the given secrets and whatever else looks like one."""
    body = fit(reply.body[: 4 * ERROR_BODY].decode(errors="replace"), secrets, ERROR_BODY)
    return f"{who} answered {reply.status}" + (f": {body}" if body else "")


def secrets_of(headers: Mapping[str, str]) -> list[str]:
    """Return what of the headers of a request must not be repeated."""
    found: list[str] = []
    for name, value in headers.items():
        if name.lower() not in _HARMLESS_HEADERS:
            found += [value, *value.split()]
    return found


class JsonApi:
    """A JSON API of a target system: requests under one address, with its headers, within a limit of time each."""

    def __init__(self, http: HttpSender, base: str, *, who: str, within: timedelta) -> None:
        self._http = http
        self._base = base.rstrip("/")
        self._within = within
        self.who = who

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        timeout: timedelta,
        body: Any = None,
    ) -> HttpReply:
        """Send one request; `body` is sent as JSON.

        Raises:
            HttpTrouble: no complete answer was had.
        """
        fields = {"accept": "application/json", **{name.lower(): value for name, value in headers.items()}}
        content = None
        if body is not None:
            fields["content-type"] = "application/json"
            content = msgspec.json.encode(body)
        return self._http.send(
            method, self._base + path, headers=fields, body=content, timeout=min(timeout, self._within)
        )

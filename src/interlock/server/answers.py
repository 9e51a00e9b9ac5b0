"""Answers with their headers: problem documents for every kind of trouble, also HTTP's own."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from interlock.api.problems import INTERNAL, MEDIA_TYPE, kind_of, problem_of
from interlock.clients.texts import cleaned
from interlock.errors import Busy, Contention, InterlockError, ServerUnavailable, StoreUnavailable, Unauthorized

if TYPE_CHECKING:
    from litestar.types import Send

Headers = tuple[tuple[bytes, bytes], ...]

_log: Final = logging.getLogger("interlock.server")

_SOON: Final = (StoreUnavailable, Contention, ServerUnavailable)
_CHALLENGE: Final[Headers] = ((b"www-authenticate", b'Bearer realm="interlock"'),)


class HttpProblem(InterlockError):
    """Trouble of HTTP itself, which no operation knows. `close`: nothing more can be read from this connection."""

    def __init__(self, status: HTTPStatus, message: str, *, headers: Headers = (), close: bool = False) -> None:
        self.status = status
        self.headers = (*headers, (b"connection", b"close")) if close else headers
        super().__init__(message)


class Answer(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


def problem_answer(error: Exception, instance: str = "") -> Answer:
    """Write any error as an answer. What nobody foresaw is logged with its trace, and not told."""
    if isinstance(error, HttpProblem):
        body = _http_problem(error, instance)
        return _answer(error.status, body, error.headers)
    kind = kind_of(error)
    if kind is INTERNAL:
        _log.error("an unforeseen fault while answering %s", cleaned(instance, 200) or "a request", exc_info=error)
    body = problem_of(error, instance)
    return _answer(kind.status, body, _headers(error, body))


def _http_problem(error: HttpProblem, instance: str) -> dict[str, Any]:
    code = error.status.name.lower()
    body: dict[str, Any] = {
        "type": f"urn:interlock:problem:{code}",
        "title": error.status.phrase,
        "status": error.status.value,
        "code": code,
        "detail": str(error),
        "error": str(error),
    }
    return body | ({"instance": instance} if instance else {})


def _headers(error: Exception, body: Mapping[str, Any]) -> Headers:
    if isinstance(error, Unauthorized):
        return _CHALLENGE
    if isinstance(error, Busy):
        return ((b"retry-after", b"%d" % max(1, math.ceil(body.get("retryAfter", 1)))),)
    return ((b"retry-after", b"1"),) if isinstance(error, _SOON) else ()


def _answer(status: int, body: Mapping[str, Any], headers: Headers) -> Answer:
    encoded = msgspec.json.encode(body, order="deterministic")
    return Answer(status, ((b"content-type", MEDIA_TYPE.encode()), *headers), encoded)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer."""
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})

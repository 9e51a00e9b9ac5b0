"""One request from its words to its answer, without a socket: what to send, how long to wait, when to give up.

`exchange` is a conversation with whoever has a socket: it yields what to do, and is sent what came of it. The blocking
and the asynchronous client differ in nothing else.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from interlock.api.contract import Request, answer_of, arrived, in_path, travelling
from interlock.api.problems import error_of
from interlock.api.wire import decode_answer, decode_bare
from interlock.client.settings import Seconds, Settings, traceparent
from interlock.clients.http import HttpForbidden, HttpReply, HttpTimeout, HttpTooLarge, HttpTrouble
from interlock.codec.evaluator_protocol import harmless
from interlock.errors import Busy, ConfigError, Contention, Invalid, ServerUnavailable, StoreUnavailable

T = TypeVar("T")

TRIES: Final = 4
FIRST_PAUSE: Final = 0.25
_PASSING: Final = (429, 502, 503, 504)
_MESSAGE: Final = 4096


class Send(NamedTuple):
    """Send this, and come back with the answer or the trouble within `timeout` seconds."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float


class Pause(NamedTuple):
    """Wait."""

    seconds: float


Step: TypeAlias = Send | Pause
Outcome: TypeAlias = HttpReply | HttpTrouble | None


def exchange(
    request: Request[T],
    settings: Settings,
    *,
    timeout: Seconds | None = None,
    clock: Callable[[], float] = monotonic,
) -> Generator[Step, Outcome, T]:
    """Have one request answered.

    What is safe to repeat is tried again, by `TRIES`, as long as its time permits; so is what was certainly not done.

    Raises:
        InterlockError: there is no answer, or it is no. Nothing else.
    """
    endpoint = request.endpoint
    until = clock() + settings.patience(slow=endpoint.slow, timeout=timeout)
    method, url, body = written(request, settings.base)
    request_id = secrets.token_hex(8)
    headers = settings.headers(request_id) | traceparent(sys.modules)
    if body is not None:
        headers["content-type"] = "application/json"
    repeatable = request.harmless_twice
    tries = 0
    while True:
        tries += 1
        outcome = yield Send(method, url, headers, body, max(until - clock(), 0.001))
        if isinstance(outcome, HttpReply) and 200 <= outcome.status < 300:
            return read(type(request), outcome, settings)
        error, wait = judged(outcome, settings, repeatable=repeatable, request_id=request_id)
        if wait is None or tries >= TRIES:
            raise error
        # At least as long as the server asked for, and a little apart from all others that it asked.
        pause = max(wait, FIRST_PAUSE * 2 ** (tries - 1)) * (1 + int(request_id, 16) / 2**66)
        if clock() + pause >= until:
            raise error
        yield Pause(pause)


def written(request: Request[Any], base: str) -> tuple[str, str, bytes | None]:
    """Return method, URL and body of a request.

    Raises:
        Invalid: it cannot be understood; the server would say the same.
    """
    try:
        method, path, query, body = travelling(request)
        packed = None if body is None else msgspec.json.encode(body)
        plain = {name: value for name, value in msgspec.to_builtins(request).items() if value is not None}
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise Invalid(f"what is asked cannot be written as JSON: {exc}") from exc
    require_sound(type(request), plain, body)
    if any(part in (".", "..") for part in path.split("/")):
        raise Invalid(f"{path!r} is no path: a name cannot be a dot, or two")
    return method, f"{base}{path}{'?' if query else ''}{urlencode(query)}", packed


def require_sound(kind: type[Request[Any]], plain: Mapping[str, Any], body: Mapping[str, Any] | None) -> None:
    """Refuse here what the server would refuse: without a round trip, and before half of a path is something else.

    Raises:
        Invalid: something is missing, or of the wrong type or size.
    """
    path = {name: plain[name] for name in in_path(kind) if name in plain}
    if body is None:
        arrived(kind, path, {name: value for name, value in plain.items() if name not in path}, None)
    else:
        arrived(kind, path, {}, dict(body))


def read(kind: type[Request[T]], reply: HttpReply, settings: Settings) -> T:
    """Read the answer out of a success.

    Raises:
        ServerUnavailable: it is none of Interlock's.
    """
    answer: Any = answer_of(kind)
    if answer is None:
        return None  # type: ignore[return-value]  # T is None here
    media = reply.header("content-type").partition(";")[0].strip().lower()
    if media != "application/json":
        raise ServerUnavailable(
            f"{settings.server} answered with {media[:100] or 'nothing that says what it is'!r}, which is not Interlock: "
            f"is the address right, and is there a login page between? {done(kind)}"
        )
    try:
        if kind.endpoint.bare:
            found: T = decode_bare(answer, reply.body, reply.header("x-next-cursor") or None)
        else:
            found = decode_answer(answer, reply.body)
    except (ServerUnavailable, ValueError, RecursionError) as exc:
        raise ServerUnavailable(f"{settings.server}: {harmless(str(exc), _MESSAGE)}. {done(kind)}") from exc
    return found


def done(kind: type[Request[Any]]) -> str:
    """Say what is known of a request whose answer was not understood or not had."""
    if kind.endpoint.method == "GET":
        return "Nothing was changed by asking"
    return "What was asked may or may not have been done"


def judged(
    outcome: Outcome, settings: Settings, *, repeatable: bool, request_id: str
) -> tuple[Exception, float | None]:
    """Return the error that an outcome is, and after how many seconds at least another try is permitted; None: never."""
    if isinstance(outcome, HttpReply):
        return _declined(outcome, settings, repeatable=repeatable, request_id=request_id)
    if not isinstance(outcome, HttpTrouble):
        raise TypeError("a request was sent, and nothing came of it")
    if isinstance(outcome, HttpForbidden):
        return ConfigError(f"nothing can be sent: {outcome}"), None
    what = _unsure(repeatable=repeatable) if outcome.sent else "Nothing was asked of it"
    if isinstance(outcome, HttpTooLarge):
        return ServerUnavailable(f"{outcome}: ask for less, by a smaller limit. {what}"), None
    if not outcome.sent:
        error = ServerUnavailable(
            f"{outcome}. Is `interlock serve` running there, and is the address right? {what} (request {request_id})"
        )
        # Another try after the time for connecting was used up would only make the caller wait as long once more.
        return error, None if isinstance(outcome, HttpTimeout) else 0.0
    error = ServerUnavailable(f"{outcome}. {what} (request {request_id})")
    return error, 0.0 if repeatable and not isinstance(outcome, HttpTimeout) else None


def _declined(
    reply: HttpReply, settings: Settings, *, repeatable: bool, request_id: str
) -> tuple[Exception, float | None]:
    if 300 <= reply.status < 400:
        where = _redirected(reply.header("location"))
        words = f"{settings.server} redirects {where}; that is not followed, because of the key: give the right address"
        return ServerUnavailable(words), None
    error = _told(reply, settings, request_id)
    if reply.status not in _PASSING:
        return error, None
    # Too busy means: not done. Everything else of these may have been done in part.
    if not (repeatable or isinstance(error, Busy)):
        return error, None
    return error, asked_to_wait(reply, datetime.now(UTC))  # noqa: TID251  (a date in Retry-After means the wall's clock)


def _redirected(location: str) -> str:
    # Scheme, host and port alone: paths and queries carry tokens.
    try:
        there = urlsplit(location)
    except ValueError:
        return "elsewhere"
    return harmless(f"to {there.scheme}://{there.netloc.rpartition('@')[2]}", 200) if there.netloc else "elsewhere"


def _told(reply: HttpReply, settings: Settings, request_id: str) -> Exception:
    try:
        body = msgspec.json.decode(reply.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {}
    said = body.get("detail") or body.get("error")
    if isinstance(said, str):
        body["detail"] = harmless(said, _MESSAGE) if not said.replace("\n", "").isprintable() else said[:_MESSAGE]
    else:
        body["detail"] = f"{settings.server} answered with HTTP status {reply.status} and no word of Interlock's"
    if "problems" in body:
        body["problems"] = _harmless(body["problems"])
    error = error_of(reply.status, body)
    if isinstance(error, ServerUnavailable | StoreUnavailable | Contention):
        error.args = (f"{error} (request {request_id})",)
    return error


def _harmless(problems: object) -> list[dict[str, str | int]]:
    """Return the problems of a document, each text of them one line that no terminal obeys; none, where they are none."""
    try:
        found = msgspec.convert(problems, list[dict[str, str | int]])
    except msgspec.ValidationError:
        return []
    return [{name: _line(value) for name, value in each.items()} for each in found]


def _line(value: str | int) -> str | int:
    return harmless(value, _MESSAGE) if isinstance(value, str) else value


def asked_to_wait(reply: HttpReply, now: datetime) -> float:
    """Return how many seconds a server asks to be left alone, by its header `Retry-After`."""
    said = reply.header("retry-after").strip()
    if not said:
        return 0.0
    if said.isascii() and said.isdigit():
        return float(said[:12])
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now) / timedelta(seconds=1), 0.0)


def _unsure(*, repeatable: bool) -> str:
    if repeatable:
        return "It is safe to ask again"
    return "What was asked may or may not have been done: look before asking again"

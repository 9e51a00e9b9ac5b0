"""Reading what a caller sends: never more than is allowed, never for longer, and never two ways of understanding it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from interlock.errors import Invalid
from interlock.server.answers import HttpProblem

if TYPE_CHECKING:
    from litestar.types import Receive

_DEPTH: Final = 64
_AT_ONCE: Final = 16 * 1024
_PARAMETERS: Final = 50
# The last is what `curl -d` calls whatever it sends. Pages of other sites may call it so, too; they are kept out by where
# they come from, not by this.
_JSON: Final = (b"application/json", b"text/json", b"application/x-www-form-urlencoded")


class Limits(NamedTuple):
    """How many bytes a body may have, and how many seconds it may take to arrive."""

    size: int = 1024 * 1024
    patience: float = 30.0


Aside: TypeAlias = Callable[[Callable[[], object]], Awaitable[object]]
"""Has something done elsewhere than on the event loop, and returns what came of it."""


class Gone(Exception):
    """The caller went away before it had said what it wants: there is nobody to answer, and nothing to do."""


async def read_json(headers: Mapping[bytes, bytes], receive: Receive, limits: Limits, aside: Aside) -> object:
    """Read a JSON body; None where there is none. A large one is taken apart `aside`, so that nobody else waits for it.

    Raises:
        HttpProblem: it is too long, too slow or something else than JSON.
        Invalid: it is no JSON that can be understood in one way only.
        Gone: the caller went away.
        Busy: too many large ones are being read already.
    """
    import asyncio  # who has the whole body already needs no event loop

    told = headers.get(b"content-length", b"0")
    if told.isdigit() and int(told[:20]) > limits.size:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.patience):
            body = await _read(receive, limits)
    except TimeoutError:
        message = f"the body did not arrive within {limits.patience:g} seconds"
        raise HttpProblem(HTTPStatus.REQUEST_TIMEOUT, message, close=True) from None
    read = partial(json_of, headers, body, limits)
    return read() if len(body) <= _AT_ONCE else await aside(read)


def json_of(headers: Mapping[bytes, bytes], body: bytes, limits: Limits) -> object:
    """Read a JSON body that has arrived; None where there is none.

    Raises:
        HttpProblem: it is too long, or something else than JSON.
        Invalid: it is no JSON that can be understood in one way only.
    """
    if len(body) > limits.size:
        raise _too_large(limits)
    if not body:
        return None
    _require_json(headers.get(b"content-type", b""))
    return parsed(body)


async def _read(receive: Receive, limits: Limits) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        assert message["type"] == "http.request"  # noqa: S101  (for the type checker: HTTP has no third)
        part = message.get("body", b"")
        size += len(part)
        if size > limits.size:
            raise _too_large(limits)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def parsed(body: bytes) -> object:
    """Read JSON strictly: no NaN, no key twice, no text that is no Unicode, no deeper than 64 levels.

    Raises:
        Invalid: it is not that; the message says where.
    """
    try:
        found = msgspec.json.decode(body)
        # msgspec takes the last of two equal keys, other readers the first: what is meant should not depend on the reader.
        json.loads(body, object_pairs_hook=_without_doubles)
    except RecursionError:
        raise Invalid(f"the body is nested more than {_DEPTH} levels deep") from None
    except ValueError as exc:
        raise Invalid(f"the body is no JSON: {_worded(exc)}") from None
    if _deeper(found, _DEPTH):
        raise Invalid(f"the body is nested more than {_DEPTH} levels deep")
    return found


def query_of(raw: bytes) -> dict[str, str]:
    """Read a query string.

    Raises:
        Invalid: a name stands there twice, there are too many, or it is no text.
    """
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS)
    except UnicodeError:
        raise Invalid("the query is no text in UTF-8") from None
    except ValueError:
        raise Invalid(f"the query has more than {_PARAMETERS} parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid(f"the query parameter {name[:100]!r} is there twice")
        found[name] = value
    return found


def _require_json(given: bytes) -> None:
    kind, _, parameters = given.partition(b";")
    kind = kind.strip().lower()
    if kind and kind not in _JSON and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        shown = kind[:100].decode("latin-1")
        message = f"the body is said to be {shown!r}; send JSON with Content-Type: application/json"
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    charset = parameters.lower().replace(b'"', b"").replace(b" ", b"")
    if charset.startswith(b"charset=") and charset not in (b"charset=utf-8", b"charset=utf8", b"charset=us-ascii"):
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON travels in UTF-8: send it without another charset")


def _too_large(limits: Limits) -> HttpProblem:
    message = f"the body is longer than {limits.size} bytes (server.maxRequestBody)"
    return HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, close=True)


def _without_doubles(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"the key {name[:100]!r} is there twice in one object")
        seen.add(name)


def _deeper(value: object, depth: int) -> bool:
    layer = [value]
    for _ in range(depth + 1):
        nested = [each for each in layer if isinstance(each, dict | list)]
        if not nested:
            return False
        layer = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return True


def _worded(exc: ValueError) -> str:
    # msgspec: "JSON is malformed: trailing characters (byte 12)"; a number of 5,000 digits is Python's own trouble.
    return str(exc).removeprefix("JSON is malformed: ").removeprefix("Input data was ")

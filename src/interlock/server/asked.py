"""What is known of one request while it is answered: who asks, by what number, and what it turned out to be about."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from interlock.errors import Unauthorized
from interlock.server.keys import Caller

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

_KEY: Final = "interlock"
_GOOD_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


class Asked:
    """One request. The entrance makes it; the routes add what they learn. `known`: whether its key is still good."""

    __slots__ = ("address", "caller", "headers", "known", "operation", "pipeline", "request_id", "route", "run")

    def __init__(self, headers: dict[bytes, bytes], address: str) -> None:
        self.headers = headers
        self.address = address
        self.request_id = _request_id(headers.get(b"x-request-id", b""))
        self.caller: Caller | None = None
        self.known: Callable[[], bool] = lambda: True
        self.route = ""
        self.operation = ""
        self.pipeline = ""
        self.run = ""

    @property
    def actor(self) -> str:
        """Who asks, for the record."""
        return self.caller.actor if self.caller is not None else ""


def keep(scope: Any, asked: Asked) -> None:
    """Put what is known of a request where those that answer it find it."""
    scope[_KEY] = asked


def asked_of(scope: Any) -> Asked:
    """Return what is known of a request."""
    asked: Asked = scope[_KEY]
    return asked


def learn(asked: Asked, operation: str, path_params: Mapping[str, Any]) -> None:
    """Keep what a route says of a request: which operation it is, on which pipeline, and on which run."""
    asked.operation = operation
    asked.run = str(path_params.get("runId", path_params.get("rerunId", "")))
    asked.pipeline = str(path_params.get("pipelineId", asked.run.partition(":")[0]))


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Return who asks, for a handler of one's own.

    Raises:
        Unauthorized: the route is open, and nobody said who asks.
    """
    caller = asked_of(connection.scope).caller
    if caller is None:
        raise Unauthorized("nobody said who asks")
    return caller


def _request_id(given: bytes) -> str:
    # What a caller makes up is written into logs and headers: only what can do no harm there is taken over.
    return given.decode("ascii") if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)

"""What becomes of a request on its way to the operations and back, whatever it came through."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from interlock.api.contract import Request, arrived
from interlock.api.wire import Bare, encode_answer, encode_bare
from interlock.clients.texts import cleaned
from interlock.errors import NotFound, StoreError
from interlock.operations.desk import Desk, WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.wiring import Interlock
from interlock.server.answers import Answer, Headers
from interlock.server.asked import Asked
from interlock.server.audit import Audit
from interlock.server.doorway import SAFE
from interlock.server.keys import Caller

JSON: Final = "application/json"
BODILESS: Final = ("GET", "DELETE")

R = TypeVar("R", bound=Request[Any])

Said: TypeAlias = tuple[Mapping[str, str], object]
"""What a request says besides its path: its query, and its decoded body."""

_SHOWN: Final = 1000
_log: Final = logging.getLogger("interlock.server")
_TRACE: Final = (b"traceparent", b"tracestate")


class Clerk:
    """Reads requests in a caller's name, carries them out, and leaves behind what is to be known of them."""

    def __init__(self, work: Interlock, audit: Audit, desk: Callable[[Interlock, str], Desk] = WorkDesk) -> None:
        self._work = work
        self._audit = audit
        self._desk = desk

    def require_place(self, kind: type[Request[Any]], asked: Asked, caller: Caller) -> None:
        """See to it that a caller may touch what the address names, before anything else of the request is read.

        Raises:
            NotAllowed: it may not.
        """
        if asked.pipeline or "pipeline_id" not in kind.__struct_fields__:
            caller.require_pipeline(asked.pipeline or None)

    def read(self, kind: type[R], asked: Asked, caller: Caller, holds: Mapping[str, Any], said: Said) -> R:
        """Read a request: what its path holds, and what else was said.

        Raises:
            Invalid: it cannot be understood.
            NotAllowed: it is about a pipeline that the caller may not touch.
        """
        query, body = said
        request = arrived(kind, holds, query, body)
        if not asked.pipeline:
            asked.pipeline = getattr(request, "pipeline_id", None) or ""
            caller.require_pipeline(asked.pipeline or None)
        if kind.endpoint.document and isinstance(body, dict):
            asked.pipeline = str(body.get("name", ""))  # for the record: who registered what
        return request

    @contextmanager
    def discreet(self, caller: Caller) -> Iterator[None]:
        """See to it that what goes wrong says no more than this caller may know."""
        try:
            yield
        except NotFound as exc:
            if caller.pipelines:  # the words name what there is instead, which is not for a key of some pipelines only
                raise NotFound("there is no such thing among what this key is good for") from exc
            raise
        except StoreError as exc:
            # Where the project lies is the operator's business: the log has it whole.
            _log.warning("%s", cleaned(str(exc), _SHOWN))
            exc.args = (str(exc).replace(f"{self._work.project.root}/", ""), *exc.args[1:])
            raise

    def do(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
        """Carry a request out, as part of the trace that it belongs to.

        Raises:
            InterlockError: it was not done, or not all of it.
        """
        with self._work.observers.incoming(trace_of(asked.headers)):
            return self._done_and_told(request, caller, asked)

    def _done_and_told(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
        if request.endpoint.method in SAFE:
            return self._done(request, caller)
        try:
            done = self._done(request, caller)
            self._audit.sign(asked)
        finally:
            self._work.ring()
        return done

    def _done(self, request: Request[Any], caller: Caller) -> Bare:
        answer = perform(request, self._desk(self._work, caller.actor))
        return encode_bare(answer) if request.endpoint.bare else Bare(encode_answer(answer), None)


def success(kind: type[Request[Any]], done: Bare, path: str, query: Mapping[str, str]) -> Answer:
    """Return the answer to a request that was carried out; `path` and `query` are what was asked, decoded."""
    status = kind.endpoint.success
    media: Headers = () if status == HTTPStatus.NO_CONTENT else ((b"content-type", JSON.encode()),)
    return Answer(status, (*media, *_onward(path, query, done.next)), done.body)


def trace_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return what headers say of the trace that a request belongs to (W3C Trace Context)."""
    return {name.decode(): headers[name].decode("latin-1") for name in _TRACE if name in headers}


def _onward(path: str, query: Mapping[str, str], cursor: str | None) -> Headers:
    if cursor is None:
        return ()
    link = f'<{quote(path, safe="/:@,")}?{urlencode({**query, "cursor": cursor})}>; rel="next"'
    return ((b"link", link.encode()), (b"x-next-cursor", cursor.encode()))

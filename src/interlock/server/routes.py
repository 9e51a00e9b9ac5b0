"""Routes made of the contract: each kind of request becomes one handler that parses, calls and dumps."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from importlib import import_module
from inspect import isclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from litestar import Request as Incoming
from litestar import Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from interlock.api.contract import Endpoint, Request, arrived
from interlock.api.judging import Evaluate
from interlock.api.wire import Bare, encode_answer, encode_bare
from interlock.clients.texts import cleaned
from interlock.errors import InterlockError, NotFound, StoreError
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.operations.slots import chosen_slot
from interlock.runtime.wiring import Interlock
from interlock.server.asked import Asked, asked_of, caller_of
from interlock.server.audit import Audit
from interlock.server.bodies import Limits, query_of, read_json
from interlock.server.crews import Crew, Crews, Flights, outcome
from interlock.server.doorway import SAFE
from interlock.server.keys import Caller

Kind = type[Request[Any]]

MODULES: Final = (
    "judging",
    "running",
    "rerunning",
    "gating",
    "planning",
    "registering",
    "looking",
    "alerting",
    "controlling",
    "sensing",
)
"""The modules of `interlock.api` whose requests have routes, in the order in which people should read them."""

_SHOWN: Final = 1000
_log: Final = logging.getLogger("interlock.server")
_BODILESS: Final = ("GET", "DELETE")
_JSON: Final = "application/json"
_TRACE: Final = (b"traceparent", b"tracestate")


def kinds() -> tuple[Kind, ...]:
    """Return every kind of request that the contract knows, in the order of its modules and their lines."""
    found: list[Kind] = []
    for name in MODULES:
        module = import_module(f"interlock.api.{name}")
        found += (each for each in vars(module).values() if _is_request(each) and each.__module__ == module.__name__)
    return tuple(found)


def _is_request(found: object) -> bool:
    return isclass(found) and issubclass(found, Request) and hasattr(found, "endpoint")


class Carrier:
    """Carries requests out: on which threads, and with what left behind."""

    def __init__(self, work: Interlock, audit: Audit, crews: Crews, limits: Limits) -> None:
        self._work = work
        self._crews = crews
        self._limits = limits
        self._audit = audit
        self._evaluations: Flights[Bare] = Flights()

    async def carry(self, kind: Kind, incoming: Incoming[Any, Any, Any]) -> Response[bytes]:
        """Answer one request.

        Raises:
            InterlockError: it was not done.
        """
        asked = asked_of(incoming.scope)
        endpoint, caller = kind.endpoint, caller_of(incoming)
        if asked.pipeline or "pipeline_id" not in kind.__struct_fields__:
            caller.require_pipeline(asked.pipeline or None)
        body = None
        if endpoint.method not in _BODILESS:
            body = await read_json(asked.headers, incoming.receive, self._limits, self._crews.large.start)
        query = query_of(incoming.scope["query_string"])
        request = arrived(kind, incoming.path_params, query, body)
        if not asked.pipeline:
            asked.pipeline = getattr(request, "pipeline_id", None) or ""
            caller.require_pipeline(asked.pipeline or None)
        if endpoint.document and isinstance(body, dict):
            asked.pipeline = str(body.get("name", ""))  # for the record: who registered what
        done = await self._discreetly(request, caller, asked)
        headers = {} if done.next is None else _onward(incoming, query, done.next)
        media = None if endpoint.success == HTTPStatus.NO_CONTENT else _JSON
        return Response(done.body, status_code=endpoint.success, headers=headers, media_type=media)

    async def _discreetly(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
        """Carry a request out; what goes wrong says no more than this caller may know."""
        try:
            return await self._carried_out(request, caller, asked)
        except NotFound as exc:
            if caller.pipelines:  # the words name what there is instead, which is not for a key of some pipelines only
                raise NotFound("there is no such thing among what this key is good for") from exc
            raise
        except StoreError as exc:
            # Where the project lies is the operator's business: the log has it whole.
            _log.warning("%s", cleaned(str(exc), _SHOWN))
            exc.args = (str(exc).replace(f"{self._work.project.root}/", ""), *exc.args[1:])
            raise

    async def _carried_out(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
        crew = self._crew_for(request.endpoint)
        begin = partial(crew.start, partial(self._do, request, caller, asked))
        if isinstance(request, Evaluate):
            return await outcome(self._evaluations.board(self._flight_of(request), begin))
        return await outcome(begin())

    def _crew_for(self, endpoint: Endpoint) -> Crew:
        if not endpoint.slow:
            return self._crews.quick
        return self._crews.reports if endpoint.method in SAFE else self._crews.slow

    def _do(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
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
        answer = perform(request, WorkDesk(self._work, caller.actor))
        return encode_bare(answer) if request.endpoint.bare else Bare(encode_answer(answer), None)

    def _flight_of(self, request: Evaluate) -> Hashable:
        try:
            spec = self._work.catalog.project.pipelines[request.pipeline_id].spec
            return chosen_slot(spec, self._work.clock.now(), request.schedule, request.date)
        except (InterlockError, KeyError):
            return request  # what is wrong with it, the evaluation says


def handlers(carrier: Carrier, chosen: Iterable[Kind]) -> list[HTTPRouteHandler]:
    """Make the handlers of some kinds of requests."""
    return [_handler(carrier, kind) for kind in chosen]


def _handler(carrier: Carrier, kind: Kind) -> HTTPRouteHandler:
    async def carry(request: Incoming[Any, Any, Any]) -> Response[bytes]:
        return await carrier.carry(kind, request)

    endpoint = kind.endpoint
    return HTTPRouteHandler(
        endpoint.path.replace("}", ":str}"),
        http_method=[HttpMethod(endpoint.method)],
        opt={"role": endpoint.role, "narrow": True},
        status_code=HTTPStatus.OK,  # each answer brings its own
        name=kind.__name__,
    )(carry)


def trace_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return what headers say of the trace that a request belongs to (W3C Trace Context)."""
    return {name.decode(): headers[name].decode("latin-1") for name in _TRACE if name in headers}


def _onward(incoming: Incoming[Any, Any, Any], query: Mapping[str, str], cursor: str) -> dict[str, str]:
    path = quote(incoming.scope["path"], safe="/:@,")
    return {"Link": f'<{path}?{urlencode({**query, "cursor": cursor})}>; rel="next"', "X-Next-Cursor": cursor}

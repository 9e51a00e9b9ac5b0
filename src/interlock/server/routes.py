"""Routes made of the contract: each kind of request becomes one handler that parses, calls and dumps."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from litestar import Request as Incoming
from litestar import Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from interlock.api.contract import Endpoint, Request
from interlock.api.judging import Evaluate
from interlock.api.wire import Bare
from interlock.errors import InterlockError
from interlock.operations.slots import chosen_slot
from interlock.runtime.wiring import Interlock
from interlock.server.answers import Answer
from interlock.server.asked import Asked, asked_of, caller_of
from interlock.server.audit import Audit
from interlock.server.bodies import Limits, query_of, read_json
from interlock.server.carrying import BODILESS, Clerk, success
from interlock.server.crews import Crew, Crews, Flights, outcome
from interlock.server.doorway import SAFE
from interlock.server.keys import Caller
from interlock.server.kinds import Kind


class Carrier:
    """Carries requests out, each on the threads that it belongs to."""

    def __init__(self, work: Interlock, audit: Audit, crews: Crews, limits: Limits) -> None:
        self._work = work
        self._crews = crews
        self._limits = limits
        self._clerk = Clerk(work, audit)
        self._evaluations: Flights[Bare] = Flights()

    async def carry(self, kind: Kind, incoming: Incoming[Any, Any, Any]) -> Response[bytes]:
        """Answer one request.

        Raises:
            InterlockError: it was not done.
        """
        asked = asked_of(incoming.scope)
        caller = caller_of(incoming)
        self._clerk.require_place(kind, asked, caller)
        body = None
        if kind.endpoint.method not in BODILESS:
            body = await read_json(asked.headers, incoming.receive, self._limits, self._crews.large.start)
        query = query_of(incoming.scope["query_string"])
        request = self._clerk.read(kind, asked, caller, incoming.path_params, (query, body))
        with self._clerk.discreet(caller):
            done = await self._carried_out(request, caller, asked)
        return response(success(kind, done, incoming.scope["path"], query))

    async def _carried_out(self, request: Request[Any], caller: Caller, asked: Asked) -> Bare:
        crew = self._crew_for(request.endpoint)
        begin = partial(crew.start, partial(self._clerk.do, request, caller, asked))
        if isinstance(request, Evaluate):
            return await outcome(self._evaluations.board(self._flight_of(request), begin))
        return await outcome(begin())

    def _crew_for(self, endpoint: Endpoint) -> Crew:
        if not endpoint.slow:
            return self._crews.quick
        return self._crews.reports if endpoint.method in SAFE else self._crews.slow

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


def response(answer: Answer) -> Response[bytes]:
    """Return an answer as the framework sends it."""
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    # The framework adds the charset of texts itself.
    media = headers.pop("content-type", "").partition("; charset")[0] or None
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=media)

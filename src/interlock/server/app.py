"""The server: the contract's routes, a few of its own, and the entrance before them all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from litestar import Litestar, Response
from litestar import Request as Incoming
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp

from interlock.api.contract import Role
from interlock.config.project import ServerSpec
from interlock.errors import Unauthorized
from interlock.runtime.wiring import Interlock
from interlock.server.answers import HttpProblem, problem_answer
from interlock.server.asked import asked_of, learn
from interlock.server.audit import Audit
from interlock.server.bodies import Gone, Limits
from interlock.server.crews import LARGE, QUICK, REPORTS, SLOW, Crew, Crews, Size
from interlock.server.entrance import Entrance
from interlock.server.facts import own_routes
from interlock.server.keys import is_loopback, require_guarded, ring_of
from interlock.server.kinds import Kind, Routes, kinds, wrong_method
from interlock.server.routes import Carrier, handlers, response

OPEN_PATHS: Final = frozenset({"/api/health", "/livez", "/readyz"})
"""What may be asked without a key: exactly these."""


_log: Final = logging.getLogger("interlock.server")


class Gauges(NamedTuple):
    """What the server shows of its process: plain counters, and metrics as their content type and text."""

    counters: Callable[[], Mapping[str, int]] = dict
    metrics: Callable[[], tuple[str, bytes]] | None = None


class Bounds(NamedTuple):
    """How much is done at once, and how long is waited for a body."""

    quick: Size = QUICK
    slow: Size = SLOW
    reports: Size = REPORTS
    large: Size = LARGE
    patience: float = 30.0


_NO_GAUGES: Final = Gauges()
_BOUNDS: Final = Bounds()


def create_app(
    work: Interlock,
    spec: ServerSpec,
    *,
    extra: Sequence[HTTPRouteHandler] = (),
    gauges: Gauges = _NO_GAUGES,
    env: Mapping[str, str] | None = None,
    bounds: Bounds = _BOUNDS,
    chosen: Sequence[Kind] | None = None,
) -> Litestar:
    """Make the server of a project at work; `spec` is what its files say of the server. Nothing is listened to yet.

    `extra` are route handlers of the caller's own. Each says who may use it: `opt={"role": Role.READ}` for holders of a
    role, `opt={"open": True}` for everybody, which is taken only for `OPEN_PATHS`; one that says neither is refused. A key
    that is good for some pipelines only may use it if it says `"narrow": True` too, and then asks
    `asked.caller_of(request)` which these are (`require_pipeline`). What it raises is answered as a problem document.

    Requests are carried out by threads of the application, which end with its life span: call `work.break_off` first, so
    that questions to evaluators do not hold it up.

    Raises:
        ConfigError: a key cannot be used, or the server would be open to everybody on the network.
    """
    ring = ring_of(spec, os.environ if env is None else env)
    require_guarded(spec, ring)
    if spec.tls is None and not spec.trusted_proxies and not is_loopback(spec.host):
        _log.warning("%s is served without TLS: whoever can listen on the way learns the keys (server.tls)", spec.addr)
    crews = Crews(*(Crew(name, getattr(bounds, name)) for name in Crews._fields))
    audit = Audit(work)
    carrier = Carrier(work, audit, crews, Limits(spec.max_request_body, bounds.patience))
    served = kinds() if chosen is None else tuple(chosen)
    own = own_routes(served, gauges.counters, gauges.metrics)
    routes = [*handlers(carrier, served), *own, *extra]
    known = Routes(served, [path for each in (*own, *extra) for path in each.paths])
    app = Litestar(
        route_handlers=routes,
        guards=[_require_leave],
        exception_handlers={Exception: partial(_on_error, known)},
        on_shutdown=[partial(_close, crews)],
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
        request_max_body_size=spec.max_request_body,
    )
    entrance = Entrance(app.asgi_handler, spec, ring, audit, open_paths=_open_paths(routes))
    app.asgi_handler = _behind_proxies(entrance, spec)
    return app


def _behind_proxies(entrance: Entrance, spec: ServerSpec) -> ASGIApp:
    """Believe the proxies that are trusted, and nobody else, where a request comes from and whether it came by TLS."""
    if not spec.trusted_proxies:
        return entrance
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    return ProxyHeadersMiddleware(entrance, trusted_hosts=list(spec.trusted_proxies))  # type: ignore[arg-type,return-value]


def _open_paths(routes: Sequence[HTTPRouteHandler]) -> frozenset[str]:
    found = set()
    for each in routes:
        is_open, role = each.opt.get("open", False), each.opt.get("role")
        if is_open == isinstance(role, Role) or not each.paths:
            raise TypeError(f'the handler of {each.paths} says neither opt={{"role": Role.…}} nor opt={{"open": True}}')
        if is_open and not each.paths <= OPEN_PATHS:
            raise TypeError(f"the handler of {each.paths} cannot be open: only {', '.join(sorted(OPEN_PATHS))} are")
        found |= each.paths if is_open else set()
    return frozenset(found)


def _require_leave(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let in who has the role that a handler asks for."""
    learn(asked_of(connection.scope), handler.name or "", connection.path_params)
    if handler.opt.get("open", False):
        return
    caller = asked_of(connection.scope).caller
    if caller is None:
        raise Unauthorized("nobody said who asks")
    # What the framework adds by itself, the answers to OPTIONS, says nothing that reading does not.
    caller.require(handler.opt.get("role", Role.READ))
    if not handler.opt.get("narrow", False):
        caller.require_pipeline(None)


def _on_error(routes: Routes, request: Incoming[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, Gone):
        raise error
    path = request.scope["path"]
    return response(problem_answer(_plain(error, path, routes), path))


def _plain(error: Exception, path: str, routes: Routes) -> Exception:
    """Return the framework's errors as our own."""
    if not isinstance(error, HTTPException):
        return error
    if error.status_code == HTTPStatus.NOT_FOUND:
        return routes.nowhere(path)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return wrong_method((error.headers or {}).get("allow", "").split(", "))
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return HttpProblem(HTTPStatus(error.status_code), str(error.detail))
    return error


def _close(crews: Sequence[Crew]) -> None:
    for each in crews:
        each.close()

"""What the server shows of itself: its version, its counters and metrics, its contract, and a page to read that on."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from interlock.api.contract import Role
from interlock.errors import NotFound
from interlock.server.docs_page import CSP, STYLE, page
from interlock.server.openapi import document
from interlock.server.routes import Kind
from interlock.version import __version__

_JSON: Final = "application/json"
_READ: Final[Mapping[str, Any]] = {"role": Role.READ, "narrow": True}
_READ_ALL: Final[Mapping[str, Any]] = {"role": Role.READ}

Shown = Callable[[], Response[bytes]]


def own_routes(
    served: Sequence[Kind],
    counters: Callable[[], Mapping[str, int]],
    metrics: Callable[[], tuple[str, bytes]] | None,
) -> list[HTTPRouteHandler]:
    """Make the handlers of what the server says of itself. All of it takes a key, where there are keys."""
    described = document(served)
    contract, readable = msgspec.json.encode(described), page(described).encode()

    def show_metrics() -> Response[bytes]:
        if metrics is None:
            raise NotFound("this server keeps no metrics; /debug/vars has plain counters")
        kind, text = metrics()
        # The framework adds the charset itself.
        return Response(text, media_type=kind.partition("; charset")[0])

    def version() -> Response[bytes]:
        said = {"name": "interlock", "version": __version__, "python": platform.python_version()}
        return Response(msgspec.json.encode(said), media_type=_JSON)

    def variables() -> Response[bytes]:
        return Response(msgspec.json.encode(dict(counters()), order="sorted"), media_type=_JSON)

    def openapi() -> Response[bytes]:
        return Response(contract, media_type=_JSON)

    def docs() -> Response[bytes]:
        return Response(readable, media_type="text/html", headers={"content-security-policy": CSP})

    def style() -> Response[bytes]:
        return Response(STYLE.encode(), media_type="text/css")

    return [
        _route("/version", version, _READ),
        _route("/debug/vars", variables, _READ_ALL),
        _route("/metrics", show_metrics, _READ_ALL),
        _route("/openapi.json", openapi, _READ),
        _route("/docs", docs, _READ),
        _route("/docs/style.css", style, _READ),
    ]


def _route(path: str, show: Shown, opt: Mapping[str, Any]) -> HTTPRouteHandler:
    async def answer() -> Response[bytes]:
        return show()

    return HTTPRouteHandler(path, http_method=["GET"], opt=opt, status_code=200, name=path)(answer)

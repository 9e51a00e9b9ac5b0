"""What the server shows of itself: its version, its counters and metrics, its contract, and a page to read that on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from interlock.api.contract import Role
from interlock.errors import NotFound
from interlock.server.answers import Answer
from interlock.server.carrying import JSON
from interlock.server.kinds import Kind
from interlock.server.pages import pages
from interlock.server.routes import response

_READ: Final[Mapping[str, Any]] = {"role": Role.READ, "narrow": True}
_READ_ALL: Final[Mapping[str, Any]] = {"role": Role.READ}


def own_routes(
    served: Sequence[Kind],
    counters: Callable[[], Mapping[str, int]],
    metrics: Callable[[], tuple[str, bytes]] | None,
) -> list[HTTPRouteHandler]:
    """Make the handlers of what the server says of itself. All of it takes a key, where there are keys."""

    def show_metrics() -> Answer:
        if metrics is None:
            raise NotFound("this server keeps no metrics; /debug/vars has plain counters")
        kind, text = metrics()
        return Answer(200, ((b"content-type", kind.encode()),), text)

    def variables() -> Answer:
        shown = msgspec.json.encode(dict(counters()), order="sorted")
        return Answer(200, ((b"content-type", JSON.encode()),), shown)

    return [
        *(_route(path, cache(show), _READ) for path, show in pages(served).items()),
        _route("/debug/vars", variables, _READ_ALL),
        _route("/metrics", show_metrics, _READ_ALL),
    ]


def _route(path: str, show: Callable[[], Answer], opt: Mapping[str, Any]) -> HTTPRouteHandler:
    async def answer() -> Response[bytes]:
        return response(show())

    return HTTPRouteHandler(path, http_method=["GET"], opt=opt, status_code=200, name=path)(answer)

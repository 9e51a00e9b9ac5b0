"""What load balancers, container engines and monitors ask: open to everybody, cheap, and telling nothing secret."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from interlock.server.health import Health

PATHS: Final = ("/api/health", "/livez", "/readyz")
"""Exactly these need no key."""

_OK: Final = {"status": "ok"}
_DEGRADED: Final = {"status": "degraded"}


def probes(state: Health) -> list[HTTPRouteHandler]:
    """Return the handlers of the three health paths."""

    @get("/api/health", **_open("health", "Whether the server, its store and its threads work."))
    async def health() -> Response[bytes]:
        well = await state.well()
        return _answer(_OK if well else _DEGRADED, fine=well)

    @get("/livez", **_open("live", "Whether the process answers at all: if it does not, start it again."))
    async def live() -> Response[bytes]:
        return _answer(_OK, fine=True)

    @get("/readyz", **_open("ready", "Whether requests should be sent here, check by check."))
    async def ready() -> Response[bytes]:
        view = await state.ready()
        return _answer(view, fine=view.status == "ok")

    return [health, live, ready]


def _open(name: str, summary: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "operation_id": name,
        "tags": ["health"],
        "media_type": "application/json",
        "opt": {"open": True},
    }


def _answer(body: object, *, fine: bool) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=200 if fine else 503,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )

"""`GET /api/stream`: what happens, as it happens, by server-sent events.

Every event is a line of a timeline, its name the line's kind and its id a place to go on from. `reset` says that something
may be missing: read the timelines, and go on listening. `lagged` says that the listener was too slow, and is the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from interlock.api.contract import Role
from interlock.core.chronicle import EventKind
from interlock.errors import Invalid
from interlock.operations.pipelines import known_name
from interlock.runtime.wiring import Interlock
from interlock.server.asked import asked_of, caller_of
from interlock.server.hub import Hub, Lagged, Listener, Wanted

PATH: Final = "/api/stream"
HEARTBEAT: Final = 15.0
RETRY: Final = 2_000
"""After so many milliseconds a browser connects again."""

_KINDS: Final = frozenset(kind.value for kind in EventKind)
_PARAMETERS: Final = ("pipeline", "kinds")
_RESET: Final = "what happened since then is not remembered: read the timelines"
_LAGGED: Final = "you read more slowly than things happen: read the timelines, and connect again"


def stream_of(hub: Hub, work: Interlock, *, heartbeat: float = HEARTBEAT) -> HTTPRouteHandler:
    """Return the handler of the stream."""

    @get(
        PATH,
        name="stream",
        operation_id="stream",
        tags=["events"],
        summary="What happens, as it happens: server-sent events.",
        media_type="text/event-stream",
        opt={"role": Role.READ, "narrow": True},
    )
    async def stream(request: Request[Any, Any, Any]) -> Stream:
        wanted = wanted_of(dict(request.query_params))
        caller_of(request).require_pipeline(wanted.pipeline or None)
        if wanted.pipeline:
            await asyncio.to_thread(known_name, work.catalog.project, work.store, wanted.pipeline)
        last_id = request.headers.get("last-event-id", "")
        listener, missing = await hub.join(wanted, last_id)
        return Stream(
            frames(hub, listener, missing=missing, heartbeat=heartbeat, known=asked_of(request.scope).known),
            media_type="text/event-stream; charset=utf-8",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return stream


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """Read what somebody wants to listen to.

    Raises:
        Invalid: a parameter, or a kind, is unknown.
    """
    for name in query:
        if name not in _PARAMETERS:
            raise Invalid(f"{name[:100]!r} is no query parameter of GET {PATH} (there are: {', '.join(_PARAMETERS)})")
    kinds = frozenset(filter(None, (kind.strip() for kind in query.get("kinds", "").split(","))))
    for kind in sorted(kinds - _KINDS):
        near = get_close_matches(kind.upper(), _KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(_KINDS))}"
        raise Invalid(f"kinds: no event is of the kind {kind[:100]!r} ({hint})")
    return Wanted(query.get("pipeline", ""), kinds)


async def frames(
    hub: Hub, listener: Listener, *, missing: bool, heartbeat: float, known: Callable[[], bool] = lambda: True
) -> AsyncIterator[bytes]:
    """Yield what a listener is sent, until the server stops, its key is taken away, or it is too slow."""
    memory = hub.memory
    try:
        yield f"retry: {RETRY}\n: connected\n\n".encode()
        if missing:
            yield _told("reset", _RESET, memory.id_of(listener.place - 1))
        while not hub.closed and known():
            listener.news.clear()
            found = memory.after(listener.place)
            if found:
                listener.place = found[-1].number + 1
                wire = b"".join(each.wire for each in found if listener.wanted.takes(each))
                if wire:
                    yield wire
                continue
            try:
                await asyncio.wait_for(listener.news.wait(), heartbeat)
            except TimeoutError:
                yield b": still here\n\n"
    except Lagged:
        yield _told("lagged", _LAGGED)
    finally:
        hub.leave(listener)


def _told(event: str, reason: str, place: str = "") -> bytes:
    data = msgspec.json.encode({"reason": reason}).decode()
    return (f"id: {place}\n" if place else "").encode() + f"event: {event}\ndata: {data}\n\n".encode()

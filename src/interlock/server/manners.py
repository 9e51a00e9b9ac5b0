"""What every answer carries, whatever it is to, and the line that is left of it in the log."""

from __future__ import annotations

import logging
import math
from typing import Final, NamedTuple

from interlock.clients.texts import cleaned
from interlock.server.answers import Headers
from interlock.server.asked import Asked

_access: Final = logging.getLogger("interlock.access")

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_SAID: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


def with_manners(headers: Headers, asked: Asked, *, secure: bool) -> Headers:
    """Return the headers of an answer with those that belong to all: its number, and what keeps browsers in their place."""
    said = [(name.lower(), value) for name, value in headers]
    names = {name for name, _ in said}
    said += [(b"x-request-id", asked.request_id.encode()), *_ALWAYS]
    said += [each for each in _UNLESS_SAID if each[0] not in names]
    return (*said, _HSTS) if secure else tuple(said)


class Exchange(NamedTuple):
    """A request that was answered: how, and how many seconds that took."""

    method: str
    path: str
    status: int
    took: float


def tell(exchange: Exchange, asked: Asked) -> None:
    """Leave a line in the log of what was asked, and how it was answered."""
    if not _access.isEnabledFor(logging.INFO):
        return
    method, path, status, took = exchange
    route = asked.route or cleaned(path, 200)
    milliseconds = math.floor(took * 1000)
    facts = {
        "requestId": asked.request_id,
        "actor": asked.actor,
        "address": asked.address,
        "method": method,
        "route": route,
        "status": status,
        "durationMs": milliseconds,
    }
    _access.info("%s %s %d %dms %s", method, route, status, milliseconds, asked.actor or asked.address, extra=facts)

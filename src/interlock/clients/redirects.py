"""Redirects are followed only where they lead back to whom was asked: the same scheme, host and port.

Whoever is asked gets credentials and may start jobs, so nobody else's word may send them on to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpSender

MOST: Final = 5
THE_SAME_REQUEST: Final = (307, 308)
"""These ask for the request to be sent again elsewhere as it is: nothing was done about it."""

ANY: Final = (301, 302, 303, 307, 308)
_PORTS: Final = {"http": 80, "https": 443}


def send_within_origin(
    http: HttpSender,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: timedelta,
    heeded: tuple[int, ...],
) -> HttpReply:
    """Send a request, and again wherever an answer of a `heeded` status leads within the origin; `MOST` times.

    `timeout` bounds all of it. A redirect that is not followed is returned as it is.

    Raises:
        HttpTrouble: the last request got no complete answer.
    """
    deadline = Deadline(timeout)
    for _ in range(MOST):
        reply = http.send(method, url, headers=headers, body=body, timeout=deadline.left())
        target = _within(url, reply.header("location")) if reply.status in heeded else ""
        if not target:
            return reply
        url = target
    return http.send(method, url, headers=headers, body=body, timeout=deadline.left())


def _within(url: str, location: str) -> str:
    """Return where a redirect leads, or nothing when that is another origin or no address at all."""
    try:
        old, new = urlsplit(url), urlsplit(urljoin(url, location))
        same = location and _origin(old) == _origin(new)
    except ValueError:
        return ""
    # With the credentials that the address had, and no others.
    return urlunsplit((old.scheme, old.netloc, new.path, new.query, "")) if same else ""


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)

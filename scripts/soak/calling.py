"""One HTTP request, whose failure is an answer too: status 0 is none at all."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What came back; `body` is the decoded JSON."""

    status: int
    body: Any


def call(method: str, url: str, body: object = None, timeout: float = 20) -> Answer:
    """Send one request."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout)
    try:
        payload = None if body is None else json.dumps(body)
        path = place.path + (f"?{place.query}" if place.query else "")
        connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
        answer = connection.getresponse()
        raw = answer.read()
        return Answer(answer.status, json.loads(raw) if raw else None)
    except (OSError, http.client.HTTPException, ValueError):
        return Answer(0, None)
    finally:
        connection.close()

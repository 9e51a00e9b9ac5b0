"""Requests to the Airflow of `airflow_stub.py`, and its answers."""

from __future__ import annotations

import enum
import json
import socket
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from interlock.testing.conformance.remote_triggers import Verb


class Also(enum.Enum):
    """Requests that faults can be about besides those that every target knows."""

    NOTE = "those that write a note"


class Reply(NamedTuple):
    """An answer. A body that is no text is sent as JSON."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    authorization: str

    @property
    def verb(self) -> Verb | Also | None:
        """What it is about, as faults are told apart."""
        if "/dagRuns" not in self.path:
            return None
        if self.method == "PATCH" and "note" in self.body:
            return Also.NOTE
        return {"POST": Verb.START, "GET": Verb.LOOK, "PATCH": Verb.STOP}.get(self.method)


def read(request: bytes) -> Asked:
    """Take a request apart."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = urlsplit(target)
    return Asked(
        method=method,
        path=parts.path,
        query=parse_qs(parts.query),
        body=json.loads(body) if body else None,
        authorization=headers.get("authorization", ""),
    )


def send(peer: socket.socket, reply: Reply) -> None:
    """Send an answer."""
    page = isinstance(reply.body, str)
    data = reply.body.encode() if page else json.dumps(reply.body).encode()
    kind = "text/html" if page else "application/json"
    head = f"HTTP/1.1 {reply.status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    peer.sendall(head.encode() + data)

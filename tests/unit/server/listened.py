"""An application on the real server, in a thread of this process; and sockets to talk to it byte by byte."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from interlock.config.project import TlsSpec
from interlock.server.asked import Asked, keep
from interlock.server.httpd import HttpServer
from interlock.server.keys import LOCAL
from interlock.server.listening import Address, listen

PATIENCE = 30.0


class Reply(NamedTuple):
    """An answer."""

    status: int
    head: str
    body: bytes


class Served:
    """A server at work."""

    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self.port = port

    def call(self, tls: ssl.SSLContext | None = None) -> socket.socket:
        """Connect."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return made if tls is None else tls.wrap_socket(made, server_hostname="localhost")

    def get(self, path: str, *, headers: str = "", tls: ssl.SSLContext | None = None) -> Reply:
        """Ask one thing on a connection of its own."""
        with self.call(tls) as caller:
            caller.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
            return reply_of(rest(caller))


def rest(caller: socket.socket) -> bytes:
    """Read until the other side closes."""
    found = bytearray()
    while True:
        try:
            part = caller.recv(65_536)
        except ConnectionResetError:
            return bytes(found)
        if not part:
            return bytes(found)
        found += part


def reply_of(wire: bytes) -> Reply:
    """Take an answer apart."""
    head, _, body = wire.partition(b"\r\n\r\n")
    return Reply(int(head.split()[1]), head.decode().lower(), body)


def as_local(app: Any) -> Any:
    """Let everybody be the one who may do everything, as the gate does where there are no keys."""

    async def gated(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked = Asked(dict(scope["headers"]), "127.0.0.1")
            asked.caller = LOCAL
            keep(scope, asked)
        await app(scope, receive, send)

    return gated


@contextmanager
def served(
    *handlers: HTTPRouteHandler, tls: TlsSpec | None = None, grace: timedelta = timedelta(seconds=5), **options: Any
) -> Iterator[Served]:
    """Have a bare application with these handlers at work meanwhile."""
    app = Litestar(route_handlers=list(handlers), openapi_config=None, logging_config=None, **options)
    with at_work(as_local(app), tls=tls, grace=grace) as it:
        yield it


@contextmanager
def at_work(app: Any, *, tls: TlsSpec | None = None, grace: timedelta = timedelta(seconds=5)) -> Iterator[Served]:
    """Have an application at work meanwhile."""
    sockets = listen(Address("127.0.0.1", 0))
    port = sockets[0].getsockname()[1]
    server = HttpServer(app, sockets, tls=tls, grace=grace)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Served(server, port)
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(comes_true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    ends = monotonic() + PATIENCE
    pause = threading.Event()
    while not comes_true():
        assert monotonic() < ends, "waited in vain"
        pause.wait(0.01)

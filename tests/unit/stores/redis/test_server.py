"""Servers that cannot keep a store: too old, or no Redis at all."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.redis.kernel import RedisKernel
from interlock.stores.redis.options import RedisOptions


@contextmanager
def _server(info: str | None) -> Iterator[str]:
    """Answer INFO with this text, or refuse it, and everything else as an empty server of old would."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
                if words[0] == b"INFO" and info is not None:
                    self.wfile.write(b"$%d\r\n%b\r\n" % (len(info), info.encode()))
                elif words[0] == b"GET":
                    self.wfile.write(b"$-1\r\n")
                else:
                    self.wfile.write(b"-ERR unknown command\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("version", ["2.8.24", "5.0.14", "6.0.16"])
def test_a_server_that_is_too_old_is_refused_by_its_version(version: str) -> None:
    """One line that says what is there and what is needed."""
    with (
        _server(f"# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n") as url,
        pytest.raises(StoreError, match=rf"it is Redis {version}, and Redis 6\.2 or any Valkey is needed") as told,
    ):
        RedisKernel(RedisOptions(url=url))
    assert not isinstance(told.value, StoreUnavailable)


@pytest.mark.parametrize(
    "info", ["redis_version:6.2.0\r\n", "redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n", "", None]
)
def test_one_that_is_new_enough_or_does_not_tell_is_used(info: str | None) -> None:
    """INFO may be forbidden: then what it can do will show."""
    with _server(info) as url:
        kernel = RedisKernel(RedisOptions(url=url))
        with pytest.raises(StoreError, match="does not allow a command that the store needs"):
            kernel.get("p", "a")
        kernel.close()


def test_something_else_that_answers_is_no_redis() -> None:
    """A web server, for instance."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        options = RedisOptions(url=f"redis://127.0.0.1:{server.server_address[1]}", timeout=timedelta(seconds=20))
        with pytest.raises(StoreError, match="what answers there is no Redis"):
            RedisKernel(options)
        thread.join()

"""The proxy of the fault tests fails exactly as it is told: a test that stands on it must not pass by luck."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

import pytest
from tests.servers.base import ServerFailed, until
from tests.servers.fixtures import have
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.service


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    redis_server.flush()
    with Proxy(redis_server) as proxy:
        yield proxy


class Client:
    """One connection that speaks inline commands."""

    def __init__(self, proxy: Proxy, *, patience: float = 20.0) -> None:
        self.wire = socket.create_connection((proxy.host, proxy.port), timeout=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def send(self, line: str) -> None:
        self.wire.sendall(line.encode() + b"\r\n")

    def ask(self, line: str) -> str:
        self.send(line)
        return self.wire.recv(1000).decode()

    def hears_nothing(self) -> bool:
        self.wire.settimeout(0.1)
        with suppress(TimeoutError):
            self.wire.recv(1000)
            return False
        self.wire.settimeout(20.0)
        return True


def test_a_healthy_proxy_passes_everything_on(proxy: Proxy) -> None:
    with Client(proxy) as client:
        assert client.ask("SET k v") == "+OK\r\n"
        assert client.ask("GET k") == "$1\r\nv\r\n"
    until(lambda: proxy.open_connections == 0, "a closed connection goes away")
    assert (proxy.accepted, proxy.lost) == (1, 0)


def test_a_lost_reply_belongs_to_a_request_that_was_done(proxy: Proxy, redis_server: RedisServer) -> None:
    with Client(proxy) as client:
        proxy.lose_reply(to=b"SET")
        assert client.ask("GET k") == "$-1\r\n"
        with pytest.raises(ConnectionResetError):
            client.ask("SET k v")
    assert redis_server.ask("GET", "k") == "v"
    assert proxy.lost == 1
    with Client(proxy) as client:
        assert client.ask("SET k w") == "+OK\r\n"


def test_a_lost_reply_can_leave_its_client_waiting(proxy: Proxy, redis_server: RedisServer) -> None:
    with Client(proxy) as client:
        proxy.lose_reply(hang=True)
        client.send("SET k v")
        proxy.wait_for_loss()
        assert client.hears_nothing()
        assert redis_server.ask("GET", "k") == "v"


def test_a_lost_request_never_comes_to_the_server(proxy: Proxy, redis_server: RedisServer) -> None:
    with Client(proxy) as client:
        proxy.lose_request(to=b"SET")
        with pytest.raises(ConnectionResetError):
            client.ask("SET k v")
    assert redis_server.ask("GET", "k") is None
    assert proxy.lost == 1


def test_the_words_of_a_request_may_come_in_two_pieces(proxy: Proxy, redis_server: RedisServer) -> None:
    with Client(proxy) as client:
        proxy.lose_request(to=b"SET k", hang=True)
        client.wire.sendall(b"SET")
        client.wire.sendall(b" k v\r\n")
        proxy.wait_for_loss()
    assert redis_server.ask("GET", "k") is None


def test_a_cut_resets_whoever_is_connected_and_nobody_else(proxy: Proxy) -> None:
    with Client(proxy) as client:
        assert client.ask("PING") == "+PONG\r\n"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.wire.recv(1)
    with Client(proxy) as client:
        assert client.ask("PING") == "+PONG\r\n"


def test_a_refusing_proxy_is_as_if_nobody_were_there_until_it_heals(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        Client(proxy)
    proxy.heal()
    with Client(proxy) as client:
        assert client.ask("PING") == "+PONG\r\n"


def test_a_hanging_proxy_holds_what_it_was_given_until_it_heals(proxy: Proxy, redis_server: RedisServer) -> None:
    with Client(proxy) as client:
        proxy.hang()
        client.send("SET k v")
        assert client.hears_nothing()
        assert redis_server.ask("GET", "k") is None
        proxy.heal()
        assert client.wire.recv(10) == b"+OK\r\n"


def test_a_delay_holds_in_each_direction(proxy: Proxy, redis_server: RedisServer) -> None:
    proxy.delay(to_client=30.0)
    with Client(proxy) as client:
        client.send("SET k v")
        until(lambda: redis_server.ask("GET", "k") == "v", "the request comes through at once")
        assert client.hears_nothing()
    proxy.delay(to_server=30.0)
    with Client(proxy) as client:
        client.send("DEL k")
        assert client.hears_nothing()
    assert redis_server.ask("GET", "k") == "v"


def test_a_url_that_does_not_lead_to_the_server_is_no_url_of_the_proxy(proxy: Proxy, redis_server: RedisServer) -> None:
    assert proxy.through(redis_server.url) == f"redis://{proxy.address}/0"
    with pytest.raises(AssertionError, match="does not lead to"):
        proxy.through("redis://127.0.0.1:1/0")


def test_a_server_that_goes_away_is_a_reset_for_the_next_client() -> None:
    with have("redis", RedisServer) as server, Proxy(server) as proxy:
        server.kill()
        with Client(proxy) as client:
            assert client.wire.recv(1) == b""
        server.start()
        with Client(proxy) as client:
            assert client.ask("PING") == "+PONG\r\n"


def test_waiting_for_a_loss_that_does_not_come_ends_with_its_count(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.proxy.until", lambda condition, what: until(condition, what, patience=0.01))
    with pytest.raises(ServerFailed, match="only 0 of 1"):
        proxy.wait_for_loss()

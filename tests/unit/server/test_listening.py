"""Listening before anything begins."""

from __future__ import annotations

import errno
import socket

import pytest

from interlock.errors import Busy, ConfigError
from interlock.server.listening import Address, address_of, close, listen, url_of

pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:3000", ("127.0.0.1", 3000)),
        ("[::1]:0", ("::1", 0)),
        (":8080", ("127.0.0.1", 8080)),
        ("host.example:65535", ("host.example", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    "text", ["", "3000", "host", "host:", "host:x", "::1:80", "h:65536", "a b:1", "u@h:1", "h:1234567"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 127\.0\.0\.1:3000"):
        address_of(text)


def test_somebody_who_connects_at_once_waits_and_is_not_refused() -> None:
    sockets = listen(Address("127.0.0.1", 0))
    with socket.create_connection(sockets[0].getsockname(), timeout=10):
        assert url_of(sockets, tls=True) == f"https://127.0.0.1:{sockets[0].getsockname()[1]}"
    close(sockets)


def test_a_taken_address_is_told_and_may_be_free_later() -> None:
    sockets = listen(Address("127.0.0.1", 0))
    port = sockets[0].getsockname()[1]
    with pytest.raises(Busy, match=r"something else does already; nothing was started.*--addr"):
        listen(Address("127.0.0.1", port))
    close(sockets)
    again = listen(Address("127.0.0.1", port))
    close(again)


def test_answers_are_sent_at_once_and_wait_for_no_acknowledgement() -> None:
    """asyncio turns Nagle's algorithm off for sockets that say that they are TCP, and for no others."""
    sockets = listen(Address("127.0.0.1", 0))
    sockets[0].settimeout(10)
    with socket.create_connection(sockets[0].getsockname(), timeout=10):
        accepted, _ = sockets[0].accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP
    close(sockets)


def test_every_address_of_a_name_has_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", (name, port)) for name in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    sockets = listen(Address("both", 0))
    assert len({each.getsockname()[1] for each in sockets}) == 1
    assert [each.getsockname()[0] for each in sockets] == ["127.0.0.1", "127.0.0.2"]
    close(sockets)


def test_an_address_that_is_missing_here_is_let_be_where_a_name_has_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", (name, port)) for name in ("192.0.2.1", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    sockets = listen(Address("both", 0))
    assert [each.getsockname()[0] for each in sockets] == ["127.0.0.1"]
    close(sockets)


def test_an_address_of_another_machine_cannot_be_listened_at() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0: .*Name an address of this machine"):
        listen(Address("192.0.2.1", 0))


def test_an_unknown_name_is_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(ConfigError, match=r"no host is named 'nowhere\.invalid'"):
        listen(Address("nowhere.invalid", 1))


def test_a_name_that_cannot_be_looked_up_just_now_may_be_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def later(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", later)
    with pytest.raises(Busy, match="just now"):
        listen(Address("slow.example", 1))


def test_a_port_without_permission_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: socket.socket, place: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden, raising=False)
    with pytest.raises(ConfigError, match=r"below port 1024.*CAP_NET_BIND_SERVICE"):
        listen(Address("127.0.0.1", 80))

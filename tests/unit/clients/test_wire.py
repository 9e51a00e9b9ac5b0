from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.addresses import AddressPolicy
from interlock.clients.http import HttpBroken, HttpClient, HttpTimeout, HttpUnreachable
from interlock.clients.wire import Wire

pytestmark = pytest.mark.enable_socket

SOON = timedelta(seconds=0.4)
LONG = timedelta(seconds=20)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "3650",
            "-keyout",
            str(key),
            "-out",
            str(cert),
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def test_tls_is_agreed_with_the_name_and_not_with_the_address(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    client = HttpClient(allow=["127.0.0.1", "::1"])
    with RawServer(reply("200 OK", b"safe"), tls=context) as server:
        assert client.send("GET", f"https://localhost:{server.port}/", timeout=LONG).body == b"safe"
        with pytest.raises(HttpUnreachable, match="TLS"):
            client.send("GET", f"https://127.0.0.1:{server.port}/", timeout=LONG)
    client.close()


def test_a_certificate_nobody_vouches_for_sends_nothing(
    client: HttpClient, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    """AWS-38."""
    with RawServer(reply(), tls=certificate[1]) as server:
        with pytest.raises(HttpUnreachable) as caught:
            client.send("POST", f"https://127.0.0.1:{server.port}/", body=b"secret", timeout=LONG)
        assert not caught.value.sent
        assert server.requests == []


def test_a_tls_partner_that_says_nothing_is_a_timeout_that_sent_nothing(client: HttpClient) -> None:
    def silent(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(10)

    with RawServer(silent, read=False) as server:
        with pytest.raises(HttpTimeout) as caught:
            client.send("GET", f"https://127.0.0.1:{server.port}/", timeout=SOON)
        assert not caught.value.sent
        server.stopping.set()


def test_the_first_address_that_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead address first must not be unreachable."""
    real = socket.getaddrinfo

    def two(host: str, port: int, *rest: int, **options: int) -> object:
        if host == "two.example" and not options.get("flags"):
            return [*real("127.0.0.2", port, **options), *real("127.0.0.1", port, **options)]
        return real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    client = HttpClient(allow=["two.example"])
    with RawServer(reply("200 OK", b"here")) as server:
        assert client.send("GET", f"http://two.example:{server.port}/", timeout=LONG).body == b"here"
    client.close()


def test_of_the_addresses_of_a_name_only_permitted_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-180: a harmless first address does not open the way to a private second one."""
    real = socket.getaddrinfo

    def two(host: str, port: int, *rest: int, **options: int) -> object:
        if host == "two.example" and not options.get("flags"):
            return [*real("127.0.0.2", port, **options), *real("127.0.0.1", port, **options)]
        return real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    client = HttpClient(allow=["127.0.0.2"])
    with RawServer(reply()) as server:
        with pytest.raises(HttpUnreachable):
            client.send("GET", f"http://two.example:{server.port}/", timeout=LONG)
        assert server.connections == 0
    client.close()


def test_a_partner_that_hangs_up_while_it_is_written_to_is_broken(client: HttpClient) -> None:
    def hang_up(peer: socket.socket, request: bytes) -> None:
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with RawServer(hang_up, read=False) as server, pytest.raises(HttpBroken) as caught:
        client.send("POST", server.url, body=b"x" * (32 << 20), timeout=LONG)
    assert caught.value.sent


def test_an_early_answer_to_a_request_that_was_not_read_counts(client: HttpClient) -> None:
    """A server may refuse a large body by its head alone, and close."""

    def refuse(peer: socket.socket, request: bytes) -> None:
        peer.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1 << 20):
            pass

    with RawServer(refuse, read=False) as server:
        assert client.send("POST", server.url, body=b"x" * (8 << 20), timeout=LONG).status == 413


def test_an_exchange_broken_off_just_as_it_connects_does_not_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        class Racing(Wire):
            def _connect(self, addresses: list[str], port: int) -> socket.socket:
                found = super()._connect(addresses, port)
                self.abort()  # from another thread, before this one knows its socket
                return found

        wire = Racing(policy=AddressPolicy(["127.0.0.1"]), deadline=monotonic() + 20, target="it")
        wire.connect_tcp("127.0.0.1", port)
        began = monotonic()
        with pytest.raises(HttpUnreachable, match="stopping"):
            wire.write(b"GET / HTTP/1.1")
        assert monotonic() - began < 5
        wire.close()

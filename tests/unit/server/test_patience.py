"""Callers who are slow, by accident or on purpose; and many of them at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from litestar import Request, get, post
from litestar.response import Stream
from tests.unit.server.listened import PATIENCE, Served, reply_of, rest, served, until

from interlock.config.project import TlsSpec
from interlock.errors import ConfigError
from interlock.server import httpd, patience

pytestmark = pytest.mark.enable_socket

HEARD = threading.Event()


@get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": "there"}


@post("/body", status_code=200)
async def body(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"size": len(await request.body())}


@get("/endless")
async def endless() -> Stream:
    async def much() -> Any:
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)
        finally:
            HEARD.set()

    return Stream(much())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADERS_WITHIN", 0.3)
    monkeypatch.setattr(patience, "BODY_WITHIN", 0.3)
    monkeypatch.setattr(patience, "READ_WITHIN", 0.3)


def test_an_answer_says_nothing_of_the_server_behind_it() -> None:
    with served(hello) as it:
        reply = it.get("/hello")
    assert (reply.status, reply.body) == (200, b'{"hello":"there"}')
    assert "uvicorn" not in reply.head
    assert "server:" not in reply.head


@pytest.mark.usefixtures("hasty")
def test_a_connection_that_says_nothing_is_closed() -> None:
    with served(hello) as it, it.call() as caller:
        assert rest(caller) == b""


@pytest.mark.usefixtures("hasty")
def test_headers_that_come_byte_by_byte_do_not_hold_a_place_for_ever() -> None:
    with served(hello) as it, it.call() as caller:
        stop = threading.Event()

        def drip() -> None:
            caller.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n")
            while not stop.wait(0.02):
                try:
                    caller.sendall(b"X")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            found = rest(caller)
        finally:
            stop.set()
            thread.join(PATIENCE)
    assert found == b"" or reply_of(found).status == 408


@pytest.mark.usefixtures("hasty")
def test_a_body_that_does_not_come_is_answered_and_the_connection_closed() -> None:
    with served(body) as it, it.call() as caller:
        caller.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        reply = reply_of(rest(caller))
    assert reply.status == 408
    assert "application/problem+json" in reply.head
    assert b"did not arrive in time" in reply.body


@pytest.mark.usefixtures("hasty")
def test_who_does_not_read_is_hung_up_on_and_what_was_for_it_is_dropped() -> None:
    HEARD.clear()
    with served(endless) as it, it.call() as caller:
        caller.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert HEARD.wait(PATIENCE)


@pytest.mark.usefixtures("hasty")
def test_a_later_request_on_a_connection_has_its_own_time() -> None:
    ask = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
    with served(hello, body) as it, it.call() as caller:
        for _ in range(3):
            caller.sendall(ask)
            assert reads(caller, b'{"hello":"there"}')
            threading.Event().wait(0.2)
        caller.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
        caller.sendall(b"abc")
        assert reads(caller, b'{"size":3}')
        caller.sendall(ask[:10])
        assert reply_of(rest(caller)).status == 408


def test_a_thousand_connections_that_say_nothing_keep_nobody_from_being_answered() -> None:
    with served(hello) as it:
        assert httpd.connections() > 1_200
        idle = [it.call() for _ in range(1_000)]
        try:
            for _ in range(20):
                assert it.get("/hello").status == 200
        finally:
            for each in idle:
                each.close()


def test_connections_beyond_the_most_take_no_files_from_those_that_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "connections", lambda: 3)
    with served(hello) as it:
        held = [it.call() for _ in range(3)]
        try:
            with it.call() as beyond:
                assert rest(beyond) == b""
            held.pop().close()
            held.pop().close()
            until(lambda: b"hello" in _answered(it))
        finally:
            for each in held:
                each.close()


def _answered(it: Served) -> bytes:
    with it.call() as caller:
        caller.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return rest(caller)


def test_headers_without_end_are_refused() -> None:
    with served(hello) as it, it.call() as caller:
        caller.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(20):
                caller.sendall(b"y" * 8192)
        except OSError:
            return  # it hung up before it was told everything, which is an answer, too
        assert reply_of(rest(caller)).status in (400, 431)


def test_what_is_under_way_is_answered_before_the_server_ends() -> None:
    entered, go = threading.Event(), threading.Event()

    @get("/slow", sync_to_thread=True)
    def slow() -> dict[str, str]:
        entered.set()
        assert go.wait(PATIENCE)
        return {"slow": "done"}

    with served(slow) as it, it.call() as caller:
        caller.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert entered.wait(PATIENCE)
        it.server.stop()
        until(lambda: refuses(it.port))
        go.set()
        reply = reply_of(rest(caller))
    assert (reply.status, reply.body) == (200, b'{"slow":"done"}')


def reads(caller: socket.socket, wanted: bytes) -> bool:
    found = b""
    while wanted not in found:
        part = caller.recv(4096)
        if not part:
            return False
        found += part
    return True


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except OSError:
        return True
    return False


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TlsSpec:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return TlsSpec(cert_file=folder / "cert.pem", key_file=folder / "key.pem")


def client_of(tls: TlsSpec) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tls.cert_file))


def test_with_a_certificate_everything_is_encrypted(certificate: TlsSpec) -> None:
    with served(hello, tls=certificate) as it:
        assert it.get("/hello", tls=client_of(certificate)).status == 200
        with it.call() as plain:
            plain.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in rest(plain)


def test_old_versions_of_tls_are_not_spoken(certificate: TlsSpec) -> None:
    assert httpd.context_of(certificate).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_where_callers_need_a_certificate_those_without_are_not_let_in(certificate: TlsSpec) -> None:
    mutual = TlsSpec(
        cert_file=certificate.cert_file, key_file=certificate.key_file, client_ca_file=certificate.cert_file
    )
    known = client_of(certificate)
    known.load_cert_chain(certificate.cert_file, certificate.key_file)
    with served(hello, tls=mutual) as it:
        assert it.get("/hello", tls=known).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
            it.get("/hello", tls=client_of(certificate))


@pytest.mark.parametrize("broken", ["missing", "garbage", "encrypted"])
def test_a_certificate_that_cannot_be_used_is_told_before_anything_begins(
    certificate: TlsSpec, tmp_path: Path, broken: str
) -> None:
    key = tmp_path / "key.pem"
    if broken == "garbage":
        key.write_text("no key")
    if broken == "encrypted":
        argv = [
            "openssl",
            "ec",
            "-in",
            str(certificate.key_file),
            "-aes128",
            "-passout",
            "pass:secret",
            "-out",
            str(key),
        ]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    with pytest.raises(ConfigError, match=r"server\.tls cannot be used.*nothing was started"):
        httpd.context_of(TlsSpec(cert_file=certificate.cert_file, key_file=key))

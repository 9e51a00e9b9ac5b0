"""Servers that do what no server should: each of them costs the caller one clear error, and bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.unit.client.ways import JSON, READINESS, READY, Ask, both
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.api.judging import Evaluate
from interlock.api.running import Run, Runs
from interlock.client import exchange
from interlock.client.aio import AsyncClient
from interlock.client.client import Client
from interlock.errors import Busy, ConfigError, InterlockError, ServerUnavailable

pytestmark = pytest.mark.enable_socket

KEY = "sesame-open-4711"
ASKED = Evaluate(pipeline_id="orders")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST_PAUSE", 0.01)


def one_after_another(*answers: Callable[[socket.socket, bytes], None]) -> Callable[[socket.socket, bytes], None]:
    waiting, lock = list(answers), threading.Lock()

    def answer(peer: socket.socket, request: bytes) -> None:
        with lock:
            chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        chosen(peer, request)

    return answer


def dripping(head: bytes) -> Callable[[socket.socket, bytes], None]:
    over = threading.Event()

    def answer(peer: socket.socket, request: bytes) -> None:
        with contextlib.suppress(OSError):
            peer.sendall(head)
            while not over.wait(0.02):
                peer.sendall(b" ")

    return answer


def begun(server: RawServer) -> None:
    until = monotonic() + 30
    while not server.requests and monotonic() < until:
        threading.Event().wait(0.005)


@both
def test_an_answer_is_read_into_its_view(ask: Ask) -> None:
    with RawServer(reply("200 OK", READY, JSON)) as server:
        view = ask(server.url, ASKED)
    assert (view.pipeline_id, view.status, view.blocking) == ("orders", "READY", ())


@both
def test_fields_of_a_later_server_are_let_be(ask: Ask) -> None:
    later = json.dumps({**READINESS, "weather": {"sunny": True}}).encode()
    with RawServer(reply("200 OK", later, JSON)) as server:
        assert ask(server.url, ASKED).status == "READY"


@both
def test_a_request_carries_the_key_a_request_id_and_its_json(ask: Ask) -> None:
    with RawServer(reply("200 OK", READY, JSON)) as server:
        ask(server.url + "/behind/a/proxy/", Evaluate(pipeline_id="orders", date="2026-03-07"), api_key=KEY)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /behind/a/proxy/api/pipelines/orders/evaluate HTTP/1.1")
    assert f"x-api-key: {KEY}".encode() in head.lower()
    assert b"x-request-id: " in head.lower()
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body) == {"date": "2026-03-07"}


@both
def test_a_plain_list_and_its_cursor_become_a_page(ask: Ask) -> None:
    with RawServer(reply("200 OK", b"[]", JSON, "X-Next-Cursor: further")) as server:
        page = ask(server.url, Runs(pipeline_id="orders", limit=3))
    assert (page.items, page.next) == ((), "further")
    assert server.requests[0].startswith(b"GET /api/pipelines/orders/runs?limit=3 HTTP/1.1")


@both
@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"]
)
def test_a_server_that_drips_holds_nobody_beyond_the_time(ask: Ask, head: bytes) -> None:
    before = monotonic()
    with RawServer(dripping(head)) as server, pytest.raises(ServerUnavailable, match="did not answer in time"):
        ask(server.url, ASKED, timeout=0.5)
    assert monotonic() - before < 20


@both
def test_nobody_at_home_is_told_with_the_address_in_seconds(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    before = monotonic()
    with pytest.raises(ServerUnavailable, match=rf"{url}: Connection refused.*interlock serve.*Nothing was asked"):
        ask(url, ASKED)
    assert monotonic() - before < 20


@both
def test_a_name_nobody_knows_is_told(ask: Ask) -> None:
    with pytest.raises(ServerUnavailable, match=r"http://no-such-host\.invalid"):
        ask("http://no-such-host.invalid", ASKED, timeout=5)


@both
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff\xfe" * 50,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
    ],
)
def test_garbage_and_half_answers_are_a_server_that_is_not_available(ask: Ask, data: bytes) -> None:
    with RawServer(raw(data)) as server, pytest.raises(ServerUnavailable, match="broke off"):
        ask(server.url, Run(pipeline_id="orders"))
    assert server.connections == 1


@both
def test_of_a_start_whose_answer_was_lost_nobody_says_that_it_did_not_happen(ask: Ask) -> None:
    with (
        RawServer(raw(b"HTTP/1.1 202 Acc")) as server,
        pytest.raises(ServerUnavailable, match="may or may not have been done: look before asking again"),
    ):
        ask(server.url, Run(pipeline_id="orders"))
    assert server.connections == 1


@both
def test_what_is_safe_to_repeat_is_asked_again_when_its_answer_was_lost(ask: Ask) -> None:
    with RawServer(one_after_another(raw(b"HTTP/1.1 2"), reply("200 OK", READY, JSON))) as server:
        assert ask(server.url, ASKED).status == "READY"
    assert server.connections == 2
    ids = {line for each in server.requests for line in each.lower().split(b"\r\n") if line.startswith(b"x-request-id")}
    assert len(ids) == 1


@both
@pytest.mark.parametrize(
    ("media", "body"),
    [("text/html", b"<html>Log in</html>"), ("application/json", b"<html>"), ("application/json", b'{"status": 1}')],
)
def test_what_is_not_interlock_is_not_believed(ask: Ask, media: str, body: bytes) -> None:
    with RawServer(reply("200 OK", body, f"Content-Type: {media}")) as server, pytest.raises(ServerUnavailable) as told:
        ask(server.url, ASKED)
    assert server.url in str(told.value)
    assert "may or may not" in str(told.value)


@both
def test_an_answer_that_is_too_large_is_not_read_to_its_end(ask: Ask) -> None:
    large = json.dumps({**READINESS, "rule": "x" * 10_000_000}).encode()
    with RawServer(reply("200 OK", large, JSON)) as server, pytest.raises(ServerUnavailable, match="more than 1000000"):
        ask(server.url, ASKED, max_answer=1_000_000)
    assert server.connections == 1


@both
def test_nothing_goes_where_a_redirect_points(ask: Ask) -> None:
    with RawServer(reply("200 OK", READY, JSON)) as other:
        there = f"Location: {other.url}/api/pipelines/orders/evaluate?key=abc"
        with (
            RawServer(reply("307 Temporary Redirect", b"", there)) as server,
            pytest.raises(ServerUnavailable, match=f"redirects to {other.url};") as told,
        ):
            ask(server.url, ASKED, api_key=KEY)
    assert other.requests == []
    assert "abc" not in str(told.value)


@both
def test_no_proxy_of_the_environment_sees_a_request(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(reply("200 OK", READY, JSON)) as proxy, RawServer(reply("200 OK", READY, JSON)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert ask(server.url, ASKED).status == "READY"
    assert proxy.requests == []


@both
def test_too_busy_is_asked_again_after_as_long_as_the_server_says(ask: Ask) -> None:
    busy = reply("429 Too Many Requests", b'{"code": "busy", "detail": "later"}', "Retry-After: 1")
    before = monotonic()
    with RawServer(one_after_another(busy, reply("200 OK", READY, JSON))) as server:
        assert ask(server.url, ASKED).status == "READY"
    assert server.connections == 2
    assert monotonic() - before >= 1


@both
def test_a_start_that_the_server_was_too_busy_for_was_not_done_and_is_asked_again(ask: Ask) -> None:
    busy = reply("429 Too Many Requests", b'{"code": "busy", "detail": "later"}')
    refused = reply("409 Conflict", b'{"code": "conflict", "detail": "it is running"}')
    with RawServer(one_after_another(busy, refused)) as server, pytest.raises(InterlockError, match="it is running"):
        ask(server.url, Run(pipeline_id="orders"))
    assert server.connections == 2


@both
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_nobody_waits_longer_than_his_time_because_a_server_says_so(ask: Ask, status: str) -> None:
    code = "busy" if status.startswith("429") else "unavailable"
    body = json.dumps({"code": code, "detail": "not now"}).encode()
    before = monotonic()
    with RawServer(reply(status, body, "Retry-After: 100000")) as server, pytest.raises((Busy, ServerUnavailable)):
        ask(server.url, ASKED, timeout=30)
    assert server.connections == 1
    assert monotonic() - before < 25


@both
def test_the_key_is_in_no_error_and_no_repr(ask: Ask) -> None:
    shown = [repr(Client("http://127.0.0.1:1", api_key=KEY)), repr(AsyncClient("http://127.0.0.1:1", api_key=KEY))]
    for answer in (raw(b"nonsense"), reply("500 Internal Server Error", KEY.encode()[:4]), reply("301 Moved", b"")):
        with RawServer(answer) as server, pytest.raises(InterlockError) as told:
            ask(server.url, ASKED, api_key=KEY)
        shown += [repr(told.value), str(told.value), repr(told.value.__cause__)]
    with pytest.raises(ConfigError) as unencrypted:
        ask("http://example.org", ASKED, api_key=KEY)
    with pytest.raises(ConfigError) as unprintable:
        ask("http://127.0.0.1:1", ASKED, api_key=KEY + "\r\nX-Evil: 1")
    assert not [text for text in (*shown, str(unencrypted.value), str(unprintable.value)) if KEY in text]


@both
def test_a_name_that_would_lead_elsewhere_is_not_sent(ask: Ask) -> None:
    with RawServer(reply("200 OK", READY, JSON)) as server:
        for name in ("..", ".", "", "x" * 256):
            with pytest.raises(InterlockError):
                ask(server.url, Evaluate(pipeline_id=name))
    assert server.requests == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "client"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}"),
                *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return folder


def tls_server(folder: Path, *, of_clients: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if of_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "client.pem")
    return context


@both
def test_a_server_that_cannot_prove_who_it_is_gets_no_request(ask: Ask, certificates: Path) -> None:
    with (
        RawServer(reply("200 OK", READY, JSON), tls=tls_server(certificates)) as server,
        pytest.raises(ServerUnavailable, match="certificate"),
    ):
        ask(server.url.replace("http", "https"), ASKED, api_key=KEY, timeout=10)
    assert server.requests == []


@both
def test_a_server_is_recognised_by_a_file_of_ones_own_and_sees_who_asks(ask: Ask, certificates: Path) -> None:
    own: Any = {
        "ca_file": certificates / "server.pem",
        "certificate": (certificates / "client.pem", certificates / "client.key"),
    }
    with RawServer(reply("200 OK", READY, JSON), tls=tls_server(certificates, of_clients=True)) as server:
        assert ask(server.url.replace("http", "https"), ASKED, api_key=KEY, **own).status == "READY"


def test_a_certificate_that_cannot_be_used_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    for given in ({"ca_file": tmp_path / "nonsense.pem"}, {"certificate": tmp_path / "missing.pem"}):
        with pytest.raises(ConfigError, match=r"(nonsense|missing)\.pem"):
            Client("https://127.0.0.1:1", **given)  # type: ignore[arg-type]


def test_closing_a_client_ends_what_is_under_way() -> None:
    with RawServer(dripping(b"HTTP/1.1 200 OK\r\nX-A: ")) as server:
        client = Client(server.url)
        found: list[BaseException] = []

        def asking() -> None:
            try:
                client.ask(ASKED)
            except InterlockError as exc:
                found.append(exc)

        thread = threading.Thread(target=asking)
        thread.start()
        begun(server)
        client.close()
        thread.join(20)
    assert isinstance(found[0], ServerUnavailable)


def test_an_asynchronous_request_can_be_cancelled_and_leaves_nothing_open() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url) as client:
            task = asyncio.create_task(client.ask(ASKED))
            await asyncio.to_thread(begun, server)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with RawServer(dripping(b"HTTP/1.1 200 OK\r\nX-A: ")) as server:
        asyncio.run(main(server.url))
        gc.collect()  # a socket that was left open would warn now, and warnings are errors


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_handshake_that_never_ends_leaves_nothing_open(cancelled: bool) -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, timeout=30 if cancelled else 0.3) as client:
            task = asyncio.create_task(client.ask(ASKED))
            if cancelled:
                peers.append((await asyncio.to_thread(listener.accept))[0])
                task.cancel()
            with pytest.raises((ServerUnavailable, asyncio.CancelledError)):
                await task

    peers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(main(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        for peer in peers:
            peer.close()
        gc.collect()  # a socket that was left open would warn now, and warnings are errors


def test_one_asynchronous_client_serves_one_loop_after_another() -> None:
    with RawServer(reply("200 OK", READY, JSON)) as server:
        client = AsyncClient(server.url)
        assert [asyncio.run(client.ask(ASKED)).status for _ in range(2)] == ["READY", "READY"]

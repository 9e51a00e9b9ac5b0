from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.clients.http import (
    HttpBroken,
    HttpClient,
    HttpForbidden,
    HttpTimeout,
    HttpTooLarge,
    HttpTrouble,
    HttpUnreachable,
)

pytestmark = pytest.mark.enable_socket

SOON = timedelta(seconds=0.4)
LONG = timedelta(seconds=20)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


def silent(server_gone: threading.Event) -> Callable[[socket.socket, bytes], None]:
    def answer(peer: socket.socket, request: bytes) -> None:
        server_gone.wait(10)

    return answer


def test_importing_the_client_does_not_import_the_vendor() -> None:
    code = "import sys, interlock.clients.http; sys.exit('httpx2' in sys.modules or 'httpcore2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_request_arrives_whole_and_its_answer_comes_back_whole(client: HttpClient) -> None:
    with RawServer(reply("201 Created", b"made", "X-One: 1")) as server:
        got = client.send("PUT", server.url + "/a?b=c", headers={"X-Two": "2"}, body=b"hello", timeout=LONG)
    assert (got.status, got.body, got.header("X-One")) == (201, b"made", "1")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /a?b=c HTTP/1.1\r\n")
    assert b"x-two: 2" in head.lower()
    assert b"content-length: 5" in head.lower()
    assert f"host: 127.0.0.1:{server.port}".encode() in head.lower()
    assert body == b"hello"


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_returned_and_not_followed(client: HttpClient, status: str) -> None:
    """T-74, BUG-180."""
    with RawServer(reply("200 OK", b"secret")) as inner:
        with RawServer(reply(status, b"", f"Location: {inner.url}/")) as outer:
            assert client.send("GET", outer.url, timeout=LONG).status == int(status[:3])
        assert inner.requests == []


def test_a_server_that_never_answers_is_a_timeout_after_sending(client: HttpClient) -> None:
    gone = threading.Event()
    with RawServer(silent(gone)) as server:
        begun = time.monotonic()
        with pytest.raises(HttpTimeout) as caught:
            client.send("POST", server.url, body=b"x", timeout=SOON)
        assert time.monotonic() - begun < 3
        assert caught.value.sent
        gone.set()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"], ids=["head", "body"])
def test_a_server_that_drips_does_not_hold_the_request_past_its_deadline(client: HttpClient, head: bytes) -> None:
    def drip(peer: socket.socket, request: bytes) -> None:
        peer.sendall(head)
        while not server.stopping.wait(0.05):
            peer.sendall(b"H")

    with RawServer(drip) as server:
        begun = time.monotonic()
        with pytest.raises(HttpTimeout):
            client.send("GET", server.url, timeout=SOON)
        assert time.monotonic() - begun < 3


def test_a_server_that_does_not_read_does_not_hold_the_request_past_its_deadline(client: HttpClient) -> None:
    gone = threading.Event()
    with RawServer(silent(gone), read=False) as server:
        with pytest.raises(HttpTimeout) as caught:
            client.send("POST", server.url, body=b"x" * (64 << 20), timeout=SOON)
        assert caught.value.sent
        gone.set()


def test_a_status_that_was_read_before_the_trouble_is_told(client: HttpClient) -> None:
    half = raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nshort")
    with RawServer(half) as server, pytest.raises(HttpBroken) as caught:
        client.send("GET", server.url, timeout=LONG)
    assert (caught.value.status, caught.value.sent) == (202, True)


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 200 OK\r\nContent-", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    ids=["nothing", "half a head", "another protocol", "nonsense length"],
)
def test_an_answer_that_is_no_answer_is_broken(client: HttpClient, data: bytes) -> None:
    with RawServer(raw(data)) as server, pytest.raises(HttpBroken) as caught:
        client.send("POST", server.url, timeout=LONG)
    assert caught.value.sent


def test_bytes_beyond_the_announced_length_are_not_read(client: HttpClient) -> None:
    with RawServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Evil\r\n\r\n")) as server:
        assert client.send("GET", server.url, timeout=LONG).body == b"ok"


def test_an_endless_body_is_cut_off_at_the_limit() -> None:
    """T-79."""

    def flood(peer: socket.socket, request: bytes) -> None:
        peer.sendall(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.stopping.is_set():
            peer.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    client = HttpClient(allow=["127.0.0.1"], max_body=100_000)
    with RawServer(flood) as server:
        with pytest.raises(HttpTooLarge) as caught:
            client.send("GET", server.url, timeout=LONG)
        assert caught.value.status == 500
    client.close()


def test_a_compressed_bomb_stays_compressed(client: HttpClient) -> None:
    import gzip

    bomb = gzip.compress(b"0" * 5_000_000)
    with RawServer(reply("200 OK", bomb, "Content-Encoding: gzip")) as server:
        assert client.send("GET", server.url, timeout=LONG).body == bomb


def test_a_refused_connection_is_certain_not_to_have_sent_anything(client: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(HttpUnreachable) as caught:
        client.send("POST", f"http://127.0.0.1:{port}/", timeout=LONG)
    assert not caught.value.sent


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".invalid", "-", "%20"])
def test_an_unknown_name_is_unreachable(client: HttpClient, host: str) -> None:
    with pytest.raises((HttpUnreachable, HttpForbidden)) as caught:
        client.send("GET", f"http://{host}/", timeout=LONG)
    assert not caught.value.sent


def test_a_deadline_already_past_sends_nothing(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        with pytest.raises(HttpTimeout) as caught:
            client.send("GET", server.url, timeout=timedelta())
        assert not caught.value.sent
        assert server.connections == 0


def test_a_name_that_takes_too_long_to_resolve_is_a_timeout(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, port: int, **options: int) -> object:
        if not options.get("flags"):
            release.wait(10)
        return real(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(HttpTimeout) as caught:
        client.send("GET", "http://slow.example/", timeout=SOON)
    release.set()
    assert not caught.value.sent


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://[::1]:{port}/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://224.0.0.1/",
    ],
)
def test_no_private_address_is_reached_without_being_allowed(url: str) -> None:
    """T-74, BUG-180."""
    client = HttpClient()
    with RawServer(reply()) as server:
        with pytest.raises(HttpForbidden) as caught:
            client.send("GET", url.format(port=server.port), timeout=LONG)
        assert not caught.value.sent
        assert server.connections == 0
    client.close()


def test_a_name_that_resolves_to_a_private_address_is_refused_at_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BUG-180: the name is resolved once, and what it resolved to is what is checked and used."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, **options: int) -> object:
        if host == "rebind.example" and not options.get("flags"):
            asked.append(host)
            return real("127.0.0.1", port, **options)
        return real(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with RawServer(reply()) as server:
        client = HttpClient()
        with pytest.raises(HttpForbidden):
            client.send("GET", f"http://rebind.example:{server.port}/", timeout=LONG)
        assert server.connections == 0
        assert asked == ["rebind.example"]
        client.close()


def test_an_allowed_name_is_reached_and_keeps_its_name_in_the_host_header() -> None:
    """BUG-193."""
    client = HttpClient(allow=["localhost"])
    with RawServer(reply()) as server:
        assert client.send("GET", f"http://LocalHost:{server.port}/", timeout=LONG).status == 200
        assert f"host: localhost:{server.port}".encode() in server.requests[0].lower()
        with pytest.raises(HttpForbidden):
            client.send("GET", server.url, timeout=LONG)
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "/relative",
        "",
        "http://",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
    ],
)
def test_only_whole_http_urls_are_used(client: HttpClient, url: str) -> None:
    with pytest.raises(HttpForbidden):
        client.send("GET", url, timeout=LONG)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_break_behind_a_secret_is_told_with_its_header_and_nobody_is_asked(client: HttpClient, end: str) -> None:
    with (
        RawServer(reply("200 OK")) as server,
        pytest.raises(HttpForbidden, match="'authorization' holds a line break") as caught,
    ):
        client.send("POST", server.url, headers={"Authorization": f"Bearer keep-this-quiet{end}"}, timeout=LONG)
    assert server.requests == []
    assert "quiet" not in str(caught.value)


@pytest.mark.parametrize("header", ["a\r\nX-Evil: 1", "a\x00b", "snowman ☃"])
def test_a_header_that_would_split_the_request_is_refused(client: HttpClient, header: str) -> None:
    with RawServer(reply()) as server:
        with pytest.raises(HttpForbidden) as caught:
            client.send("GET", server.url, headers={"X-It": header}, timeout=LONG)
        assert not caught.value.sent
    assert b"X-Evil" not in b"".join(server.requests)


def test_credentials_of_a_url_are_sent_and_never_told(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        client.send("GET", f"http://user:hunter2@127.0.0.1:{server.port}/", timeout=LONG)
        assert b"authorization: basic dXNlcjpodW50ZXIy".lower() in server.requests[0].lower()
    for url in (f"http://user:hunter2@127.0.0.1:{server.port}/?k=hunter2", "http://user:hunter2@10.0.0.1/hunter2"):
        with pytest.raises(HttpTrouble) as caught:
            client.send("GET", url, timeout=LONG)
        assert "hunter2" not in str(caught.value)


def test_proxies_of_the_environment_are_not_used(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(reply("200 OK", b"direct")) as server, RawServer(reply("200 OK", b"proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert client.send("GET", server.url, timeout=LONG).body == b"direct"


def test_many_threads_may_share_one_client(client: HttpClient) -> None:
    def echo(peer: socket.socket, request: bytes) -> None:
        reply("200 OK", request.partition(b"\r\n\r\n")[2])(peer, request)

    with RawServer(echo) as server, ThreadPoolExecutor(8) as pool:
        bodies = [str(n).encode() for n in range(40)]
        answers = list(pool.map(lambda body: client.send("POST", server.url, body=body, timeout=LONG).body, bodies))
    assert answers == bodies


def test_closing_breaks_off_what_is_under_way_and_refuses_what_comes_later() -> None:
    """BUG-121."""
    client = HttpClient(allow=["127.0.0.1"])
    gone = threading.Event()
    arrived = threading.Event()

    def wait(peer: socket.socket, request: bytes) -> None:
        arrived.set()
        gone.wait(10)

    with RawServer(wait) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.send, "GET", server.url, timeout=LONG)
        assert arrived.wait(5)
        client.close()
        with pytest.raises(HttpBroken):
            answer.result(5)
        gone.set()
        with pytest.raises(HttpUnreachable):
            client.send("GET", server.url, timeout=LONG)


def test_without_the_vendor_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from interlock.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtra, match=r"interlock\[http\]"):
        HttpClient()

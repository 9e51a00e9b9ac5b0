"""The server on a real socket: callers who send too much, too slowly, nonsense, or go away."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project
from tests.unit.server.rig import Rig
from tests.unit.server.test_crews import a_waiting_project, asked

from interlock.config.project import ServerSpec
from interlock.server.app import Bounds
from interlock.server.httpd import HttpServer
from interlock.server.listening import Address, listen

EVALUATE = b"POST /api/pipelines/orders/evaluate HTTP/1.1\r\nhost: localhost\r\n"


def until(true: Callable[[], bool]) -> None:
    while not true():
        threading.Event().wait(0.01)


class Caller:
    """One connection, spoken by hand."""

    def __init__(self, port: int, opened: ExitStack) -> None:
        self.socket = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError(data)
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self.socket.recv(65536)
        return int(first.split()[1]), headers, body

    def is_closed(self) -> bool:
        """Wait for the other side to close."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionError:
            return True


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@contextmanager
def served(root: Path, *, patience: float = 30.0, grace: int = 30) -> Iterator[tuple[Rig, int, Callable[[], None]]]:
    with Rig(root, ServerSpec(max_request_body=10_000), bounds=Bounds(patience=patience)) as rig:
        sockets = listen(Address("127.0.0.1", 0))
        server = HttpServer(rig.app, sockets, grace=timedelta(seconds=grace))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield rig, sockets[0].getsockname()[1], server.stop
        finally:
            server.stop()
            thread.join()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(a_project(tmp_path_factory.mktemp("project"), timezone="UTC")) as (_, found, _):
        yield found


def test_several_requests_go_through_one_connection(port: int, opened: ExitStack) -> None:
    caller = Caller(port, opened)
    for body in (b"{}", b"{", b"{}"):
        caller.send(EVALUATE + b"content-length: %d\r\n\r\n" % len(body) + body)
        status, headers, _ = caller.answer()
        assert status == (200 if body == b"{}" else 400)
        assert headers["x-request-id"]


def test_a_long_body_without_a_length_ends_the_connection_where_it_becomes_too_long(
    port: int, opened: ExitStack
) -> None:
    """T-95."""
    caller = Caller(port, opened)
    caller.send(EVALUATE + b"transfer-encoding: chunked\r\n\r\n")
    caller.send(b"7d0\r\n" + b"x" * 2000 + b"\r\n")
    for _ in range(5):
        caller.send(b"7d0\r\n" + b"x" * 2000 + b"\r\n")
    status, headers, body = caller.answer()
    assert status == 413
    assert headers["connection"] == "close"
    assert json.loads(body)["code"] == "request_entity_too_large"
    assert caller.is_closed()


def test_ten_megabytes_are_refused_before_they_are_sent(port: int, opened: ExitStack) -> None:
    """T-95."""
    caller = Caller(port, opened)
    caller.send(EVALUATE + b"content-length: 10485760\r\nexpect: 100-continue\r\n\r\n")
    status, headers, _ = caller.answer()
    assert status == 413
    assert headers["connection"] == "close"
    assert caller.is_closed()


def test_a_body_that_comes_too_slowly_is_given_up(tmp_path: Path, opened: ExitStack) -> None:
    with served(tmp_path, patience=0.2) as (_, port, _):
        caller = Caller(port, opened)
        caller.send(EVALUATE + b"content-length: 100\r\n\r\n{")
        status, _, body = caller.answer()
        assert status == 408
        assert json.loads(body)["code"] == "request_timeout"
        assert caller.is_closed()


def test_an_evaluation_whose_caller_goes_away_is_kept_in_full(tmp_path: Path, opened: ExitStack) -> None:
    """T-116."""
    root = a_waiting_project(tmp_path)
    with served(root) as (rig, port, _):
        caller = Caller(port, opened)
        caller.send(EVALUATE + b"content-length: 2\r\n\r\n{}")
        until(lambda: asked(root) == 1)
        caller.socket.close()
        assert rig.work.store.latest_evaluation("orders") is None
        (root / "go").touch()
        until(lambda: rig.work.store.latest_evaluation("orders") is not None)
        kept = rig.work.store.latest_evaluation("orders")
        assert kept is not None
        assert kept.readiness.ready
        assert len(kept.results) == 1


def test_a_server_that_stops_answers_whoever_still_waits_and_what_was_begun_is_ended(
    tmp_path: Path, opened: ExitStack
) -> None:
    """T-116."""
    root = a_waiting_project(tmp_path)
    with served(root, grace=1) as (rig, port, stop):
        caller = Caller(port, opened)
        caller.send(EVALUATE + b"content-length: 2\r\n\r\n{}")
        until(lambda: asked(root) == 1)
        stop()
        status, _, body = caller.answer()
        assert status == 503
        assert json.loads(body)["code"] == "unavailable"
        (root / "go").touch()
        until(lambda: rig.work.store.latest_evaluation("orders") is not None)


def test_a_caller_who_goes_away_in_the_middle_of_a_body_has_asked_for_nothing(
    tmp_path: Path, opened: ExitStack
) -> None:
    root = a_project(tmp_path, timezone="UTC")
    with served(root) as (rig, port, _):
        caller = Caller(port, opened)
        caller.send(EVALUATE + b"content-length: 40\r\n\r\n{")
        caller.socket.close()
        other = Caller(port, opened)
        other.send(b"GET /api/pipelines/orders/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert other.answer()[0] == 200
        assert rig.work.store.latest_evaluation("orders") is None


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n",
        EVALUATE + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + EVALUATE + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
def test_noise_is_answered_with_one_clear_no_and_the_server_goes_on(port: int, opened: ExitStack, noise: bytes) -> None:
    caller = Caller(port, opened)
    caller.send(noise)
    status, headers, body = caller.answer()
    assert status in (400, 431)
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["error"]
    other = Caller(port, opened)
    other.send(b"GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert other.answer()[0] == 200


def test_the_answer_to_head_has_the_length_and_not_the_body(port: int, opened: ExitStack) -> None:
    caller = Caller(port, opened)
    for _ in range(2):
        caller.send(b"HEAD /version HTTP/1.1\r\nhost: localhost\r\n\r\n")
        data = caller.socket.recv(65536)
        assert data.startswith(b"HTTP/1.1 200")
        assert data.endswith(b"\r\n\r\n")
        assert b"content-length: 5" in data

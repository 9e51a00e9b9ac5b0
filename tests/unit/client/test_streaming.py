"""Server-sent events: however they are cut, and however often the connection breaks."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.app.views import EventView
from interlock.client import streaming
from interlock.client.aio import AsyncClient
from interlock.client.client import Client
from interlock.client.settings import Settings
from interlock.client.streaming import Frame, Gap, Happening, Listening, Reader, happening
from interlock.clients.http import HttpReply, HttpTimeout
from interlock.errors import InterlockError, ServerUnavailable, Unauthorized

EVENT = json.dumps(
    {
        "kind": "TRIGGER_FIRED",
        "pipelineId": "orders",
        "scheduleId": "daily",
        "date": "2026-03-07",
        "runId": "orders:daily:2026-03-07:1",
        "traitType": None,
        "status": "",
        "message": "",
        "details": {},
        "timestamp": "2026-03-07T06:00:00Z",
        "cursor": "1",
    }
)
WIRE = f"retry: 20\n: hello\n\nid: a-1\nevent: TRIGGER_FIRED\ndata: {EVENT}\n\n: still here\n\nid: a-2\nevent: reset\ndata: {{}}\n\n".encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"


@given(cuts=st.lists(st.integers(min_value=0, max_value=len(WIRE)), max_size=12))
def test_events_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WIRE)]
    reader = Reader()
    found = [frame for start, end in pairwise(places) for frame in reader.feed(WIRE[start:end])]
    assert found == [Frame("TRIGGER_FIRED", EVENT), Frame("reset", "{}")]
    assert (reader.last_id, reader.retry) == ("a-2", 0.02)


def test_windows_line_ends_and_several_lines_of_data_are_read() -> None:
    assert list(Reader().feed(b"data: a\r\ndata: b\r\n\r\n")) == [Frame("message", "a\nb")]


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    reader = Reader()
    for _ in range(streaming.LARGEST_EVENT // 4096):
        assert list(reader.feed(b"x" * 4096)) == []
    with pytest.raises(ServerUnavailable, match="more than"):
        list(reader.feed(b"x"))


@given(frame=st.builds(Frame, st.sampled_from(["reset", "lagged", "TRIGGER_FIRED", "message"]), st.text(max_size=50)))
def test_whatever_an_event_holds_is_a_happening_or_an_error_of_ours(frame: Frame) -> None:
    try:
        assert isinstance(happening(frame), Gap | EventView)
    except InterlockError as exc:
        assert str(exc)  # noqa: PT017


def test_the_first_connection_says_at_once_that_it_cannot_be() -> None:
    listening = Listening(Settings("http://h"), "", ())
    with pytest.raises(Unauthorized):
        listening.pause(HttpReply(401, (), b'{"code": "unauthorized", "detail": "no"}'))


def test_a_stream_that_was_heard_is_taken_up_again_until_too_often_in_vain() -> None:
    listening = Listening(Settings("http://h"), "", ())
    listening.opened([("content-type", "text/event-stream")])
    waits = [listening.pause(HttpTimeout("x", sent=False)) for _ in range(streaming.GIVE_UP_AFTER)]
    assert waits == sorted(waits)
    assert max(waits) <= streaming.LONGEST_PAUSE
    with pytest.raises(ServerUnavailable):
        listening.pause(HttpTimeout("x", sent=False))


def test_what_is_narrowed_down_travels_in_the_query() -> None:
    listening = Listening(Settings("http://h/base"), "orders", ("A", "B"))
    assert listening.url == "http://h/base/api/stream?pipeline=orders&kinds=A%2CB"


def hear_blocking(url: str, count: int) -> list[Happening]:
    with Client(url) as client:
        stream = client.stream()
        return [next(stream) for _ in range(count)]


def hear_waiting(url: str, count: int) -> list[Happening]:
    async def hearing() -> list[Happening]:
        found: list[Happening] = []
        async with AsyncClient(url) as client:
            stream = client.stream()
            while len(found) < count:
                found.append(await anext(stream))
            await stream.aclose()
        return found

    return asyncio.run(hearing())


hearers = pytest.mark.parametrize("hear", [hear_blocking, hear_waiting], ids=["Client", "AsyncClient"])
Hear = Callable[[str, int], list[Happening]]


@hearers
@pytest.mark.enable_socket
def test_a_broken_stream_goes_on_where_it_broke(hear: Hear) -> None:
    lock, count = threading.Lock(), [0]

    def answer(peer: socket.socket, request: bytes) -> None:
        with lock:
            count[0] += 1
            mine = count[0]
        # The third half of an event, cut off with its connection, must not be glued to what comes next.
        peer.sendall(
            HEAD + (WIRE if mine == 1 else f"id: a-{mine + 1}\ndata: x\n".encode() * (mine == 2)) + b"event: re"
        )
        if mine == 3:
            peer.sendall(b"set\ndata: {}\n\n")

    with RawServer(answer) as server:
        found = hear(server.url, 3)
    assert [type(each) for each in found] == [EventView, Gap, Gap]
    assert b"last-event-id: a-2" in server.requests[1].lower()


@hearers
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "answer", [reply("200 OK", b"<html>", "Content-Type: text/html"), raw(b"nonsense"), reply("301 Moved", b"")]
)
def test_what_is_no_stream_is_told_at_once(hear: Hear, answer: Callable[[socket.socket, bytes], None]) -> None:
    with RawServer(answer) as server, pytest.raises(ServerUnavailable):
        hear(server.url, 1)
    assert server.connections == 1


@pytest.mark.enable_socket
def test_closing_a_client_ends_its_streams() -> None:
    over = threading.Event()

    def answer(peer: socket.socket, request: bytes) -> None:
        peer.sendall(HEAD + WIRE)
        over.wait(30)

    with RawServer(answer) as server:
        client = Client(server.url)
        stream = client.stream()
        assert isinstance(next(stream), EventView)
        client.close()
        with pytest.raises(ServerUnavailable):
            list(stream)
        over.set()

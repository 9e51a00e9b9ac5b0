"""Listening to what happens: nothing twice, nothing lost, nobody held up."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.acceptance.cli import PIPELINE, a_project
from tests.unit.server import listened
from tests.unit.server.listened import PATIENCE, Served, served, until
from tests.unit.server.rig import a_key

from interlock.api.problems import problem_of
from interlock.config.load import load_project
from interlock.config.project import ServerSpec
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, Slot
from interlock.core.periods import Period
from interlock.errors import Busy, Invalid, ServerUnavailable
from interlock.runtime import timelines
from interlock.runtime.wiring import Interlock
from interlock.server import hub as hubs
from interlock.server.answers import problem_answer
from interlock.server.app import create_app
from interlock.server.hub import Hub, Memory, Wanted
from interlock.server.stream import frames, stream_of, wanted_of

pytestmark = pytest.mark.enable_socket


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "EVERY", timedelta(milliseconds=50))


class Told(NamedTuple):
    """One event as it was sent."""

    event: str
    id: str
    data: Any


class Listening:
    """A listener with a socket of its own."""

    def __init__(self, caller: socket.socket) -> None:
        self._caller = caller
        self._rest = b""
        self.head = self._until(b"\r\n\r\n").decode()
        self._connected = False

    def connected(self) -> Listening:
        """Wait until the server has said that it listens."""
        while b": connected" not in self._rest:
            self._read()
        return self

    def next(self) -> Told:
        """Return the next event, past comments."""
        while True:
            block = self._until(b"\n\n").decode()
            lines = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
            found = {name: value for name, _, value in lines}
            if "data" in found:
                return Told(found.get("event", ""), found.get("id", ""), json.loads(found["data"]))

    def comment(self) -> str:
        """Return the next comment but the greeting."""
        while True:
            block = self._until(b"\n\n").decode()
            if ": still" in block:
                return block

    def ended(self) -> bool:
        """Wait for the end of the stream."""
        while True:
            try:
                part = self._caller.recv(65_536)
            except ConnectionResetError:
                return True
            self._rest += part
            if not part or self._rest.endswith(b"\r\n0\r\n\r\n"):
                return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._read()
        block, _, self._rest = self._rest.partition(mark)
        # Chunks of the transfer have their lengths on lines of their own.
        return b"\n".join(line for line in block.split(b"\r\n") if not _is_length(line)) if mark == b"\n\n" else block

    def _read(self) -> None:
        part = self._caller.recv(65_536)
        assert part, "the stream has ended"
        self._rest += part


def _is_length(line: bytes) -> bool:
    try:
        return bool(line) and int(line, 16) >= 0
    except ValueError:
        return not line


class Place(NamedTuple):
    """A project at work here, the same at work elsewhere, and a server."""

    work: Interlock
    elsewhere: Interlock
    hub: Hub
    it: Served

    @contextmanager
    def listening(self, query: str = "", last_id: str = "") -> Iterator[Listening]:
        header = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        with self.it.call() as caller:
            caller.sendall(f"GET /api/stream{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
            yield Listening(caller)


def write(
    work: Interlock, message: str, *, pipeline: str = "orders", kind: EventKind = EventKind.MARKER_RECEIVED
) -> None:
    slot = Slot(PipelineName(pipeline), DEFAULT_SCHEDULE, Period("2026-03-07"))
    at = work.clock.now()
    work.store.note(slot, at, message, [EventRecord(kind=kind, at=at, message=message)])


@contextmanager
def at_work(root: Path, *, heartbeat: float = 15.0, linger: float = 60.0, most: int = 100) -> Iterator[Place]:
    if not (root / "interlock.yaml").exists():
        a_project(root)
        (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
    project = load_project(root)
    with Interlock(project, env={}) as work, Interlock(project, env={}) as elsewhere:
        hub = Hub(work, linger=linger, most=most)
        with served(stream_of(hub, work, heartbeat=heartbeat), exception_handlers={Exception: _problem}) as it:
            try:
                yield Place(work, elsewhere, hub, it)
            finally:
                hub.close()


def _problem(_request: Any, error: Exception) -> Any:
    from litestar import Response

    answer = problem_answer(error)
    return Response(answer.body, status_code=answer.status, media_type="application/problem+json")


def test_what_happens_here_is_told_as_the_timeline_shows_it(tmp_path: Path) -> None:
    with at_work(tmp_path) as place, place.listening() as listening:
        assert "text/event-stream" in listening.head
        listening.connected()
        write(place.work, "first")
        told = listening.next()
    assert told.event == "MARKER_RECEIVED"
    assert (told.data["pipelineId"], told.data["message"], told.data["date"]) == ("orders", "first", "2026-03-07")


def test_what_happens_elsewhere_is_told_too_and_nothing_twice_or_never(tmp_path: Path) -> None:
    wanted = [f"{number:03}" for number in range(60)]
    with at_work(tmp_path) as place, place.listening() as listening:
        listening.connected()
        for number, message in enumerate(wanted):
            write(
                place.elsewhere if number % 2 else place.work, message, pipeline="returns" if number % 3 else "orders"
            )
        found = [listening.next().data["message"] for _ in wanted]
        write(place.work, "last")
        assert listening.next().data["message"] == "last"
    assert sorted(found) == wanted


def test_what_was_there_before_is_not_told(tmp_path: Path) -> None:
    with at_work(tmp_path) as place:
        write(place.elsewhere, "old")
        write(place.work, "old too")
        with place.listening() as listening:
            listening.connected()
            write(place.elsewhere, "new")
            assert listening.next().data["message"] == "new"


def test_a_listener_hears_only_what_it_asked_for(tmp_path: Path) -> None:
    with at_work(tmp_path) as place, place.listening("?pipeline=orders&kinds=RUN_STUCK,SLA_MET") as listening:
        listening.connected()
        write(place.work, "another pipeline", pipeline="returns", kind=EventKind.RUN_STUCK)
        write(place.work, "another kind")
        write(place.elsewhere, "mine", kind=EventKind.RUN_STUCK)
        assert listening.next().data["message"] == "mine"


def test_one_who_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    with at_work(tmp_path) as place:
        with place.listening() as listening:
            listening.connected()
            write(place.work, "one")
            last = listening.next().id
            write(place.work, "two")
        until(lambda: place.hub.listeners == 0)
        write(place.elsewhere, "three")
        with place.listening(last_id=last) as again:
            again.connected()
            assert [again.next().data["message"] for _ in range(2)] == ["two", "three"]


@pytest.mark.parametrize("last_id", ["0123456789ab-7", "nonsense", "-", "é"])
def test_one_who_comes_back_after_too_long_is_told_that_something_may_be_missing(tmp_path: Path, last_id: str) -> None:
    with at_work(tmp_path) as place, place.listening(last_id=last_id) as listening:
        told = listening.connected().next()
        assert (told.event, "read the timelines" in told.data["reason"]) == ("reset", True)
        write(place.work, "new")
        after = listening.next()
        assert after.data["message"] == "new"
        with place.listening(last_id=told.id) as again:
            assert again.connected().next() == after


def test_a_quiet_stream_shows_that_it_is_there(tmp_path: Path) -> None:
    with at_work(tmp_path, heartbeat=0.05) as place, place.listening() as listening:
        assert listening.comment()


def test_too_many_listeners_are_refused_and_a_place_becomes_free(tmp_path: Path) -> None:
    with at_work(tmp_path, most=2) as place:
        with place.listening() as one, place.listening() as two:
            one.connected()
            two.connected()
            assert place.it.get("/api/stream").status == 429
        until(lambda: place.hub.listeners == 0)
        with place.listening() as three:
            three.connected()


def test_the_end_of_the_server_ends_every_stream_at_once(tmp_path: Path) -> None:
    with at_work(tmp_path) as place, place.listening() as listening:
        listening.connected()
        place.hub.close()
        assert listening.ended()
        assert place.it.get("/api/stream").status == 503


def test_nothing_is_followed_while_nobody_listens(tmp_path: Path) -> None:
    with at_work(tmp_path, linger=0.0) as place:
        before = {each.name for each in threading.enumerate()}
        assert "interlock-stream" not in before
        with place.listening() as listening:
            listening.connected()
            assert "interlock-stream" in {each.name for each in threading.enumerate()}
        until(lambda: "interlock-stream" not in {each.name for each in threading.enumerate()})
        with place.listening() as again:
            again.connected()
            write(place.elsewhere, "heard")
            assert again.next().data["message"] == "heard"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?pipeline=ordres", 404, "did you mean orders?"),
        ("?kinds=RUN_STUK", 400, "did you mean RUN_STUCK?"),
        ("?kind=RUN_STUCK", 400, "no query parameter"),
    ],
)
def test_what_nobody_can_listen_to_is_one_clear_error(tmp_path: Path, query: str, status: int, words: str) -> None:
    with at_work(tmp_path) as place:
        reply = place.it.get(f"/api/stream{query}")
    assert (reply.status, words in reply.body.decode()) == (status, True)


def test_only_those_listen_who_may_and_only_to_what_they_may(tmp_path: Path) -> None:
    spec = ServerSpec(
        keys=(
            a_key("reader-token", "read"),
            a_key("pusher-token", "push"),
            a_key("orders-token", "read", pipelines=["orders"]),
        )
    )
    asked = {
        ("", "reader-token"): 200,
        ("", "no-such-token"): 401,
        ("", "pusher-token"): 403,
        ("", "orders-token"): 403,
        ("?pipeline=returns", "orders-token"): 403,
        ("?pipeline=orders", "orders-token"): 200,
    }
    a_project(tmp_path)
    with Interlock(load_project(tmp_path), env={}) as work:
        hub = Hub(work)
        app = create_app(work, spec, extra=[stream_of(hub, work)], env={})
        with listened.at_work(app) as it:
            for (query, token), status in asked.items():
                with it.call() as caller:
                    ask = f"GET /api/stream{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {token}\r\n\r\n"
                    caller.sendall(ask.encode())
                    assert int(caller.recv(100).split()[1]) == status, (query, token)
            hub.close()


def test_kinds_may_have_spaces_between_them() -> None:
    assert wanted_of({"kinds": " RUN_STUCK , SLA_MET,"}).kinds == {"RUN_STUCK", "SLA_MET"}
    with pytest.raises(Invalid):
        wanted_of({"kinds": "ANY"})


def test_who_reads_too_slowly_is_told_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "REMEMBERED", 10)
    a_project(tmp_path)

    async def listen(work: Interlock) -> list[bytes]:
        hub = Hub(work)
        hub.memory = Memory("era", size=10)
        listener, _ = await hub.join(Wanted(), "")
        memory = hub.memory = Memory("era", size=10)
        listener.place = memory.next
        stream = frames(hub, listener, missing=False, heartbeat=PATIENCE)
        found = [await anext(stream)]
        for number in range(11):
            memory.add(work.store.timeline("orders", limit=1))
            assert number < 11
        found += [each async for each in stream]
        assert hub.listeners == 0
        hub.close()
        return found

    with Interlock(load_project(tmp_path), env={}) as work:
        write(work, "one")
        found = asyncio.run(listen(work))
    assert len(found) == 2
    assert found[1].startswith(b"event: lagged\n")


def test_a_stream_that_is_never_read_takes_no_place(tmp_path: Path) -> None:
    a_project(tmp_path)

    async def drop(work: Interlock) -> int:
        hub = Hub(work)
        listener, _ = await hub.join(Wanted(), "")
        stream = frames(hub, listener, missing=False, heartbeat=PATIENCE)
        assert hub.listeners == 1
        del stream, listener
        left = hub.listeners
        hub.close()
        return left

    with Interlock(load_project(tmp_path), env={}) as work:
        assert asyncio.run(drop(work)) == 0


def test_a_full_server_says_so_and_a_closed_one_too(tmp_path: Path) -> None:
    a_project(tmp_path)

    async def join(work: Interlock) -> None:
        full = Hub(work, most=0)
        with pytest.raises(Busy) as caught:
            await full.join(Wanted(), "")
        assert problem_of(caught.value)["status"] == 429
        full.close()
        with pytest.raises(ServerUnavailable):
            await full.join(Wanted(), "")

    with Interlock(load_project(tmp_path), env={}) as work:
        asyncio.run(join(work))


def test_places_are_those_that_are_remembered_and_the_next() -> None:
    memory = Memory("abc", size=3)
    assert memory.since("abc-0") == 1
    assert memory.since("abc-1") is None
    for _ in range(5):
        memory.gap("orders")
    assert [memory.since(memory.id_of(number)) for number in range(7)] == [None, None, 3, 4, 5, 6, None]
    assert [frame.number for frame in memory.after(4)] == [4, 5]
    assert memory.after(6) == []

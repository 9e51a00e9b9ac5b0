"""What callers send: read strictly, never more than allowed, never for longer than allowed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.server.rig import Rig

from interlock.config.project import ServerSpec
from interlock.errors import Invalid
from interlock.server.answers import HttpProblem
from interlock.server.app import Bounds
from interlock.server.bodies import Gone, Limits, parsed, query_of, read_json
from interlock.server.crews import Size

EVALUATE = "/api/pipelines/orders/evaluate"


async def aside(work: Callable[[], object]) -> object:
    return await asyncio.to_thread(work)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("project"), ServerSpec(max_request_body=2000)) as found:
        yield found


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "truncated"),
        (b"", None),
        (b"{}", None),
        (b" {} ", None),
        (b"null", None),
        (b"[]", "must be a JSON object, not an array"),
        (b'"x"', "not a text"),
        (b"7", "not a number"),
        (b"true", "not a truth value"),
        (b'{"date": NaN}', "byte 9"),
        (b'{"date": Infinity}', "byte 9"),
        (b'{"date": 1e999}', "out of range"),
        (b'{"date": ' + b"9" * 1500 + b"}", "date: expected"),
        (b'{"date": "2026-03-07", "date": "2026-03-08"}', "'date' is there twice"),
        (b'{"date": {"a": 1, "a": 2}}', "'a' is there twice"),
        (b'{"date": "\\ud800"}', "no JSON"),
        (b'{"date": "\xff"}', "no JSON"),
        (b"\xef\xbb\xbf{}", "byte 0"),
        (b"{} {}", "trailing"),
        (b"[" * 1900, "64 levels"),
        (b'{"date":' * 100 + b"1" + b"}" * 100, "64 levels"),
        (b'{"dat": "2026-03-07"}', "did you mean date"),
        (b'{"date": 7}', "date"),
        (b'{"pipelineId": "other"}', "pipelineId"),
        (b"a=1&b=2", "no JSON"),
        (b"\x00", "no JSON"),
    ],
)
def test_a_body_is_json_that_can_be_understood_in_one_way_or_refused_with_the_place(
    rig: Rig, body: bytes, word: str | None
) -> None:
    reply = rig.ask("POST", EVALUATE, body=body)
    if word is None:
        assert reply.status == 200
    else:
        assert reply.status == 400
        assert word in reply.document["detail"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('APPLICATION/JSON; charset="UTF-8"', 200),
        ("application/vnd.acme+json", 200),
        ("", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 200),
        ("multipart/form-data; boundary=x", 415),
        ("application/yaml", 415),
        ("application/json; charset=utf-16", 415),
        ("json", 415),
    ],
)
def test_a_body_is_said_to_be_json_or_said_to_be_nothing(rig: Rig, kind: str, status: int) -> None:
    assert rig.ask("POST", EVALUATE, body=b"{}", headers={"content-type": kind}).status == status


def test_where_there_is_no_body_it_does_not_matter_what_it_is_said_to_be(rig: Rig) -> None:
    assert rig.ask("POST", EVALUATE, headers={"content-type": "text/plain"}).status == 200


def test_a_body_that_is_said_to_be_too_long_is_not_even_begun(rig: Rig) -> None:
    """T-95."""
    reply = rig.ask("POST", EVALUATE, body=b"{}", headers={"content-length": "2001"})
    assert reply.status == 413
    assert reply.headers["connection"] == "close"
    assert "2000 bytes" in reply.document["detail"]


def test_a_body_in_pieces_ends_where_it_becomes_too_long() -> None:
    """T-95."""
    taken = []

    async def receive() -> Any:
        taken.append(1)
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    with pytest.raises(HttpProblem, match="longer than 1000 bytes"):
        asyncio.run(read_json({}, receive, Limits(size=1000), aside))
    assert len(taken) == 11


@pytest.mark.parametrize("told", ["-1", "abc", "1e3", "9" * 50, "\u0663"])
def test_an_odd_length_does_no_harm(rig: Rig, told: str) -> None:
    assert rig.ask("POST", EVALUATE, body=b"{}", headers={"content-length": told}).status in (200, 413)


def test_a_body_that_does_not_come_is_not_waited_for_without_end() -> None:
    """T-95."""

    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(HttpProblem, match=r"within 0\.01 seconds") as caught:
        asyncio.run(read_json({}, never, Limits(patience=0.01), aside))
    assert caught.value.status == 408
    assert (b"connection", b"close") in caught.value.headers


def test_drops_that_keep_coming_do_not_lengthen_the_wait() -> None:
    async def drops() -> Any:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    with pytest.raises(HttpProblem) as caught:
        asyncio.run(read_json({}, drops, Limits(patience=0.05), aside))
    assert caught.value.status == 408


def test_a_large_body_is_taken_apart_where_nobody_else_waits_for_it() -> None:
    """T-95: a body of half a million lists takes seconds, in which the event loop answers nobody."""
    asked_of: list[str] = []

    async def noted(work: Callable[[], object]) -> object:
        def noting() -> object:
            asked_of.append(threading.current_thread().name)
            return work()

        return await asyncio.to_thread(noting)

    async def story(body: bytes) -> object:
        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        return await read_json({}, receive, Limits(), noted)

    assert asyncio.run(story(b'{"a": 1}')) == {"a": 1}
    assert asked_of == []
    assert asyncio.run(story(b"[" + b"[],[]," * 50_000 + b"[]]")) == [[]] * 100_001
    assert len(asked_of) == 1
    assert threading.current_thread().name not in asked_of


def test_more_large_bodies_than_can_be_read_are_refused_and_small_ones_are_not(tmp_path: Path) -> None:
    with Rig(tmp_path, bounds=Bounds(large=Size(1, -1))) as rig:  # room for none
        large = rig.ask("POST", EVALUATE, body=b'{"date":"' + b"x" * 20_000 + b'"}')
        assert (large.status, large.document["code"]) == (429, "busy")
        assert large.headers["retry-after"] == "1"
        assert rig.ask("POST", EVALUATE, body=b"{}").status == 200


def test_a_caller_who_goes_away_in_the_middle_of_a_body_asked_for_nothing() -> None:
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    with pytest.raises(Gone):
        asyncio.run(read_json({}, receive, Limits(), aside))


def test_nothing_is_read_from_what_has_no_body(rig: Rig) -> None:
    assert rig.ask("GET", "/api/pipelines", body=b"[" * 1_000_000).status == 200


@pytest.mark.parametrize("depth", [1, 63, 64])
def test_nesting_is_taken_up_to_its_bound(depth: int) -> None:
    assert parsed(b"[" * depth + b"]" * depth) is not None
    with pytest.raises(Invalid, match="64 levels"):
        parsed(b"[" * 65 + b"]" * 65)


def test_a_query_is_a_mapping_of_texts() -> None:
    assert query_of(b"") == {}
    assert query_of(b"a=1&b=x%20y+z&c=") == {"a": "1", "b": "x y z", "c": ""}

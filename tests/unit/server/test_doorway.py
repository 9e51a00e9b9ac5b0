"""What is refused before anybody asks who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock.config.project import ServerSpec


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("project"), ServerSpec(public_url="https://interlock.example.com")) as found:
        yield found


@pytest.mark.parametrize(
    "path",
    [
        "//api/pipelines",
        "/api//pipelines",
        "/api/../api/pipelines",
        "/api/./pipelines",
        "/api/pipelines/..",
        "/api/%2e%2e/pipelines",
        "/api/pipelines/%2E%2E/status",
        "/api/pipelines/a%2fb/status",
        "/api/pipelines/a%2Fb/status",
        "/api/pipelines/a%5cb/status",
        "/api/pipelines/a\\b/status",
        "/api/pipelines/%00/status",
        "/api/pipelines/a%0d%0ab/status",
        "/api/pipelines/%1b[31m/status",
        "/api/pipelines/%ff/status",
        "/api/pipelines/a%C2%85b/status",
        "/api/pipelines/a%E2%80%A8b/status",
        "/api/pipelines/a%E2%80%AEb/status",
        "/api/pipelines/%c0%ae%c0%ae/status",
        "/api/pipelines//status",
        "api/pipelines",
        "*",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(rig: Rig, path: str) -> None:
    reply = rig.ask("GET", path)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert "path" in reply.document["detail"]


@pytest.mark.parametrize("path", ["/api/pipelines/...", "/api/pipelines/%E2%82%AC", "/api/pipelines/a%20b", "/..."])
def test_an_address_that_is_only_odd_is_merely_not_found(rig: Rig, path: str) -> None:
    assert rig.ask("GET", path).status in (400, 404)


def test_addresses_have_a_bound(rig: Rig) -> None:
    assert rig.ask("GET", "/api/" + "a" * 5000).status == 414
    assert rig.ask("GET", "/api/pipelines?cursor=" + "a" * 9000).status == 414


def test_headers_have_a_bound(rig: Rig) -> None:
    assert rig.ask("GET", "/version", headers={f"x-{number}": "1" for number in range(200)}).status == 431
    assert rig.ask("GET", "/version", headers={"x-long": "1" * 40_000}).status == 431


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:3000",
        "localhost",
        "localhost:3000",
        "LocalHost",
        "app.localhost",
        "[::1]:3000",
        "10.1.2.3",
        "interlock.example.com",
        "INTERLOCK.example.com:443",
    ],
)
def test_an_open_server_answers_to_names_that_nobody_else_can_own(rig: Rig, host: str) -> None:
    assert rig.ask("GET", "/version", headers={"host": host}).status == 200


def test_where_others_may_call_names_without_a_dot_are_those_of_containers(tmp_path: Path) -> None:
    with Rig(tmp_path, ServerSpec(host="0.0.0.0", allow_public=True)) as public:
        assert public.ask("GET", "/version", headers={"host": "interlock:3000"}).status == 200
        assert public.ask("GET", "/version", headers={"host": "evil.example"}).status == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "interlock.example.com.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "example.com",
        "[evil]:3000",
        "evil",
        "evil:3000",
        "127.1",
    ],
)
def test_an_open_server_answers_to_no_name_of_others(rig: Rig, host: str) -> None:
    """A page whose name was pointed here (DNS rebinding) could else read everything."""
    reply = rig.ask("GET", "/version", headers={"host": host})
    assert reply.status == 403
    assert "publicUrl" in reply.document["detail"]


def test_with_keys_any_name_will_do(tmp_path: Path) -> None:
    with Rig(tmp_path, with_keys(a_key("token-token", "read"))) as guarded:
        assert guarded.ask("GET", "/version", key="token-token", headers={"host": "any.example"}).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"origin": "http://127.0.0.1:3000"}, 404),
        ({"origin": "https://interlock.example.com"}, 404),
        ({"sec-fetch-site": "same-origin"}, 404),
        ({"sec-fetch-site": "none"}, 404),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3001"}, 403),
        ({"origin": "https://127.0.0.1:3000"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_only_a_page_of_its_own_may_change_something(rig: Rig, headers: dict[str, str], status: int) -> None:
    for method, path in (("POST", "/api/pipelines/nowhere/evaluate"), ("DELETE", "/api/pipelines/nowhere/pause")):
        assert rig.ask(method, path, headers=headers).status == status


def test_with_keys_too_no_other_page_may_change_something(tmp_path: Path) -> None:
    with Rig(tmp_path, with_keys(a_key("token-token", "admin"))) as guarded:
        headers = {"origin": "http://evil.example"}
        reply = guarded.ask("POST", "/api/pipelines/orders/evaluate", key="token-token", headers=headers)
        assert reply.status == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_no_answer_ever_invites_other_pages(rig: Rig) -> None:
    reply = rig.ask("OPTIONS", "/api/pipelines", headers={"origin": "http://evil.example"})
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("name", [b"host", b"content-type", b"origin", b"content-length"])
def test_a_header_that_says_two_things_is_refused(rig: Rig, name: bytes) -> None:
    assert rig.ask("GET", "/version", raw_headers=[(name, b"1"), (name, b"2")]).status == 400


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=1&limit=2", "twice"),
        ("limit=%ff", "UTF-8"),
        ("&".join(f"a{number}=1" for number in range(60)), "more than 50"),
        ("limt=1", "did you mean limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
    ],
)
def test_a_query_that_cannot_be_understood_is_refused_with_the_reason(rig: Rig, query: str, word: str) -> None:
    reply = rig.ask("GET", f"/api/pipelines/orders/runs?{query}")
    assert reply.status == 400
    assert word in reply.document["detail"]

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.clients.http import HttpClient
from interlock.codec.documents import mapping
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import JobHandle
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.http import HttpTrigger
from interlock.triggers.http_config import HttpConfig

pytestmark = pytest.mark.enable_socket
RUN_ID = "daily-sales:daily:2026-03-07:1"


def trigger(client: HttpClient, *, callback: str = "", allow: tuple[str, ...] = (), **keys: Any) -> HttpTrigger:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client, public_url=callback, env_allow=allow)
    return HttpTrigger(msgspec.convert(keys, HttpConfig), context)


def start(client: HttpClient, answer: Callable[[socket.socket, bytes], None], **keys: Any) -> JobHandle:
    with RawServer(answer) as server:
        return trigger(client, url=server.url, **keys).start(a_job(), timeout=TIMEOUT)


def refused(client: HttpClient, answer: Callable[[socket.socket, bytes], None], **keys: Any) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        start(client, answer, **keys)
    return caught.value


def test_the_callee_is_told_which_run_it_works_for_and_where_to_report(client: HttpClient) -> None:
    """T-98."""
    with RawServer(reply()) as server:
        made = trigger(
            client,
            callback="https://me.example",
            url=server.url,
            body={"day": "x"},
            headers={"X-Interlock-Run-Id": "forged"},
        )
        handle = made.start(a_job(attempt=2), timeout=TIMEOUT)
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    lines = head.lower().split("\r\n")
    assert lines[0].startswith("post / ")
    assert f"x-interlock-run-id: {RUN_ID}" in lines
    assert "x-interlock-attempt: 2" in lines
    assert f"idempotency-key: {RUN_ID}/2" in lines
    assert f"x-interlock-callback-url: https://me.example/api/runs/{RUN_ID}/complete?attempt=2" in lines
    assert "content-type: application/json" in lines
    assert body == '{"day":"x"}'
    assert handle.id == f"{RUN_ID}/2"


def test_a_text_is_sent_as_it_is_and_headers_may_say_what_it_is(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        made = trigger(client, url=server.url, body="a=$1&b='q'", headers={"Content-Type": "text/plain"}, method="put")
        made.start(a_job(), timeout=TIMEOUT)
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("PUT ")
    assert "content-type: text/plain" in head.lower()
    assert body == "a=$1&b='q'"


@pytest.mark.parametrize(
    ("status", "started", "category"),
    [
        ("400 Bad Request", False, "PERMANENT"),
        ("404 Not Found", False, "PERMANENT"),
        ("408 Request Timeout", False, "TRANSIENT"),
        ("409 Conflict", None, "PERMANENT"),
        ("425 Too Early", False, "TRANSIENT"),
        ("429 Too Many Requests", False, "TRANSIENT"),
        ("301 Moved Permanently", False, "PERMANENT"),
        ("302 Found", None, "PERMANENT"),
        ("303 See Other", None, "PERMANENT"),
        ("307 Temporary Redirect", False, "PERMANENT"),
        ("500 Internal Server Error", None, "TRANSIENT"),
        ("501 Not Implemented", False, "PERMANENT"),
        ("502 Bad Gateway", None, "TRANSIENT"),
        ("503 Service Unavailable", None, "TRANSIENT"),
    ],
)
def test_the_status_decides_what_is_known_of_the_start(
    client: HttpClient, status: str, started: bool | None, category: str
) -> None:
    """T-20, BUG-186."""
    error = refused(client, reply(status))
    assert (error.started, error.category) == (started, category)


def test_a_server_that_asks_to_come_back_later_has_not_started_anything(client: HttpClient) -> None:
    error = refused(client, reply("503 Service Unavailable", b"", "Retry-After: 5"))
    assert (error.started, error.category) == (False, "TRANSIENT")


def test_nobody_knows_whether_a_request_cut_off_was_heeded(client: HttpClient) -> None:
    error = refused(client, raw(b""))
    assert (error.started, error.category) == (None, "TRANSIENT")


def test_a_slow_target_is_a_timeout_and_nobody_knows(client: HttpClient) -> None:
    """LAT-46."""

    def wait(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(10)

    with RawServer(wait) as server:
        made = trigger(client, url=server.url, timeout=0.3)
        with pytest.raises(TriggerError) as caught:
            made.start(a_job(), timeout=TIMEOUT)
        server.stopping.set()
    assert (caught.value.started, caught.value.category) == (None, "TIMEOUT")


def test_the_callers_deadline_rules_over_the_configured_one(client: HttpClient) -> None:
    def wait(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(10)

    with RawServer(wait) as server:
        with pytest.raises(TriggerError, match="in time"):
            trigger(client, url=server.url, timeout=3600).start(a_job(), timeout=timedelta(seconds=0.3))
        server.stopping.set()


def test_an_address_that_is_not_permitted_is_refused_for_good(client: HttpClient) -> None:
    """T-74, BUG-180."""
    with pytest.raises(TriggerError) as caught:
        trigger(client, url="http://169.254.169.254/latest").start(a_job(), timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (False, "PERMANENT")


def test_a_refused_connection_has_started_nothing_and_may_be_tried_again(client: HttpClient) -> None:
    """BUG-186."""
    with RawServer(reply()) as server:
        port = server.port
    with pytest.raises(TriggerError) as caught:
        trigger(client, url=f"http://127.0.0.1:{port}/").start(a_job(), timeout=TIMEOUT)
    assert (caught.value.started, caught.value.category) == (False, "TRANSIENT")


def test_a_repeated_request_is_the_same_request(client: HttpClient) -> None:
    """BUG-187."""
    answers = [reply("500 Oops"), reply()]

    def in_turn(peer: socket.socket, request: bytes) -> None:
        answers.pop(0)(peer, request)

    with RawServer(in_turn) as server:
        made = trigger(client, url=server.url, body={"a": [1, 2]}, idempotent=True)
        assert made.repeatable
        with pytest.raises(TriggerError):
            made.start(a_job(), timeout=TIMEOUT)
        made.start(a_job(), timeout=TIMEOUT)
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("size", [5_000, 10_000_000], ids=["small", "huge"])
def test_an_error_body_is_cleaned_and_cut(client: HttpClient, size: int) -> None:
    """BUG-120."""
    body = b"\x1b[31mforged\r\n[ERROR] line\x00" + b"x" * size
    error = refused(client, reply("400 Bad", body))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert len(str(error).encode()) <= 512 + 60
    assert not any(ord(letter) < 32 for letter in str(error))


def test_what_a_target_echoes_of_our_secrets_is_not_repeated(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-76."""
    monkeypatch.setenv("DB_PASSWORD", "swordfish")
    error = refused(
        client,
        reply("400 Bad", b"you sent Bearer hunter2 and swordfish"),
        headers={"Authorization": "Bearer hunter2"},
        allow=("DB_PASSWORD",),
    )
    assert "hunter2" not in str(error)
    assert "swordfish" not in str(error)


@pytest.mark.parametrize(
    "echo",
    [
        b"POST /hook?token=hunter2-hunter2 failed",
        b'{"sent": {"password": "hunter2-hunter2"}}',
        b"authorization: Basic aHVudGVyMi1odW50ZXIy",
        b"no route for https://anna:hunter2-hunter2@jobs.example.com/x",
    ],
)
def test_what_a_target_echoes_of_the_request_is_not_repeated_where_it_looks_secret(
    client: HttpClient, echo: bytes
) -> None:
    """T-76: addresses and bodies hold secrets, too."""
    error = refused(client, reply("400 Bad", echo))
    assert "hunter2" not in str(error)
    assert "aHVudGVy" not in str(error)
    assert "(redacted)" in str(error)


def test_a_success_too_large_to_read_is_a_success_when_nothing_in_it_is_wanted(client: HttpClient) -> None:
    assert start(client, reply("200 OK", b"x" * 200_000)).id == f"{RUN_ID}/1"
    error = refused(client, reply("200 OK", b"x" * 200_000), runIdPath="id")
    assert error.started is None


@pytest.mark.parametrize(
    ("rule", "answer", "started"),
    [
        ({"status": [202]}, reply("202 Accepted"), True),
        ({"status": [202]}, reply("200 OK"), None),
        ({"status": [303]}, reply("303 See Other"), True),
        ({"path": "data.ok", "equals": True}, reply("200 OK", b'{"data": {"ok": true}}'), True),
        ({"path": "data.ok", "equals": True}, reply("200 OK", b'{"data": {"ok": false}}'), False),
        ({"path": "0.state", "equals": "go"}, reply("200 OK", b'[{"state": "go"}]'), True),
        ({"path": "ok", "equals": True}, reply("200 OK", b"<html>"), None),
    ],
)
def test_the_success_rule_says_what_a_start_looks_like(
    client: HttpClient, rule: dict[str, Any], answer: Callable[[socket.socket, bytes], None], started: bool | None
) -> None:
    """LAT-21."""
    if started:
        assert start(client, answer, success=rule).id
    else:
        assert refused(client, answer, success=rule).started is started


def test_the_targets_own_id_is_the_handle(client: HttpClient) -> None:
    """BUG-115, LAT-07."""
    assert start(client, reply("200 OK", b'{"run": {"id": 17}}'), runIdPath="run.id").id == "17"


@pytest.mark.parametrize("body", [b"{}", b'{"id": ""}', b'{"id": null}', b'{"id": true}', b'{"id": {}}'])
def test_a_job_started_without_its_id_is_trouble_at_once(client: HttpClient, body: bytes) -> None:
    """T-22."""
    error = refused(client, reply("200 OK", body), runIdPath="id")
    assert (error.started, error.category) == (True, "PERMANENT")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"<html>Sign in</html>"])
def test_of_an_answer_that_cannot_be_read_nobody_knows_whether_it_means_a_start(
    client: HttpClient, body: bytes
) -> None:
    assert refused(client, reply("200 OK", body), runIdPath="id").started is None


@pytest.mark.parametrize(
    ("keys", "answer", "page"),
    [
        ({"pageUrl": "https://jobs.example/{id}"}, {}, "https://jobs.example/a%2Fb"),
        ({"pageUrlPath": "links.page"}, {"links": {"page": "https://x.example/1"}}, "https://x.example/1"),
        ({"pageUrl": "https://jobs.example/{id}", "pageUrlPath": "page"}, {"page": None}, "https://jobs.example/a%2Fb"),
        (
            {"pageUrlPath": "page"},
            {"page": "https://u:hunter2@x.example/1?token=hunter2&a=1"},
            "https://x.example/1?a=1",
        ),
        ({"pageUrlPath": "page"}, {"page": "javascript:alert(1)"}, None),
        ({"pageUrlPath": "page"}, {"page": ["https://x.example/1"]}, None),
        ({"pageUrlPath": "page"}, {"page": "https://x.example/hunter2"}, None),
        ({}, {"url": "https://x.example/1"}, None),
    ],
)
def test_the_jobs_own_page_goes_with_its_id_and_without_secrets(
    client: HttpClient, keys: dict[str, Any], answer: dict[str, Any], page: str | None
) -> None:
    body = json.dumps({"id": "a/b", **answer}).encode()
    secret: dict[str, Any] = {"headers": {"Authorization": "Bearer hunter2"}}
    handle = start(client, reply("200 OK", body), runIdPath="id", **secret, **keys)
    assert mapping(handle.details) == ({"url": page} if page else {})


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"url": ""},
        {"url": "http://x/", "verb": "GET"},
        {"url": "http://x/", "method": "GET X"},
        {"url": "http://x/", "timeout": 0},
        {"url": "http://x/", "success": {"path": "a"}},
        {"url": "http://x/", "headers": {"A": 1}},
        {"url": "http://x/", "followRedirects": "always"},
        {"url": "http://x/", "status": {"notFound": "running"}},
        {"url": "http://x/", "status": {"path": ""}},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(keys, HttpConfig)


def test_without_a_client_the_message_says_what_to_install() -> None:
    with pytest.raises(MissingExtra):
        HttpTrigger(HttpConfig(url="http://x/"), TriggerContext(state_dir=Path("/"), root=Path("/")))

from __future__ import annotations

import hmac
import io
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.clients.http import HttpClient
from interlock.clients.signing import signature
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.webhook import WebhookConfig, WebhookSink
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_event

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


def sink(client: HttpClient | None, **keys: Any) -> WebhookSink:
    context = SinkContext(stream=io.StringIO(), root=Path("/"), http=client)
    return WebhookSink(msgspec.convert(keys, WebhookConfig), context)


def test_a_receiver_can_tell_who_sent_it_and_whether_it_is_a_repeat(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        made = sink(client, url=server.url, secret="s3cret")
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_notice(), timeout=SOON)
    assert server.requests[0] == server.requests[1]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert json.loads(body)["alertId"] == fields["x-interlock-alert-id"] == "a-1"
    signed = fields["x-interlock-timestamp"].encode() + b"." + body
    assert fields["x-interlock-signature"] == "sha256=" + hmac.new(b"s3cret", signed, "sha256").hexdigest()


def _fields(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    return dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:]), body


def test_each_telling_of_an_alert_has_a_name_and_a_moment_of_its_own(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        made = sink(client, url=server.url, secret="s3cret")
        made.deliver(a_notice(), timeout=SOON)
        made.deliver(a_resolved_notice(), timeout=SOON)
    opened, resolved = (_fields(request)[0] for request in server.requests)
    assert (opened["x-interlock-alert-id"], opened["x-interlock-notice-id"]) == ("a-1", "a-1#1")
    assert (resolved["x-interlock-alert-id"], resolved["x-interlock-notice-id"]) == ("a-1", "a-1#3")
    assert int(resolved["x-interlock-timestamp"]) - int(opened["x-interlock-timestamp"]) == 3600


def test_the_end_of_a_run_is_posted_and_signed_the_same_way(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        sink(client, url=server.url, secret="s3cret").publish(an_event("PIPELINE_FAILED"), timeout=SOON)
    fields, body = _fields(server.requests[0])
    said = json.loads(body)
    assert said["eventType"] == "PIPELINE_FAILED"
    assert fields["x-interlock-event-id"] == said["eventId"].lower()
    assert fields["x-interlock-signature"] == signature("s3cret", fields["x-interlock-timestamp"], body)


def test_an_odd_name_costs_no_alert(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        sink(client, url=server.url).deliver(a_notice("ä\r\nx: \ud800y"), timeout=SOON)
    assert _fields(server.requests[0])[0]["x-interlock-alert-id"] == "%c3%a4%0d%0ax: ?y"


def test_how_long_a_receiver_asks_to_be_left_alone_is_handed_on(client: HttpClient) -> None:
    with RawServer(reply("503 Busy", b"later", "Retry-After: 120")) as server, pytest.raises(SinkError) as caught:
        sink(client, url=server.url).deliver(a_notice(), timeout=SOON)
    assert caught.value.retry_after == timedelta(seconds=120)
    assert "try again in 120 s" in str(caught.value)


def test_no_header_and_no_part_of_the_address_comes_back_in_an_error(client: HttpClient) -> None:
    said = b"no: /hooks/path-token?key=query-token with Bearer header-token"
    with RawServer(reply("401 No", said)) as server:
        url = f"{server.url}/hooks/path-token?key=query-token"
        made = sink(client, url=url, headers={"Authorization": "Bearer header-token"})
        with pytest.raises(SinkError) as caught:
            made.deliver(a_notice(), timeout=SOON)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1/token-of-mine", "ftp://host/token-of-mine", "http://host:0/token-of-mine"]
)
def test_an_address_that_is_none_is_an_error_that_does_not_show_it(client: HttpClient, url: str) -> None:
    with pytest.raises(SinkError) as caught:
        sink(client, url=url).deliver(a_notice(), timeout=SOON)
    assert "token-of-mine" not in str(caught.value)


def test_without_a_secret_nothing_is_signed(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        sink(client, url=server.url).deliver(a_notice(), timeout=SOON)
    assert b"signature" not in server.requests[0].lower()


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        ("500 Oops", True),
        ("429 Slow Down", True),
        ("408 Timeout", True),
        ("400 Bad", False),
        ("404 Not Found", False),
        ("302 Found", False),
    ],
)
def test_whether_another_try_can_help_is_said(client: HttpClient, status: str, retryable: bool) -> None:
    with RawServer(reply(status)) as server, pytest.raises(SinkError) as caught:
        sink(client, url=server.url).deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable is retryable


def test_an_answer_cut_short_after_a_success_is_a_success(client: HttpClient) -> None:
    with RawServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")) as server:
        sink(client, url=server.url).deliver(a_notice(), timeout=SOON)


def test_a_receiver_that_says_nothing_is_given_up_in_time(client: HttpClient) -> None:
    def wait(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(10)

    with RawServer(wait) as server:
        with pytest.raises(SinkError, match="in time"):
            sink(client, url=server.url, timeout=0.3).deliver(a_notice(), timeout=SOON)
        server.stopping.set()


def test_a_private_address_is_refused_for_good() -> None:
    """BUG-180: webhooks are covered too."""
    client = HttpClient()
    with pytest.raises(SinkError) as caught:
        sink(client, url="http://169.254.169.254/").deliver(a_notice(), timeout=SOON)
    assert not caught.value.retryable
    client.close()


def test_what_a_receiver_says_is_cleaned_and_cut_and_keeps_no_secret(client: HttpClient) -> None:
    """BUG-120."""
    with RawServer(reply("400 Bad", b"s3cret\x1b[2J\n" + b"x" * 9000)) as server, pytest.raises(SinkError) as caught:
        sink(client, url=server.url, secret="s3cret").deliver(a_notice(), timeout=SOON)
    assert len(str(caught.value)) < 600
    assert "s3cret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_without_a_client_the_message_says_what_to_install() -> None:
    with pytest.raises(MissingExtra):
        sink(None, url="http://x/")

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
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.webhook import WebhookConfig, WebhookSink
from interlock.testing.conformance.sinks import an_alert

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
        made.deliver(an_alert(), timeout=SOON)
        made.deliver(an_alert(), timeout=SOON)
    assert server.requests[0] == server.requests[1]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert json.loads(body)["alertId"] == fields["x-interlock-alert-id"] == "a-1"
    signed = fields["x-interlock-timestamp"].encode() + b"." + body
    assert fields["x-interlock-signature"] == "sha256=" + hmac.new(b"s3cret", signed, "sha256").hexdigest()


def test_without_a_secret_nothing_is_signed(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        sink(client, url=server.url).deliver(an_alert(), timeout=SOON)
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
        sink(client, url=server.url).deliver(an_alert(), timeout=SOON)
    assert caught.value.retryable is retryable


def test_an_answer_cut_short_after_a_success_is_a_success(client: HttpClient) -> None:
    with RawServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")) as server:
        sink(client, url=server.url).deliver(an_alert(), timeout=SOON)


def test_a_receiver_that_says_nothing_is_given_up_in_time(client: HttpClient) -> None:
    def wait(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(10)

    with RawServer(wait) as server:
        with pytest.raises(SinkError, match="in time"):
            sink(client, url=server.url, timeout=0.3).deliver(an_alert(), timeout=SOON)
        server.stopping.set()


def test_a_private_address_is_refused_for_good() -> None:
    """BUG-180: webhooks are covered too."""
    client = HttpClient()
    with pytest.raises(SinkError) as caught:
        sink(client, url="http://169.254.169.254/").deliver(an_alert(), timeout=SOON)
    assert not caught.value.retryable
    client.close()


def test_what_a_receiver_says_is_cleaned_and_cut_and_keeps_no_secret(client: HttpClient) -> None:
    """BUG-120."""
    with RawServer(reply("400 Bad", b"s3cret\x1b[2J\n" + b"x" * 9000)) as server, pytest.raises(SinkError) as caught:
        sink(client, url=server.url, secret="s3cret").deliver(an_alert(), timeout=SOON)
    assert len(str(caught.value)) < 600
    assert "s3cret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_without_a_client_the_message_says_what_to_install() -> None:
    with pytest.raises(MissingExtra):
        sink(None, url="http://x/")

"""What an http trigger sends, and where: signatures, redirects, permitted addresses."""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.http import HttpClient
from interlock.errors import TriggerError
from interlock.ports.triggers import JobHandle, JobState
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.http import HttpTrigger
from interlock.triggers.http_config import HttpConfig

pytestmark = pytest.mark.enable_socket
NOON = datetime(2026, 3, 7, 12, 0, 0, 900_000, tzinfo=UTC)
HANDLE = JobHandle(id="1")
DONE = b'{"status": "done"}'


def trigger(client: HttpClient, **keys: Any) -> HttpTrigger:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client, now=lambda: NOON)
    return HttpTrigger(msgspec.convert(keys, HttpConfig), context)


def refused(made: HttpTrigger) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        made.start(a_job(), timeout=TIMEOUT)
    return caught.value


def fields_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


# ---------------------------------------------------------------------- signatures


def test_the_start_the_looks_and_the_wish_to_stop_are_signed(client: HttpClient) -> None:
    with RawServer(reply("200 OK", DONE)) as server:
        made = trigger(
            client, url=server.url, body={"day": "x"}, secret="s3cret", statusUrl=server.url, cancelUrl=server.url
        )
        made.start(a_job(), timeout=TIMEOUT)
        made.poll(a_job(), HANDLE, timeout=TIMEOUT)
        made.cancel(a_job(), HANDLE, timeout=TIMEOUT)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert bodies == [b'{"day":"x"}', b"", b""]
    for request, body in zip(server.requests, bodies, strict=True):
        fields = fields_of(request)
        assert fields["x-interlock-timestamp"] == "1772884800"
        expected = hmac.new(b"s3cret", b"1772884800." + body, "sha256").hexdigest()
        assert fields["x-interlock-signature"] == f"sha256={expected}"


def test_a_header_of_the_configuration_cannot_stand_in_for_the_signature(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        made = trigger(client, url=server.url, secret="s3cret", headers={"X-Interlock-Signature": "sha256=forged"})
        made.start(a_job(), timeout=TIMEOUT)
    assert b"forged" not in server.requests[0]


def test_without_a_secret_nothing_is_signed(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        trigger(client, url=server.url).start(a_job(), timeout=TIMEOUT)
    assert "x-interlock-signature" not in fields_of(server.requests[0])


def test_what_cannot_be_signed_is_not_sent(client: HttpClient) -> None:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client)
    with pytest.raises(ValueError, match="clock"):
        HttpTrigger(HttpConfig(url="http://x/", secret="s3cret"), context)


def test_a_target_that_repeats_the_secret_is_not_quoted(client: HttpClient) -> None:
    """T-76."""
    with RawServer(reply("400 Bad Request", b"bad signature for key s3cret-s3cret")) as server:
        error = refused(trigger(client, url=server.url, secret="s3cret-s3cret"))
    assert "bad signature" in str(error)
    assert "s3cret" not in str(error)


# ---------------------------------------------------------------------- redirects


def leading(*hops: tuple[str, str]) -> Callable[[socket.socket, bytes], None]:
    """Answer with a redirect after the other, each a status and a place, and at last with a success."""
    left = list(hops)

    def answer(peer: socket.socket, request: bytes) -> None:
        if left:
            status, place = left.pop(0)
            reply(f"{status} Moved", b"", f"Location: {place}")(peer, request)
        else:
            reply("200 OK", DONE)(peer, request)

    return answer


@pytest.mark.parametrize("status", ["307", "308"])
def test_a_start_is_sent_on_as_it_is_within_the_origin(client: HttpClient, status: str) -> None:
    with RawServer(leading((status, "/v2/start?a=1"))) as server:
        made = trigger(client, url=server.url + "/start", body={"a": 1}, followRedirects="same-origin")
        made.start(a_job(), timeout=TIMEOUT)
    first, second = server.requests
    assert first.replace(b"/start ", b"/v2/start?a=1 ", 1) == second


@pytest.mark.parametrize("place", ["/v2", "http://127.0.0.1:{port}/v2", "http://forged:x@127.0.0.1:{port}/v2"])
def test_a_request_that_is_sent_on_keeps_its_credentials(client: HttpClient, place: str) -> None:
    def answer(peer: socket.socket, request: bytes) -> None:
        hop = leading(("307", place.format(port=server.port))) if b" /v1 " in request else reply()
        hop(peer, request)

    with RawServer(answer) as server:
        url = f"http://anna:swordfish@127.0.0.1:{server.port}/v1"
        trigger(client, url=url, followRedirects="same-origin").start(a_job(), timeout=TIMEOUT)
    first, second = map(fields_of, server.requests)
    assert first["authorization"] == second["authorization"] == "Basic YW5uYTpzd29yZGZpc2g="


@pytest.mark.parametrize(("status", "started"), [("301", False), ("302", None), ("303", None)])
def test_a_start_that_was_answered_elsewhere_is_not_sent_twice(
    client: HttpClient, status: str, started: bool | None
) -> None:
    """LAT-46: of a POST, 302 and 303 mean "done, look there"."""
    with RawServer(leading((status, "/done"))) as server:
        error = refused(trigger(client, url=server.url, followRedirects="same-origin"))
    assert error.started is started
    assert len(server.requests) == 1
    assert "redirect" in str(error)


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_a_look_is_sent_on_within_the_origin(client: HttpClient, status: str) -> None:
    with RawServer(leading((status, "/jobs/1"), (status, "#x"))) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url + "/old", followRedirects="same-origin")
        assert made.poll(a_job(), HANDLE, timeout=TIMEOUT).state is JobState.SUCCEEDED
    assert [request.split(b" ")[1] for request in server.requests] == [b"/old", b"/jobs/1", b"/jobs/1"]


@pytest.mark.parametrize(("method", "status", "asked"), [("POST", "302", 1), ("POST", "307", 2), ("GET", "302", 2)])
def test_a_wish_to_stop_is_sent_on_where_that_is_the_same_wish(
    client: HttpClient, method: str, status: str, asked: int
) -> None:
    with RawServer(leading((status, "/stop"))) as server:
        made = trigger(
            client, url="http://x/", cancelUrl=server.url, cancelMethod=method, followRedirects="same-origin"
        )
        if asked == 1:
            with pytest.raises(TriggerError, match="redirect"):
                made.cancel(a_job(), HANDLE, timeout=TIMEOUT)
        else:
            made.cancel(a_job(), HANDLE, timeout=TIMEOUT)
    assert [request.split(b" ")[0].decode() for request in server.requests] == [method] * asked


def test_by_default_no_redirect_is_followed(client: HttpClient) -> None:
    with RawServer(leading(("307", "/v2"), ("302", "/v2"))) as server:
        made = trigger(client, url=server.url, statusUrl=server.url)
        error = refused(made)
        assert made.poll(a_job(), HANDLE, timeout=TIMEOUT).state is JobState.UNSEEN
    assert (error.started, error.category, len(server.requests)) == (False, "PERMANENT", 2)


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}/", "//127.0.0.1:{port}/x", "http://169.254.169.254/latest"])
def test_no_redirect_leads_to_another_origin(client: HttpClient, place: str) -> None:
    """T-74: whoever is asked gets our credentials."""
    with RawServer(reply("200 OK", DONE)) as other:
        hop = ("307", place.format(port=other.port))
        with RawServer(leading(hop, hop)) as server:
            made = trigger(client, url=server.url, statusUrl=server.url, followRedirects="same-origin")
            assert refused(made).started is False
            assert made.poll(a_job(), HANDLE, timeout=TIMEOUT).state is JobState.UNSEEN
    assert other.connections == 0


def test_redirects_in_a_circle_end(client: HttpClient) -> None:
    with RawServer(reply("307 Again", b"", "Location: /")) as server:
        error = refused(trigger(client, url=server.url, followRedirects="same-origin"))
    assert (error.started, len(server.requests)) == (False, 6)


def test_a_start_lost_behind_a_redirect_is_unknown(client: HttpClient) -> None:
    answers = [reply("307 Moved", b"", "Location: /v2")]

    def answer(peer: socket.socket, request: bytes) -> None:
        if answers:
            answers.pop()(peer, request)

    with RawServer(answer) as server:
        assert refused(trigger(client, url=server.url, followRedirects="same-origin")).started is None


# ---------------------------------------------------------------------- permitted addresses


def test_a_name_that_stands_for_a_private_address_is_refused_before_anything_is_sent() -> None:
    """T-74."""
    client = HttpClient()
    with RawServer(reply()) as server:
        error = refused(trigger(client, url=f"http://localhost:{server.port}/"))
    client.close()
    assert (error.started, error.category, server.connections) == (False, "PERMANENT", 0)


def test_a_name_that_changes_its_address_behind_a_redirect_is_refused_there(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-74: each hop is checked on its own."""
    real, addresses = socket.getaddrinfo, ["127.0.0.1", "10.0.0.1"]

    def rebinding(host: str, port: int, *more: int, **options: int) -> object:
        if host == "rebind.example" and not options.get("flags"):
            return real(addresses.pop(0), port, *more, **options)
        return real(host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with RawServer(leading(("307", "/v2"))) as server:
        made = trigger(client, url=f"http://rebind.example:{server.port}/", followRedirects="same-origin")
        error = refused(made)
    assert (error.started, error.category, len(server.requests)) == (False, "PERMANENT", 1)


def test_a_page_or_a_way_to_stop_at_a_private_address_is_refused_with_words() -> None:
    client = HttpClient()
    with RawServer(reply("200 OK", DONE)) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url, cancelUrl=server.url)
        report = made.poll(a_job(), HANDLE, timeout=TIMEOUT)
        with pytest.raises(TriggerError) as caught:
            made.cancel(a_job(), HANDLE, timeout=TIMEOUT)
    client.close()
    assert report.state is JobState.UNSEEN
    assert "network.allow" in report.reason
    assert caught.value.category == "PERMANENT"
    assert server.connections == 0


def test_bodies_are_json_of_what_the_file_says(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        trigger(client, url=server.url, body=["é", 1, None]).start(a_job(), timeout=TIMEOUT)
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == ["é", 1, None]

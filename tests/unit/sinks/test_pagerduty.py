from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, raw, reply
from tests.unit.sinks.stubs import PagerDutyStub

from interlock.clients.http import HttpClient
from interlock.codec.documents import document
from interlock.core.alerts import AlertLevel, NoticeKind
from interlock.core.documents import Document
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.pagerduty import PagerDutyConfig, PagerDutySink
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_alert

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@pytest.fixture
def service() -> Iterator[PagerDutyStub]:
    with PagerDutyStub() as stub:
        yield stub


def sink(client: HttpClient | None, url: str, **keys: Any) -> PagerDutySink:
    context = SinkContext(stream=io.StringIO(), root=Path("/"), http=client)
    given = {"routingKey": PagerDutyStub.key, "url": f"{url}/v2/enqueue"}
    return PagerDutySink(msgspec.convert(given | keys, PagerDutyConfig), context)


def test_an_incident_says_what_where_and_how_bad(client: HttpClient, service: PagerDutyStub) -> None:
    alert = an_alert(owner="team-sales", tier=1)
    sink(client, service.url, source="etl-1").deliver(a_notice(alert=alert), timeout=SOON)
    (event,) = service.taken
    details = event["payload"].pop("custom_details")
    assert event == {
        "routing_key": PagerDutyStub.key,
        "dedup_key": "a-1",
        "event_action": "trigger",
        "client": "Interlock",
        "payload": {
            "summary": "daily-sales: the job failed",
            "source": "etl-1",
            "severity": "error",
            "timestamp": "2026-03-07T12:00:00Z",
            "component": "daily-sales",
            "class": "run_failed",
            "group": "team-sales",
        },
    }
    assert (details["runId"], details["details"], details["tier"]) == (
        "daily-sales:daily:2026-03-07:1",
        {"attempts": 3},
        1,
    )


def test_what_is_mended_resolves_its_incident(client: HttpClient, service: PagerDutyStub) -> None:
    made = sink(client, service.url)
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_resolved_notice(), timeout=SOON)
    opened, resolved = service.taken
    assert resolved == {"routing_key": PagerDutyStub.key, "dedup_key": opened["dedup_key"], "event_action": "resolve"}


def test_a_reminder_goes_into_the_incident_that_is_open(client: HttpClient, service: PagerDutyStub) -> None:
    made = sink(client, service.url)
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_notice(kind=NoticeKind.REMINDED, number=2), timeout=SOON)
    assert [(one["event_action"], one["dedup_key"]) for one in service.taken] == [("trigger", "a-1")] * 2


@pytest.mark.parametrize(
    ("level", "severity"),
    [(AlertLevel.ERROR, "critical"), (AlertLevel.WARNING, "warning"), (AlertLevel.INFO, "info")],
)
def test_how_bad_a_level_is_can_be_said(
    client: HttpClient, service: PagerDutyStub, level: AlertLevel, severity: str
) -> None:
    made = sink(client, service.url, severity={"error": "critical"})
    made.deliver(a_notice(alert=an_alert(level=level)), timeout=SOON)
    assert service.taken[0]["payload"]["severity"] == severity


def test_a_long_id_has_a_key_of_its_own_that_stays_the_same(client: HttpClient, service: PagerDutyStub) -> None:
    made = sink(client, service.url)
    for name in ("\ud800" * 300 + "1", "\ud800" * 300 + "2", "\ud800" * 300 + "1"):
        made.deliver(a_notice(name), timeout=SOON)
    first, second, third = (one["dedup_key"] for one in service.taken)
    assert first == third != second


def test_details_too_long_for_pagerduty_are_left_out_and_said_to_be(client: HttpClient, service: PagerDutyStub) -> None:
    alert = an_alert(message="m" * 600_000, details=Document((("log", '"' + "d" * 600_000 + '"'),)))
    followers = tuple(an_alert(f"f-{number}", "m" * 9000) for number in range(200))
    made = sink(client, service.url)
    made.deliver(a_notice(alert=alert, folded=followers, grouped=followers), timeout=SOON)
    details = service.taken[0]["payload"]["custom_details"]
    assert details["details"] == {"omitted": "too long for PagerDuty"}
    assert details["folded"][-1] == "… and 150 more"


def test_what_pagerduty_finds_wrong_is_said_without_the_key(client: HttpClient) -> None:
    said = f'{{"status": "invalid event", "errors": ["routing_key {PagerDutyStub.key} is unknown"]}}'.encode()
    with RawServer(reply("400 Bad", said)) as server, pytest.raises(SinkError, match="is unknown") as caught:
        sink(client, server.url).deliver(a_notice(), timeout=SOON)
    assert not caught.value.retryable
    assert PagerDutyStub.key not in str(caught.value)


def test_another_success_than_pagerdutys_is_none(client: HttpClient) -> None:
    """BUG-179."""
    portal = reply("200 OK", b"<html>Sign in</html>")
    with RawServer(portal) as server, pytest.raises(SinkError, match="200 came back: <html>") as caught:
        sink(client, server.url).deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable


def test_an_answer_cut_short_after_it_was_taken_is_a_success(client: HttpClient) -> None:
    with RawServer(raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{")) as server:
        sink(client, server.url).deliver(a_notice(), timeout=SOON)
    assert len(server.requests) == 1


@pytest.mark.parametrize("keys", [{}, {"routingKey": ""}, {"routingKey": "k", "severity": {"error": "bad"}}])
def test_what_could_never_be_delivered_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(keys, PagerDutyConfig)


def test_without_a_client_the_message_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"interlock\[http\]"):
        sink(None, "http://x")


def test_an_incident_links_to_the_jobs_own_page(client: HttpClient, service: PagerDutyStub) -> None:
    made = sink(client, service.url)
    for page in ("https://u:hunter2@jobs.example/17", "javascript:alert(1)"):
        made.deliver(a_notice(alert=an_alert(details=document({"jobUrl": page}))), timeout=SOON)
    linked, bare = service.taken
    assert linked["links"] == [{"href": "https://jobs.example/17", "text": "The job's own page"}]
    assert "links" not in bare

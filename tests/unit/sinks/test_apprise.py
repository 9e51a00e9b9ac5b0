from __future__ import annotations

import builtins
import io
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, reply
from tests.unit.sinks.stubs import JsonStub, apprise_is_there, rude_http

from interlock.core.alerts import AlertLevel
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.apprise import AppriseConfig, AppriseSink
from interlock.sinks.context import SinkContext
from interlock.testing.conformance.sinks import Behaviour, a_notice, a_resolved_notice, an_alert

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def _loaded() -> None:
    apprise_is_there()


def sink(url: str, **keys: Any) -> AppriseSink:
    context = SinkContext(stream=io.StringIO(), root=Path("/"))
    return AppriseSink(msgspec.convert({"url": url, **keys}, AppriseConfig), context)


@pytest.mark.parametrize(
    ("level", "kind"),
    [(AlertLevel.ERROR, "failure"), (AlertLevel.WARNING, "warning"), (AlertLevel.INFO, "info")],
)
def test_how_loud_it_is_is_handed_on(level: AlertLevel, kind: str) -> None:
    with JsonStub() as stub:
        sink(f"json://127.0.0.1:{stub.port}/hook").deliver(a_notice(alert=an_alert(level=level)), timeout=SOON)
    (said,) = stub.taken
    assert said["type"] == kind
    assert "daily-sales: the job failed" in said["title"]


def test_what_is_over_is_a_success() -> None:
    with JsonStub() as stub:
        sink(f"json://127.0.0.1:{stub.port}/hook").deliver(a_resolved_notice(), timeout=SOON)
    assert stub.taken[0]["type"] == "success"
    assert stub.taken[0]["message"].startswith("RESOLVED: the job failed (the rerun completed)")


def test_text_too_long_for_a_service_is_cut_and_sent_once() -> None:
    followers = tuple(an_alert(f"f-{number}", "m" * 9000) for number in range(200))
    details = an_alert(message="m" * 100_000)
    with JsonStub() as stub:
        made = sink(f"json://127.0.0.1:{stub.port}/hook")
        made.deliver(a_notice(alert=details, folded=followers), timeout=SOON)
    assert len(stub.taken) == 1


@pytest.mark.parametrize("url", ["nosuch://thing/token-of-mine", "token-of-mine", "json://", "discord://token-of-mine"])
def test_an_address_that_apprise_does_not_know_is_refused_for_good_and_not_shown(url: str) -> None:
    with pytest.raises(SinkError, match="not one that Apprise can use") as caught:
        sink(url).deliver(a_notice(), timeout=SOON)
    assert not caught.value.retryable
    assert "token-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [("500 Oops", True), ("503 Busy", True), ("429 Slow", True), ("401 No", False), ("404 Not Found", False)],
)
def test_whether_another_try_can_help_is_read_from_apprises_log(status: str, retryable: bool) -> None:
    with RawServer(reply(status)) as server, pytest.raises(SinkError, match=status[:3]) as caught:
        sink(f"json://127.0.0.1:{server.port}/hook").deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable is retryable


def test_no_part_of_the_address_comes_back_in_an_error_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = ("some-user", "pass-word", "path-token", "query-token")
    with RawServer(reply("401 No", b"pass-word is wrong")) as server:
        made = sink(f"json://some-user:pass-word@127.0.0.1:{server.port}/path-token?-key=query-token")
        with pytest.raises(SinkError) as caught:
            made.deliver(a_notice(), timeout=SOON)
    assert not [word for word in words if word in str(caught.value) + caplog.text]


def test_an_answer_that_points_elsewhere_is_not_followed() -> None:
    with JsonStub() as stub:
        answer = reply("307 Go There", b"", f"Location: {stub.url}/elsewhere")
        with RawServer(answer) as server, pytest.raises(SinkError, match="307"):
            sink(f"json://127.0.0.1:{server.port}/hook").deliver(a_notice(), timeout=SOON)
    assert stub.taken == []


def test_a_service_that_hangs_costs_one_thread_and_not_one_an_alert() -> None:
    with rude_http(Behaviour.DRIPS) as server:
        made = sink(f"json://127.0.0.1:{server.port}/hook")
        for words in ("did not end in time", "an earlier one has not ended yet", "an earlier one has not ended yet"):
            with pytest.raises(SinkError, match=words) as caught:
                made.deliver(a_notice(), timeout=timedelta(seconds=0.3))
            assert caught.value.retryable
    assert server.connections == 1


def test_one_hurried_delivery_does_not_hurry_the_next() -> None:
    with JsonStub() as stub:
        made = sink(f"json://127.0.0.1:{stub.port}/hook?rto=3&cto=2")
        for seconds in (1, 10):
            made.deliver(a_notice(), timeout=timedelta(seconds=seconds))
    assert made._service.request_timeout == (2, 3)


def test_whatever_a_service_raises_is_a_sink_error_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    def send(*args: object, **kwargs: object) -> bool:
        raise ZeroDivisionError("token-of-mine")

    monkeypatch.setattr(NotifyJSON, "send", send)
    with pytest.raises(SinkError) as caught:
        sink("json://127.0.0.1/token-of-mine").deliver(a_notice(), timeout=SOON)
    assert "token-of-mine" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_apprise_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"interlock\[alerts\]"):
        sink("json://127.0.0.1/").deliver(a_notice(), timeout=SOON)


def test_an_address_is_needed() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": ""}, AppriseConfig)

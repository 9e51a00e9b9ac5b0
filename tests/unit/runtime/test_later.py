"""Sinks that are made when they are first needed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from interlock.app.channels import Alerting
from interlock.codec.documents import document
from interlock.config.project import ProjectSettings, SinkSpec
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent, Notice
from interlock.errors import SecretError, SinkError
from interlock.runtime.channels import alerting_of
from interlock.sinks.context import SinkContext
from interlock.testing.builders import MINUTE, NOON, a_key, a_slot

EVENT = LifecycleEvent(event_type="PIPELINE_FAILED", slot=a_slot(), run_id=a_key().run_id, status="FAILED", at=NOON)


class Secrets(Mapping[str, str]):
    """A store of one secret, that does not answer until the secret is put there."""

    def __init__(self) -> None:
        self.value = ""
        self.asked = 0

    def __iter__(self) -> Iterator[str]:
        return iter(("place",))

    def __len__(self) -> int:
        return 1

    def __getitem__(self, name: str) -> str:
        self.asked += 1
        if not self.value:
            raise SecretError(f"the secret {name!r} cannot be had: throttled", retryable=True)
        return self.value


def a_notice() -> Notice:
    alert = Alert(
        alert_id="run-failed/x",
        alert_type=AlertType.RUN_FAILED,
        level=AlertLevel.ERROR,
        at=NOON,
        message="it failed",
        slot=a_slot(),
    )
    return Notice(alert=alert, at=NOON)


def made(tmp_path: Path, secrets: Secrets) -> Alerting:
    pages = SinkSpec(name="pages", type="file", config=document({"path": "${secret:place}"}))
    settings = ProjectSettings(sqlite_path=tmp_path / "interlock.db", sinks=(pages,), lifecycle=(pages,))
    return alerting_of(settings, SinkContext(stream=io.StringIO(), root=tmp_path), {}, secrets, later=True)


def test_who_tells_nobody_needs_no_secret_of_a_sink(tmp_path: Path) -> None:
    """A function that only decides is not kept from it by a store of secrets that does not answer."""
    secrets = Secrets()
    alerting = made(tmp_path, secrets)
    assert ([channel.name for channel in alerting.channels], alerting.subscribers[0][0]) == (["pages"], "pages")
    assert secrets.asked == 0


def test_a_sink_that_cannot_be_made_now_is_made_the_next_time(tmp_path: Path) -> None:
    """A failure at the first use does not stay."""
    secrets = Secrets()
    sink = made(tmp_path, secrets).channels[0].sink
    with pytest.raises(SinkError, match="throttled") as caught:
        sink.deliver(a_notice(), timeout=MINUTE)
    assert caught.value.retryable
    secrets.value = "alerts.jsonl"
    sink.deliver(a_notice(), timeout=MINUTE)
    sink.deliver(a_notice(), timeout=MINUTE)
    assert len((tmp_path / "alerts.jsonl").read_text().splitlines()) == 2


def test_a_subscriber_is_made_when_something_has_happened(tmp_path: Path) -> None:
    secrets = Secrets()
    ((_, subscriber),) = made(tmp_path, secrets).subscribers
    secrets.value = "ends.jsonl"
    subscriber.publish(EVENT, timeout=MINUTE)
    assert (tmp_path / "ends.jsonl").read_text().count("\n") == 1

"""Sinks that cannot hold a watcher up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from interlock.app.channels import Alerting, Channel
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent, Notice
from interlock.core.ids import RunId
from interlock.errors import SinkError
from interlock.runtime.guarding import LEFT_BEHIND, GuardedSink, guarded
from interlock.testing.builders import NOON, a_slot
from interlock.testing.fakes import RecordingSink, failing_sink

NONE, SHORT = timedelta(), timedelta(milliseconds=30)
NOTICE = Notice(
    alert=Alert(alert_id="a", alert_type=AlertType.TEST, level=AlertLevel.ERROR, at=NOON, message="listen"), at=NOON
)
EVENT = LifecycleEvent(event_type="PIPELINE_COMPLETED", slot=a_slot(), run_id=RunId("r"), status="COMPLETED", at=NOON)


class Stuck:
    """A sink that does not keep its promise."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls = 0

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        self.calls += 1
        self.gate.wait(20)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    made = Stuck()
    yield made
    made.gate.set()


def test_what_a_sink_does_and_raises_is_passed_on() -> None:
    real = failing_sink(retryable=False)
    sink = GuardedSink(real)
    with pytest.raises(SinkError, match="nobody answers") as caught:
        sink.deliver(NOTICE, timeout=SHORT)
    assert not caught.value.retryable
    sink.deliver(NOTICE, timeout=SHORT)
    assert real.delivered == [NOTICE]


def test_a_sink_that_does_not_return_is_left_behind(stuck: Stuck) -> None:
    with pytest.raises(SinkError, match="left behind"):
        GuardedSink(stuck, SHORT).deliver(NOTICE, timeout=NONE)


def test_a_sink_that_keeps_calls_behind_is_not_called_again_until_one_returns(stuck: Stuck) -> None:
    sink = GuardedSink(stuck, SHORT)
    for _ in range(LEFT_BEHIND + 2):
        with pytest.raises(SinkError):
            sink.deliver(NOTICE, timeout=NONE)
    assert stuck.calls == LEFT_BEHIND
    stuck.gate.set()
    for thread in [each for each in threading.enumerate() if each.name == "interlock-sink"]:
        thread.join(10)
    sink.deliver(NOTICE, timeout=NONE)
    assert stuck.calls == LEFT_BEHIND + 1


def test_every_channel_and_subscriber_is_guarded() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[LifecycleEvent] = []

        def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
            self.heard.append(event)

    listener, sink = Listener(), RecordingSink()
    found = guarded(Alerting(channels=(Channel("c", sink),), subscribers=(("s", listener),)))
    found.channels[0].sink.deliver(NOTICE, timeout=SHORT)
    found.subscribers[0][1].publish(EVENT, timeout=SHORT)
    assert (sink.delivered, listener.heard) == ([NOTICE], [EVENT])

"""What every sink must do. Subclass `SinkContract`, give it a `bench` fixture, and run pytest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import pytest

from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.documents import Document
from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.errors import SinkError
from interlock.ports.sinks import Sink

TIMEOUT: Final = timedelta(seconds=10)


class SinkBench(Protocol):
    """A sink whose receiver can be looked into."""

    def sink(self) -> Sink:
        """Return a sink that works."""
        ...

    def broken(self) -> Sink:
        """Return a sink whose receiver is out of order."""
        ...

    def received(self) -> list[str]:
        """Return what has arrived, one text for each delivery, in the order of arrival."""
        ...


def an_alert(alert_id: str = "a-1", message: str = "the job failed") -> Alert:
    """Return an alert for tests."""
    return Alert(
        alert_id=alert_id,
        alert_type=AlertType.RUN_FAILED,
        level=AlertLevel.ERROR,
        run=RunKey(Slot(PipelineName("daily-sales"), ScheduleName("daily"), Period.parse("2026-03-07"))),
        at=datetime(2026, 3, 7, 12, 0, tzinfo=UTC),
        message=message,
        details=Document((("attempts", "3"),)),
    )


class SinkContract:
    """The laws of the sink port, each a test."""

    @pytest.fixture
    def bench(self) -> SinkBench:
        """Override this with a bench of your sink."""
        raise RuntimeError("SinkContract needs a `bench` fixture")

    def test_an_alert_arrives_with_its_pipeline_and_its_message(self, bench: SinkBench) -> None:
        """Whoever reads it knows what it is about."""
        bench.sink().deliver(an_alert(), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "daily-sales" in arrived
        assert "the job failed" in arrived

    def test_alerts_arrive_in_the_order_of_their_delivery(self, bench: SinkBench) -> None:
        """The last one read is the last one sent."""
        sink = bench.sink()
        for number in range(3):
            sink.deliver(an_alert(f"a-{number}", f"message {number}."), timeout=TIMEOUT)
        assert [text.count(f"message {number}.") for number, text in enumerate(bench.received())] == [1, 1, 1]

    def test_alerts_delivered_at_once_do_not_mix(self, bench: SinkBench) -> None:
        """Two threads deliver two alerts, never one mixed one."""
        sink = bench.sink()
        with ThreadPoolExecutor(4) as pool:
            messages = [f"<{number}>" * 50 for number in range(20)]
            calls = [pool.submit(sink.deliver, an_alert(text[:5], text), timeout=TIMEOUT) for text in messages]
        for call in calls:
            call.result()
        arrived = bench.received()
        assert len(arrived) == len(messages)
        assert all(any(message in text for text in arrived) for message in messages)

    def test_an_alert_that_did_not_arrive_is_an_error(self, bench: SinkBench) -> None:
        """Silence is the hazard: a lost alert is said to be lost."""
        with pytest.raises(SinkError):
            bench.broken().deliver(an_alert(), timeout=TIMEOUT)

    def test_a_sink_that_failed_once_works_the_next_time(self, bench: SinkBench) -> None:
        """One failure leaves nothing behind that breaks the next delivery."""
        with pytest.raises(SinkError):
            bench.broken().deliver(an_alert(), timeout=TIMEOUT)
        bench.sink().deliver(an_alert(), timeout=TIMEOUT)
        assert len(bench.received()) == 1

    def test_hostile_text_stays_in_its_alert(self, bench: SinkBench) -> None:
        """BUG-120: a line break in a message must not look like another alert."""
        bench.sink().deliver(an_alert(message="line\n[ERROR] [other] forged\x1b[2J"), timeout=TIMEOUT)
        assert len(bench.received()) == 1
        assert "\x1b" not in bench.received()[0]

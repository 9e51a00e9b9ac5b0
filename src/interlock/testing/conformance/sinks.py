"""What every sink must do. Subclass `SinkContract`, give it a `bench` fixture, and run pytest.

A sink that talks to a server also passes `RemoteSinkContract`, whose bench puts every kind of trouble at the other end.
"""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, Protocol

import pytest

from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent, Notice, NoticeKind
from interlock.core.documents import Document
from interlock.core.ids import PipelineName, RunId, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.errors import SinkError
from interlock.ports.sinks import Sink

TIMEOUT: Final = timedelta(seconds=10)
SOON: Final = timedelta(seconds=0.25)
AT: Final = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
SLOT: Final = Slot(PipelineName("daily-sales"), ScheduleName("daily"), Period.parse("2026-03-07"))


class SinkBench(Protocol):
    """A sink whose receiver can be looked into."""

    def sink(self) -> Sink:
        """Return a sink that works."""
        ...

    def broken(self) -> Sink:
        """Return a sink whose receiver is out of order."""
        ...

    def received(self) -> list[str]:
        """Return what has arrived, one text for each delivery, in the order of arrival, as its readers see it."""
        ...


class Behaviour(enum.Enum):
    """What a receiver may do instead of taking a notice."""

    HANGS = "it accepts the connection and says nothing"
    DRIPS = "it sends one byte now and then"
    REFUSES = "nobody listens"
    BREAKS_OFF = "it closes the connection in the middle of its answer"
    IN_TROUBLE = "it says that it cannot at the moment"
    OVERLOADED = "it says that there is too much"
    DECLINES = "it says that this will never do"
    TALKS_NONSENSE = "it answers what is not of its protocol"
    NOT_TEXT = "it answers bytes that are no text"


class RemoteSinkBench(SinkBench, Protocol):
    """A bench whose receiver can be made to misbehave."""

    def behaving(self, how: Behaviour) -> Sink:
        """Return a sink whose receiver behaves in this way, at every delivery."""
        ...


def an_alert(alert_id: str = "a-1", message: str = "the job failed", **fields: Any) -> Alert:
    """Return an alert for tests."""
    given: dict[str, Any] = {
        "alert_id": alert_id,
        "alert_type": AlertType.RUN_FAILED,
        "level": AlertLevel.ERROR,
        "slot": SLOT,
        "run_id": RunId(f"{SLOT}:1"),
        "at": AT,
        "message": message,
        "details": Document((("attempts", "3"),)),
    }
    return Alert(**(given | fields))


def a_notice(alert_id: str = "a-1", message: str = "the job failed", **fields: Any) -> Notice:
    """Return the first telling of an alert; `fields` replace those of the notice."""
    given: dict[str, Any] = {"alert": an_alert(alert_id, message), "at": AT}
    return Notice(**(given | fields))


def a_resolved_notice(alert: Alert | None = None) -> Notice:
    """Return the telling that an alert is over, an hour and a reminder later."""
    return Notice(
        alert=alert or an_alert(),
        kind=NoticeKind.RESOLVED,
        number=3,
        at=AT + timedelta(hours=1),
        resolution="the rerun completed",
    )


def an_event(event_type: str = "PIPELINE_COMPLETED") -> LifecycleEvent:
    """Return a lifecycle event for tests."""
    return LifecycleEvent(event_type=event_type, slot=SLOT, run_id=RunId(f"{SLOT}:1"), status="COMPLETED", at=AT)


class SinkContract:
    """The laws of the sink port, each a test."""

    @pytest.fixture
    def bench(self) -> SinkBench:
        """Override this with a bench of your sink."""
        raise RuntimeError("SinkContract needs a `bench` fixture")

    def test_an_alert_arrives_with_its_pipeline_and_its_message(self, bench: SinkBench) -> None:
        """Whoever reads it knows what it is about."""
        bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "daily-sales" in arrived
        assert "the job failed" in arrived

    def test_an_alert_about_interlock_itself_arrives(self, bench: SinkBench) -> None:
        """Not every fact has a pipeline."""
        alert = an_alert(message="the watcher has stalled", slot=None, run_id=RunId(""))
        bench.sink().deliver(a_notice(alert=alert), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "the watcher has stalled" in arrived

    def test_what_is_over_is_said_to_be_over(self, bench: SinkBench) -> None:
        """The last word on a fact is not taken for a new one."""
        sink = bench.sink()
        sink.deliver(a_notice(), timeout=TIMEOUT)
        sink.deliver(a_resolved_notice(), timeout=TIMEOUT)
        opened, resolved = bench.received()
        assert "resolve" not in opened.lower()
        assert "resolve" in resolved.lower()

    def test_a_reminder_arrives(self, bench: SinkBench) -> None:
        """What is still broken is told again."""
        sink = bench.sink()
        sink.deliver(a_notice(), timeout=TIMEOUT)
        sink.deliver(a_notice(kind=NoticeKind.REMINDED, number=2), timeout=TIMEOUT)
        assert ["the job failed" in text for text in bench.received()] == [True, True]

    def test_what_is_told_together_is_named(self, bench: SinkBench) -> None:
        """An alert that holds others up says which."""
        slot = Slot(PipelineName("weekly-report"), ScheduleName("daily"), Period.parse("2026-03-07"))
        other = an_alert("a-2", "waits for daily-sales", slot=slot)
        bench.sink().deliver(a_notice(folded=(other,)), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "weekly-report" in arrived

    def test_alerts_arrive_in_the_order_of_their_delivery(self, bench: SinkBench) -> None:
        """The last one read is the last one sent."""
        sink = bench.sink()
        for number in range(3):
            sink.deliver(a_notice(f"a-{number}", f"message {number}."), timeout=TIMEOUT)
        arrived = bench.received()
        assert [f"message {number}." in text for number, text in enumerate(arrived)] == [True, True, True]

    def test_alerts_delivered_at_once_do_not_mix(self, bench: SinkBench) -> None:
        """Two threads deliver two alerts, never one mixed one."""
        sink = bench.sink()
        with ThreadPoolExecutor(4) as pool:
            messages = [f"({number})" * 50 for number in range(20)]
            calls = [pool.submit(sink.deliver, a_notice(text[:5], text), timeout=TIMEOUT) for text in messages]
        for call in calls:
            call.result()
        arrived = bench.received()
        assert len(arrived) == len(messages)
        assert all(any(message in text for text in arrived) for message in messages)

    def test_an_alert_that_did_not_arrive_is_an_error(self, bench: SinkBench) -> None:
        """Silence is the hazard: a lost alert is said to be lost."""
        with pytest.raises(SinkError):
            bench.broken().deliver(a_notice(), timeout=TIMEOUT)

    def test_a_sink_that_failed_once_works_the_next_time(self, bench: SinkBench) -> None:
        """One failure leaves nothing behind that breaks the next delivery."""
        with pytest.raises(SinkError):
            bench.broken().deliver(a_notice(), timeout=TIMEOUT)
        bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        assert len(bench.received()) == 1

    def test_hostile_text_stays_in_its_alert(self, bench: SinkBench) -> None:
        """BUG-120: a line break in a message must not look like another alert."""
        bench.sink().deliver(a_notice(message="line\n[ERROR] [other] forged\x1b[2J\x00\ud800"), timeout=TIMEOUT)
        assert len(bench.received()) == 1
        assert "\x1b" not in bench.received()[0]

    def test_a_huge_alert_arrives_in_a_size_that_the_receiver_takes(self, bench: SinkBench) -> None:
        """A message of a megabyte, a hundred details and a hundred followers cost nothing but themselves."""
        alert = an_alert(message="the job failed " + "<&ä😀\n" * 150_000, owner="o" * 5000)
        alert = an_alert(message=alert.message, owner=alert.owner, details=Document(_many_details()))
        followers = tuple(an_alert(f"f-{number}", alert.message[:5000]) for number in range(100))
        bench.sink().deliver(a_notice(alert=alert, folded=followers, grouped=followers), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "the job failed" in arrived


def _many_details() -> tuple[tuple[str, str], ...]:
    return tuple((f"detail-{number}", '"' + "d" * 5000 + '"') for number in range(100))


_PASSING: Final = (
    Behaviour.HANGS,
    Behaviour.DRIPS,
    Behaviour.REFUSES,
    Behaviour.BREAKS_OFF,
    Behaviour.IN_TROUBLE,
    Behaviour.OVERLOADED,
)
_TEDIOUS: Final = (Behaviour.HANGS, Behaviour.DRIPS)
_UNCLEAR: Final = (Behaviour.TALKS_NONSENSE, Behaviour.NOT_TEXT)


class RemoteSinkContract(SinkContract):
    """The laws of a sink that talks to a server, besides those of every sink."""

    @pytest.fixture
    def bench(self) -> RemoteSinkBench:
        """Override this with a bench of your sink."""
        raise RuntimeError("RemoteSinkContract needs a `bench` fixture")

    @pytest.mark.parametrize("how", _PASSING, ids=lambda how: how.name)
    def test_trouble_that_may_pass_is_worth_another_try(self, bench: RemoteSinkBench, how: Behaviour) -> None:
        """A receiver that is down for a while loses nothing."""
        with pytest.raises(SinkError) as caught:
            bench.behaving(how).deliver(a_notice(), timeout=SOON if how in _TEDIOUS else TIMEOUT)
        assert caught.value.retryable

    def test_trouble_that_stays_is_not(self, bench: RemoteSinkBench) -> None:
        """A request that is declined today is declined tomorrow."""
        with pytest.raises(SinkError) as caught:
            bench.behaving(Behaviour.DECLINES).deliver(a_notice(), timeout=TIMEOUT)
        assert not caught.value.retryable

    @pytest.mark.parametrize("how", _TEDIOUS, ids=lambda how: how.name)
    def test_nobody_is_held_longer_than_the_timeout(self, bench: RemoteSinkBench, how: Behaviour) -> None:
        """BUG-88: however slowly a receiver speaks, the delivery ends at about its timeout."""
        # What is read once, from files of ours, is no wait for a receiver.
        bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        sink = bench.behaving(how)
        began = monotonic()
        with pytest.raises(SinkError):
            sink.deliver(a_notice(), timeout=SOON)
        assert monotonic() - began < SOON.total_seconds() + 1.5

    @pytest.mark.parametrize("how", _UNCLEAR, ids=lambda how: how.name)
    def test_an_answer_that_makes_no_sense_is_taken_or_is_worth_another_try(
        self, bench: RemoteSinkBench, how: Behaviour
    ) -> None:
        """Nothing but `SinkError` ever comes out, and nonsense is not a refusal for good."""
        trouble: SinkError | None = None
        try:
            bench.behaving(how).deliver(a_notice(), timeout=TIMEOUT)
        except SinkError as exc:
            trouble = exc
        assert trouble is None or trouble.retryable

    def test_after_a_receiver_that_hung_another_delivery_works(self, bench: RemoteSinkBench) -> None:
        """One dead receiver leaves nothing behind that breaks what comes next."""
        with pytest.raises(SinkError):
            bench.behaving(Behaviour.HANGS).deliver(a_notice(), timeout=SOON)
        bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        assert len(bench.received()) == 1

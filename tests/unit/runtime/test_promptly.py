"""Telling at once what has become due, where nobody else may be there to do it."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier

import pytest
from tests.unit.app.alert_bench import AlertBench, about

from interlock.app.channels import Alerting, Channel
from interlock.app.notifying import publish, raise_alert, resolve_alert
from interlock.core.alerts import LifecycleEvent, Notice, NoticeKind
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import alert_dispatch, event_dispatch
from interlock.core.ids import RunId
from interlock.errors import StoreUnavailable
from interlock.runtime.guarding import GRACE
from interlock.runtime.promptly import tell_at_once
from interlock.testing.builders import NOON, SECOND, a_slot
from interlock.testing.fakes import RecordingSink, failing_sink

ALERT = about()
NAME = alert_dispatch(ALERT.alert_id)
END = LifecycleEvent(event_type="PIPELINE_FAILED", slot=a_slot(), run_id=RunId("r"), status="FAILED", at=NOON)


class Meeting:
    """Channels, each of which waits for the others."""

    def __init__(self, parties: int) -> None:
        self._barrier = Barrier(parties, timeout=20)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        self._barrier.wait()

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        self._barrier.wait()


def test_what_is_due_is_told_and_nothing_else() -> None:
    bench = AlertBench()
    other = about("other")
    raise_alert(ALERT, bench.hands)
    raise_alert(other, bench.hands)
    tell_at_once([NAME, alert_dispatch("nothing/of-this-name")], bench.hands)
    assert bench.pager.alerts == [ALERT]
    tell_at_once([NAME], bench.hands)
    assert bench.pager.alerts == [ALERT]
    assert bench.due() == [alert_dispatch(other.alert_id)]


def test_an_error_that_was_over_before_anybody_heard_of_it_is_told_and_then_its_end() -> None:
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)
    resolve_alert(ALERT.alert_id, "looked", NOON, bench.hands)
    tell_at_once([NAME], bench.hands)
    assert [each.kind for each in bench.pager.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]
    assert bench.due() == []


def test_those_that_hang_take_the_time_of_one() -> None:
    """Alerts and lifecycle events, and the channels of each."""
    slow = Meeting(3)
    channels = (Channel("one", slow), Channel("two", slow))
    bench = AlertBench(alerting=Alerting(channels=channels, subscribers=(("three", slow),)))
    raise_alert(ALERT, bench.hands)
    publish(END, bench.hands)
    tell_at_once([NAME, event_dispatch(END.event_id)], bench.hands)
    assert {each.state for each in bench.record(ALERT).deliveries} == {DeliveryState.DONE}


def test_a_sink_that_never_returns_is_left_behind() -> None:
    never = Barrier(2)

    class Stuck:
        def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
            never.wait()

    alerting = Alerting(channels=(Channel("stuck", Stuck()),), timeout=-GRACE + timedelta(milliseconds=20))
    bench = AlertBench(alerting=alerting)
    raise_alert(ALERT, bench.hands)
    tell_at_once([NAME], bench.hands)
    (delivery,) = bench.record(ALERT).deliveries
    assert "was left behind" in delivery.reason
    never.abort()


def test_what_was_not_taken_is_not_tried_twice_and_stays_for_later() -> None:
    bad = failing_sink()
    bench = AlertBench(Channel("bad", bad))
    raise_alert(ALERT, bench.hands)
    tell_at_once([NAME], bench.hands)
    assert bad.delivered == []
    assert bench.later(5 * SECOND).due() == [NAME]


def test_where_others_are_woken_for_what_is_due_it_is_left_to_them() -> None:
    """A function that may not write to the bucket would be refused, and the alert be given up for good."""
    sink = RecordingSink()
    bench = AlertBench(alerting=Alerting(channels=(Channel("bucket", sink),), prompt=False))
    raise_alert(ALERT, bench.hands)
    tell_at_once([NAME], bench.hands)
    assert (sink.delivered, bench.due()) == ([], [NAME])


def test_trouble_of_the_store_is_the_callers_to_know() -> None:
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)

    def gone(_call: int) -> None:
        raise StoreUnavailable("gone")

    bench.kernel.before = gone
    with pytest.raises(StoreUnavailable):
        tell_at_once([NAME], bench.hands)

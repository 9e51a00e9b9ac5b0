from __future__ import annotations

import pytest
from tests.unit.app.bench import Bench

from interlock.app.hands import Silence
from interlock.app.notifying import raise_alert
from interlock.app.perform import carry_out
from interlock.core.alerts import AlertType
from interlock.core.commands import RaiseAlert
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus
from interlock.errors import SinkError
from interlock.testing.builders import a_hand, a_spec
from interlock.testing.fakes import FakeTrigger, RecordingSink, Start, failing_sink


def _failed() -> Bench:
    bench = Bench(a_spec(retry=RetrySpec(max_attempts=1)), trigger=FakeTrigger(Start.REFUSED))
    carry_out(bench.key, bench.ready_to_start(), bench.hands)
    assert bench.run.status is RunStatus.FAILED
    return bench


def test_an_alert_reaches_every_sink_and_is_settled() -> None:
    """T-44, T-104, T-105."""
    bench = _failed()
    sinks = RecordingSink(), RecordingSink()
    hands = bench.hands._replace(sinks=sinks)
    carry_out(bench.key, bench.wish(RaiseAlert), hands)
    for sink in sinks:
        (alert,) = sink.delivered
        assert (alert.alert_type, alert.alert_id) == (AlertType.RUN_FAILED, f"run_failed/{bench.key.run_id}/1")
    assert bench.store.outstanding(bench.key) == ()


@pytest.mark.parametrize("trouble", [SinkError("nobody answers"), RuntimeError("broken sink")])
def test_one_failing_sink_does_not_keep_the_alert_from_the_others(trouble: Exception) -> None:
    """BUG-179, T-44."""
    bench = _failed()
    bad, good = RecordingSink(trouble), RecordingSink()
    hands = bench.hands._replace(sinks=(bad, good))
    wish = bench.wish(RaiseAlert)
    carry_out(bench.key, wish, hands)
    assert len(good.delivered) == 1
    assert bench.store.outstanding(bench.key) == (wish,), "a partly failed delivery is not done"
    carry_out(bench.key, wish, hands)
    assert bad.delivered == [wish.alert]
    assert {alert.alert_id for alert in good.delivered} == {wish.alert.alert_id}
    assert bench.store.outstanding(bench.key) == ()


def test_a_sink_that_can_never_take_an_alert_is_not_asked_for_ever() -> None:
    bench = _failed()
    hands = a_hand(bench.store, sinks=(failing_sink(retryable=False), failing_sink(retryable=False)))
    assert raise_alert(bench.wish(RaiseAlert), hands) is Silence.SETTLED


def test_without_sinks_an_alert_is_in_the_timeline_all_the_same() -> None:
    bench = _failed()
    assert raise_alert(bench.wish(RaiseAlert), bench.hands._replace(sinks=())) is Silence.SETTLED
    assert bench.store.timeline("example", limit=1)[0].record.status == "run_failed"

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.unit.app.alert_bench import AlertBench, about

from interlock.app.channels import Alerting, Channel, Wants
from interlock.app.delivering import LEASE_GRACE, deliver
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.app.silencing import begin_silence
from interlock.core import dispatching
from interlock.core.alerts import AlertLevel, AlertType, Notice, NoticeKind
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import alert_dispatch
from interlock.errors import SinkError, StoreUnavailable
from interlock.ports.controls import Silence
from interlock.testing.builders import MINUTE, NOON, SECOND
from interlock.testing.fakes import RecordingSink, failing_sink

ALERT = about()
NAME = alert_dispatch(ALERT.alert_id)


class BusySink(RecordingSink):
    """Does something else while it delivers."""

    def __init__(self, meanwhile: Callable[[Notice], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Keep a notice, and do it."""
        super().deliver(notice, timeout=timeout)
        self.meanwhile(notice)


def test_what_does_not_exist_is_not_delivered() -> None:
    bench = AlertBench()
    deliver("alert/nothing", bench.hands)
    deliver("event/nothing", bench.hands)
    deliver("nonsense", bench.hands)
    assert bench.pager.delivered == []


@pytest.mark.parametrize("trouble", [SinkError("nobody answers"), RuntimeError("broken sink"), SinkError("")])
def test_one_failing_channel_does_not_keep_the_alert_from_the_others_nor_repeats_it_there(trouble: Exception) -> None:
    """BUG-179, T-44."""
    bad, good = RecordingSink(trouble), RecordingSink()
    bench = AlertBench(Channel("bad", bad), Channel("good", good)).told(ALERT)
    assert (len(bad.delivered), len(good.delivered)) == (0, 1)
    bench.later(5 * SECOND).turn()
    assert (len(bad.delivered), len(good.delivered)) == (1, 1)
    assert bench.later(MINUTE).turn() == 0


def test_a_channel_that_failed_before_is_called_after_the_others() -> None:
    called: list[str] = []
    failing = failing_sink()
    late = BusySink(lambda _notice: called.append(f"late, while the first had {len(failing.delivered)}"))
    bench = AlertBench(Channel("aa", failing), Channel("zz", late, group_wait=5 * SECOND)).told(ALERT)
    bench.later(5 * SECOND).turn()
    assert called == ["late, while the first had 0"]
    assert len(failing.delivered) == 1


def test_a_channel_that_can_never_take_an_alert_is_not_asked_again() -> None:
    bench = AlertBench(Channel("bad", failing_sink(retryable=False))).told(ALERT)
    assert bench.later(MINUTE).turn() == 0
    assert bench.lines() == ["ALERT_UNDELIVERABLE"]


def test_a_channel_that_is_no_longer_configured_is_waited_for_and_named() -> None:
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)
    bench.hands = bench.hands._replace(alerting=Alerting(channels=(Channel("chat", bench.chat),)))
    bench.turn()
    missing = bench.record(ALERT).delivery("pager")
    assert missing is not None
    assert "no such channel" in missing.reason
    assert len(bench.chat.delivered) == 1


def test_two_deliverers_at_once_call_each_channel_once() -> None:
    bench = AlertBench()
    busy = BusySink(lambda _notice: deliver(NAME, bench.hands))
    bench.hands = bench.hands._replace(alerting=Alerting(channels=(Channel("busy", busy), Channel("chat", bench.chat))))
    bench.told(ALERT)
    assert (len(busy.delivered), len(bench.chat.delivered)) == (1, 1)


def test_many_threads_that_deliver_one_alert_call_each_channel_once() -> None:
    """BUG-05."""
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: deliver(NAME, bench.hands), range(40)))
    assert (len(bench.pager.delivered), len(bench.chat.delivered)) == (1, 1)


def test_channels_may_be_called_at_once() -> None:
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)
    with ThreadPoolExecutor(4) as threads:
        deliver(NAME, bench.hands, together=lambda tasks: tuple(threads.map(lambda task: task(), tasks)))
    assert (len(bench.pager.delivered), len(bench.chat.delivered)) == (1, 1)
    assert bench.due() == []


def test_a_deliverer_that_dies_is_replaced_when_its_lease_is_over() -> None:
    """T-44, BUG-33."""
    bench = AlertBench()

    def die(_notice: Notice) -> None:
        bench.kernel.before = lambda _call: (_ for _ in ()).throw(StoreUnavailable("it is dead"))

    bench.hands = bench.hands._replace(alerting=Alerting(channels=(Channel("pager", BusySink(die)),)))
    raise_alert(ALERT, bench.hands)
    with pytest.raises(StoreUnavailable):
        deliver(NAME, bench.hands)
    bench.kernel.heal()
    bench.hands = bench.hands._replace(alerting=Alerting(channels=(Channel("pager", bench.pager),)))
    assert bench.turn() == 0
    bench.later(bench.hands.alerting.timeout + LEASE_GRACE).turn()
    assert len(bench.pager.delivered) == 1


def test_a_deliverer_that_was_held_up_past_its_lease_calls_nobody() -> None:
    """BUG-33."""
    bench = AlertBench()
    raise_alert(ALERT, bench.hands)
    kernel, slept = bench.kernel, list[str]()

    def sleep(call: int) -> None:
        if kernel.calls[call] == "commit" and not slept:
            slept.append("for longer than the lease lasts")
            bench.later(2 * MINUTE)
            assert bench.turn() == 1  # somebody else takes it over

    kernel.after = sleep
    deliver(NAME, bench.hands)
    assert (len(slept), len(bench.pager.delivered), len(bench.chat.delivered)) == (1, 1, 1)


@pytest.mark.parametrize("after", [False, True])
def test_a_store_that_fails_at_any_call_loses_no_notice_and_repeats_at_most_the_one_under_way(*, after: bool) -> None:
    """T-44, BUG-33, AWS-47."""
    for call in range(40):
        bench = AlertBench()
        bench.kernel.fail_at(call, after=after)
        for _ in range(2):
            try:
                raise_alert(ALERT, bench.hands)
                break
            except StoreUnavailable:
                continue
        for _ in range(3):
            try:
                bench.turn()
            except StoreUnavailable:
                bench.kernel.heal()
            bench.later(2 * MINUTE)
        counts = sorted((len(bench.pager.delivered), len(bench.chat.delivered)))
        assert counts in ([1, 1], [1, 2]), f"call {call}"
        assert {each.notice_id for each in bench.pager.delivered} == {f"{ALERT.alert_id}#1"}


def test_an_open_alert_is_told_again_every_interval() -> None:
    """BUG-48."""
    bench = AlertBench().told(ALERT)
    for _ in range(24 * 6):
        bench.later(10 * MINUTE).turn()
    assert [each.kind for each in bench.pager.delivered] == [NoticeKind.OPENED, *6 * [NoticeKind.REMINDED]]
    assert [each.number for each in bench.pager.delivered] == list(range(1, 8))


def test_only_channels_that_want_an_alert_are_told() -> None:
    """T-104."""
    wants = Wants(min_level=AlertLevel.WARNING, pipelines=("sales-*",), types=(AlertType.RUN_FAILED,))
    sink = RecordingSink()
    bench = AlertBench(Channel("sales", sink, wants))
    for alert in (about("sales-eu"), about("sales-us", level=AlertLevel.INFO), about("stock")):
        bench.told(alert)
    assert [each.slot.pipeline for each in sink.alerts if each.slot] == ["sales-eu"]


def _grouping(sink: RecordingSink, *by: str) -> AlertBench:
    return AlertBench(Channel("chat", sink, group_by=by, group_wait=30 * SECOND))


def test_alerts_of_one_group_are_told_together_after_a_wait() -> None:
    sink = RecordingSink()
    bench = _grouping(sink, "owner")
    ours, theirs = [about(f"sales-{number}") for number in range(5)], about("stock", owner="stock")
    for alert in (*ours, theirs):
        bench.told(alert).later(SECOND)
    assert sink.delivered == []
    bench.later(MINUTE).turn()
    assert [(each.alert, each.grouped) for each in sink.delivered] == [(ours[0], tuple(ours[1:])), (theirs, ())]
    assert bench.due() == []


def test_a_group_that_could_not_be_told_is_told_once_later() -> None:
    sink = failing_sink()
    bench = _grouping(sink, "owner")
    for name in ("one", "two"):
        bench.told(about(name))
    bench.later(30 * SECOND).turn()
    bench.later(5 * SECOND).turn()
    (notice,) = sink.delivered
    assert [notice.alert.alert_id, *(each.alert_id for each in notice.grouped)] == [
        about("one").alert_id,
        about("two").alert_id,
    ]


def test_different_parts_of_a_life_are_not_told_in_one_breath() -> None:
    sink = RecordingSink()
    bench = _grouping(sink, "owner").told(about("one"))
    bench.later(30 * SECOND).turn()
    resolve_alert(about("one").alert_id, "it ran", bench.clock.now(), bench.hands)
    bench.told(about("two")).later(30 * SECOND).turn()
    assert [(each.kind, each.grouped) for each in sink.delivered] == [
        (NoticeKind.OPENED, ()),
        (NoticeKind.RESOLVED, ()),
        (NoticeKind.OPENED, ()),
    ]


def test_a_silence_over_one_of_a_group_keeps_it_out_of_what_the_others_tell() -> None:
    sink = RecordingSink()
    bench = _grouping(sink, "owner").told(about("one")).told(about("two"))
    quiet = Silence(silence_id="", at=NOON, until=NOON + 10 * MINUTE, actor="ann", reason="known", pipeline="two")
    begin_silence(quiet, bench.hands)
    bench.later(30 * SECOND).turn()
    assert [(each.alert.alert_id, each.grouped) for each in sink.delivered] == [(about("one").alert_id, ())]


def test_somebody_elses_lease_keeps_an_alert_out_of_a_group() -> None:
    sink = RecordingSink()
    bench = _grouping(sink, "owner").told(about("one")).told(about("two"))
    held = bench.record(about("two"))
    taken = dispatching.begun(held, NOON, NOON + 10 * MINUTE, only="chat")
    assert bench.hands.dispatches.commit(held, taken)
    bench.later(MINUTE).turn()
    assert [(each.alert.alert_id, each.grouped) for each in sink.delivered] == [(about("one").alert_id, ())]


def test_an_alert_resolved_while_its_opening_is_under_way_ends_for_that_channel_too() -> None:
    bench = AlertBench()
    busy = BusySink(lambda _notice: None)
    busy.meanwhile = lambda notice: (
        resolve_alert(ALERT.alert_id, "it ran", NOON, bench.hands) if notice.kind is NoticeKind.OPENED else None
    )
    bench.hands = bench.hands._replace(alerting=Alerting(channels=(Channel("busy", busy),)))
    bench.told(ALERT)
    assert [each.kind for each in busy.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]
    found = bench.record(ALERT).delivery("busy")
    assert found is not None
    assert found.state is DeliveryState.DONE

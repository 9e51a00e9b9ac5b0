from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.unit.app.alert_bench import AlertBench, about, about_nobody

from interlock.app.channels import Alerting, Channel
from interlock.app.notifying import LONGEST_CHAIN, publish, raise_alert, resolve_alert
from interlock.core.alerts import AlertType, LifecycleEvent, NoticeKind
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import FOLD_CHECK
from interlock.errors import Contention, SinkError
from interlock.stores.kernel import Change
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot
from interlock.testing.fakes import RecordingSink

EVENT = LifecycleEvent(
    event_type="PIPELINE_COMPLETED", slot=a_slot(), run_id=a_key().run_id, status="COMPLETED", at=NOON
)
UP = about("up")
DOWN = about("down", kind=AlertType.UPSTREAM_CANNOT_COMPLETE)


class Inbox:
    """A subscriber that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[LifecycleEvent] = []

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Keep an event."""
        self.events.append(event)


def test_an_alert_is_stored_and_due_at_once_and_nobody_is_called() -> None:
    """T-44, BUG-40."""
    bench = AlertBench()
    raise_alert(about(), bench.hands)
    assert bench.due() == [bench.record(about()).dispatch_id]
    assert bench.pager.delivered == []


def test_without_channels_an_alert_is_kept_all_the_same() -> None:
    bench = AlertBench(alerting=Alerting())
    raise_alert(about(), bench.hands)
    assert (bench.record(about()).open, bench.due()) == (True, [])


def test_a_hundred_repetitions_of_one_fact_are_one_alert() -> None:
    """BUG-48, T-42, T-105."""
    bench = AlertBench()
    for second in range(100):
        bench.told(about(after=second * SECOND)).later(SECOND)
    assert len(bench.pager.delivered) == 1


def test_the_end_of_an_alert_reaches_whoever_was_told_and_the_timeline() -> None:
    bench = AlertBench().told(about())
    resolve_alert(about().alert_id, "run 2 completed", NOON + MINUTE, bench.hands)
    bench.later(MINUTE).turn()
    assert [each.kind for each in bench.pager.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]
    assert bench.pager.delivered[-1].resolution == "run 2 completed"
    assert bench.lines() == ["ALERT_RESOLVED"]


def test_the_end_of_what_nobody_raised_is_nothing() -> None:
    bench = AlertBench()
    resolve_alert("nothing/at-all", "it ran", NOON, bench.hands)
    assert bench.hands.dispatches.alert("nothing/at-all") is None
    publish(EVENT, bench.hands)
    resolve_alert(EVENT.event_id, "it ran", NOON, bench.hands)
    assert bench.lines() == []


def test_an_error_that_ends_before_it_is_told_is_told_with_its_end() -> None:
    bench = AlertBench()
    raise_alert(about(), bench.hands)
    resolve_alert(about().alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert [notice.kind for notice in bench.pager.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def test_alerts_about_interlock_itself_have_no_timeline_and_are_told() -> None:
    bench = AlertBench().told(about_nobody())
    resolve_alert(about_nobody().alert_id, "it moves again", NOON, bench.hands)
    bench.turn()
    assert len(bench.pager.delivered) == 2


def test_a_lost_race_is_run_again_and_a_race_lost_for_ever_is_said() -> None:
    """BUG-05."""
    bench = AlertBench()
    real = bench.kernel.real.commit
    lost: Iterator[bool] = iter([True, True])

    def commit(pk: str, batch: list[Change]) -> bool:
        return not next(lost, False) and real(pk, batch)

    bench.kernel.real.commit = commit  # type: ignore[method-assign,assignment]  # a store that loses two races
    raise_alert(about(), bench.hands)
    assert bench.record(about()).open
    lost = itertools.repeat(True)
    with pytest.raises(Contention, match="Nothing was lost"):
        resolve_alert(about().alert_id, "it ran", NOON, bench.hands)


def test_an_alert_with_an_open_cause_is_told_with_it_and_not_on_its_own() -> None:
    bench = AlertBench()
    raise_alert(UP, bench.hands)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    bench.turn()
    (notice,) = bench.pager.delivered
    assert (notice.alert, notice.folded) == (UP, (DOWN,))
    assert bench.record(DOWN).folded_into == UP.alert_id


def test_when_the_cause_ends_what_is_still_open_is_told_on_its_own_at_once() -> None:
    bench = AlertBench().told(UP)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert [(each.alert, each.kind) for each in bench.pager.delivered] == [
        (UP, NoticeKind.OPENED),
        (UP, NoticeKind.RESOLVED),
        (DOWN, NoticeKind.OPENED),
    ]


def test_what_ends_with_its_cause_is_never_told() -> None:
    bench = AlertBench().told(UP)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    for alert in (DOWN, UP):
        resolve_alert(alert.alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert {each.alert.alert_id for each in bench.pager.delivered} == {UP.alert_id}


def test_a_cause_of_five_hundred_frees_them_all() -> None:
    bench = AlertBench().told(UP)
    alerts = [about(f"down-{number:03d}") for number in range(500)]
    for alert in alerts:
        raise_alert(alert, bench.hands, cause=UP.alert_id)
    resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert sorted(each.alert.alert_id for each in bench.pager.delivered[2:]) == [each.alert_id for each in alerts]


@pytest.mark.parametrize("cause", ["nobody/knows", UP.alert_id, DOWN.alert_id])
def test_a_cause_that_is_unknown_or_over_or_the_alert_itself_folds_nothing(cause: str) -> None:
    bench = AlertBench().told(UP)
    resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)
    raise_alert(DOWN, bench.hands, cause=cause)
    bench.turn()
    assert DOWN in bench.pager.alerts


def test_two_alerts_are_never_each_others_cause() -> None:
    bench = AlertBench().told(UP)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)
    raise_alert(about("up", after=MINUTE), bench.hands, cause=DOWN.alert_id)
    bench.later(MINUTE).turn()
    assert bench.record(UP).folded_into == ""


def test_a_chain_of_causes_is_told_by_its_first_and_each_by_its_own_when_that_ends() -> None:
    bench = AlertBench().told(UP)
    last = about("last")
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    raise_alert(last, bench.hands, cause=DOWN.alert_id)
    resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert bench.pager.alerts == [UP, UP, DOWN]
    assert bench.pager.delivered[-1].folded == (last,)
    resolve_alert(DOWN.alert_id, "it ran", NOON, bench.hands)
    bench.turn()
    assert bench.pager.alerts[-1] == last


def test_a_chain_of_causes_that_is_endless_silences_nobody() -> None:
    bench = AlertBench().told(UP)
    links = [about(f"link-{number:02d}") for number in range(LONGEST_CHAIN + 2)]
    for cause, link in pairwise([UP, *links]):
        raise_alert(link, bench.hands, cause=cause.alert_id)
    bench.turn()
    assert bench.record(links[5]).folded_into == links[4].alert_id
    assert len(bench.pager.delivered) > 1


def test_a_cause_that_ends_between_the_look_at_it_and_the_commit_silences_nobody() -> None:
    bench = AlertBench().told(UP)
    committed = len(bench.kernel.calls)

    def after(call: int) -> None:
        if bench.kernel.calls[call] == "commit" and call > committed:
            bench.kernel.heal()
            resolve_alert(UP.alert_id, "it ran", NOON, bench.hands)

    bench.kernel.after = after
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    assert not bench.record(DOWN).folded_into, "no index that lags has a say in it"
    bench.turn()
    assert bench.pager.alerts.count(DOWN) == 1


def test_a_folded_alert_that_its_cause_forgot_looks_after_itself() -> None:
    bench = AlertBench().told(UP)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    bench.later(FOLD_CHECK).turn()
    assert bench.record(DOWN).folded_into == UP.alert_id, "its cause is still open"
    bench.kernel.real.listing = lambda kind, page: []  # type: ignore[method-assign]  # an index that lags for ever
    resolve_alert(UP.alert_id, "it ran", bench.clock.now(), bench.hands)
    bench.turn()
    assert bench.pager.alerts.count(DOWN) == 0
    bench.later(FOLD_CHECK).turn()
    assert bench.pager.alerts.count(DOWN) == 1


def test_an_event_is_published_once_to_each_subscriber_however_often_it_is_told() -> None:
    """BUG-52."""
    inboxes = Inbox(), Inbox()
    bench = AlertBench(alerting=Alerting(subscribers=(("one", inboxes[0]), ("two", inboxes[1]))))
    for _ in range(3):
        publish(EVENT, bench.hands)
        bench.turn()
    assert [inbox.events for inbox in inboxes] == [[EVENT], [EVENT]]


def test_an_event_nobody_subscribes_to_is_kept_and_wants_nothing() -> None:
    bench = AlertBench()
    publish(EVENT, bench.hands)
    assert bench.due() == []


def test_an_event_for_a_subscriber_that_is_gone_is_given_up_visibly() -> None:
    bench = AlertBench(alerting=Alerting(subscribers=(("one", Inbox()),)))
    publish(EVENT, bench.hands)
    bench.hands = bench.hands._replace(alerting=Alerting())
    for _ in range(200):
        bench.turn()
        bench.later(10 * MINUTE)
    assert bench.lines() == ["EVENT_UNDELIVERABLE"]


def test_an_alert_that_cannot_be_delivered_is_given_up_visibly_and_tried_at_the_next_reminder() -> None:
    """T-44, BUG-33."""
    sink = RecordingSink(*(SinkError("nobody answers") for _ in range(400)))
    bench = AlertBench(Channel("pager", sink))
    bench.told(about())
    for _ in range(200):
        bench.later(10 * MINUTE).turn()
    assert bench.lines()[0] == "ALERT_UNDELIVERABLE"
    found = bench.record(about()).delivery("pager")
    assert found is not None
    assert (found.state, found.number) == (DeliveryState.DUE, 2)


def test_what_is_folded_into_a_folded_alert_is_told_at_once_when_that_one_ends() -> None:
    bench = AlertBench().told(UP)
    last = about("last", kind=AlertType.UPSTREAM_CANNOT_COMPLETE)
    raise_alert(DOWN, bench.hands, cause=UP.alert_id)
    raise_alert(last, bench.hands, cause=DOWN.alert_id)
    resolve_alert(DOWN.alert_id, "cancelled", NOON, bench.hands)
    bench.later(SECOND).turn()
    assert [each.alert_id for each in bench.pager.alerts] == [UP.alert_id, last.alert_id]

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.alert_lives import CHAT, PACE, PAGER, an_alert, an_open, came_to, tell

from interlock.core import dispatching
from interlock.core.alerts import AlertLevel, LifecycleEvent, NoticeKind
from interlock.core.deliveries import Delivery, DeliveryState, Pace, Target, Trouble
from interlock.core.dispatching import (
    FOLD_CHECK,
    AlertRecord,
    alert_dispatch,
    event_dispatch,
)
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot

HOUR = timedelta(hours=1)
EVENT = LifecycleEvent(
    event_type="PIPELINE_COMPLETED", slot=a_slot(), run_id=a_key().run_id, status="COMPLETED", at=NOON
)


def _pager(record: AlertRecord) -> Delivery:
    found = record.delivery(PAGER.name)
    assert found is not None
    return found


def test_an_alert_is_told_to_each_target_once() -> None:
    """BUG-48, T-42, T-105."""
    record = tell(an_open(PAGER, Target(name="chat")), NOON)
    assert {each.state for each in record.deliveries} == {DeliveryState.DONE}
    assert dispatching.begun(record, NOON + HOUR, NOON + 2 * HOUR) == record
    assert record.wake_at == NOON + PACE.renotify


def test_the_same_fact_again_while_it_is_open_is_nothing_new() -> None:
    """BUG-48, T-42."""
    record = tell(an_open(), NOON)
    assert dispatching.raised(record, an_alert(at=NOON + HOUR), (PAGER,), PACE, NOON + HOUR) is record


def test_a_repeated_message_about_a_fact_that_is_over_opens_nothing() -> None:
    record = dispatching.resolved(tell(an_open(), NOON), "it ran", NOON + HOUR)
    assert dispatching.raised(record, an_alert(at=NOON + HOUR), (PAGER,), PACE, NOON + 2 * HOUR) is record


def test_a_fact_that_comes_back_opens_anew_with_the_next_number() -> None:
    ended = tell(dispatching.resolved(tell(an_open(), NOON), "it ran", NOON + HOUR), NOON + HOUR)
    again = dispatching.raised(ended, an_alert(at=NOON + 2 * HOUR), (PAGER,), PACE, NOON + 2 * HOUR)
    assert (again.open, again.opened_at, again.resolved_at, again.resolution) == (True, NOON + 2 * HOUR, None, "")
    assert (_pager(again).number, _pager(again).kind) == (3, NoticeKind.OPENED)


def test_whoever_was_told_is_told_of_the_end() -> None:
    record = dispatching.resolved(tell(an_open(), NOON), "run 2 completed", NOON + HOUR)
    due = _pager(record)
    assert (due.number, due.kind, due.state) == (2, NoticeKind.RESOLVED, DeliveryState.DUE)
    told = dispatching.notice(record, due)
    assert (told.kind, told.resolution, told.notice_id) == (
        NoticeKind.RESOLVED,
        "run 2 completed",
        "run_failed/example#2",
    )
    over = tell(record, NOON + HOUR)
    assert over.wake_at is None
    assert dispatching.resolved(over, "again", NOON + 2 * HOUR) is over


def _a_warning() -> dispatching.AlertRecord:
    return dispatching.opened(an_alert(level=AlertLevel.WARNING), (PAGER,), PACE, NOON)


def test_an_error_that_is_over_before_it_is_told_is_told_all_the_same_and_then_its_end() -> None:
    """T-44."""
    record = dispatching.resolved(an_open(), "it ran", NOON + SECOND)
    assert (_pager(record).state, _pager(record).kind) == (DeliveryState.DUE, NoticeKind.OPENED)
    record = dispatching.begun(record, NOON + SECOND, NOON + MINUTE)
    record = dispatching.delivered(record, PAGER.name, 1, PACE, NOON + SECOND)
    assert (_pager(record).state, _pager(record).kind) == (DeliveryState.DUE, NoticeKind.RESOLVED)


def test_whoever_was_not_told_of_less_than_an_error_hears_nothing_of_the_end() -> None:
    record = dispatching.resolved(_a_warning(), "it ran", NOON + SECOND)
    assert _pager(record).state is DeliveryState.CANCELLED
    assert (record.wake_at, record.notices) == (None, 1)


def test_a_resolution_from_before_the_opening_is_about_an_earlier_one() -> None:
    record = an_open()
    assert dispatching.resolved(record, "it ran", NOON - SECOND) is record
    assert not dispatching.resolved(record, "it ran", NOON).open


def test_an_open_alert_is_told_again_at_the_declared_interval_and_not_before() -> None:
    """BUG-48."""
    record = tell(an_open(), NOON)
    assert dispatching.woke(record, PACE, NOON + PACE.renotify - SECOND) is record
    reminded = dispatching.woke(record, PACE, NOON + PACE.renotify)
    assert (_pager(reminded).number, _pager(reminded).kind) == (2, NoticeKind.REMINDED)
    assert tell(reminded, NOON + PACE.renotify).remind_at == NOON + 2 * PACE.renotify


def test_a_place_that_is_out_of_reach_hears_the_news_once_and_no_reminders_of_it() -> None:
    record = tell(an_open(), NOON, works=False)
    later = dispatching.woke(record, PACE, NOON + PACE.renotify)
    assert (_pager(later).number, later.notices) == (1, 1)
    assert later.remind_at == NOON + 2 * PACE.renotify


def test_a_place_that_was_given_up_is_told_of_the_opening_at_the_next_reminder() -> None:
    record = an_open()
    held = dispatching.begun(record, NOON, NOON + MINUTE)
    lost = dispatching.failed(held, PAGER.name, 1, Trouble("no such channel", retryable=False), PACE, NOON)
    lost = dispatching.released(lost, NOON + MINUTE, NOON)
    assert _pager(lost).state is DeliveryState.GIVEN_UP
    again = dispatching.woke(lost, PACE, NOON + PACE.renotify)
    assert (_pager(again).number, _pager(again).kind) == (2, NoticeKind.OPENED)


@pytest.mark.parametrize(("level", "pace"), [(AlertLevel.INFO, PACE), (AlertLevel.ERROR, Pace(renotify=timedelta()))])
def test_news_and_alerts_that_nobody_wants_repeated_are_told_once(level: AlertLevel, pace: Pace) -> None:
    record = dispatching.opened(an_alert(level=level), (PAGER,), pace, NOON)
    held = dispatching.begun(record, NOON, NOON + MINUTE)
    done = dispatching.delivered(held, PAGER.name, 1, pace, NOON)
    assert dispatching.released(done, NOON + MINUTE, NOON).wake_at is None


def test_an_alert_nobody_takes_is_kept_and_wants_nothing() -> None:
    record = dispatching.opened(an_alert(), (), PACE, NOON)
    assert (record.open, record.wake_at) == (True, None)
    assert dispatching.opened(an_alert(), (), PACE, NOON, cause="up").wake_at == NOON + FOLD_CHECK


def test_two_never_deliver_at_once_and_a_lease_that_ran_out_is_taken_over() -> None:
    record = dispatching.begun(an_open(), NOON, NOON + MINUTE)
    assert record.wake_at == NOON + MINUTE
    assert dispatching.begun(record, NOON + 59 * SECOND, NOON + HOUR) is record
    taken = dispatching.begun(record, NOON + MINUTE, NOON + HOUR)
    assert taken.held_until == NOON + HOUR
    assert dispatching.released(taken, NOON + MINUTE, NOON + MINUTE) is taken, "it is somebody else's by now"
    assert dispatching.released(an_open(), None, NOON) == an_open()


def test_what_somebody_died_over_is_due_again_when_another_takes_the_lease_for_one_target_only() -> None:
    """Nobody tries it any more, and it may have arrived: neither may be forgotten."""
    grouped = Target(name="chat", group="sales", wait=HOUR)
    died = dispatching.begun(an_open(PAGER, grouped), NOON, NOON + MINUTE)
    taken = dispatching.begun(died, NOON + MINUTE, NOON + HOUR, only="chat")
    assert taken.held_until == NOON + HOUR
    assert (_pager(taken).state, _pager(taken).next_at, _pager(taken).unsure) == (
        DeliveryState.DUE,
        NOON + MINUTE,
        True,
    )


def test_a_lease_that_ran_out_with_nothing_left_to_tell_ends() -> None:
    record = dispatching.begun(an_open(), NOON, NOON + MINUTE)
    done = came_to(record, _pager(record), NOON, works=True)
    after = dispatching.begun(done, NOON + HOUR, NOON + 2 * HOUR)
    assert (after.held_until, after.wake_at) == (None, NOON + PACE.renotify)


def test_only_one_target_can_be_begun_also_before_its_wait_is_over() -> None:
    record = an_open(PAGER, CHAT)
    assert record.wake_at == NOON
    held = dispatching.begun(record, NOON, NOON + MINUTE, only=CHAT.name)
    assert {each.target.name: each.state for each in held.deliveries} == {
        "chat": DeliveryState.TRYING,
        "pager": DeliveryState.DUE,
    }
    assert (
        dispatching.begun(tell(record, NOON + MINUTE), NOON + HOUR, NOON + 2 * HOUR, only=CHAT.name).held_until is None
    )


def test_what_failed_is_tried_again_and_only_where_it_failed() -> None:
    """BUG-179, T-44."""
    record = dispatching.begun(an_open(PAGER, Target(name="chat")), NOON, NOON + MINUTE)
    record = dispatching.delivered(record, "chat", 1, PACE, NOON)
    record = dispatching.failed(record, PAGER.name, 1, Trouble("nobody answers"), PACE, NOON)
    record = dispatching.released(record, NOON + MINUTE, NOON)
    assert (_pager(record).next_at, _pager(record).reason) == (NOON + 5 * SECOND, "nobody answers")
    again = dispatching.begun(record, NOON + 5 * SECOND, NOON + HOUR)
    assert [each.target.name for each in again.deliveries if each.state is DeliveryState.TRYING] == [PAGER.name]


def test_news_of_a_telling_that_was_replaced_changes_nothing() -> None:
    record = dispatching.resolved(tell(an_open(), NOON), "it ran", NOON + HOUR)
    assert dispatching.delivered(record, PAGER.name, 1, PACE, NOON + HOUR) is record
    assert dispatching.failed(record, PAGER.name, 1, Trouble("late"), PACE, NOON + HOUR) is record
    assert dispatching.failed(record, PAGER.name, 2, Trouble("not begun"), PACE, NOON + HOUR) is record
    assert dispatching.delivered(record, "nobody", 2, PACE, NOON + HOUR) is record


def test_an_opening_that_arrives_while_the_fact_ends_is_followed_by_its_end() -> None:
    held = dispatching.begun(an_open(), NOON, NOON + MINUTE)
    ended = dispatching.resolved(held, "it ran", NOON + SECOND)
    assert _pager(ended).state is DeliveryState.TRYING
    arrived = dispatching.delivered(ended, PAGER.name, 1, PACE, NOON + 2 * SECOND)
    assert (_pager(arrived).kind, _pager(arrived).number, arrived.remind_at) == (NoticeKind.RESOLVED, 2, None)


def test_an_opening_that_fails_while_the_fact_ends_needs_no_end() -> None:
    held = dispatching.begun(_a_warning(), NOON, NOON + MINUTE)
    ended = dispatching.resolved(held, "it ran", NOON + SECOND)
    over = dispatching.failed(ended, PAGER.name, 1, Trouble("nobody answers"), PACE, NOON + SECOND)
    assert dispatching.released(over, NOON + MINUTE, NOON + SECOND).wake_at is None


def test_an_opening_of_unknown_outcome_is_made_certain_before_the_end_is_told() -> None:
    """T-44."""
    held = dispatching.begun(an_open(), NOON, NOON + MINUTE)
    crashed = dispatching.released(held, NOON + MINUTE, NOON + SECOND)
    ended = dispatching.resolved(crashed, "it ran", NOON + 2 * SECOND)
    assert _pager(ended).kind is NoticeKind.OPENED
    missed = dispatching.begun(ended, NOON + 3 * SECOND, NOON + HOUR)
    missed = dispatching.failed(missed, PAGER.name, 1, Trouble("busy"), PACE, NOON + 3 * SECOND)
    assert _pager(missed).pending
    told = dispatching.delivered(missed, PAGER.name, 1, PACE, NOON + MINUTE)
    assert _pager(told).kind is NoticeKind.RESOLVED


def test_an_opening_of_unknown_outcome_goes_for_the_next_opening_too() -> None:
    crashed = dispatching.released(dispatching.begun(an_open(), NOON, NOON + MINUTE), NOON + MINUTE, NOON)
    ended = dispatching.resolved(crashed, "it ran", NOON + SECOND)
    again = dispatching.raised(ended, an_alert(at=NOON + HOUR), (PAGER,), PACE, NOON + HOUR)
    assert (_pager(again).number, _pager(again).unsure) == (1, True)


def test_what_is_silenced_waits_and_is_told_once_if_it_is_still_open() -> None:
    record = dispatching.silenced(an_open(), "s1", NOON + HOUR, NOON)
    assert (record.silenced_by, record.wake_at) == ("s1", NOON + HOUR)
    assert dispatching.begun(record, NOON + MINUTE, NOON + HOUR) is record
    assert _pager(tell(record, NOON + HOUR)).state is DeliveryState.DONE


def test_what_ends_while_it_is_silenced_is_never_told() -> None:
    record = dispatching.silenced(an_open(), "s1", NOON + HOUR, NOON)
    assert dispatching.resolved(record, "it ran", NOON + MINUTE).wake_at is None


def test_a_silence_holds_back_only_what_is_due() -> None:
    record = tell(an_open(), NOON)
    assert dispatching.silenced(record, "s1", NOON + HOUR, NOON) is record


def test_a_silence_that_ends_early_lets_everything_speak() -> None:
    record = dispatching.silenced(an_open(PAGER, CHAT), "s1", NOON + HOUR, NOON)
    early = dispatching.unsilenced(record, NOON + MINUTE)
    assert (early.silenced_by, _pager(early).next_at) == ("", NOON + MINUTE)
    assert dispatching.unsilenced(early, NOON + 2 * MINUTE) is early


def test_an_alert_with_an_open_cause_is_kept_and_not_told() -> None:
    record = an_open(cause="run_failed/up")
    assert (_pager(record).state, record.folded_into) == (DeliveryState.FOLDED, "run_failed/up")
    assert record.wake_at == NOON + FOLD_CHECK
    assert dispatching.begun(record, NOON + HOUR, NOON + 2 * HOUR) is record
    assert dispatching.checked(record, NOON + HOUR).check_at == NOON + HOUR + FOLD_CHECK


def test_when_the_cause_is_over_an_alert_that_is_still_open_is_told_on_its_own() -> None:
    record = dispatching.unfolded(an_open(cause="up"), PACE, NOON + HOUR)
    assert (record.folded_into, _pager(record).state, _pager(record).due_at) == ("", DeliveryState.DUE, NOON + HOUR)
    assert dispatching.unfolded(record, PACE, NOON + HOUR) is record


def test_an_alert_that_ends_with_its_cause_is_never_told() -> None:
    record = dispatching.resolved(an_open(cause="up"), "it ran", NOON + HOUR)
    assert (record.wake_at, _pager(record).state) == (None, DeliveryState.CANCELLED)
    assert dispatching.unfolded(record, PACE, NOON + HOUR) is record
    nobody = dispatching.opened(an_alert(), (), PACE, NOON, cause="up")
    assert dispatching.unfolded(nobody, PACE, NOON + HOUR).wake_at is None


def test_a_cause_that_is_over_looks_after_what_was_folded_into_it_until_nothing_is_left() -> None:
    cause = dispatching.folding(tell(an_open(), NOON))
    assert dispatching.folding(cause) is cause
    ended = dispatching.resolved(cause, "it ran", NOON + HOUR)
    assert (ended.check_at, ended.wake_at) == (NOON + HOUR, NOON + HOUR)
    assert dispatching.folding(ended) is ended
    left = dispatching.checked(ended, NOON + HOUR)
    assert (left.check_at, left.folds) == (None, False)


def test_a_cause_that_opens_anew_keeps_what_is_folded_into_it() -> None:
    ended = dispatching.resolved(dispatching.folding(an_open()), "it ran", NOON + HOUR)
    again = dispatching.raised(ended, an_alert(at=NOON + 2 * HOUR), (PAGER,), PACE, NOON + 2 * HOUR)
    assert (again.folds, again.check_at) == (True, None)
    assert dispatching.checked(again, NOON + 2 * HOUR).folds


def test_news_of_a_delivery_from_before_a_fold_makes_no_reminder() -> None:
    crashed = dispatching.released(dispatching.begun(an_open(), NOON, NOON + MINUTE), NOON + MINUTE, NOON)
    ended = dispatching.resolved(crashed, "it ran", NOON + SECOND)
    folded = dispatching.raised(ended, an_alert(at=NOON + HOUR), (PAGER,), PACE, NOON + HOUR, cause="up")
    told = dispatching.delivered(folded, PAGER.name, 1, PACE, NOON + HOUR)
    assert (told.remind_at, _pager(told).state) == (None, DeliveryState.DONE)


def test_an_event_goes_to_each_subscriber_once_and_then_wants_nothing() -> None:
    """BUG-52."""
    record = dispatching.published(EVENT, ("warehouse", "audit"), NOON)
    assert [each.target.name for each in record.deliveries] == ["audit", "warehouse"]
    assert record.wake_at == NOON
    held = dispatching.begun(record, NOON, NOON + MINUTE)
    assert held.wake_at == NOON + MINUTE
    done = dispatching.delivered(held, "audit", 1, PACE, NOON)
    done = dispatching.failed(done, "warehouse", 1, Trouble("busy"), PACE, NOON)
    assert dispatching.released(done, NOON + MINUTE, NOON).wake_at == NOON + 5 * SECOND
    assert dispatching.published(EVENT, (), NOON).wake_at is None


@pytest.mark.parametrize("name", ["a/b:c#1", "a|b", "a%7cb", "a\0b", "%", "a%b", "Ünïcode 事"])
def test_different_alerts_have_different_names_that_any_key_can_hold(name: str) -> None:
    """T-64."""
    others = {alert_dispatch(other) for other in ("a", "b", "a/b", "a%007cb", "a|b%", "a%257cb")}
    assert alert_dispatch(name) not in others
    assert not set("|\0") & set(alert_dispatch(name))
    assert alert_dispatch(name) != event_dispatch(name)


def test_records_and_events_are_found_under_their_names() -> None:
    assert an_open().dispatch_id == "alert/run_failed/example"
    assert dispatching.published(EVENT, (), NOON).dispatch_id == f"event/{EVENT.event_id}"
    assert an_open().delivery("nobody") is None


@pytest.mark.parametrize("at", [datetime.fromisoformat("2026-03-29T00:59:59+00:00"), NOON])
def test_changes_count_versions_and_what_changes_nothing_does_not(at: datetime) -> None:
    record = an_open(at=at)
    assert (record.version, tell(record, at).version) == (1, 4)
    assert replace(record, version=1) == dispatching.opened(an_alert(at=at), (PAGER,), PACE, at)


def test_a_dispatch_of_a_long_name_has_one_of_its_own_that_every_store_can_keep() -> None:
    """T-64."""
    names = [
        *("x" * size for size in (700, 701, 5000)),
        "x" * 5000 + "y",
        "é" * 350,
        "é" * 351,
        "é" * 351 + "|",
        "%" * 500,
    ]
    dispatches = [alert_dispatch(name) for name in names]
    assert len(set(dispatches)) == len(names)
    assert max(len(dispatch.encode()) for dispatch in dispatches) <= 710
    assert dispatches[0] == f"alert/{'x' * 700}"
    assert dispatches[4] == f"alert/{'é' * 350}"

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.core import deliveries
from interlock.core.alerts import NoticeKind
from interlock.core.deliveries import DeliveryState, Pace, Target, Trouble
from interlock.testing.builders import MINUTE, NOON, SECOND

PACE = Pace(deliver_for=timedelta(hours=1))
DUE = deliveries.telling(Target(name="chat", wait=30 * SECOND), 1, NoticeKind.OPENED, NOON)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (9, 600), (10_000, 600)]
)
def test_failures_are_tried_again_later_and_later_but_never_later_than_ten_minutes(failures: int, seconds: int) -> None:
    """BUG-188."""
    assert deliveries.backoff(failures) == seconds * SECOND


def test_a_telling_waits_for_company_first() -> None:
    assert not DUE.ripe(NOON + 29 * SECOND)
    assert DUE.ripe(NOON + 30 * SECOND)


def test_what_fails_for_too_long_is_given_up_and_keeps_the_last_reason() -> None:
    delivery, at, tries = DUE, NOON, 0
    while delivery.next_at is not None:
        at, tries = delivery.next_at, tries + 1
        delivery = deliveries.failed(deliveries.tried(delivery), Trouble(f"no answer {tries}"), PACE, at)
    assert (delivery.state, delivery.reason, delivery.tries) == (DeliveryState.GIVEN_UP, f"no answer {tries}", tries)
    assert delivery.failing_since == NOON + 30 * SECOND
    assert at - NOON <= PACE.deliver_for + 30 * SECOND
    assert tries > 8


def test_time_in_which_nobody_tried_does_not_count_against_a_delivery() -> None:
    late = deliveries.failed(deliveries.tried(DUE), Trouble("busy"), PACE, NOON + 100 * PACE.deliver_for)
    assert late.state is DeliveryState.DUE


def test_what_another_try_cannot_help_is_given_up_at_once() -> None:
    lost = deliveries.failed(deliveries.tried(DUE), Trouble("404", retryable=False), PACE, NOON)
    assert (lost.state, lost.next_at, lost.pending) == (DeliveryState.GIVEN_UP, None, False)


def test_success_after_failure_forgets_the_failures() -> None:
    done = deliveries.done(deliveries.failed(deliveries.tried(DUE), Trouble("busy"), PACE, NOON), NOON + MINUTE)
    assert (done.tries, done.failing_since, done.reason, done.done_at, done.told) == (2, None, "", NOON + MINUTE, True)


def test_only_what_is_meant_is_changed() -> None:
    assert deliveries.let_go(DUE, NOON) is DUE
    assert deliveries.unhushed(DUE, NOON) is DUE
    assert deliveries.unfolded(DUE, NOON) is DUE


def test_doubt_lasts_through_waiting_until_it_has_arrived_for_certain() -> None:
    doubted = deliveries.let_go(deliveries.tried(DUE), NOON)
    waiting = deliveries.hushed(doubted, NOON + MINUTE, "silenced by s1")
    again = deliveries.tried(deliveries.unhushed(waiting, NOON))
    assert (doubted.unsure, waiting.unsure, again.unsure, again.doubtful) == (True, True, True, True)
    assert not deliveries.done(again, NOON).doubtful


def test_a_receiver_that_asks_to_be_left_alone_is_for_as_long_but_not_for_ever() -> None:
    tried = deliveries.tried(DUE)
    busy = deliveries.failed(tried, Trouble("busy", after=timedelta(minutes=3)), PACE, NOON)
    assert busy.next_at == NOON + timedelta(minutes=3)
    rude = deliveries.failed(tried, Trouble("busy", after=timedelta(days=9)), PACE, NOON)
    assert rude.next_at == NOON + deliveries.LONGEST_ASKED

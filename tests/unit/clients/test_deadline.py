"""The time that several calls have together."""

from __future__ import annotations

from datetime import timedelta

from interlock.clients.deadline import Deadline


def test_what_is_left_is_what_the_calls_before_have_not_used() -> None:
    seconds = [100.0]
    deadline = Deadline(timedelta(seconds=30), lambda: seconds[0])
    assert deadline.left() == timedelta(seconds=30)
    seconds[0] += 12.5
    assert deadline.left() == timedelta(seconds=17.5)


def test_of_a_time_that_is_over_nothing_is_left_and_never_less() -> None:
    seconds = [100.0]
    deadline = Deadline(timedelta(seconds=30), lambda: seconds[0])
    seconds[0] += 31
    assert deadline.left() == timedelta()

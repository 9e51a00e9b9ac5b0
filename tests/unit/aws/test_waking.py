"""Who sleeps is woken by what happens to its run: by all of it, and by nothing else."""

from __future__ import annotations

import pytest
from tests.unit.aws.test_routing import SLOT_PK, Stream

from interlock.errors import StoreUnavailable


def test_a_run_that_changed_wakes_the_execution_that_waits_for_it() -> None:
    stream = Stream()
    stream.parked("token", seen=stream.run.version)
    stream.router.route(stream.changed())
    assert (stream.machines.started, stream.machines.woken) == ([], ["token"])


def test_an_execution_that_has_seen_the_change_is_left_asleep() -> None:
    stream = Stream()
    stream.parked("token", seen=stream.run.version)
    stream.router.route(stream.record(SLOT_PK, "RUN#000001", "MODIFY"))
    assert stream.machines.woken == []
    assert stream.asleep == ["token"]


def test_an_execution_that_has_seen_more_than_the_router_is_left_asleep() -> None:
    """The run changed once more, and was seen, between the router's look at it and its look at who sleeps."""
    stream = Stream()
    stream.parked("token", seen=stream.run.version + 1)
    stream.router.route(stream.record(SLOT_PK, "RUN#000001", "MODIFY"))
    assert (stream.machines.woken, stream.asleep) == ([], ["token"])


def test_both_executions_of_a_run_that_has_two_are_woken() -> None:
    """Neither takes the other's token away, which would sleep for hours."""
    stream = Stream()
    stream.parked("first", seen=1)
    stream.parked("second", seen=1, row="TOKEN#one-s1973")
    record = stream.changed()
    stream.parked("third, who has seen it", seen=stream.run.version, row="TOKEN#one-s1974")
    stream.router.route(record)
    assert stream.machines.woken == ["first", "second"]
    assert stream.asleep == ["third, who has seen it"]


def test_an_execution_that_fell_asleep_under_an_earlier_release_is_woken() -> None:
    """AWS-45: it keeps the definition that it began with, in which all of them wrote the same row."""
    stream = Stream()
    stream.parked("token", seen=1, row="TOKEN")
    stream.router.route(stream.changed())
    assert (stream.machines.woken, stream.asleep) == (["token"], [])


def test_a_name_that_was_taken_does_not_say_that_anybody_is_awake() -> None:
    """AWS-25: a name is taken for ninety days, whatever became of its execution; a later one may be asleep."""
    stream = Stream()
    opening = stream.record(SLOT_PK, "RUN#000001")
    stream.machines.start(stream.key)
    stream.parked("token", seen=1)
    stream.changed()
    stream.router.route(opening)
    assert stream.machines.woken == ["token"]


def test_a_token_is_used_once() -> None:
    stream = Stream()
    stream.parked("token", seen=1)
    record = stream.changed()
    stream.router.route(record)
    stream.router.route(record)
    assert stream.machines.woken == ["token"]


def test_a_wake_that_was_not_answered_is_made_again() -> None:
    stream = Stream()
    stream.parked("token", seen=1)
    record = stream.changed()
    stream.machines.trouble = StoreUnavailable("no answer")
    with pytest.raises(StoreUnavailable):
        stream.router.route(record)
    stream.machines.trouble = None
    stream.router.route(record)
    assert stream.machines.woken == ["token"]


def test_a_change_of_a_run_that_nobody_waits_for_wakes_nobody_and_starts_nothing() -> None:
    stream = Stream()
    stream.step()
    stream.router.route(stream.record(SLOT_PK, "RUN#000001", "MODIFY"))
    assert (stream.machines.started, stream.machines.woken) == ([], [])


def test_a_record_of_the_opening_that_comes_last_wakes_who_sleeps_over_what_came_since() -> None:
    """AWS-42: it goes by what the table holds now, not by what the record says."""
    stream = Stream()
    opening = stream.record(SLOT_PK, "RUN#000001")
    stream.parked("token", seen=1)
    stream.changed()
    stream.router.route(opening)
    assert stream.machines.woken == ["token"]
    assert stream.asleep == []


def test_a_token_that_is_spent_is_forgotten() -> None:
    """AWS-48: its execution was stopped, or woke by itself."""
    stream = Stream()
    stream.parked("spent", seen=1)
    stream.parked("spent, too", seen=1, row="TOKEN#one-s1973")
    record = stream.changed()
    stream.machines.wake = lambda token: not token  # type: ignore[method-assign]
    stream.router.route(record)
    assert stream.asleep == []


def test_an_execution_that_lies_down_again_in_the_middle_of_being_woken_keeps_its_token() -> None:
    stream = Stream()
    stream.parked("first", seen=1)
    record = stream.changed()

    def woken(token: str) -> bool:
        stream.parked("second", seen=stream.run.version)
        return bool(token)

    stream.machines.wake = woken  # type: ignore[method-assign]
    stream.router.route(record)
    assert stream.asleep == ["second"]

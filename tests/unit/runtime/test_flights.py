"""What a watcher has in hand, and what it leaves alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.core.ids import PipelineName, RunKey, ScheduleName
from interlock.runtime import flights as flights_module
from interlock.runtime.flights import LONGEST_REST, POISON, Flights, Rests, owner_of, pause
from interlock.testing.builders import NOON, SECOND, a_key, a_slot

AGENDA = (PipelineName("example"), ScheduleName("daily"))


def test_a_unit_is_in_hand_once() -> None:
    flights = Flights()
    flight = flights.take(a_key(), NOON)
    assert flight is not None
    assert flights.take(a_key(), NOON) is None
    assert flights.get(a_key()) is flight
    flights.drop(flight)
    assert flights.take(a_key(), NOON) is not None


def test_how_much_a_pipeline_has_in_hand_is_counted_by_kind() -> None:
    flights = Flights()
    first = flights.take(a_key(), NOON)
    flights.take(RunKey(a_slot("2026-03-08")), NOON)
    flights.take(AGENDA, NOON)
    assert (flights.of(a_key("2026-03-09")), flights.of(AGENDA), flights.of("alert/a")) == (2, 1, 0)
    assert first is not None
    flights.drop(first)
    assert (flights.of(a_key()), flights.runs, len(flights)) == (1, 1, 2)


def test_work_belongs_to_its_pipeline() -> None:
    assert [owner_of(a_key()), owner_of(AGENDA), owner_of("alert/a")] == ["example", "example", ""]


def test_a_flight_lands_when_nobody_holds_it_and_is_not_taken_hold_of_after_that() -> None:
    flight = Flights().take(a_key(), NOON)
    assert flight is not None
    assert flight.hold()
    assert flight.hold()
    assert not flight.land()
    assert flight.release() == 1
    assert flight.release() == 0
    assert flight.land()
    assert not flight.hold()


def test_what_fails_rests_longer_each_time_and_is_poison_after_three() -> None:
    rests = Rests()
    rests_of = [rests.failed(a_key(), NOON, "odd").until - NOON for _ in range(POISON + 1)]
    assert rests_of == [SECOND, 2 * SECOND, LONGEST_REST, LONGEST_REST]
    assert rests.holds(a_key(), NOON + LONGEST_REST - SECOND)
    assert not rests.holds(a_key(), NOON + LONGEST_REST)


def test_a_clock_that_was_set_back_lets_nothing_rest_for_ever() -> None:
    rests = Rests()
    rests.failed(a_key(), NOON + timedelta(days=1), "odd")
    assert not rests.holds(a_key(), NOON)


def test_what_rests_no_longer_is_forgotten_when_it_becomes_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights_module, "_MANY", 3)
    rests = Rests()
    for day in range(1, 10):
        rests.put_off(a_key(f"2026-03-{day:02d}"), NOON + timedelta(hours=day))
    assert len(rests) <= 3


def test_people_hear_of_the_end_only_if_they_heard_of_the_beginning() -> None:
    rests = Rests()
    rests.failed(a_key(), NOON, "odd")
    assert not rests.fine(a_key())
    rest = [rests.failed(a_key(), NOON, "odd") for _ in range(POISON)][-1]
    assert rest.poisoned
    rest.told = True
    assert rests.told(a_key())
    assert rests.fine(a_key())
    assert (len(rests), rests.told(a_key())) == (0, False)


def test_what_is_put_off_is_never_poison() -> None:
    rests = Rests()
    for _ in range(20):
        rests.put_off(a_key(), NOON)
    assert rests.holds(a_key(), NOON + LONGEST_REST - SECOND)
    assert not rests.failed(a_key(), NOON, "odd").poisoned


def test_what_was_set_aside_before_is_tried_at_once() -> None:
    rests = Rests()
    rests.known(a_key(), NOON, "odd")
    assert not rests.holds(a_key(), NOON)
    assert rests.fine(a_key())


def test_a_pause_never_grows_beyond_ten_minutes() -> None:
    assert pause(1) == SECOND
    assert pause(10_000) == LONGEST_REST == timedelta(minutes=10)

"""Opening slots by the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time

import pytest
from msgspec.structs import replace
from tests.unit.app.agenda_scene import DAY, EXAMPLE, HOUR, TODAY, TOMORROW, Scene, opened, told

from interlock.app.advance import advance
from interlock.app.agendas import Turn
from interlock.app.arrivals import Opened, open_run
from interlock.app.pausing import pause, resume
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.events import CancelAsked
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    MissedPolicy,
    OverlapPolicy,
    ScheduleSpec,
    SlaSpec,
)
from interlock.core.runs import Cause
from interlock.errors import StoreUnavailable
from interlock.stores.agendas import AgendaRows
from interlock.testing.builders import MINUTE, NOON

# ---------------------------------------------------------------------- opening


def test_the_current_slot_of_a_fresh_project_opens_at_once() -> None:
    scene = Scene().plan()
    turn = scene.open()
    assert opened(turn) == ["2026-03-07"]
    assert turn.opened[0].cause is Cause.SCHEDULE
    assert scene.agenda().next_at == datetime(2026, 3, 8, 6, tzinfo=UTC)


def test_the_next_slot_is_expected_before_it_opens() -> None:
    scene = Scene(sla=SlaSpec(completion=Deadline(span=HOUR))).plan()
    scene.open()
    found = scene.expectation(TOMORROW)
    assert (found.state, found.complete_by) == (ExpectationState.EXPECTED, datetime(2026, 3, 8, 7, tzinfo=UTC))
    assert found.check_at is not None


def test_a_slot_is_expected_although_the_watcher_never_came_to_open_it() -> None:
    """The expectation is what the absence is seen by, so it is written with the plan."""
    scene = Scene().plan()
    assert scene.expectation(TODAY).state is ExpectationState.EXPECTED
    assert scene.store.latest_run(TODAY) is None


def test_an_agenda_that_is_not_due_does_nothing() -> None:
    scene = Scene().plan()
    scene.open()
    assert scene.open() == Turn()


def test_opening_a_slot_twice_gives_one_run() -> None:
    scene = Scene().plan()
    before = scene.agenda()
    scene.open()
    scene.hands.agendas.put_agenda(replace(before, version=scene.agenda().version + 1))
    assert scene.open().opened == ()
    assert len(scene.store.runs_of(EXAMPLE, limit=10)) == 1


def test_an_excluded_day_is_settled_ahead_and_never_opens() -> None:
    scene = Scene(exclusions=ExclusionSpec(weekdays=(6,))).plan()  # the 8th is a Sunday
    scene.open()
    settled = scene.expectation(TOMORROW)
    assert (settled.state, settled.check_at) == (ExpectationState.EXCLUDED, None)
    assert "Sunday" in settled.reason
    scene.clock.advance(DAY)
    turn = scene.open()
    assert turn.opened == ()
    assert "Sunday" in turn.refused[0][1]
    assert scene.kinds().count(EventKind.PIPELINE_EXCLUDED) == 1


def test_a_slot_that_overlaps_a_running_one_is_skipped_with_its_reason() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, overlap=OverlapPolicy.SKIP)).plan()
    scene.open()
    scene.clock.advance(HOUR)
    scene.open()
    settled = scene.expectation(scene.at(13))
    assert settled.state is ExpectationState.SKIPPED
    assert "has not ended" in settled.reason
    assert scene.kinds().count(EventKind.SLOT_SKIPPED) == 1


def test_a_queued_slot_opens_when_the_earlier_run_has_ended_and_so_do_those_behind_it() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, overlap=OverlapPolicy.QUEUE)).plan()
    (first,) = scene.open().opened
    scene.clock.advance(HOUR)
    assert scene.open() == Turn()
    assert scene.agenda().queued
    assert scene.agenda().next_at == NOON + HOUR + scene.spec.watch.interval
    scene.clock.advance(HOUR)
    assert scene.open() == Turn()
    advance(first.key, CancelAsked(at=scene.clock.now(), actor="ann", reason="enough"), scene.store)
    scene.clock.advance(MINUTE)
    assert opened(scene.open()) == ["2026-03-07T13:00"]
    assert scene.agenda().queued
    assert scene.expectation(scene.at(14)).state is ExpectationState.EXPECTED


def test_a_pause_is_waited_out_and_then_the_policy_decides() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    until = NOON + 3 * HOUR + MINUTE
    pause(EXAMPLE, until, "ann", "the warehouse moves", scene.hands)
    scene.clock.advance(HOUR)
    assert scene.open() == Turn()
    assert scene.agenda().next_at == until
    scene.clock.set(until)
    assert opened(scene.open()) == ["2026-03-07T15:00"]
    skipped = scene.expectation(scene.at(14))
    assert skipped.state is ExpectationState.SKIPPED
    assert "paused by ann: the warehouse moves" in skipped.reason


def test_a_pause_that_is_ended_early_is_waited_for_no_longer() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    pause(EXAMPLE, NOON + 10 * HOUR, "ann", "the warehouse moves", scene.hands)
    scene.clock.advance(HOUR)
    scene.open()
    scene.clock.advance(MINUTE)
    resume(EXAMPLE, "ann", scene.hands)
    assert opened(scene.open()) == ["2026-03-07T13:00"]


def test_a_window_that_is_closed_when_it_is_made_up_for_is_skipped() -> None:
    scene = Scene(ScheduleSpec(after=time(6), close_at=Deadline(wall=time(8)))).plan()
    turn = scene.open()
    assert turn.opened == ()
    assert scene.expectation(TODAY).state is ExpectationState.SKIPPED
    assert "closed at" in scene.expectation(TODAY).reason


def test_every_missed_slot_has_an_expectation_and_a_line_that_says_why() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    scene.clock.advance(4 * HOUR)
    turn = scene.open()
    assert opened(turn) == ["2026-03-07T16:00"]
    states = [scene.expectation(scene.at(hour)).state for hour in (13, 14, 15)]
    assert states == [ExpectationState.SKIPPED] * 3
    assert scene.kinds().count(EventKind.SLOT_SKIPPED) == 3


def test_a_missed_slot_that_somebody_ran_by_hand_is_not_called_skipped() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    scene.clock.advance(2 * HOUR)
    open_run(scene.at(13), scene.spec, scene.store, scene.clock.now())
    scene.open()
    assert scene.expectation(scene.at(13)).state is ExpectationState.EXPECTED


def test_a_slot_that_a_slower_watcher_called_skipped_and_another_opens_is_expected_after_all() -> None:
    scene = Scene().plan()
    known = scene.expectation(TODAY)
    skipped = replace(known, state=ExpectationState.SKIPPED, check_at=None, reason="missed", version=known.version + 1)
    assert scene.hands.agendas.put_expectation(skipped)
    assert opened(scene.open()) == ["2026-03-07"]
    assert scene.expectation(TODAY).state is ExpectationState.EXPECTED
    assert scene.expectation(TODAY).check_at is not None


def test_a_slot_that_another_watcher_opens_while_it_is_called_skipped_is_expected_after_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    scene.clock.advance(2 * HOUR)
    rows = scene.hands.agendas
    between: list[Opened] = []
    real = type(rows).put_expectation

    def meanwhile(self: AgendaRows, expectation: Expectation, records: Sequence[EventRecord] = ()) -> bool:
        if expectation.state is ExpectationState.SKIPPED and not between:
            between.append(open_run(expectation.slot, scene.spec, scene.store, scene.clock.now()))
        return real(self, expectation, records)

    monkeypatch.setattr(type(rows), "put_expectation", meanwhile)
    scene.open()
    assert len(between) == 1
    assert scene.expectation(scene.at(13)).state is ExpectationState.EXPECTED


def test_all_missed_slots_are_made_up_for_where_the_policy_says_so() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, missed=MissedPolicy.ALL, max_catch_up=2)).plan()
    scene.open()
    scene.clock.advance(3 * HOUR)
    assert opened(scene.open()) == ["2026-03-07T14:00", "2026-03-07T15:00"]


def test_a_pipeline_that_the_files_do_not_show_just_now_is_waited_for() -> None:
    scene = Scene().plan()
    scene.files.specs.clear()
    assert scene.open() == Turn(unknown=True)
    assert scene.agenda().next_at is not None


def test_a_clock_that_is_set_back_opens_nothing_twice_and_goes_on_later() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    scene.clock.advance(-3 * HOUR)
    assert scene.open() == Turn()
    scene.clock.advance(4 * HOUR)
    assert opened(scene.open()) == ["2026-03-07T13:00"]


def test_a_year_without_a_watcher_is_told_in_few_lines() -> None:
    scene = Scene(ScheduleSpec(every=MINUTE)).plan()
    scene.open()
    scene.clock.advance(365 * DAY)
    before = len(scene.kernel.calls)
    turn = scene.open()
    assert len(turn.opened) == 1
    assert len(scene.kernel.calls) - before < 400
    assert any("for every slot from" in words for _, words in turn.refused)


@pytest.mark.parametrize("after", [False, True])
def test_an_opening_that_is_cut_short_anywhere_is_harmless_to_repeat(after: bool) -> None:
    """Every call to the store is made to fail once, before it happens and after."""
    clean = _missed_and_queued()
    clean.open()
    calls = 0
    for number in range(200):
        scene = _missed_and_queued()
        start = len(scene.kernel.calls)
        scene.kernel.fail_at(number, after=after)
        try:
            scene.open()
        except StoreUnavailable:
            scene.kernel.heal()
            calls += 1
            scene.open()
        else:
            scene.kernel.heal()
            assert len(scene.kernel.calls) - start <= number
            break
        assert told(scene) == told(clean), f"cut short at call {number}"
    assert calls > 10


def _missed_and_queued() -> Scene:
    schedule = ScheduleSpec(every=HOUR, missed=MissedPolicy.ALL, max_catch_up=3, overlap=OverlapPolicy.SKIP)
    scene = Scene(schedule, exclusions=ExclusionSpec(weekdays=(6,))).plan()
    scene.open()
    scene.clock.advance(6 * HOUR)
    return scene

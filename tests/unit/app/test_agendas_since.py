"""Since when a slot is expected, what a pause explains, and what a change of plans leaves alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.app.agenda_scene import EXAMPLE, HOUR, TODAY, TOMORROW, Scene, opened

from interlock.app.opening import overlap
from interlock.app.pausing import pause
from interlock.core.expectations import ExpectationState
from interlock.core.ids import ScheduleName, Slot
from interlock.core.pipelines import Deadline, MissedPolicy, OverlapPolicy, ScheduleSpec, SlaSpec
from interlock.core.runs import SlaState
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot

SOON = SlaSpec(completion=Deadline(span=10 * MINUTE))


def _verdict(scene: Scene, slot: Slot) -> SlaState:
    run = scene.store.latest_run(slot)
    assert run is not None
    assert run.completion_sla is not None
    return run.completion_sla.state


def test_a_slot_of_a_fresh_project_is_not_blamed_for_a_deadline_from_before_it() -> None:
    scene = Scene(sla=SOON).plan()
    assert opened(scene.open()) == ["2026-03-07"]
    assert (scene.expectation(TODAY).since, _verdict(scene, TODAY)) == (NOON, SlaState.WAIVED)


def test_slots_that_are_made_up_for_after_an_outage_were_expected_all_the_while() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, missed=MissedPolicy.ALL), sla=SOON).plan()
    scene.open()
    scene.clock.advance(3 * HOUR + 30 * MINUTE)
    assert opened(scene.open()) == ["2026-03-07T13:00", "2026-03-07T14:00", "2026-03-07T15:00"]
    assert [_verdict(scene, scene.at(hour)) for hour in (13, 14, 15)] == [SlaState.BREACHED] * 3


@pytest.mark.parametrize(("interval", "rests"), [(5 * MINUTE, 5 * MINUTE), (None, 30 * SECOND)])
def test_a_queued_slot_rests_as_long_as_its_schedule_says(interval: timedelta | None, rests: timedelta) -> None:
    scene = Scene(ScheduleSpec(every=HOUR, overlap=OverlapPolicy.QUEUE, interval=interval)).plan()
    scene.open()
    now = scene.clock.advance(HOUR)
    scene.open()
    assert scene.agenda().next_at == now + rests


def test_a_run_of_another_schedule_or_from_the_future_is_in_nobodys_way() -> None:
    other = ScheduleName("other")
    scene = Scene(
        ScheduleSpec(every=HOUR, overlap=OverlapPolicy.SKIP),
        ScheduleSpec(name=other, every=HOUR, overlap=OverlapPolicy.SKIP),
    ).plan()
    scene.open()
    assert overlap(a_slot("2026-03-07T13:00", schedule="other"), scene.spec, scene.hands) is None
    assert overlap(scene.at(13), scene.spec, scene.hands) is not None
    scene.clock.advance(-MINUTE)
    assert overlap(scene.at(13), scene.spec, scene.hands) is None


def test_a_pause_is_no_reason_for_what_was_skipped_after_it() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    pause(EXAMPLE, NOON + 90 * MINUTE, "ann", "the warehouse moves", scene.hands)
    scene.clock.advance(4 * HOUR)
    scene.open()
    blamed = ["paused by ann" in scene.expectation(scene.at(hour)).reason for hour in (13, 14, 15)]
    assert blamed == [True, False, False]


# ---------------------------------------------------------------- a change of plans


def _since(scene: Scene) -> datetime | None:
    return scene.expectation(TOMORROW).since


def test_a_slot_is_expected_anew_when_its_deadline_moves_and_not_otherwise() -> None:
    scene = Scene(sla=SOON).plan()
    scene.open()
    scene.clock.advance(HOUR)
    scene.change(owner="ann")
    assert _since(scene) == NOON
    scene.change(sla=SlaSpec(completion=Deadline(span=20 * MINUTE)))
    assert _since(scene) == NOON + HOUR


def test_what_people_were_told_of_is_not_planned_anew() -> None:
    scene = Scene().plan()
    known = scene.expectation(TODAY)
    assert scene.hands.agendas.put_expectation(replace(known, alerted=True, version=known.version + 1))
    scene.change(owner="ann")
    assert scene.expectation(TODAY).alerted


def test_what_was_waived_for_a_reason_of_its_own_stays_so() -> None:
    scene = Scene().plan()
    known = scene.expectation(TODAY)
    waived = replace(known, state=ExpectationState.WAIVED, reason="ann said so", version=known.version + 1)
    assert scene.hands.agendas.put_expectation(waived)
    scene.change(owner="ann")
    assert scene.expectation(TODAY) == waived

"""Agendas follow the files: what is new, what changed, what is gone."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.app.agenda_scene import DAILY, DAY, EXAMPLE, HOUR, TODAY, TOMORROW, Scene, opened, told

from interlock.app.advance import advance
from interlock.app.agendas import RETIRED, SCHEDULE_CHANGED
from interlock.app.arrivals import open_run
from interlock.app.planning import plan
from interlock.core.chronicle import EventKind
from interlock.core.events import CancelAsked
from interlock.core.expectations import ExpectationState
from interlock.core.ids import PipelineName, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    MissedPolicy,
    OverlapPolicy,
    PipelineSpec,
    ScheduleSpec,
    SlaSpec,
    WatchSpec,
)
from interlock.errors import Contention
from interlock.testing.builders import MINUTE, NOON, SECOND, a_spec


def test_an_agenda_that_nothing_changed_is_left_alone() -> None:
    scene = Scene().plan()
    before = scene.agenda()
    changed = plan(scene.files.specs, scene.hands).changed
    assert (changed, scene.agenda()) == ((), before)


def test_planning_again_what_is_known_costs_no_look_at_the_store() -> None:
    scene = Scene().plan()
    before = len(scene.kernel.calls)
    plan(dict(scene.files.specs), scene.hands, known=scene.files.specs)
    assert len(scene.kernel.calls) == before


def test_a_pipeline_that_is_not_watched_has_no_agenda() -> None:
    scene = Scene(watch=WatchSpec(enabled=False)).plan()
    assert scene.hands.agendas.agendas_of(EXAMPLE) == ()


def test_with_skip_the_window_that_is_open_at_first_sight_is_not_opened() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, missed=MissedPolicy.SKIP))
    scene.clock.advance(10 * MINUTE)
    scene.plan()
    assert scene.agenda().next_at == NOON + HOUR


def test_a_slot_that_the_new_schedule_does_not_have_is_waived() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    assert scene.expectation(scene.at(13)).state is ExpectationState.EXPECTED
    scene.change(schedules=(ScheduleSpec(every=4 * HOUR),))
    waived = scene.expectation(scene.at(13))
    assert (waived.state, waived.reason) == (ExpectationState.WAIVED, SCHEDULE_CHANGED)
    assert EventKind.EXPECTATION_SETTLED in scene.kinds()
    assert scene.expectation(scene.at(16)).state is ExpectationState.EXPECTED


def test_a_slot_that_only_opens_at_another_time_keeps_its_expectation_at_the_new_time() -> None:
    scene = Scene().plan()
    scene.open()
    scene.change(schedules=(ScheduleSpec(after=time(4)),))
    found = scene.expectation(TOMORROW)
    assert (found.state, found.opens_at) == (ExpectationState.EXPECTED, datetime(2026, 3, 8, 4, tzinfo=UTC))
    assert scene.open().opened == ()
    assert scene.agenda().next_at == datetime(2026, 3, 8, 4, tzinfo=UTC)
    assert EventKind.EXPECTATION_SETTLED not in scene.kinds()


def test_a_change_of_something_else_forgets_no_slot_that_was_missed() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, missed=MissedPolicy.ALL)).plan()
    scene.open()
    scene.clock.advance(3 * HOUR)
    scene.change(owner="ann")
    assert opened(scene.open()) == ["2026-03-07T13:00", "2026-03-07T14:00", "2026-03-07T15:00"]


def test_a_change_of_something_else_leaves_slots_waiting_that_queue() -> None:
    scene = Scene(ScheduleSpec(every=HOUR, overlap=OverlapPolicy.QUEUE)).plan()
    (first,) = scene.open().opened
    for _ in range(2):
        scene.clock.advance(HOUR)
        scene.open()
    scene.change(owner="ann")
    advance(first.key, CancelAsked(at=scene.clock.now(), actor="ann", reason="enough"), scene.store)
    scene.clock.advance(MINUTE)
    assert opened(scene.open()) == ["2026-03-07T13:00"]


@pytest.mark.parametrize(("zone", "made_up_for"), [("UTC", 3), ("Asia/Tokyo", 1)])
def test_days_of_another_zone_were_never_missed(zone: str, made_up_for: int) -> None:
    scene = Scene(replace(DAILY, missed=MissedPolicy.ALL)).plan()
    scene.open()
    scene.clock.advance(3 * DAY)
    scene.change(schedules=(replace(DAILY, deadline_span=HOUR, timezone=zone, missed=MissedPolicy.ALL),))
    assert len(scene.open().opened) == made_up_for


def test_a_changed_deadline_moves_what_is_expected_of_the_next_slot() -> None:
    scene = Scene().plan()
    scene.open()
    scene.change(sla=SlaSpec(completion=Deadline(span=HOUR)))
    assert scene.expectation(TOMORROW).complete_by == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_day_that_is_excluded_no_longer_is_expected_after_all() -> None:
    scene = Scene(exclusions=ExclusionSpec(weekdays=(6,))).plan()
    scene.open()
    scene.change(exclusions=ExclusionSpec())
    assert scene.expectation(TOMORROW).state is ExpectationState.EXPECTED
    scene.clock.advance(DAY)
    assert opened(scene.open()) == ["2026-03-08"]


def test_a_removed_pipeline_is_retired_and_nothing_is_expected_of_it() -> None:
    scene = Scene().plan()
    scene.open()
    known = dict(scene.files.specs)
    scene.files.specs.clear()
    plan(scene.files.specs, scene.hands, known=known)
    assert scene.agenda().retired
    waived = scene.expectation(TOMORROW)
    assert (waived.state, waived.reason) == (ExpectationState.WAIVED, RETIRED)
    assert scene.hands.agendas.planned(limit=10) == ()


def test_what_was_removed_while_nobody_watched_is_found_and_retired() -> None:
    scene = Scene().plan()
    scene.files.specs.clear()
    scene.plan()
    assert scene.agenda().retired


def test_what_cannot_be_read_just_now_is_not_retired() -> None:
    scene = Scene().plan()
    plan({}, scene.hands, unreadable=(EXAMPLE,))
    assert not scene.agenda().retired


def test_a_pipeline_that_comes_back_is_expected_and_opened_again() -> None:
    """A file that is missing for a moment, while a checkout replaces it, costs nothing."""
    scene = Scene().plan()
    specs = dict(scene.files.specs)
    plan({}, scene.hands, known=specs)
    plan(specs, scene.hands, known={})
    assert scene.expectation(TODAY).state is ExpectationState.EXPECTED
    assert opened(scene.open()) == ["2026-03-07"]


def test_a_stamp_from_the_far_future_is_put_right_when_the_watcher_starts() -> None:
    scene = Scene().plan()
    agenda = scene.agenda()
    scene.hands.agendas.put_agenda(
        replace(agenda, opened_to=NOON + 900 * DAY, next_at=NOON + 901 * DAY, version=agenda.version + 1)
    )
    scene.plan()
    assert opened(scene.open()) == ["2026-03-07"]


def test_those_judged_by_another_spec_than_before_are_named() -> None:
    scene = Scene().plan()
    spec = replace(scene.spec, owner="ann")
    assert plan({EXAMPLE: spec}, scene.hands).changed == (EXAMPLE,)
    assert plan({EXAMPLE: spec}, scene.hands).changed == ()


def test_a_pipeline_that_is_watched_no_longer_opens_nothing_more() -> None:
    scene = Scene().plan()
    scene.open()
    scene.change(watch=WatchSpec(enabled=False))
    assert scene.agenda().retired
    assert scene.expectation(TOMORROW).state is ExpectationState.WAIVED


def test_a_slot_that_has_a_run_is_left_to_what_comes_of_it_when_its_schedule_goes() -> None:
    scene = Scene(ScheduleSpec(every=HOUR)).plan()
    scene.open()
    open_run(scene.at(13), scene.spec, scene.store, NOON)
    scene.change(watch=WatchSpec(enabled=False))
    assert scene.expectation(scene.at(13)).state is ExpectationState.EXPECTED


def test_all_that_is_stored_is_looked_at_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.app.planning._PAGE", 2)
    specs = {spec.name: spec for spec in (a_spec(name=f"p-{number}", schedules=(DAILY,)) for number in range(5))}
    scene = Scene()
    plan(specs, scene.hands)
    plan({}, scene.hands)
    assert scene.hands.agendas.planned(limit=10) == ()


@pytest.mark.parametrize("change", [{"watch": WatchSpec(enabled=False)}, {"owner": "ann"}])
def test_an_agenda_that_others_keep_changing_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    scene = Scene().plan()
    spec = replace(scene.spec, **change)
    with monkeypatch.context() as patched:
        patched.setattr(type(scene.hands.agendas), "put_agenda", lambda _rows, _agenda: False)
        ((name, words),) = plan({EXAMPLE: spec}, scene.hands).troubles
    assert (name, "kept changing it first" in words) == (EXAMPLE, True)
    assert plan({EXAMPLE: spec}, scene.hands).troubles == ()


@pytest.mark.parametrize("policy", [MissedPolicy.LATEST, MissedPolicy.ALL])
def test_an_expectation_that_others_keep_changing_stops_the_agenda_where_it_is(
    monkeypatch: pytest.MonkeyPatch, policy: MissedPolicy
) -> None:
    scene = Scene(ScheduleSpec(every=HOUR, missed=policy)).plan()
    scene.open()
    scene.clock.advance(3 * HOUR)
    before = scene.agenda()
    monkeypatch.setattr(type(scene.hands.agendas), "put_expectation", lambda _rows, _expectation, _records=(): False)
    with pytest.raises(Contention):
        scene.open()
    assert scene.agenda() == before


def test_one_pipeline_that_cannot_be_planned_keeps_no_other_from_it() -> None:
    scene = Scene()
    other = a_spec(name="other", schedules=(DAILY,))
    scene.kernel.fail_at(3, after=False)
    planned = plan({EXAMPLE: scene.spec, other.name: other}, scene.hands)
    (trouble,) = planned.troubles
    missing = trouble[0]
    (there,) = {EXAMPLE, other.name} - {missing}
    assert scene.hands.agendas.agendas_of(there) != ()


@pytest.mark.parametrize("after", [False, True])
def test_a_change_of_plan_that_is_cut_short_anywhere_is_harmless_to_repeat(after: bool) -> None:
    changed: dict[str, object] = {"schedules": (ScheduleSpec(every=4 * HOUR), ScheduleSpec(name=ScheduleName("late")))}
    clean = Scene(ScheduleSpec(every=HOUR)).plan()
    clean.open()
    clean.change(**changed)
    for number in range(200):
        scene = Scene(ScheduleSpec(every=HOUR)).plan()
        scene.open()
        scene.spec = replace(scene.spec, **changed)
        specs: dict[PipelineName, PipelineSpec] = {EXAMPLE: scene.spec}
        scene.files.specs.update(specs)
        scene.kernel.fail_at(number, after=after)
        troubles = plan(specs, scene.hands, known={}).troubles
        scene.kernel.heal()
        if not troubles:
            break
        assert plan(specs, scene.hands, known={}).troubles == ()
        assert told(scene) == told(clean), f"cut short at call {number}"
    assert number > 10


def test_each_schedule_of_a_pipeline_has_an_agenda_of_its_own() -> None:
    hourly = ScheduleSpec(name=ScheduleName("hourly"), every=HOUR)
    scene = Scene(DAILY, hourly).plan()
    assert opened(scene.open()) == ["2026-03-07"]
    assert opened(scene.open(hourly.name)) == ["2026-03-07T12:00"]
    scene.clock.advance(SECOND)
    assert scene.agenda(hourly.name).next_at == NOON + HOUR
    assert (
        Slot(EXAMPLE, hourly.name, Period.parse("2026-03-07T13:00"))
        == scene.expectation(Slot(EXAMPLE, hourly.name, Period.parse("2026-03-07T13:00"))).slot
    )

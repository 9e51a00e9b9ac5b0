"""What becomes of a run that waits when nothing defines its pipeline any more: it is held, and starts nothing."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.app.bench import Bench

from interlock.app import planning
from interlock.app.arrivals import open_run
from interlock.app.pausing import pause
from interlock.app.planning import plan, plan_pipeline
from interlock.core.ids import ScheduleName
from interlock.core.pipelines import ScheduleSpec
from interlock.core.runs import RunStatus
from interlock.errors import StoreUnavailable
from interlock.ports.agendas import Agenda
from interlock.stores.agendas import AgendaRows
from interlock.testing.builders import SECOND, a_slot, a_spec
from interlock.testing.clock import FakeClock

HOUR = timedelta(hours=1)
SPEC = a_spec(schedules=(ScheduleSpec(after=time(11)),))


def _undefined(bench: Bench | None = None) -> Bench:
    bench = bench or Bench(SPEC)
    plan({SPEC.name: SPEC}, bench.hands)
    plan({}, bench.hands)
    return bench


def test_a_run_that_waits_starts_nothing_when_nothing_defines_its_pipeline_any_more() -> None:
    bench = _undefined()
    bench.turn()
    bench.later(3600)
    bench.turn()
    assert bench.run.status is RunStatus.PENDING
    assert bench.run.held_because == "files: nothing defines the pipeline any more"
    assert bench.trigger.jobs == {}


def test_it_is_given_up_at_its_limit() -> None:
    bench = _undefined()
    closes = bench.run.closes_at
    assert closes is not None
    bench.clock.set(closes)
    assert bench.to_the_end().status is RunStatus.CANCELLED
    assert bench.trigger.jobs == {}


def test_it_goes_on_when_its_pipeline_is_defined_again() -> None:
    bench = _undefined().later(60)
    plan({SPEC.name: SPEC}, bench.hands)
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_one_that_opens_nothing_by_itself_goes_on_too() -> None:
    spec = replace(SPEC, watch=replace(SPEC.watch, enabled=False))
    bench = Bench(spec)
    plan({}, bench.hands, known={spec.name: spec})
    assert bench.run.held_until is not None
    plan({spec.name: spec}, bench.hands, known={})
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_a_death_while_its_pipeline_is_planned_again_leaves_it_to_whoever_plans_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, real = _undefined(), AgendaRows.put_agenda

    def then_dies(rows: AgendaRows, agenda: Agenda) -> bool:
        real(rows, agenda)
        raise StoreUnavailable("gone")

    monkeypatch.setattr(AgendaRows, "put_agenda", then_dies)
    assert plan({SPEC.name: SPEC}, bench.hands).troubles
    monkeypatch.undo()
    assert not plan({SPEC.name: SPEC}, bench.hands).troubles
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_it_goes_on_also_by_a_clock_that_is_behind_the_one_that_held_it() -> None:
    bench = _undefined()
    behind = bench.hands._replace(clock=FakeClock(bench.clock.now() - 90 * SECOND))
    plan({SPEC.name: SPEC}, behind)
    assert bench.run.held_until is None


def test_a_pause_that_is_in_force_holds_it_on() -> None:
    bench = Bench(SPEC)
    plan({SPEC.name: SPEC}, bench.hands)
    pause(SPEC.name, bench.clock.now() + HOUR, "ann", "migration", bench.hands)
    _undefined(bench)
    bench.later(60)
    plan({SPEC.name: SPEC}, bench.hands)
    assert bench.run.held_because == "ann: migration"
    bench.turn()
    assert bench.trigger.jobs == {}
    bench.later(3600)
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_a_run_that_is_running_goes_on() -> None:
    bench = _undefined(Bench(SPEC).running())
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_a_person_s_pause_stays_when_a_pipeline_is_planned_anew() -> None:
    bench = Bench(SPEC)
    plan_pipeline(SPEC.name, SPEC, bench.hands)
    pause(SPEC.name, bench.clock.now() + HOUR, "ann", "migration", bench.hands)
    later = a_spec(schedules=(ScheduleSpec(name=ScheduleName("other"), after=time(10)),))
    plan_pipeline(SPEC.name, later, bench.hands)
    plan_pipeline(SPEC.name, later, bench.hands)
    assert bench.run.held_because == "ann: migration"


def test_whoever_looks_again_writes_nothing_new() -> None:
    bench = _undefined()
    version = bench.run.version
    bench.later(5)
    plan_pipeline(SPEC.name, None, bench.hands)
    assert bench.run.version == version


def test_what_opens_just_before_the_agenda_is_retired_is_held_too(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(SPEC)
    plan({SPEC.name: SPEC}, bench.hands)
    slot, real = a_slot("2026-03-08"), planning._retire

    def opened_first(agenda: Agenda, hands: object) -> None:
        open_run(slot, SPEC, bench.store, bench.clock.now())
        real(agenda, bench.hands)

    monkeypatch.setattr(planning, "_retire", opened_first)
    plan({}, bench.hands)
    found = bench.store.latest_run(slot)
    assert found is not None
    assert found.held_until == found.closes_at


def test_it_is_held_before_the_agenda_is_retired_so_that_a_death_between_leaves_it_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(SPEC)
    plan({SPEC.name: SPEC}, bench.hands)

    def died(agenda: Agenda, hands: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(planning, "_retire", died)
    assert plan({}, bench.hands).troubles
    assert bench.run.held_until == bench.run.closes_at

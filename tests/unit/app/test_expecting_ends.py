"""Expectations at work: lost starts are made up for once, and each slot ends as it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import DAILY, HOUR, MORNING, Yard, finished

from interlock.app.arrivals import open_rerun
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.expectations import ExpectationState
from interlock.core.pipelines import (
    ExclusionSpec,
    OverlapPolicy,
    PipelineSpec,
)
from interlock.core.runs import Cause, RunStatus
from interlock.core.watchdog import SETTLING_IN
from interlock.ports.controls import Pause
from interlock.testing.builders import MINUTE, a_slot

MISSED = AlertType.SCHEDULE_MISSED
STATE = ExpectationState
NINE = datetime(2026, 3, 7, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)


# ------------------------------------------------------------------ lost starts


def _lost() -> Yard:
    """Make a yard whose agenda believes to have opened a slot that has no run."""
    yard = Yard(DAILY)
    agenda = yard.world.agendas.agenda(DAILY.name, DAILY.schedules[0].name)
    assert agenda is not None
    after = replace(agenda, opened_to=MORNING + HOUR, next_at=MORNING + timedelta(hours=25), version=agenda.version + 1)
    assert yard.world.agendas.put_agenda(after)
    return yard


def _look(yard: Yard, at: datetime) -> None:
    yard.go_to(at)
    yard.watch()
    yard.scan()


def test_a_start_that_was_lost_is_made_up_for_once() -> None:
    """BUG-90."""
    yard = _lost()
    for minutes in range(1, 60, 5):
        _look(yard, MORNING + HOUR + minutes * MINUTE)
    run = yard.world.store.latest_run(a_slot())
    assert run is not None
    assert (run.cause, run.key.number) == (Cause.WATCHDOG, 1)
    assert len(yard.alerts(AlertType.TRIGGER_RECOVERED)) == 1
    assert yard.lines(EventKind.TRIGGER_RECOVERED) == [EventKind.TRIGGER_RECOVERED]


def test_a_lost_start_is_left_to_a_watcher_that_has_just_begun_until_it_has_settled_in() -> None:
    yard = _lost()
    yard.go_to(MORNING + HOUR + 30 * MINUTE)
    yard.watch(since=timedelta())
    yard.scan()
    _look(yard, yard.clock.now() + SETTLING_IN / 2)
    assert yard.world.store.latest_run(a_slot()) is None
    for _ in range(3):
        _look(yard, yard.clock.now() + 5 * MINUTE)
    assert yard.world.store.latest_run(a_slot()) is not None


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.COMPLETED])
def test_a_run_that_has_ended_is_never_begun_again(status: RunStatus) -> None:
    """BUG-99, BUG-100."""
    yard = _lost()
    yard.go_to(MORNING + HOUR + MINUTE)
    finished(yard, yard.run(), status)
    for minutes in range(5, 300, 5):
        _look(yard, MORNING + HOUR + minutes * MINUTE)
    latest = yard.world.store.latest_run(a_slot())
    assert latest is not None
    assert (latest.key.number, latest.status) == (1, status)


def test_old_periods_are_never_resurrected() -> None:
    """BUG-99, LAT-26: sixty days of slots without any run, and a watcher that believes to have dealt with them."""
    yard = Yard(DAILY)
    yard.go_to(MORNING + timedelta(days=60))
    yard.scan()
    agenda = yard.world.agendas.agenda(DAILY.name, DAILY.schedules[0].name)
    assert agenda is not None
    yard.world.agendas.put_agenda(replace(agenda, opened_to=yard.clock.now(), version=agenda.version + 1))
    for minutes in range(0, 200, 10):
        _look(yard, MORNING + timedelta(days=60) + minutes * MINUTE)
    assert yard.world.store.runs_of("example", limit=10) == ()


@pytest.mark.parametrize("why", ["no watcher", "paused", "excluded", "overlap"])
def test_nothing_is_made_up_for_that_something_speaks_against(why: str) -> None:
    yard = _lost()
    if why == "paused":
        yard.world.controls.put_pause(
            Pause(pipeline=DAILY.name, at=MORNING, until=MIDNIGHT, actor="ann", reason="migration")
        )
    if why == "excluded":
        spec = replace(DAILY, exclusions=ExclusionSpec(weekdays=(5,)))
        _plan_by(yard, spec)
    if why == "overlap":
        _plan_by(yard, replace(DAILY, schedules=(replace(DAILY.schedules[0], overlap=OverlapPolicy.QUEUE),)))
        yard.run(slot=a_slot("2026-03-06"), status=RunStatus.RUNNING, attempt=1)
    for minutes in range(1, 120, 5):
        yard.go_to(MORNING + HOUR + minutes * MINUTE)
        if why != "no watcher":
            yard.watch()
        yard.scan()
    assert yard.world.store.latest_run(a_slot()) is None
    assert yard.alerts(AlertType.TRIGGER_RECOVERED) == []


def _plan_by(yard: Yard, spec: PipelineSpec, of: PipelineSpec = DAILY) -> None:
    agenda = yard.world.agendas.agenda(of.name, of.schedules[0].name)
    assert agenda is not None
    digest = yard.world.store.put_spec(spec)
    yard.world.agendas.put_agenda(replace(agenda, spec_digest=digest, version=agenda.version + 1))


def test_a_watcher_that_is_only_late_is_not_told_of_as_a_lost_start() -> None:
    yard = _lost()
    _look(yard, MORNING + HOUR + 3 * MINUTE)
    yard.run()
    for minutes in range(4, 60, 2):
        _look(yard, MORNING + HOUR + minutes * MINUTE)
    run = yard.world.store.latest_run(a_slot())
    assert run is not None
    assert run.cause is not Cause.WATCHDOG
    assert yard.alerts(AlertType.TRIGGER_RECOVERED) == []


# ------------------------------------------------------------------ the ends


@pytest.mark.parametrize(
    ("ended", "status", "state"),
    [
        (NINE - HOUR, RunStatus.COMPLETED, STATE.MET),
        (NINE + HOUR, RunStatus.COMPLETED, STATE.LATE),
        (NINE - HOUR, RunStatus.FAILED, STATE.FAILED),
        (NINE - HOUR, RunStatus.CANCELLED, STATE.WAIVED),
    ],
)
def test_each_slot_ends_in_one_state_which_is_told_where_it_is_not_as_expected(
    ended: datetime, status: RunStatus, state: STATE
) -> None:
    yard = Yard(DAILY)
    yard.go_to(MORNING + HOUR)
    run = yard.run()
    yard.go_to(ended)
    finished(yard, run, status)
    for hours in range(24):
        yard.go_to(ended + hours * HOUR)
        yard.scan(wanted=False)
    assert (yard.expected().state, yard.expected().run_id) == (state, run.key.run_id)
    assert len(yard.lines(EventKind.EXPECTATION_SETTLED)) == (0 if state is STATE.MET else 1)


def test_a_rerun_in_time_makes_good_what_failed() -> None:
    yard = Yard(DAILY)
    yard.go_to(MORNING + HOUR)
    first = yard.run()
    finished(yard, first, RunStatus.FAILED)
    yard.scan()
    again = open_rerun(a_slot(), DAILY, yard.world.store, yard.clock.now()).run
    yard.go_to(NINE - MINUTE)
    finished(yard, again)
    yard.go_to(NINE)
    yard.scan()
    assert (yard.expected().state, yard.expected().run_id) == (STATE.MET, again.key.run_id)


def test_a_slot_that_was_made_up_for_after_an_outage_is_late_and_not_missed() -> None:
    yard = Yard(DAILY)
    yard.go_to(MORNING + timedelta(hours=26))
    yard.scan()
    yard.open()
    run = yard.world.store.runs_of("example", limit=5)[0]
    yard.go_to(MORNING + timedelta(hours=30))
    finished(yard, run)
    yard.go_to(MORNING + timedelta(hours=31))
    yard.scan()
    assert (yard.expected(run.key.slot).state, yard.expected().state) == (STATE.LATE, STATE.SKIPPED)
    assert yard.alerts(MISSED, open_only=True) == []

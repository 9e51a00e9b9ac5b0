"""Expectations at work: slots that nobody had to open, and plans that change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import DAILY, HOUR, MORNING, Yard, finished

from interlock.app.agendas import RETIRED, SCHEDULE_CHANGED
from interlock.app.planning import plan_pipeline
from interlock.core.agenda import expected
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.expectations import ExpectationState
from interlock.core.pipelines import (
    ExclusionSpec,
    MissedPolicy,
    Mode,
    PipelineSpec,
    WatchSpec,
)
from interlock.core.schedules import windows
from interlock.ports.controls import Pause
from interlock.testing.builders import MINUTE, a_slot, a_spec

MISSED = AlertType.SCHEDULE_MISSED
STATE = ExpectationState
NINE = datetime(2026, 3, 7, 9, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)


def _plan_by(yard: Yard, spec: PipelineSpec, of: PipelineSpec = DAILY) -> None:
    agenda = yard.world.agendas.agenda(of.name, of.schedules[0].name)
    assert agenda is not None
    digest = yard.world.store.put_spec(spec)
    yard.world.agendas.put_agenda(replace(agenda, spec_digest=digest, version=agenda.version + 1))


def test_a_pause_over_the_deadline_is_a_reason_and_says_whose() -> None:
    yard = Yard(DAILY)
    yard.world.controls.put_pause(
        Pause(pipeline=DAILY.name, at=MORNING, until=NINE + HOUR, actor="ann", reason="migration")
    )
    yard.go_to(NINE)
    yard.scan()
    assert yard.alerts(MISSED) == []
    assert yard.expected().state is STATE.WAIVED
    assert "by ann: migration" in yard.expected().reason


@pytest.mark.parametrize("until", [NINE - MINUTE, NINE])
def test_a_pause_that_was_over_by_the_deadline_is_no_reason(until: datetime) -> None:
    yard = Yard(DAILY)
    yard.world.controls.put_pause(Pause(pipeline=DAILY.name, at=MORNING, until=until, actor="ann", reason="tea"))
    yard.go_to(NINE)
    yard.scan()
    assert len(yard.alerts(MISSED)) == 1


def test_an_excluded_day_is_expected_of_nobody_also_with_a_dead_watcher() -> None:
    """BUG-01."""
    spec = replace(DAILY, exclusions=ExclusionSpec(weekdays=(5, 6)))
    yard = Yard(spec, at=MORNING - timedelta(days=1))
    yard.go_to(MORNING + timedelta(days=4))
    yard.scan()
    assert [record.alert.slot for record in yard.alerts(MISSED)] == [
        a_slot(day) for day in ("2026-03-06", "2026-03-09", "2026-03-10")
    ]
    assert yard.expected(a_slot("2026-03-08")).state is STATE.EXCLUDED


@pytest.mark.parametrize("after", [None, replace(DAILY, watch=WatchSpec(enabled=False))], ids=["gone", "unwatched"])
def test_a_pipeline_that_is_gone_or_not_watched_any_more_misses_nothing(after: PipelineSpec | None) -> None:
    yard = Yard(DAILY)
    yard.open()
    plan_pipeline(DAILY.name, after, yard.world)
    yard.go_to(MORNING + timedelta(days=2))
    yard.scan()
    assert yard.alerts() == []
    assert (yard.expected().state, yard.expected().reason) == (STATE.WAIVED, RETIRED)


def test_an_agenda_that_is_retired_in_the_middle_leaves_nothing_to_be_missed() -> None:
    yard = Yard(DAILY)
    agenda = yard.world.agendas.agenda(DAILY.name, DAILY.schedules[0].name)
    assert agenda is not None
    yard.world.agendas.put_agenda(replace(agenda, retired=True, next_at=None, version=agenda.version + 1))
    yard.go_to(NINE)
    yard.scan()
    assert (yard.alerts(MISSED), yard.expected().state) == ([], STATE.WAIVED)


def test_a_slot_that_the_missed_policy_skips_is_resolved_when_that_is_decided() -> None:
    spec = replace(DAILY, schedules=(replace(DAILY.schedules[0], missed=MissedPolicy.SKIP),))
    yard = Yard(spec)
    yard.go_to(MORNING + timedelta(days=2))
    yard.scan()
    assert len(yard.alerts(MISSED, open_only=True)) == 2
    yard.open(spec)
    yard.scan()
    assert yard.alerts(MISSED, open_only=True) == []
    assert yard.expected().state is STATE.SKIPPED


def test_a_schedule_that_moved_is_judged_by_where_it_is_now() -> None:
    """BUG-94."""
    yard = Yard(DAILY)
    moved = replace(DAILY, schedules=(replace(DAILY.schedules[0], deadline=time(11)),))
    digest = yard.world.store.put_spec(moved)
    agenda = yard.world.agendas.agenda(DAILY.name, DAILY.schedules[0].name)
    assert agenda is not None
    yard.world.agendas.put_agenda(replace(agenda, spec_digest=digest, version=agenda.version + 1))
    yard.go_to(NINE + HOUR)
    yard.scan()
    assert yard.alerts(MISSED) == []
    yard.go_to(NINE + 2 * HOUR)
    yard.scan()
    assert [record.alert.details.get("deadline") for record in yard.alerts(MISSED)] == ['"11:00"']


def test_a_slot_whose_run_is_open_keeps_its_deadline_whatever_the_files_say_later() -> None:
    """T-23: the verdict on the slot must be the verdict on its run."""
    yard = Yard(DAILY)
    yard.go_to(MORNING + HOUR)
    run = yard.run()
    yard.go_to(NINE + MINUTE)
    _plan_by(yard, replace(DAILY, schedules=(replace(DAILY.schedules[0], deadline=time(12)),)))
    finished(yard, run)
    yard.scan()
    assert yard.expected().state is STATE.LATE


def test_a_slot_that_the_changed_schedule_does_not_have_is_waived() -> None:
    yard = Yard(DAILY)
    _plan_by(yard, replace(DAILY, schedules=(replace(DAILY.schedules[0], after=None, deadline=None, every=HOUR),)))
    yard.go_to(NINE)
    yard.scan(wanted=False)
    assert (yard.expected().state, yard.expected().reason) == (STATE.WAIVED, SCHEDULE_CHANGED)


def test_a_pipeline_in_shadow_is_told_of_in_its_timeline_only() -> None:
    """BUG-163."""
    yard = Yard(replace(DAILY, mode=Mode.SHADOW))
    for hours in range(4):
        yard.go_to(NINE + hours * HOUR)
        yard.scan(wanted=False)
    assert yard.alerts() == []
    told = sorted(yard.lines(EventKind.WOULD_ALERT, EventKind.SCHEDULE_MISSED))
    assert told == [EventKind.SCHEDULE_MISSED, EventKind.WOULD_ALERT]


def test_what_was_expected_without_any_agenda_is_looked_at_all_the_same() -> None:
    """As left by a version, or by a hand, that kept none."""
    yard = Yard()
    spec = replace(DAILY)
    (window,) = windows(spec.name, spec.schedules[0], MORNING, MORNING + 2 * HOUR)
    yard.world.agendas.put_expectation(expected(spec, window, yard.world.store.put_spec(spec), MORNING))
    for days, state in ((0, STATE.EXPECTED), (8, STATE.MISSED)):
        yard.go_to(MIDNIGHT + timedelta(days=days))
        assert yard.scan().whole
        assert (yard.expected().state, len(yard.alerts(MISSED))) == (state, 1)


def test_an_agenda_whose_spec_has_no_such_schedule_is_left_alone() -> None:
    yard = Yard(DAILY)
    _plan_by(yard, a_spec(schedules=(replace(DAILY.schedules[0], name="nightly"),)), of=DAILY)
    yard.go_to(MORNING + timedelta(days=3))
    assert yard.scan().whole
    assert (yard.expected().state, yard.alerts(MISSED)) == (STATE.WAIVED, [])

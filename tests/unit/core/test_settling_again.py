"""Expectations that are not settled: starts that were lost, plans that changed, and when to look again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.core.slots import (
    CLOSES,
    COMPLETE,
    EVALUATE,
    HOUR,
    an_expectation,
    cancelled,
    facts,
    failed,
    given_up,
    judged,
    succeeded,
)

from interlock.core.agenda import BEGUN_BY
from interlock.core.alerts import AlertLevel, AlertType
from interlock.core.chronicle import EventKind
from interlock.core.ids import ScheduleName
from interlock.core.pipelines import ScheduleSpec
from interlock.core.runs import Cause, RunStatus
from interlock.core.settling import (
    LATEST,
    SOONEST,
    SURE,
    UNBEGUN,
    look,
    replanned,
    start_is_lost,
)
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run, a_spec

# ------------------------------------------------------------------ starts that were lost


def test_a_start_that_seems_lost_is_given_a_moment_and_then_made_up_for() -> None:
    """BUG-90."""
    first = look(an_expectation(), facts(free=True), NOON + BEGUN_BY)
    assert (first.open, first.after.reason, first.after.check_at) == (False, UNBEGUN, NOON + BEGUN_BY + SURE)
    second = look(first.after, facts(free=True), NOON + BEGUN_BY + SURE)
    assert second.open
    assert second.after == first.after


def test_a_start_that_may_not_be_made_up_for_any_more_is_forgotten_and_looked_for_again() -> None:
    marked = an_expectation(reason=UNBEGUN)
    seen = look(marked, facts(), NOON + 10 * MINUTE)
    assert (seen.open, seen.after.reason, seen.after.check_at) == (False, "", NOON + 10 * MINUTE + SOONEST)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"run": failed(NOON)}, NOON + HOUR),
        ({"run": cancelled(NOON)}, NOON + HOUR),
        ({"run": given_up(NOON)}, NOON + HOUR),
        ({"run": succeeded(NOON)}, NOON + HOUR),
        ({"run": a_run()}, NOON + HOUR),
        ({"dealt_with": False}, NOON + HOUR),
        ({"gone": "the schedule was changed"}, NOON + HOUR),
        ({}, NOON + BEGUN_BY - SECOND),
        ({}, CLOSES),
        ({}, CLOSES + timedelta(days=60)),
    ],
    ids=["failed", "cancelled", "given up", "done", "open", "not dealt with", "gone", "early", "closed", "long ago"],
)
def test_nothing_is_made_up_for_that_has_any_run_or_whose_time_is_over(fields: dict[str, Any], at: datetime) -> None:
    """BUG-99, BUG-100, LAT-26."""
    seen = look(an_expectation(reason=UNBEGUN), facts(free=True, **fields), at)
    assert not start_is_lost(an_expectation(), facts(**fields), at)
    assert not seen.open


def test_every_status_of_a_run_ends_the_search_for_a_lost_start() -> None:
    """BUG-100."""
    for status in RunStatus:
        assert not start_is_lost(an_expectation(), facts(a_run(status=status)), NOON + HOUR)


def test_what_the_watchdog_opened_is_told_once() -> None:
    run = a_run(cause=Cause.WATCHDOG)
    seen = look(an_expectation(), facts(run), NOON + BEGUN_BY)
    (alert,) = seen.alerts
    assert (alert.alert_type, alert.level, alert.run_id) == (
        AlertType.TRIGGER_RECOVERED,
        AlertLevel.INFO,
        run.key.run_id,
    )
    assert [record.kind for record in seen.records] == [EventKind.TRIGGER_RECOVERED]
    assert look(seen.after, facts(run), NOON + HOUR).alerts == ()


# ------------------------------------------------------------------ when it is looked at again


@pytest.mark.parametrize(
    ("at", "again"),
    [
        (NOON, NOON + BEGUN_BY),
        (NOON + BEGUN_BY, EVALUATE),
        (EVALUATE, EVALUATE + BEGUN_BY),
        (EVALUATE + BEGUN_BY, COMPLETE),
        (COMPLETE, CLOSES),
        (CLOSES, CLOSES + 45 * MINUTE),
        (CLOSES + timedelta(days=2), CLOSES + timedelta(days=2) + LATEST),
    ],
)
def test_it_is_looked_at_again_when_something_can_have_changed_for_sure(at: datetime, again: datetime) -> None:
    assert look(an_expectation(), facts(judged(a_run())), at).after.check_at == again


def test_a_slot_without_any_deadline_is_looked_at_when_it_closes() -> None:
    expectation = an_expectation(evaluate_by=None, complete_by=None)
    assert look(expectation, facts(judged(a_run())), NOON + HOUR).after.check_at == CLOSES


# ------------------------------------------------------------------ plans that change


SCHEDULE = ScheduleSpec(after=time(12), deadline=time(14))


def test_an_expectation_follows_its_schedule() -> None:
    spec = a_spec(schedules=(replace(SCHEDULE, after=time(13), deadline=time(15)),))
    fresh = replanned(an_expectation(), spec, "new", NOON - HOUR)
    assert fresh is not None
    assert (fresh.spec_digest, fresh.opens_at) == ("new", NOON + HOUR)
    assert (fresh.evaluate_by, fresh.complete_by, fresh.closes_at) == (
        NOON + 3 * HOUR,
        NOON + 3 * HOUR,
        datetime(2026, 3, 8, tzinfo=UTC),
    )


def test_a_deadline_that_a_change_of_plans_moved_into_the_past_is_nobodys_fault() -> None:
    """BUG-94."""
    fresh = replanned(an_expectation(), a_spec(schedules=(replace(SCHEDULE, deadline=time(12, 30)),)), "new", EVALUATE)
    assert fresh is not None
    assert look(fresh, facts(dealt_with=False), EVALUATE).alerts == ()


def test_a_deadline_that_a_change_left_alone_still_counts() -> None:
    spec = a_spec(schedules=(replace(SCHEDULE, deadline=time(13)),))
    expectation = an_expectation(complete_by=EVALUATE)
    fresh = replanned(expectation, spec, "new", EVALUATE + HOUR)
    assert fresh is not None
    assert fresh.since == expectation.since
    assert look(fresh, facts(dealt_with=False), EVALUATE + HOUR).alerts != ()


@pytest.mark.parametrize(
    "schedule", [ScheduleSpec(name=ScheduleName("nightly")), ScheduleSpec(every=HOUR)], ids=["none", "other names"]
)
def test_a_slot_that_the_schedule_no_longer_has_is_gone(schedule: ScheduleSpec) -> None:
    assert replanned(an_expectation(), a_spec(schedules=(schedule,)), "new", NOON) is None


def test_the_same_plan_changes_nothing() -> None:
    expectation = an_expectation()
    assert replanned(expectation, a_spec(schedules=()), "d", NOON) is expectation

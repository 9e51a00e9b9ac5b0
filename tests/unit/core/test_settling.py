"""Expectations: who is told that nothing began, and in which one state each of them ends."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from tests.unit.core.slots import (
    CLOSES,
    COMPLETE,
    EVALUATE,
    HOUR,
    STATE,
    an_attempt,
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
from interlock.core.documents import Document
from interlock.core.pipelines import ExclusionSpec, ScheduleSpec, WatchSpec
from interlock.core.runs import Outcome, Run, RunStatus, Sla, SlaState
from interlock.core.settling import (
    NEVER_COMES,
    deadline_of,
    look,
    missed_id,
    verdict_of,
)
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run, a_slot, a_spec

# ------------------------------------------------------------------ what did not begin


def test_a_slot_without_a_run_at_its_deadline_is_told_with_the_deadline_in_its_own_zone() -> None:
    """BUG-01."""
    spec = a_spec(schedules=(ScheduleSpec(timezone="Asia/Tokyo"),), tier=1, owner="ann")
    seen = look(an_expectation(), facts(spec=spec), EVALUATE)
    (alert,) = seen.alerts
    assert (alert.alert_type, alert.level) == (AlertType.SCHEDULE_MISSED, AlertLevel.ERROR)
    assert alert.alert_id == missed_id(a_slot()) == "schedule_missed/example:daily:2026-03-07"
    assert alert.details == Document(
        (
            ("scheduleId", '"daily"'),
            ("date", '"2026-03-07"'),
            ("deadline", '"22:00"'),
            ("deadlineAt", '"2026-03-07T13:00:00+00:00"'),
        )
    )
    assert (alert.tier, alert.owner, alert.slot, alert.run_id) == (1, "ann", a_slot(), "")
    assert [record.kind for record in seen.records] == [EventKind.SCHEDULE_MISSED]
    assert seen.after.alerted


def test_nothing_is_told_before_the_deadline() -> None:
    assert look(an_expectation(), facts(dealt_with=False), EVALUATE - SECOND).alerts == ()


def test_a_slot_that_people_were_told_of_is_not_told_again() -> None:
    """LAT-14."""
    seen = look(an_expectation(alerted=True), facts(dealt_with=False), EVALUATE + HOUR)
    assert (seen.alerts, seen.records, seen.after.alerted) == ((), (), True)


@pytest.mark.parametrize("since", [EVALUATE + SECOND, EVALUATE + 5 * HOUR])
def test_nobody_is_told_of_a_deadline_that_was_over_when_the_slot_was_first_expected(since: datetime) -> None:
    """T-39, BUG-36, BUG-94."""
    assert look(an_expectation(since=since), facts(), EVALUATE + HOUR).alerts == ()


def test_an_expectation_that_says_nothing_of_its_beginning_is_expected_since_it_opened() -> None:
    assert look(an_expectation(since=None), facts(), EVALUATE).alerts != ()


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, EVALUATE),
        ({"evaluate_by": None}, COMPLETE),
        ({"evaluate_by": None, "complete_by": None}, CLOSES),
        ({"evaluate_by": None, "complete_by": CLOSES + HOUR}, CLOSES),
        ({"evaluate_by": CLOSES + HOUR}, CLOSES + HOUR),
    ],
)
def test_something_must_have_begun_by_the_first_deadline_or_the_end(fields: dict[str, Any], due: datetime) -> None:
    assert deadline_of(an_expectation(**fields)) == due


def test_a_run_that_nobody_ever_judged_is_told_a_moment_after_its_deadline() -> None:
    run = a_run()
    early, late = (look(an_expectation(), facts(run), at) for at in (EVALUATE + BEGUN_BY - SECOND, EVALUATE + BEGUN_BY))
    assert early.alerts == ()
    (alert,) = late.alerts
    assert alert.run_id == run.key.run_id
    assert "opened and never judged" in alert.message


BREACHED = Sla(due_at=EVALUATE, state=SlaState.BREACHED)


@pytest.mark.parametrize(
    "run",
    [
        judged(a_run()),
        a_run(attempt=1, status=RunStatus.RUNNING),
        a_run(evaluation_sla=BREACHED),
        a_run(open_alerts=("evaluation_failed/x",)),
        failed(NOON + MINUTE),
        cancelled(NOON + MINUTE),
    ],
    ids=["judged", "started", "breached", "told", "failed", "cancelled"],
)
def test_a_run_that_was_judged_or_told_of_is_no_missed_schedule(run: Run) -> None:
    """BUG-01: any run that somebody looked after, also one that failed."""
    assert look(an_expectation(), facts(run), EVALUATE + HOUR).alerts == ()


def test_a_run_whose_deadline_is_still_armed_can_be_one_that_nobody_looks_after() -> None:
    run = a_run(evaluation_sla=Sla(due_at=EVALUATE))
    assert look(an_expectation(), facts(run), EVALUATE + HOUR).alerts != ()


# ------------------------------------------------------------------ why nothing had to begin


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"gone": "the schedule was changed"}, STATE.WAIVED, "the schedule was changed"),
        ({"paused": "paused until noon by ann: migration"}, STATE.WAIVED, "paused until noon by ann: migration"),
        ({"spec": a_spec(watch=WatchSpec(enabled=False))}, STATE.WAIVED, "watch.enabled"),
        (
            {"spec": a_spec(exclusions=ExclusionSpec(dates=(date(2026, 3, 7),)))},
            STATE.EXCLUDED,
            "one of the excluded dates",
        ),
    ],
    ids=["gone", "paused", "unwatched", "excluded"],
)
def test_a_slot_that_nobody_may_open_is_nobodys_fault(fields: dict[str, Any], state: STATE, reason: str) -> None:
    """BUG-01."""
    seen = look(an_expectation(), facts(**fields), EVALUATE)
    assert (seen.after.state, seen.alerts, seen.after.check_at) == (state, (), None)
    assert reason in seen.after.reason
    assert [(record.kind, record.status) for record in seen.records] == [(EventKind.EXPECTATION_SETTLED, state)]


def test_an_excluded_day_or_a_pause_is_no_matter_before_its_time() -> None:
    spec = a_spec(exclusions=ExclusionSpec(weekdays=(5,)))
    assert verdict_of(an_expectation(), facts(spec=spec), NOON - SECOND) is None
    assert verdict_of(an_expectation(), facts(paused="paused"), EVALUATE - SECOND) is None


def test_a_run_counts_for_what_it_is_although_nobody_had_to_open_it() -> None:
    spec = a_spec(exclusions=ExclusionSpec(weekdays=(5,)), watch=WatchSpec(enabled=False))
    run = succeeded(NOON + MINUTE)
    assert look(an_expectation(), facts(run, spec=spec, paused="paused"), COMPLETE).after.state is STATE.MET


# ------------------------------------------------------------------ what became of runs


@pytest.mark.parametrize(
    ("run", "state", "reason"),
    [
        (succeeded(COMPLETE), STATE.MET, ""),
        (succeeded(COMPLETE + SECOND), STATE.LATE, "was due by 2026-03-07T14:00:00+00:00"),
        (failed(NOON + MINUTE), STATE.FAILED, "out of memory"),
        (a_run(status=RunStatus.FAILED, ended_at=NOON), STATE.FAILED, ""),
        (given_up(CLOSES), STATE.MISSED, "given up at the end of its window"),
        (cancelled(NOON + MINUTE), STATE.WAIVED, "cancelled"),
        (
            a_run(
                status=RunStatus.CANCELLED,
                ended_at=CLOSES + HOUR,
                closes_at=CLOSES,
                attempts=(an_attempt(Outcome.CANCELLED, CLOSES, "cancelled by ann: wrong data"),),
            ),
            STATE.WAIVED,
            "cancelled by ann: wrong data",
        ),
        (
            given_up(CLOSES, completion_sla=Sla(due_at=COMPLETE, state=SlaState.WAIVED)),
            STATE.WAIVED,
            "its run was cancelled",
        ),
        (
            given_up(CLOSES, completion_sla=Sla(due_at=COMPLETE, state=SlaState.BREACHED)),
            STATE.MISSED,
            "given up",
        ),
        (cancelled(NOON + MINUTE, closes_at=CLOSES), STATE.WAIVED, "its run was cancelled"),
    ],
)
def test_an_expectation_ends_as_its_run_did(run: Run, state: STATE, reason: str) -> None:
    """LAT-45: what failed meets no deadline."""
    seen = look(an_expectation(), facts(run), CLOSES + HOUR)
    assert (seen.after.state, seen.after.run_id, seen.after.settled_at) == (state, run.key.run_id, CLOSES + HOUR)
    assert reason in seen.after.reason
    assert [record.status for record in seen.records] == ([] if state is STATE.MET else [state])


def test_without_a_deadline_success_at_any_time_will_do() -> None:
    run = succeeded(CLOSES + 9 * HOUR)
    assert (
        look(an_expectation(evaluate_by=None, complete_by=None), facts(run), CLOSES + 10 * HOUR).after.state
        is STATE.MET
    )


@pytest.mark.parametrize(
    "run", [failed(NOON), given_up(NOON), cancelled(NOON)], ids=["failed", "given up", "cancelled"]
)
def test_what_ended_badly_may_be_made_good_until_its_deadline_and_no_longer(run: Run) -> None:
    assert verdict_of(an_expectation(), facts(run), COMPLETE - SECOND) is None
    assert verdict_of(an_expectation(), facts(run), COMPLETE) is not None
    assert verdict_of(an_expectation(complete_by=None), facts(run), NOON) is not None


def test_a_rerun_that_fails_takes_nothing_back_from_a_run_that_was_in_time() -> None:
    assert look(an_expectation(), facts(failed(COMPLETE), done_at=NOON + HOUR), COMPLETE).after.state is STATE.MET


def test_a_run_under_way_is_waited_for() -> None:
    seen = look(an_expectation(), facts(judged(a_run())), CLOSES + 8 * HOUR)
    assert seen.after.state is STATE.EXPECTED
    assert seen.after.check_at == CLOSES + 9 * HOUR


def test_a_slot_without_a_run_is_missed_once_it_is_over_and_dealt_with() -> None:
    late = an_expectation(complete_by=CLOSES + HOUR)
    assert verdict_of(late, facts(), CLOSES + HOUR - SECOND) is None
    verdict = verdict_of(late, facts(), CLOSES + HOUR)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == (
        STATE.MISSED,
        f"nothing had begun when it was over at {(CLOSES + HOUR).isoformat()}",
    )


def test_a_slot_that_may_still_be_made_up_for_is_missed_after_a_week_only() -> None:
    assert verdict_of(an_expectation(), facts(dealt_with=False), CLOSES + NEVER_COMES - SECOND) is None
    assert verdict_of(an_expectation(), facts(dealt_with=False), CLOSES + NEVER_COMES) is not None

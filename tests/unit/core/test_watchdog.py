"""What did not happen: stuck and forgotten runs, watches that do not end, watchers that are gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from interlock.core.alerts import AlertLevel, AlertType
from interlock.core.dispatching import alert_dispatch
from interlock.core.documents import Document
from interlock.core.ids import ScheduleName, TraitName
from interlock.core.pipelines import SlaSpec, TriggerSpec, WatchSpec
from interlock.core.readiness import Readiness, ReadinessStatus
from interlock.core.runs import Monitor, Run, RunStatus, Verifying
from interlock.core.watchdog import (
    DEGRADED,
    LEFT_ALONE,
    MONITORING_GRACE,
    SETTLING_IN,
    STALLED,
    Pulse,
    Watchers,
    degraded,
    monitoring_id,
    monitoring_is_overdue,
    monitoring_overdue,
    orphaned,
    orphaned_id,
    stalled,
    stuck,
    stuck_id,
    watchers,
)
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run, a_spec

USUAL = 30 * MINUTE
SILENCE = 90 * SECOND
SPEC = a_spec(tier=2, owner="ann")


def idle(status: RunStatus, **fields: Any) -> Run:
    """Make a run that has been in one state since NOON."""
    return a_run(status=status, wake_at=NOON, attempt=1, job_id="job-7", **fields)


def verdict(at: datetime, *blocking: str) -> Readiness:
    names = tuple(map(TraitName, blocking))
    return Readiness(status=ReadinessStatus.NOT_READY, at=at, verdicts=(), needed=1, passed=0, blocking=names)


# ------------------------------------------------------------------ stuck


def test_a_job_whose_work_is_checked_for_too_long_is_stuck_and_the_reason_is_told() -> None:
    run = idle(RunStatus.RUNNING, verifying=Verifying(said="done", since=NOON))
    alert = stuck(run, SPEC, USUAL, NOON + USUAL + SECOND)
    assert alert is not None
    assert "the job of attempt 1 says that its work is done, and that is being checked" in alert.message
    known = replace(run, open_alerts=(f"verification_trouble/{run.key.run_id}",))
    assert stuck(known, SPEC, USUAL, NOON + USUAL + SECOND) is None


def test_a_stuck_job_is_told_of_with_its_page() -> None:
    run = idle(RunStatus.RUNNING, job_details=Document((("url", '"https://runs.example.com/7"'),)))
    alert = stuck(run, SPEC, USUAL, NOON + USUAL + SECOND)
    assert alert is not None
    assert alert.details.get("jobUrl") == '"https://runs.example.com/7"'


@pytest.mark.parametrize("status", [RunStatus.TRIGGERING, RunStatus.RUNNING])
def test_a_run_that_has_been_started_is_stuck_after_the_threshold_and_not_before(status: RunStatus) -> None:
    """BUG-02, T-46: counted from when it came into its state, whatever was written since."""
    run = idle(status, updated_at=NOON + 29 * MINUTE)
    assert stuck(run, SPEC, USUAL, NOON + USUAL) is None
    alert = stuck(run, SPEC, USUAL, NOON + USUAL + SECOND)
    assert alert is not None
    assert (alert.alert_type, alert.level, alert.alert_id) == (AlertType.STUCK_RUN, AlertLevel.ERROR, stuck_id(run))
    assert (alert.slot, alert.run_id, alert.tier, alert.owner) == (run.key.slot, run.key.run_id, 2, "ann")


def test_each_state_of_a_run_is_a_fact_of_its_own() -> None:
    assert stuck_id(idle(RunStatus.RUNNING)) == "stuck_run/example:daily:2026-03-07:1/RUNNING"
    assert stuck_id(idle(RunStatus.RUNNING)) != stuck_id(idle(RunStatus.TRIGGERING))


def test_what_one_turn_finds_about_two_schedules_are_two_alerts() -> None:
    """T-70: all of a turn carry the same instant, so that is no name."""
    daily = idle(RunStatus.RUNNING)
    hourly = replace(daily, key=replace(daily.key, slot=replace(daily.key.slot, schedule=ScheduleName("hourly"))))
    late = NOON + USUAL + SECOND
    found = {alert.alert_id for run in (daily, hourly) if (alert := stuck(run, SPEC, USUAL, late)) is not None}
    assert len({alert_dispatch(name) for name in found}) == 2


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (31 * MINUTE, "31m0s"),
        (timedelta(hours=1), "1h0m0s"),
        (30 * MINUTE + 45 * SECOND, "30m45s"),
        (timedelta(days=3, seconds=5), "72h0m5s"),
    ],
)
def test_the_alert_of_a_stuck_run_has_its_details_as_machines_know_them(span: timedelta, text: str) -> None:
    alert = stuck(idle(RunStatus.RUNNING), SPEC, USUAL, NOON + span)
    assert alert is not None
    assert alert.details == Document(
        (
            ("date", '"2026-03-07"'),
            ("duration", f'"{text}"'),
            ("runId", '"example:daily:2026-03-07:1"'),
            ("scheduleId", '"daily"'),
            ("status", '"RUNNING"'),
        )
    )


@pytest.mark.parametrize(("span", "text"), [(59 * SECOND, "59s"), (MINUTE, "1m0s")])
def test_a_length_below_a_minute_is_told_in_seconds(span: timedelta, text: str) -> None:
    alert = stuck(idle(RunStatus.RUNNING), SPEC, 10 * SECOND, NOON + span)
    assert alert is not None
    assert alert.details.get("duration") == f'"{text}"'


@pytest.mark.parametrize("pipelines_own", [MINUTE, 3 * USUAL])
def test_a_pipelines_own_threshold_goes_before_the_projects(pipelines_own: timedelta) -> None:
    """T-46."""
    spec = a_spec(stuck_after=pipelines_own)
    assert stuck(idle(RunStatus.RUNNING), spec, USUAL, NOON + pipelines_own) is None
    assert stuck(idle(RunStatus.RUNNING), spec, USUAL, NOON + pipelines_own + SECOND) is not None


def test_a_job_that_usually_takes_long_is_given_twice_as_long() -> None:
    spec = a_spec(sla=SlaSpec(expected_duration=timedelta(hours=2)))
    at = NOON + timedelta(hours=4)
    assert stuck(idle(RunStatus.RUNNING), spec, USUAL, at) is None
    assert stuck(idle(RunStatus.RUNNING), spec, USUAL, at + SECOND) is not None
    assert stuck(idle(RunStatus.TRIGGERING), spec, USUAL, NOON + USUAL + SECOND) is not None


def test_a_waiting_run_that_nobody_judges_is_stuck_after_the_threshold_and_its_interval() -> None:
    """BUG-02."""
    spec = a_spec(watch=WatchSpec(interval=5 * MINUTE))
    run = a_run(wake_at=NOON, readiness=verdict(NOON + MINUTE, "freshness"))
    assert stuck(run, spec, USUAL, NOON + 36 * MINUTE) is None
    alert = stuck(run, spec, USUAL, NOON + 36 * MINUTE + SECOND)
    assert alert is not None
    assert "blocked by freshness" in alert.message


def test_a_waiting_run_is_not_stuck_because_its_next_look_has_just_come() -> None:
    run = a_run(wake_at=NOON + 3 * USUAL, readiness=verdict(NOON, "freshness"))
    spec = a_spec(watch=WatchSpec(interval=MINUTE))
    assert stuck(run, spec, USUAL, NOON + 3 * USUAL) is None
    assert stuck(run, spec, USUAL, NOON + 4 * USUAL + MINUTE) is None
    assert stuck(run, spec, USUAL, NOON + 4 * USUAL + MINUTE + SECOND) is not None


def test_a_run_that_was_never_judged_says_so() -> None:
    """BUG-38."""
    alert = stuck(a_run(wake_at=NOON), SPEC, USUAL, NOON + 40 * MINUTE)
    assert alert is not None
    assert "it was never judged. Nobody asks its traits any more" in alert.message


@pytest.mark.parametrize(
    "fields",
    [
        {"blocked": "freshness: no such table"},
        {"held_until": NOON + 5 * USUAL},
        {"not_before": NOON + 5 * USUAL},
        {"wake_at": NOON + 5 * USUAL},
        {"readiness": verdict(NOON + 3 * USUAL, "freshness")},
        {"not_before": NOON + 3 * USUAL},
        {"held_until": NOON + 3 * USUAL},
        {"doubt": "nobody knows"},
    ],
    ids=["blocked", "held", "retries", "asked", "judged", "retried", "let go", "doubt"],
)
def test_waiting_is_not_being_stuck(fields: dict[str, Any]) -> None:
    run = replace(a_run(wake_at=NOON), **fields)
    assert stuck(run, SPEC, USUAL, NOON + 3 * USUAL + MINUTE) is None


@pytest.mark.parametrize(
    "status", [RunStatus.COMPLETED_MONITORING, RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]
)
def test_a_run_that_is_watched_or_has_ended_is_never_stuck(status: RunStatus) -> None:
    """T-45, BUG-02."""
    assert stuck(idle(status), SPEC, USUAL, NOON + timedelta(days=9)) is None


@pytest.mark.parametrize("status", [RunStatus.TRIGGERING, RunStatus.RUNNING])
def test_a_run_in_doubt_was_told_of_already(status: RunStatus) -> None:
    assert stuck(idle(status, doubt="the answer was lost"), SPEC, USUAL, NOON + timedelta(days=9)) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (idle(RunStatus.TRIGGERING), "attempt 1 is being started, and its target has not answered"),
        (idle(RunStatus.RUNNING), "attempt 1 is the job job-7; it was there when it was last looked at"),
        (idle(RunStatus.RUNNING, looks=3), "the last 3 looks saw nothing of it"),
        (replace(idle(RunStatus.RUNNING), job_id=""), "the job without a name"),
    ],
)
def test_the_alert_of_a_stuck_run_says_where_to_look(run: Run, words: str) -> None:
    """BUG-38."""
    alert = stuck(run, SPEC, USUAL, NOON + USUAL + MINUTE)
    assert alert is not None
    assert words in alert.message


# ------------------------------------------------------------------ left alone


@pytest.mark.parametrize(
    ("interval", "polls", "patience"),
    [(SECOND, SECOND, LEFT_ALONE), (MINUTE, SECOND, 3 * MINUTE), (SECOND, 4 * MINUTE, 12 * MINUTE)],
)
def test_a_run_is_left_alone_when_three_of_its_looks_are_missing(
    interval: timedelta, polls: timedelta, patience: timedelta
) -> None:
    spec = a_spec(watch=WatchSpec(interval=interval), trigger=TriggerSpec(type="fake", poll_interval=polls))
    run = idle(RunStatus.RUNNING)
    assert orphaned(run, spec, NOON + patience) is None
    alert = orphaned(run, spec, NOON + patience + SECOND)
    assert alert is not None
    assert (alert.alert_type, alert.level) == (AlertType.RUN_ORPHANED, AlertLevel.WARNING)
    assert alert.alert_id == orphaned_id(run) == "run_orphaned/example:daily:2026-03-07:1"


def test_where_runs_are_looked_after_late_they_are_left_alone_that_much_later() -> None:
    run = a_run(wake_at=NOON)
    spec = a_spec(watch=WatchSpec(interval=SECOND))
    assert orphaned(run, spec, NOON + LEFT_ALONE + MINUTE, MINUTE) is None
    assert orphaned(run, spec, NOON + LEFT_ALONE + MINUTE + SECOND, MINUTE) is not None


def test_polls_do_not_matter_to_a_run_that_has_no_job() -> None:
    spec = a_spec(watch=WatchSpec(interval=SECOND), trigger=TriggerSpec(type="fake", poll_interval=timedelta(days=1)))
    assert orphaned(a_run(wake_at=NOON), spec, NOON + LEFT_ALONE + SECOND) is not None
    assert orphaned(a_run(wake_at=NOON), replace(spec, trigger=None), NOON + LEFT_ALONE + SECOND) is not None


@pytest.mark.parametrize(
    "run", [a_run(wake_at=None), a_run(status=RunStatus.FAILED, wake_at=NOON), a_run(wake_at=NOON + timedelta(days=2))]
)
def test_a_run_that_wants_nothing_yet_is_not_left_alone(run: Run) -> None:
    assert orphaned(run, SPEC, NOON + timedelta(days=1)) is None


# ------------------------------------------------------------------ the watch for drift


def test_the_watch_for_drift_is_overdue_five_minutes_after_its_end() -> None:
    run = a_run(status=RunStatus.COMPLETED_MONITORING, monitor=Monitor(until=NOON))
    assert not monitoring_is_overdue(run, NOON + MONITORING_GRACE)
    assert monitoring_is_overdue(run, NOON + MONITORING_GRACE + SECOND)


@pytest.mark.parametrize(
    "run",
    [
        a_run(status=RunStatus.COMPLETED_MONITORING),
        a_run(status=RunStatus.COMPLETED, monitor=Monitor(until=NOON)),
        a_run(status=RunStatus.RUNNING),
    ],
)
def test_only_a_run_that_is_being_watched_can_be_watched_for_too_long(run: Run) -> None:
    assert not monitoring_is_overdue(run, NOON + timedelta(days=1))


@pytest.mark.parametrize(("why", "said"), [("", "does not end"), ("nobody knows", "does not end: nobody knows")])
def test_a_watch_that_does_not_end_is_told_with_the_reason(why: str, said: str) -> None:
    run = a_run(status=RunStatus.COMPLETED_MONITORING, monitor=Monitor(until=NOON))
    alert = monitoring_overdue(run, SPEC, why, NOON)
    assert (alert.alert_type, alert.alert_id) == (AlertType.MONITORING_OVERDUE, monitoring_id(run))
    assert alert.message.endswith(said)


# ------------------------------------------------------------------ watchers


def pulse(joined: timedelta, lease: timedelta, progress: timedelta | None = None) -> Pulse:
    """Make a watcher that joined, whose lease ends, and that made progress, so long before NOON."""
    return Pulse(NOON - joined, NOON - lease, None if progress is None else NOON - progress)


HELD = -10 * SECOND


@pytest.mark.parametrize(
    ("pulses", "found"),
    [
        ([], Watchers.GONE),
        ([pulse(MINUTE * 9, HELD, SECOND)], Watchers.ALIVE),
        ([pulse(SETTLING_IN, HELD, SECOND)], Watchers.ALIVE),
        ([pulse(SETTLING_IN - SECOND, HELD, SECOND)], Watchers.STARTING),
        ([pulse(SECOND, HELD)], Watchers.STARTING),
        ([pulse(MINUTE * 9, HELD)], Watchers.GONE),
        ([pulse(MINUTE * 9, HELD, SILENCE)], Watchers.ALIVE),
        ([pulse(MINUTE * 9, HELD, SILENCE + SECOND)], Watchers.GONE),
        ([pulse(MINUTE * 9, SECOND, SECOND)], Watchers.GONE),
        ([pulse(MINUTE * 9, timedelta(), SECOND)], Watchers.GONE),
        ([pulse(MINUTE * 9, SECOND, SECOND), pulse(MINUTE * 8, HELD, SECOND)], Watchers.ALIVE),
        ([pulse(SECOND, HELD), pulse(MINUTE * 8, HELD, SECOND)], Watchers.ALIVE),
        ([pulse(-MINUTE, HELD)], Watchers.STARTING),
        ([pulse(SECOND, HELD, SILENCE + SECOND)], Watchers.STARTING),
    ],
)
def test_a_watcher_is_at_work_while_its_lease_holds_and_it_finishes_turns(pulses: list[Pulse], found: Watchers) -> None:
    assert watchers(pulses, NOON, SILENCE, wanted=True) is found


def test_where_no_watcher_is_wanted_none_is_missed() -> None:
    assert watchers([], NOON, SILENCE, wanted=False) is Watchers.NONE


def test_the_alert_that_no_watcher_is_at_work_says_when_one_was() -> None:
    known = stalled([pulse(MINUTE * 9, SECOND, MINUTE), pulse(MINUTE * 8, SECOND)], NOON)
    assert (known.alert_id, known.alert_type, known.level) == (STALLED, AlertType.WATCHER_STALLED, AlertLevel.ERROR)
    assert (NOON - MINUTE).isoformat() in known.message
    assert "none is known" in stalled([], NOON).message
    assert (known.slot, known.run_id, known.tier, known.owner) == (None, "", 0, "")


def test_a_degraded_watchdog_names_each_check_that_failed() -> None:
    """BUG-183, BUG-184."""
    alert = degraded((("runs", "the row is damaged"), ("alerts", "the store is gone")), NOON)
    assert (alert.alert_id, alert.alert_type) == (DEGRADED, AlertType.WATCHDOG_DEGRADED)
    assert alert.details.get("checks") == '["runs","alerts"]'
    assert "runs: the row is damaged; alerts: the store is gone" in alert.message


def test_a_reason_that_several_checks_share_is_told_once() -> None:
    alert = degraded((("runs", "the store is gone"), ("x", "y"), ("alerts", "the store is gone")), NOON)
    assert alert.message.endswith("runs, alerts: the store is gone; x: y")
    assert alert.details.get("checks") == '["runs","x","alerts"]'

"""The watchdog's scan: runs and watchers, nothing told twice, all of it taken back in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import HOUR, MORNING, Yard, finished
from tests.unit.app.yards import QUIET, RUNNING, a_yard, later

from interlock.app import sweep as sweeping
from interlock.app.notifying import raise_alert
from interlock.app.sweep import deliver_due
from interlock.core import watchdog
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind
from interlock.core.pipelines import Mode
from interlock.core.runs import Monitor, RunStatus, Watch
from interlock.core.telling import alert_id
from interlock.errors import UnsafeDecision
from interlock.testing.builders import MINUTE, a_key, a_slot

# ------------------------------------------------------------------ stuck runs


def test_a_stuck_run_is_told_once_and_resolved_when_it_moves() -> None:
    """BUG-02, T-46."""
    yard = a_yard(wake_at=MORNING + timedelta(days=1), **RUNNING)
    for _ in range(4):
        later(yard, 20 * MINUTE)
    (record,) = yard.alerts()
    assert (record.alert.alert_type, record.notices) == (AlertType.STUCK_RUN, 1)
    assert yard.lines(EventKind.RUN_STUCK) == [EventKind.RUN_STUCK]
    run = yard.world.store.run(a_key())
    assert run is not None
    finished(yard, run)
    yard.scan()
    assert yard.told() == []
    assert yard.alerts()[0].resolution == "it has moved, and is COMPLETED"


def test_a_run_that_is_stuck_again_in_another_state_is_told_again() -> None:
    yard = a_yard(wake_at=MORNING + timedelta(days=1), status=RunStatus.TRIGGERING, attempt=1)
    later(yard, 31 * MINUTE)
    run = yard.world.store.run(a_key())
    assert run is not None
    yard.change(run, status=RunStatus.RUNNING, since=yard.clock.now(), job_id="job-7")
    later(yard, 31 * MINUTE)
    assert [(record.alert.details.get("status"), record.open) for record in yard.alerts()] == [
        ('"TRIGGERING"', False),
        ('"RUNNING"', True),
    ]


def test_a_run_that_is_stuck_again_in_the_same_state_has_a_line_for_each_time() -> None:
    yard = a_yard(wake_at=MORNING + timedelta(days=1), **RUNNING)
    later(yard, 31 * MINUTE)
    run = yard.world.store.run(a_key())
    assert run is not None
    yard.change(run, since=yard.clock.now(), attempt=2)
    later(yard, MINUTE)
    assert yard.told() == []
    later(yard, 31 * MINUTE)
    assert yard.told() == [AlertType.STUCK_RUN]
    assert yard.lines(EventKind.RUN_STUCK) == [EventKind.RUN_STUCK] * 2


def test_a_watcher_that_has_just_begun_is_given_a_moment_for_what_was_left_behind() -> None:
    yard = Yard(QUIET)
    yard.run(QUIET, wake_at=MORNING, **RUNNING)
    yard.go_to(MORNING + HOUR)
    yard.watch(since=timedelta())
    yard.scan()
    assert yard.told() == []
    later(yard, watchdog.SETTLING_IN)
    assert yard.told() == [AlertType.STUCK_RUN]


def test_the_projects_threshold_is_the_one_that_counts() -> None:
    """T-46, T-87."""
    yard = a_yard(wake_at=MORNING + timedelta(days=1), **RUNNING)
    yard.go_to(MORNING + 20 * MINUTE)
    yard.watch()
    yard.scan(stuck_after=25 * MINUTE)
    assert yard.told() == []
    yard.scan(stuck_after=15 * MINUTE)
    assert yard.told() == [AlertType.STUCK_RUN]


def test_a_run_is_found_however_many_days_ago_it_began() -> None:
    """T-36, T-33, T-34."""
    yard = a_yard(wake_at=MORNING + timedelta(days=99), **RUNNING)
    later(yard, timedelta(days=40))
    assert AlertType.STUCK_RUN in yard.told()


def test_a_run_that_is_watched_for_drift_is_not_stuck() -> None:
    """T-45."""
    watching = Monitor(until=MORNING + 3 * HOUR)
    yard = a_yard(status=RunStatus.COMPLETED_MONITORING, monitor=watching, wake_at=MORNING + 3 * HOUR)
    later(yard, 2 * HOUR)
    assert yard.told() == []


def test_a_stuck_run_in_shadow_is_told_in_the_timeline_only() -> None:
    """BUG-163."""
    yard = a_yard(replace(QUIET, mode=Mode.SHADOW), wake_at=MORNING + timedelta(days=1), **RUNNING)
    for _ in range(3):
        later(yard, 31 * MINUTE)
    assert yard.alerts() == []
    assert sorted(yard.lines(EventKind.WOULD_ALERT, EventKind.RUN_STUCK)) == ["RUN_STUCK", "WOULD_ALERT"]


# ------------------------------------------------------------------ runs that nobody looks after


def test_a_run_that_nobody_looks_after_is_told_and_taken_back() -> None:
    yard = a_yard(wake_at=MORNING)
    later(yard, 3 * MINUTE)
    assert yard.told() == [AlertType.RUN_ORPHANED]
    run = yard.world.store.run(a_key())
    assert run is not None
    yard.change(run, wake_at=yard.clock.now() + HOUR)
    yard.scan()
    assert yard.alerts()[0].resolution == "it is looked after again, and is PENDING"


def test_a_run_that_is_left_alone_until_it_is_stuck_is_told_as_that_and_no_longer_as_the_other() -> None:
    yard = a_yard(wake_at=MORNING, **RUNNING)
    later(yard, 3 * MINUTE)
    later(yard, 30 * MINUTE)
    assert yard.told() == [AlertType.STUCK_RUN]


def test_with_no_watcher_at_work_that_alone_is_told_and_not_each_run_again() -> None:
    yard = a_yard(wake_at=MORNING)
    yard.run(slot=a_slot("2026-03-06"), wake_at=MORNING, **RUNNING)
    for span in (3 * MINUTE, HOUR):
        later(yard, span, watched=False)
        while deliver_due(yard.watchdog, yard.clock.now() + MINUTE).error:
            pass
    told = {notice.alert.alert_type for notice in yard.sink.delivered}
    assert told == {AlertType.WATCHER_STALLED}
    folded = [record for record in yard.alerts(open_only=True) if record.folded_into]
    assert {record.folded_into for record in folded} == {watchdog.STALLED}


def test_what_a_dead_watcher_left_behind_is_taken_back_when_the_next_has_settled_in() -> None:
    yard = a_yard(wake_at=MORNING, **RUNNING)
    later(yard, HOUR, watched=False)
    assert yard.told() == [AlertType.STUCK_RUN, AlertType.WATCHER_STALLED]
    yard.watch(since=timedelta(), name="two")
    yard.scan()
    assert yard.told() == [AlertType.STUCK_RUN, AlertType.WATCHER_STALLED]
    run = yard.world.store.run(a_key())
    assert run is not None
    yard.change(run, since=yard.clock.now(), wake_at=yard.clock.now() + HOUR)
    yard.go_to(yard.clock.now() + 3 * MINUTE)
    yard.watch(name="two")
    yard.scan()
    deliver_due(yard.watchdog, yard.clock.now() + MINUTE)
    assert yard.told() == []
    assert AlertType.STUCK_RUN not in {notice.alert.alert_type for notice in yard.sink.delivered}


def test_what_hangs_on_a_dead_watcher_is_taken_back_before_that_itself_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else somebody who delivers in between would tell of it on its own."""
    yard = a_yard(wake_at=MORNING, **RUNNING)
    later(yard, HOUR, watched=False)
    run = yard.world.store.run(a_key())
    assert run is not None
    finished(yard, run)
    resolved: list[str] = []
    monkeypatch.setattr(sweeping, "resolve_alert", lambda name, *_: resolved.append(name))
    yard.watch(name="two")
    yard.scan()
    assert resolved == [watchdog.stuck_id(replace(run, status=RunStatus.RUNNING)), watchdog.STALLED, watchdog.DEGRADED]


def test_a_run_that_was_set_aside_and_told_is_not_told_again() -> None:
    yard = a_yard(wake_at=MORNING, **RUNNING)
    key = a_key()
    poisoned = Alert(
        alert_id=alert_id(AlertType.RUN_POISONED, key),
        alert_type=AlertType.RUN_POISONED,
        level=AlertLevel.ERROR,
        at=MORNING,
        message="it breaks whoever touches it",
    )
    raise_alert(poisoned, yard.world)
    later(yard, HOUR)
    assert [record.folded_into for record in yard.alerts(AlertType.STUCK_RUN)] == [poisoned.alert_id]


def test_where_nobody_ever_watched_a_run_is_not_left_alone_by_anybody() -> None:
    yard = Yard()
    yard.run(QUIET, wake_at=MORNING)
    later(yard, 10 * MINUTE, watched=False)
    assert yard.told() == []
    later(yard, 30 * MINUTE, watched=False)
    assert yard.told() == [AlertType.STUCK_RUN]


# ------------------------------------------------------------------ watchers


@pytest.mark.parametrize("how", ["dead", "hung", "gone"])
def test_a_watcher_that_does_nothing_is_told_once_and_resolved_when_one_is_back(how: str) -> None:
    yard = Yard(QUIET)
    if how != "gone":
        yard.watch()
    for _ in range(3):
        yard.go_to(yard.clock.now() + 5 * MINUTE)
        if how == "hung":
            yard.watch(progress=2 * MINUTE)
        yard.scan()
    (record,) = yard.alerts()
    assert (record.alert.alert_type, record.alert.level, record.notices) == (
        AlertType.WATCHER_STALLED,
        AlertLevel.ERROR,
        1,
    )
    yard.watch(name="another")
    yard.scan()
    assert yard.told() == []


@pytest.mark.parametrize("thresholds", [{"patient": True}, {"wanted": False}])
def test_a_watcher_is_not_missed_where_none_is_wanted_or_it_is_too_early(thresholds: dict[str, Any]) -> None:
    yard = Yard(QUIET)
    yard.go_to(MORNING + HOUR)
    yard.scan(**thresholds)
    assert yard.alerts() == []


def test_one_that_is_patient_sees_what_goes_wrong_beside_a_watcher_that_is_there() -> None:
    yard = a_yard(wake_at=MORNING + timedelta(days=1), **RUNNING)
    yard.go_to(MORNING + 31 * MINUTE)
    yard.watch()
    yard.scan(patient=True)
    assert yard.told() == [AlertType.STUCK_RUN]


def test_a_watchdog_that_looks_mends_the_alert_that_none_does() -> None:
    yard = Yard(QUIET)
    yard.watch()
    raise_alert(
        Alert(
            alert_id="watchdog_stalled/all",
            alert_type=AlertType.WATCHDOG_STALLED,
            level=AlertLevel.ERROR,
            at=MORNING,
            message="no watchdog",
        ),
        yard.world,
    )
    yard.scan()
    assert yard.told() == []


# ------------------------------------------------------------------ monitoring


def watched_too_long() -> Yard:
    watching = Monitor(until=MORNING + HOUR)
    return a_yard(status=RunStatus.COMPLETED_MONITORING, monitor=watching, wake_at=MORNING + HOUR, attempt=1)


def test_a_watch_for_drift_that_nobody_ends_is_ended() -> None:
    """T-47."""
    yard = later(watched_too_long(), HOUR + 6 * MINUTE)
    run = yard.world.store.run(a_key())
    assert run is not None
    assert (run.status, run.monitor) == (RunStatus.COMPLETED, Monitor(until=MORNING + HOUR, state=Watch.OVER))
    assert yard.told() == []
    assert EventKind.MONITORING_COMPLETED in yard.lines()


def test_a_watch_for_drift_that_cannot_be_ended_is_told_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise UnsafeDecision("the decision would break SC-1")

    yard = watched_too_long()
    with monkeypatch.context() as broken:
        broken.setattr(sweeping, "advance", refused)
        later(yard, HOUR + 6 * MINUTE)
    assert yard.told() == [AlertType.MONITORING_OVERDUE]
    assert "SC-1" in yard.alerts()[0].alert.message
    yard.scan()
    assert yard.told() == []

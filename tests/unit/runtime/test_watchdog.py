"""The watchdog at work: its rounds and its signs of life."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta

import pytest
from tests.unit.runtime.kennel import SPEC, Kennel

from interlock.app.planning import plan_pipeline
from interlock.app.sweep import Report
from interlock.core.alerts import AlertType
from interlock.ports.members import Member
from interlock.runtime.watchdog import FORGOTTEN, ROLE
from interlock.testing.builders import MINUTE, NOON, SECOND

# ------------------------------------------------------------------ rounds


def test_it_looks_at_its_interval_until_it_is_stopped() -> None:
    kennel = Kennel()
    assert [report.at for report in kennel.run(3)] == [NOON, NOON + 5 * MINUTE, NOON + 10 * MINUTE]
    assert kennel.alarm.waits == [5 * MINUTE] * 2


def test_it_does_not_look_at_all_when_it_was_stopped_before() -> None:
    kennel = Kennel()
    kennel.watchdog.stop()
    kennel.watchdog.run(lambda _report: pytest.fail("it looked"))
    assert kennel.alarm.pokes == 1


def test_it_is_stopped_from_another_thread_after_the_scan_under_way() -> None:
    kennel = Kennel()
    reports: list[Report] = []

    def heard(report: Report) -> None:
        stopping = threading.Thread(target=kennel.watchdog.stop)
        stopping.start()
        stopping.join()
        reports.append(report)

    kennel.watchdog.run(heard)
    assert (len(reports), reports[0].whole, kennel.alarm.waits) == (1, True, [])


@pytest.mark.parametrize("jump", [timedelta(days=-3), timedelta(hours=-1), timedelta(hours=5), timedelta(days=400)])
def test_a_clock_that_jumps_delays_no_scan_and_frightens_nobody(jump: timedelta) -> None:
    """A laptop that slept: the watchers, which slept too, get a moment before they are missed."""
    kennel = Kennel(interval=MINUTE)
    plan_pipeline(SPEC.name, SPEC, kennel.hands)
    joined = kennel.clock.now() - timedelta(days=9)

    def goes_on(number: int) -> None:
        if number == 5:
            kennel.clock.advance(jump)
        elif number != 6:  # just after the jump it has not got round to it yet
            beat(kennel, joined)

    kennel.alarm.on_wait = goes_on
    kennel.run(9)
    assert kennel.alarm.waits == [MINUTE] * 8
    kinds = {record.alert.alert_type for record in kennel.hands.dispatches.alerts(limit=9)}
    assert AlertType.WATCHER_STALLED not in kinds


def beat(kennel: Kennel, joined: datetime) -> None:
    """Let a watcher show a sign of life now."""
    now = kennel.clock.now()
    epoch = sum(each.epoch for each in kennel.hands.members.members("watcher"))
    watcher = Member(
        role="watcher",
        name="one",
        host="here",
        pid=1,
        started="1",
        joined_at=joined,
        until=now + 90 * SECOND,
        progress_at=now,
        epoch=epoch + 1,
    )
    assert kennel.hands.members.put_member(watcher)


def test_it_waits_for_the_watchers_of_a_machine_that_has_just_started_and_not_for_ever() -> None:
    kennel = Kennel(interval=MINUTE)
    plan_pipeline(SPEC.name, SPEC, kennel.hands)
    kennel.run(2)
    assert kennel.hands.dispatches.alerts(limit=9) == ()
    kennel.watchdog = kennel.another()
    kennel.run(3)
    assert [record.alert.alert_type for record in kennel.hands.dispatches.alerts(limit=9)] == [
        AlertType.WATCHER_STALLED
    ]


def test_a_clock_that_is_set_back_makes_it_patient_for_a_moment_and_not_until_that_time_comes_again() -> None:
    kennel = Kennel(interval=MINUTE)
    plan_pipeline(SPEC.name, SPEC, kennel.hands)

    def set_back(number: int) -> None:
        if number == 1:
            kennel.clock.advance(timedelta(hours=-3))

    kennel.alarm.on_wait = set_back
    kennel.run(5)
    assert [record.alert.alert_type for record in kennel.hands.dispatches.alerts(limit=9)] == [
        AlertType.WATCHER_STALLED
    ]


def test_a_single_scan_misses_a_watcher_at_once() -> None:
    kennel = Kennel()
    plan_pipeline(SPEC.name, SPEC, kennel.hands)
    assert kennel.watchdog.turn().findings == 1


def test_what_it_finds_it_tells_by_itself() -> None:
    """G4: whoever tells usually may be what is dead."""
    kennel = Kennel()
    plan_pipeline(SPEC.name, SPEC, kennel.hands)
    kennel.watchdog.turn()
    assert [alert.alert_type for alert in kennel.sink.alerts] == [AlertType.WATCHER_STALLED]


# ------------------------------------------------------------------ signs of life


def test_each_scan_is_written_down_with_when_it_was_and_what_it_found() -> None:
    """BUG-194."""
    kennel = Kennel()
    kennel.watchdog.turn()
    kennel.clock.advance(5 * MINUTE)
    kennel.watchdog.turn()
    (member,) = kennel.members()
    assert (member.role, member.epoch, member.joined_at) == (ROLE, 2, NOON)
    assert (member.progress_at, member.until) == (NOON + 5 * MINUTE, NOON + 20 * MINUTE)
    assert (member.pid, member.note) == (os.getpid(), "0 found")


def test_a_degraded_scan_says_which_checks_failed() -> None:
    kennel = Kennel()

    def fails(limit: int, after: str | None = None) -> None:
        raise ZeroDivisionError

    kennel.hands.store.active_runs = fails  # type: ignore[method-assign,assignment]
    kennel.watchdog.turn()
    assert kennel.members()[0].note == "0 found; degraded: runs"
    assert kennel.said == ["the watchdog could not check everything: runs: ZeroDivisionError: "]


def test_one_that_leaves_in_order_is_not_missed_and_one_that_dies_is() -> None:
    kennel = Kennel()
    kennel.run(2)
    assert kennel.members() == ()
    kennel.watchdog.leave()
    kennel.watchdog.turn()
    assert len(kennel.members()) == 1


def test_one_that_cannot_sign_off_says_so_and_leaves() -> None:
    kennel = Kennel()
    kennel.watchdog.turn()
    kennel.lose_the_store()
    kennel.watchdog.leave()
    assert kennel.said == ["the watchdog could not sign off, and will be missed: nobody answers"]


def test_one_that_was_taken_for_dead_joins_again() -> None:
    kennel = Kennel()
    kennel.watchdog.turn()
    assert kennel.hands.members.drop_member(kennel.members()[0])
    assert kennel.watchdog.turn().whole
    assert [member.epoch for member in kennel.members()] == [1]


def test_those_that_come_one_after_another_under_one_name_are_one() -> None:
    kennel = Kennel(name="once")
    for _ in range(3):
        assert kennel.another().turn().whole
        kennel.clock.advance(MINUTE)
    assert [member.progress_at for member in kennel.members()] == [NOON + 2 * MINUTE]


def test_several_watchdogs_show_side_by_side() -> None:
    kennel = Kennel()
    kennel.another(name="a").turn()
    kennel.another(name="b").turn()
    assert [member.name for member in kennel.members()] == ["a", "b"]


def test_one_that_has_been_dead_for_long_is_forgotten() -> None:
    kennel = Kennel()
    kennel.another(name="old").turn()
    kennel.clock.advance(15 * MINUTE + FORGOTTEN)
    kennel.another(name="a").turn()
    assert [member.name for member in kennel.members()] == ["a", "old"]
    kennel.clock.advance(SECOND)
    kennel.another(name="b").turn()
    assert [member.name for member in kennel.members()] == ["a", "b"]


def test_a_sign_of_life_that_cannot_be_read_back_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    pings: list[int] = []

    def ping() -> str:
        pings.append(1)
        return ""

    kennel = Kennel(ping=ping)
    monkeypatch.setattr(kennel.hands.members, "members", lambda _role: ())
    report = kennel.watchdog.turn()
    assert dict(report.troubles) == {"heartbeat": "what was written to the store could not be read back"}
    assert pings == []


def test_another_process_under_its_name_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    kennel = Kennel(name="same")
    monkeypatch.setattr(kennel.hands.members, "put_member", lambda _member: False)
    assert dict(kennel.watchdog.turn().troubles) == {"heartbeat": "another watchdog goes by the name same"}

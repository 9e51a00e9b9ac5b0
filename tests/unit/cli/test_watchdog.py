"""`interlock watchdog`, `interlock expectations`, and who is at work in `status` and `doctor`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from msgspec.structs import replace
from tests.unit.cli.terminal import Said, Terminal

from interlock.app.agendas import open_due
from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.app.planning import plan_pipeline
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.runs import RunStatus
from interlock.ports.members import Member
from interlock.ports.stores import Commit
from interlock.testing.builders import Files, a_hand
from interlock.testing.clock import FakeClock

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _standing_still(terminal: Terminal) -> Iterator[None]:  # after the terminal has set its own time
    assert terminal.root.exists()
    with time_machine.travel(NOON, tick=False):
        yield


@contextmanager
def at_work(terminal: Terminal, at: datetime) -> Iterator[tuple[Hands, PipelineSpec]]:
    """Give the store a past: the hands of a watcher at an instant, and a pipeline that opens at six and is due at nine."""
    spec = replace(terminal.spec(), schedules=(ScheduleSpec(after=time(6), deadline=time(9)),))
    with terminal.kept() as store:
        yield a_hand(store, clock=FakeClock(at), catalog=Files(spec)), spec


def planned(terminal: Terminal, *, days: int = 0) -> None:
    """Let a watcher have planned the pipeline at five in the morning, so many days ago."""
    with at_work(terminal, NOON - 7 * HOUR - timedelta(days=days)) as (hands, spec):
        plan_pipeline(spec.name, spec, hands)


def completed(terminal: Terminal, at: datetime) -> None:
    """Let the slot of the day have a run that completed at an instant."""
    with at_work(terminal, at) as (hands, spec):
        for agenda in hands.agendas.agendas_of(spec.name):
            open_due(spec.name, agenda.schedule, hands)
        run = open_run(terminal.slot(at), spec, hands.store, at).run
        after = replace(run, version=run.version + 1, status=RunStatus.COMPLETED, ended_at=at, wake_at=None)
        assert hands.store.commit(Commit(before=run, after=after))


def member(terminal: Terminal, role: str, *, until: datetime, progress: datetime | None) -> None:
    with at_work(terminal, NOON) as (hands, _):
        hands.members.put_member(
            Member(
                role=role,
                name=f"{role}-1",
                host="here",
                pid=1,
                started="1",
                joined_at=NOON - HOUR,
                until=until,
                progress_at=progress,
                note="3 found",
            )
        )


# ------------------------------------------------------------------ watchdog


def checks(said: Said) -> dict[str, int]:
    return {check["name"]: check["findings"] for check in said.document["checks"]}


def test_one_scan_of_a_project_in_which_all_is_well_leaves_with_0(terminal: Terminal) -> None:
    said = terminal("watchdog", "--once")
    assert (said.code, said.out) == (0, "2026-03-07 12:00:00Z  ok  nothing to tell\n")


def test_what_a_scan_finds_is_shown_and_told(terminal: Terminal) -> None:
    """BUG-01."""
    planned(terminal)
    said = terminal("watchdog", "--once", "--json")
    assert (said.code, said.document["kind"], said.document["ok"], said.document["findings"]) == (0, "Scan", True, 2)
    assert checks(said)["watchers"] == checks(said)["expectations"] == 1
    assert "orders:daily:2026-03-07 was missed" in said.err


def test_a_scan_that_is_not_whole_leaves_with_3_and_says_which_check(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BUG-183."""

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr("interlock.stores.repository.Repository.active_runs", fails)
    said = terminal("watchdog", "--once")
    assert said.code == 3
    assert said.out.splitlines()[0].endswith("fail  nothing found where it could look")
    assert said.out.splitlines()[1] == "  not whole: runs: ZeroDivisionError: nobody foresaw this"


def test_a_watchdog_that_is_told_to_stop_leaves_with_0(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    scans: list[bool] = []

    def stops(*_: Any) -> None:
        scans.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("interlock.runtime.clock.SystemPacer.until", stops)
    said = terminal("watchdog")
    assert (said.code, scans) == (0, [True])
    assert "the watchdog looks every 5m" in said.err


# ------------------------------------------------------------------ expectations


def items(said: Said) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = said.document["items"]
    return found


def test_before_any_watcher_nothing_is_expected(terminal: Terminal) -> None:
    said = terminal("expectations")
    assert (said.code, said.out) == (0, "")
    assert "interlock watch" in said.err
    assert not terminal.store.exists()


def test_slots_are_shown_the_latest_first_with_what_came_of_them(terminal: Terminal) -> None:
    planned(terminal)
    completed(terminal, NOON - 4 * HOUR)
    said = terminal("expectations", "orders")
    assert [line.split()[2] for line in said.out.splitlines()[1:]] == ["2026-03-08", "2026-03-07"]
    first, second = items(terminal("expectations", "--json"))
    assert (first["state"], first["runId"], first["overdue"]) == ("expected", None, False)
    assert (second["state"], second["runId"], second["settledAt"]) == ("met", "orders:daily:2026-03-07:1", None)
    assert (second["opensAt"], second["evaluateBy"], second["completeBy"]) == (
        "2026-03-07T06:00:00Z",
        "2026-03-07T09:00:00Z",
        "2026-03-07T09:00:00Z",
    )


def test_what_was_settled_is_shown_as_it_was(terminal: Terminal) -> None:
    planned(terminal)
    completed(terminal, NOON - 2 * HOUR)
    assert terminal("watchdog", "--once").code == 0
    (late,) = items(terminal("expectations", "--missed", "--json"))
    assert (late["state"], late["settledAt"]) == ("late", "2026-03-07T12:00:00Z")
    assert "was due by 2026-03-07T09:00:00+00:00" in late["reason"]


def test_a_slot_that_has_not_begun_in_time_is_among_the_missed_before_it_is_settled(terminal: Terminal) -> None:
    planned(terminal)
    said = terminal("expectations", "--missed")
    (line,) = said.out.splitlines()[1:]
    assert line.endswith("expected  nothing had begun by its deadline")
    (view,) = items(terminal("expectations", "--missed", "--json"))
    assert view["overdue"] is True


def test_the_slots_of_one_day_can_be_asked_for(terminal: Terminal) -> None:
    planned(terminal, days=3)
    terminal("watchdog", "--once")
    assert [view["date"] for view in items(terminal("expectations", "--date", "2026-03-06", "--json"))] == [
        "2026-03-06"
    ]
    assert len(items(terminal("expectations", "--limit", "2", "--json"))) == 2
    nothing = terminal("expectations", "--date", "2025-01-01")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing of that kind is known\n")


@pytest.mark.parametrize("day", ["today", "2026-02-30", "2026-W10-6", "20260307", "2026-03-07T14:00"])
def test_what_is_no_day_is_refused(terminal: Terminal, day: str) -> None:
    said = terminal("expectations", "--date", day)
    assert said.code == 2
    assert "not a day" in said.err


def test_a_pipeline_that_nobody_knows_is_not_found(terminal: Terminal) -> None:
    assert terminal("expectations", "oders").code == 8


# ------------------------------------------------------------------ who is at work


def test_status_shows_who_is_at_work_and_when_they_last_got_something_done(terminal: Terminal) -> None:
    """BUG-194."""
    member(terminal, "watcher", until=NOON - HOUR, progress=NOON - 2 * HOUR)
    member(terminal, "watchdog", until=NOON + HOUR, progress=NOON - timedelta(minutes=4))
    said = terminal("status")
    watcher, watchdog = said.out.splitlines()[-2:]
    assert "fail  gone, last turn 2h ago, 3 found" in watcher
    assert "ok  last scan 4m ago, 3 found" in watchdog
    shown = terminal("status", "--json").document["members"]
    assert [(each["role"], each["alive"]) for each in shown] == [("watcher", False), ("watchdog", True)]


def test_one_that_has_finished_nothing_yet_says_so(terminal: Terminal) -> None:
    member(terminal, "watcher", until=NOON + HOUR, progress=None)
    assert "no turn finished yet" in terminal("status").out
    assert "none has finished a turn" in terminal("doctor").out


def test_where_nobody_was_ever_at_work_nothing_is_said_of_it(terminal: Terminal) -> None:
    assert terminal("status", "--json").document["members"] == []
    assert "watchdog" not in terminal("doctor").out


@pytest.mark.parametrize(("until", "outcome"), [(NOON + HOUR, "ok"), (NOON - HOUR, "warn")])
def test_doctor_says_whether_the_watchdog_is_at_work(terminal: Terminal, until: datetime, outcome: str) -> None:
    member(terminal, "watchdog", until=until, progress=NOON - HOUR)
    (check,) = (each for each in terminal("doctor", "--json").document["checks"] if each["name"] == "watchdog")
    assert (check["outcome"], "the last turn ended 1h ago" in check["message"]) == (outcome, True)
    assert ("interlock watchdog" in check["advice"]) is (outcome == "warn")


def test_a_missed_deadline_still_leaves_status_with_10(terminal: Terminal) -> None:
    member(terminal, "watchdog", until=NOON + HOUR, progress=NOON)
    pipeline = terminal.root / "pipelines/orders.yaml"
    pipeline.write_text(pipeline.read_text() + '\nschedules: [{name: daily, after: "00:00", deadline: "06:00"}]\n')
    assert terminal("status", "--check").code == 10

"""Looking at jobs soon, and then less and less often."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from msgspec.structs import replace
from tests.unit.runtime.rig import Rig

from interlock.app.advance import Advanced
from interlock.app.arrivals import open_run
from interlock.core.pipelines import TriggerSpec
from interlock.core.runs import RunStatus
from interlock.ports.triggers import JobState
from interlock.runtime.clock import Pacer
from interlock.runtime.driver import Driver
from interlock.runtime.looks import FIRST, GROWTH, Look, Looks, take_a_look
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot, a_spec

SPEC = a_spec()


def running(rig: Rig) -> Look:
    """Start a job, and return the look that is to be made at it."""
    open_run(a_slot(), SPEC, rig.store, NOON)
    Driver(rig.station.hands, _NoPacer()).drive(a_key(), wait=False)
    assert rig.run(a_key()).status is RunStatus.RUNNING
    return Look(NOON, a_key(), 1)


class _NoPacer(Pacer):
    def until(self, when: object) -> None:
        raise AssertionError(f"nobody waits here: {when}")


def look(rig: Rig, one: Look) -> tuple[timedelta | None, list[RunStatus]]:
    told: list[Advanced] = []
    pause = take_a_look(one, rig.station.hands, told.append)
    return pause, [each.run.status for each in told]


def test_looks_come_later_each_time() -> None:
    looks, now, times = Looks(), NOON, []
    looks.add(a_key(), 1, now)
    for _ in range(6):
        now = looks.next_at() or now
        (due,) = looks.due(now)
        times.append(now)
        looks.made(due, now, pause=due.pause * GROWTH)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[0] == FIRST * GROWTH


def test_a_look_that_is_not_wanted_again_is_forgotten() -> None:
    looks = Looks()
    looks.add(a_key(), 1, NOON)
    (due,) = looks.due(NOON + SECOND)
    assert (len(looks), looks.next_at()) == (1, None)
    looks.made(due, NOON, pause=None)
    assert len(looks) == 0


def test_a_job_that_was_begun_long_ago_is_looked_at_now_and_then_rarely() -> None:
    looks = Looks()
    looks.resume(a_key(), 1, NOON - timedelta(hours=7), NOON)
    (due,) = looks.due(NOON)
    assert due.pause == timedelta(hours=2)


def test_a_running_job_is_looked_at_again_and_nothing_is_told() -> None:
    rig = Rig(SPEC)
    assert look(rig, running(rig)) == (FIRST * GROWTH, [])


def test_the_end_of_a_job_is_told() -> None:
    rig = Rig(SPEC)
    one = running(rig)
    rig.trigger.end(f"{a_key().run_id}/1", JobState.SUCCEEDED)
    assert look(rig, one) == (None, [RunStatus.COMPLETED])


def test_a_job_that_is_out_of_sight_for_a_moment_is_looked_at_again() -> None:
    rig = Rig(SPEC)
    one = running(rig)
    rig.trigger.end(f"{a_key().run_id}/1", JobState.UNSEEN)
    assert look(rig, one) == (FIRST * GROWTH, [])


def test_the_runs_own_rhythm_takes_over() -> None:
    rig = Rig(SPEC)
    assert look(rig, replace(running(rig), pause=TriggerSpec(type="fake").poll_interval)) == (None, [])


def test_an_attempt_that_is_over_is_not_looked_at() -> None:
    rig = Rig(SPEC)
    assert look(rig, replace(running(rig), attempt=2)) == (None, [])
    assert look(rig, Look(NOON, a_key("2026-01-01"), 1)) == (None, [])


def test_a_job_that_reports_its_own_end_is_not_looked_at() -> None:
    rig = Rig(SPEC)
    one = running(rig)
    rig.trigger.watchable = False
    rig.clock.advance(MINUTE)
    assert look(rig, one) == (None, [])


def test_a_job_of_another_system_is_left_alone_for_as_long_as_its_trigger_wants() -> None:
    rig = Rig(SPEC)
    one = running(rig)
    rig.trigger.soonest_look = 2 * SECOND
    rig.trigger.end(f"{a_key().run_id}/1", JobState.SUCCEEDED)
    assert look(rig, one) == (2 * SECOND, [])
    assert rig.trigger.looks == 0
    assert look(rig, replace(one, pause=2 * SECOND)) == (None, [RunStatus.COMPLETED])

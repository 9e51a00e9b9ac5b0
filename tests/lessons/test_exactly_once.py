"""Group 2: a slot is started once, whoever asks and how often; and it is started when it may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from itertools import count

import pytest
from msgspec.structs import replace
from tests.lessons.living import DAY, HOUR, Living, always_ready
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.markers import arrive
from interlock.app.pausing import pause
from interlock.app.perform import carry_out
from interlock.app.planning import plan
from interlock.app.reruns import Rerun, ask_rerun
from interlock.core.commands import StartJob
from interlock.core.events import CancelAsked
from interlock.core.expectations import ExpectationState
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName
from interlock.core.periods import Period
from interlock.core.pipelines import ExclusionSpec, PipelineSpec, ScheduleSpec, TriggerSpec, WatchSpec
from interlock.core.runs import SUCCEEDED, TERMINAL, Cause, RunStatus
from interlock.core.traits import FailureCategory
from interlock.ports.controls import Marker
from interlock.ports.triggers import JobState
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot, a_spec
from interlock.testing.fakes import FakeTrigger, Start

DAILY = a_spec(schedules=(ScheduleSpec(after=time(6)),))
EXAMPLE = PipelineName("example")


def _started(living: Living) -> dict[str, int]:
    return {key: len(jobs) for key, jobs in living.trigger.jobs.items()}


# ---------------------------------------------------------------- names of starts


def test_every_start_of_a_slot_has_a_name_that_no_other_had() -> None:
    """BUG-63, BUG-25, BUG-72."""
    living = Living(DAILY, at=NOON - DAY)
    living.ends_with = lambda key: JobState.FAILED if key.endswith("07:1/1") else JobState.SUCCEEDED
    living.plan().on(2 * DAY)
    done = next(run for run in living.runs() if run.status in SUCCEEDED)
    ask_rerun(done.key, Cause.RERUN, "again", living.hands)
    living.on(HOUR)
    calls = living.trigger.calls
    assert len(calls) == len(set(calls)) == len(living.runs()) + 1
    assert {"example:daily:2026-03-07:1/1", "example:daily:2026-03-07:1/2"} <= set(calls)


# ---------------------------------------------------------------- starts that were lost


def _lost(living: Living) -> Living:
    """Let whoever opens slots believe to have opened today's, and die before it did."""
    agenda = living.plan().hands.agendas.agenda(EXAMPLE, DEFAULT_SCHEDULE)
    assert agenda is not None
    assert agenda.next_at is not None
    done = replace(agenda, opened_to=agenda.next_at, next_at=agenda.next_at + DAY, version=agenda.version + 1)
    assert living.hands.agendas.put_agenda(done)
    return living


def test_an_opening_that_was_lost_is_made_up_for_once() -> None:
    """BUG-90."""
    living = _lost(Living(DAILY)).on(DAY)
    assert [(run.key.slot.period, run.cause) for run in living.runs()] == [
        ("2026-03-07", Cause.WATCHDOG),
        ("2026-03-08", Cause.SCHEDULE),
    ]
    assert living.told == ["trigger_recovered"]
    assert _started(living) == {"example:daily:2026-03-07:1/1": 1, "example:daily:2026-03-08:1/1": 1}


def _not_watched(living: Living) -> None:
    _changed(living, watch=WatchSpec(enabled=False))


def _excluded(living: Living) -> None:
    _changed(living, exclusions=ExclusionSpec(weekdays=(5,)))


def _changed(living: Living, **fields: object) -> None:
    living.files.specs[EXAMPLE] = replace(DAILY, **fields)
    plan(living.files.specs, living.hands)


def _paused(living: Living) -> None:
    pause(EXAMPLE, NOON + 17 * HOUR, "ann", "a freeze", living.hands)


@pytest.mark.parametrize("forbid", [_not_watched, _excluded, _paused])
def test_what_may_not_be_opened_is_not_made_up_for(forbid: Callable[[Living], None]) -> None:
    """BUG-90."""
    living = _lost(Living(DAILY))
    forbid(living)
    living.until(NOON + 17 * HOUR)
    assert living.periods() == []


# ---------------------------------------------------------------- a long past


def _sixty_days() -> Living:
    living = Living(DAILY, at=NOON - 60 * DAY).plan()
    living.guarded = False
    living.until(NOON)
    living.guarded = True
    assert len(living.runs()) == 61
    return living


def test_months_of_finished_slots_start_nothing_when_everything_short_lived_is_gone() -> None:
    """BUG-99, LAT-26, T-09, AWS-48."""
    living = _sixty_days()
    before = living.trigger.started
    while living.kernel.purge(NOON + 400 * DAY, 1000):
        pass
    living.restart().until(NOON + 6 * HOUR)
    for run in living.runs():
        arrive(Marker(slot=run.key.slot, source="landed", at=living.clock.now()), living.hands)
    living.until(NOON + 12 * HOUR)
    assert living.trigger.started == before
    assert len(living.runs()) == 61


def test_a_past_without_runs_is_not_begun_by_those_who_come_later() -> None:
    """LAT-26: what was ready all the time is not started for a month that nobody watched."""
    living = Living(DAILY, at=NOON - 40 * DAY).plan()
    living.until(NOON - 39 * DAY)
    living.watched = living.guarded = False
    living.until(NOON)
    living.watched = living.guarded = True
    living.restart().until(NOON + 3 * HOUR)
    assert living.periods() == ["2026-01-26", "2026-01-27", "2026-03-07"]


def test_a_new_system_on_old_data_begins_with_the_slot_that_is_open() -> None:
    """LAT-26, BUG-99."""
    living = Living(DAILY).plan().on(HOUR)
    assert living.periods() == ["2026-03-07"]


def test_a_slot_of_which_nothing_came_in_its_time_is_left_alone_for_good() -> None:
    """LAT-26."""
    living = _lost(Living(DAILY))
    living.watched = living.guarded = False
    living.until(NOON + 31 * DAY)
    living.watched = living.guarded = True
    living.until(NOON + 32 * DAY)
    assert "2026-03-07" not in living.periods()
    expectation = living.hands.agendas.expectation(a_slot())
    assert expectation is not None
    assert expectation.state is ExpectationState.MISSED


# ---------------------------------------------------------------- every end is an end


def _cancelled(bench: Bench) -> None:
    advance(bench.key, CancelAsked(at=bench.clock.now(), actor="ann", reason="enough"), bench.store)


def _failed(bench: Bench) -> None:
    bench.trigger.category = FailureCategory.PERMANENT
    bench.trigger.script(Start.REFUSED)
    carry_out(bench.key, bench.ready_to_start(), bench.hands)


def _completed(bench: Bench) -> None:
    bench.completed()


def _given_up(bench: Bench) -> None:
    bench.later(20 * 3600)
    bench.turn()
    bench.turn()


@pytest.mark.parametrize("end", [_cancelled, _failed, _completed, _given_up])
def test_a_slot_that_has_ended_in_any_way_is_not_begun_again_by_itself(end: Callable[[Bench], None]) -> None:
    """BUG-100, T-07."""
    bench = Bench(DAILY)
    end(bench)
    assert bench.run.ended
    calls = list(bench.trigger.calls)
    living = Living(DAILY, trigger=bench.trigger)
    living.hands, living.kernel, living.store, living.clock = bench.hands, bench.kernel, bench.store, bench.clock
    living.plan().until(NOON + 30 * HOUR)
    assert [run.key for run in living.runs() if run.key.slot == bench.key.slot] == [bench.key]
    assert [call for call in bench.trigger.calls if call.startswith(bench.key.run_id)] == calls


def test_there_is_no_end_that_is_not_tried_here() -> None:
    """BUG-100."""
    tried = []
    for end in (_cancelled, _failed, _completed):
        bench = Bench(DAILY)
        end(bench)
        tried.append(bench.run.status)
    assert set(tried) == TERMINAL


# ---------------------------------------------------------------- what is taken away starts nothing


def _purged(living: Living) -> None:
    while living.kernel.purge(NOON + 4000 * DAY, 1000):
        pass


def _file_removed(living: Living) -> None:
    del living.files.specs[EXAMPLE]
    plan(living.files.specs, living.hands)


def _pause_over(living: Living) -> None:
    living.hands.controls.end_pause(EXAMPLE, living.clock.now(), "ann")


@pytest.mark.parametrize("take_away", [_purged, _file_removed, _pause_over])
def test_taking_something_away_starts_nothing(take_away: Callable[[Living], None]) -> None:
    """LAT-34, T-61."""
    living = Living(DAILY).plan().on(HOUR)
    ask_rerun(living.runs()[0].key, Cause.RERUN, "once", living.hands)
    living.on(HOUR)
    calls = list(living.trigger.calls)
    take_away(living)
    living.until(NOON + 10 * HOUR)
    assert living.trigger.calls == calls
    assert len(living.runs()) == 2


def test_a_pipeline_that_the_files_no_longer_have_is_not_started_again() -> None:
    """T-61."""
    living = Living(DAILY).plan().on(HOUR)
    _file_removed(living)
    living.on(3 * DAY)
    assert living.periods() == ["2026-03-07"]
    assert living.told == []


# ---------------------------------------------------------------- starts that are refused, by every way in


def _by_the_calendar(living: Living) -> None:
    living.plan()


def _by_a_marker(living: Living) -> None:
    arrive(Marker(slot=a_slot(), source="landed", at=living.clock.now()), living.hands)


def _by_a_person(living: Living) -> None:
    open_run(a_slot(), DAILY, living.store, living.clock.now())


def _by_the_watchdog(living: Living) -> None:
    open_run(a_slot(), DAILY, living.store, living.clock.now(), cause=Cause.WATCHDOG)


def _by_a_rerun(living: Living) -> None:
    _by_a_person(living)
    living.on(5 * MINUTE)
    assert ask_rerun(a_key(), Cause.RERUN, "again", living.hands).how is Rerun.OPENED
    living.trigger.script(Start.REFUSED, Start.REFUSED)


WAYS = [_by_the_calendar, _by_a_marker, _by_a_person, _by_the_watchdog, _by_a_rerun]


@pytest.mark.parametrize("way", WAYS)
def test_after_a_refused_start_the_next_attempt_is_free_whichever_way_the_run_came(
    way: Callable[[Living], None],
) -> None:
    """BUG-143, BUG-131, BUG-80, AWS-07."""
    living = Living(DAILY, trigger=FakeTrigger(*[Start.REFUSED] * (2 if way is not _by_a_rerun else 0)))
    way(living)
    living.on(HOUR)
    run = living.runs()[-1]
    assert (run.status, run.attempt, len(run.attempts)) == (RunStatus.COMPLETED, 3, 3)
    assert living.trigger.jobs[f"{run.key.run_id}/3"] == [JobState.SUCCEEDED]


@pytest.mark.parametrize("way", WAYS)
def test_when_no_start_is_taken_the_slot_is_free_for_a_rerun_at_once(way: Callable[[Living], None]) -> None:
    """BUG-143, BUG-131, BUG-80, LAT-19."""
    living = Living(DAILY)
    way(living)
    living.trigger.script(*[Start.REFUSED] * 3)
    living.on(HOUR)
    failed = living.runs()[-1]
    assert failed.status is RunStatus.FAILED
    assert ask_rerun(failed.key, Cause.RERUN, "mended", living.hands).how is Rerun.OPENED
    living.on(5 * MINUTE)
    assert living.runs()[-1].status is RunStatus.COMPLETED


# ---------------------------------------------------------------- two at once


def test_two_who_carry_out_one_start_at_the_same_time_start_one_job() -> None:
    """T-02, T-03, BUG-108, LAT-46: the second comes while the first is still in the call."""
    for turn in count():
        bench = Bench(trigger=FakeTrigger(repeatable=bool(turn)))
        start = bench.ready_to_start()

        def meanwhile(_job: object, bench: Bench = bench, start: StartJob = start) -> None:
            bench.trigger.before_start = lambda _job: None
            bench.later(9)
            carry_out(bench.key, start, bench.more_hands())

        bench.trigger.before_start = meanwhile
        carry_out(bench.key, start, bench.hands)
        assert bench.trigger.started == 1
        assert bench.run.status is RunStatus.RUNNING
        if turn:
            break


def test_a_day_whose_run_is_still_going_on_does_not_hold_back_the_next() -> None:
    """T-37."""
    seldom = TriggerSpec(type="fake", poll_interval=HOUR)
    living = Living(replace(DAILY, stuck_after=9 * DAY, trigger=seldom), takes=30 * HOUR).plan().until(NOON + DAY)
    assert [run.status for run in living.runs()] == [RunStatus.RUNNING, RunStatus.RUNNING]


def test_questions_and_starts_of_two_slots_never_mix() -> None:
    """BUG-72, T-37."""
    hourly: PipelineSpec = a_spec(schedules=(ScheduleSpec(every=HOUR),))
    living = Living(hourly, takes=150 * MINUTE, ask=always_ready).plan().until(NOON + 3 * HOUR)
    asked = [slot.period for slot, _ in living.world.asked]
    hours = [Period.parse(f"2026-03-07T{hour}:00") for hour in (12, 13, 14, 15)]
    assert asked == hours
    assert _started(living) == {f"example:daily:{hour}:1/1": 1 for hour in hours}
    assert living.clock.now() - NOON < 3 * HOUR + SECOND

"""Group 4: every run ends, its end is true, and until then somebody looks after it or people know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest
from msgspec.structs import replace
from tests.lessons.living import DAY, HOUR, Living
from tests.unit.app.bench import Bench
from tests.unit.core.states import MONITORED, SOFT, SPEC, STATES, Story

from interlock.app.advance import advance
from interlock.app.callbacks import Report, complete
from interlock.app.markers import Arrival, arrive
from interlock.app.opening import open_slot
from interlock.app.perform import carry_out
from interlock.app.sweep import Thresholds, sweep
from interlock.core import watchdog
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.commands import CheckJob, NotifyDownstream, RaiseAlert
from interlock.core.events import CancelAsked, JobFinished, JobUnseen, TriggerAccepted, Woke
from interlock.core.lifecycle import decide
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, OverlapPolicy, ScheduleSpec, SlaSpec, WatchSpec
from interlock.core.runs import STARTED, SUCCEEDED, TERMINAL, TRANSITIONS, Cause, Run, RunStatus, SlaState
from interlock.core.schedules import window_of
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import StoreUnavailable
from interlock.ports.controls import Marker
from interlock.ports.triggers import JobState
from interlock.runtime.upstream import UpstreamRuns
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run, a_spec

DAILY = a_spec(schedules=(ScheduleSpec(after=time(6)),), watch=WatchSpec(interval=10 * MINUTE))
HALF_AN_HOUR = 30 * MINUTE


# ---------------------------------------------------------------- the table of states


def test_from_every_status_an_end_can_be_reached_and_every_status_can_be_reached() -> None:
    """LAT-08: no end is drawn that nothing leads to."""
    reached, ends = {RunStatus.PENDING}, set(TERMINAL)
    for _ in RunStatus:
        reached |= {onward for status in reached for onward in TRANSITIONS[status]}
        ends |= {status for status, onward in TRANSITIONS.items() if set(onward) & ends}
    assert reached == ends == set(RunStatus)


def test_what_was_never_let_through_does_not_end_as_a_success() -> None:
    """BUG-83, LAT-08."""
    living = Living(DAILY, ask=lambda _question, _at: TraitStatus.FAIL).plan().on(DAY)
    first = living.runs()[0]
    assert (first.status, first.succeeded_at) == (RunStatus.CANCELLED, None)
    assert "PIPELINE_COMPLETED" not in living.kinds()
    assert "SLA_MET" not in living.kinds()


def test_giving_up_is_one_line_one_end_and_one_alert() -> None:
    """BUG-84."""
    living = Living(DAILY, ask=lambda _question, _at: TraitStatus.FAIL).plan().until(NOON + 15 * HOUR)
    assert living.kinds().count("VALIDATION_EXHAUSTED") == 1
    lines = living.store.timeline("example", limit=5000)
    ends = [line for line in lines if line.record.kind is EventKind.RUN_STATE_CHANGED]
    assert [line.record.status for line in ends] == ["CANCELLED"]
    assert living.told == ["window_closed"]


# ---------------------------------------------------------------- nothing goes on without end and without a word


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_nothing_goes_on_for_ever_without_an_end_and_without_people_knowing(
    state: Callable[..., Story],
) -> None:
    """BUG-102, BUG-103, BUG-02: whatever state a run is left in by a world that says nothing any more."""
    story = state(SOFT)
    raised: set[str] = set()
    for _ in range(20_000):
        raised |= {str(wish.alert.alert_type) for wish in story.commands if isinstance(wish, RaiseAlert)}
        if story.run.ended or story.run.due_at is None or story.run.due_at > NOON + 4 * DAY:
            break
        story.wakes_at(max(story.run.due_at, story.at + SECOND))
        for wish in story.commands:
            if isinstance(wish, CheckJob):
                story.tell(JobUnseen(at=story.at, attempt=wish.attempt, look=wish.look, reason="no answer"))
                raised |= set(story.raised)
    ended_well = story.run.status in SUCCEEDED or story.run.status is RunStatus.CANCELLED
    assert story.run.ended or story.run.open_alerts
    assert ended_well or story.run.open_alerts or raised


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize(("idle", "late"), [(HALF_AN_HOUR - SECOND, False), (HALF_AN_HOUR + MINUTE, True)])
def test_a_run_that_does_not_move_is_seen(status: RunStatus, idle: timedelta, *, late: bool) -> None:
    """BUG-02, T-45, T-46: and one that has ended, or is watched after its end, is not taken for one."""
    attempt = 1 if status in STARTED else 0
    run = a_run(status=status, attempt=attempt, wake_at=None, since=NOON)
    alert = watchdog.stuck(run, SPEC, HALF_AN_HOUR, NOON + idle)
    moves = status in (RunStatus.PENDING, *STARTED)
    assert (alert is not None) == (late and moves)


def test_how_long_is_too_long_is_the_pipelines_own_to_say_and_a_write_does_not_put_it_off() -> None:
    """T-46."""
    run = a_run(status=RunStatus.RUNNING, attempt=1, since=NOON)
    touched = replace(run, updated_at=NOON + HOUR, version=9)
    assert watchdog.stuck(touched, SPEC, HALF_AN_HOUR, NOON + HOUR) is not None
    patient = replace(SPEC, stuck_after=2 * HOUR)
    assert watchdog.stuck(touched, patient, HALF_AN_HOUR, NOON + HOUR) is None


def test_the_threshold_of_the_project_is_the_one_that_is_used() -> None:
    """T-46."""
    bench = Bench().running()
    bench.later(20 * 60)
    sweep(bench.hands, Thresholds(stuck_after=HOUR, wanted=False))
    assert "stuck_run" not in bench.alerts()
    sweep(bench.hands, Thresholds(stuck_after=10 * MINUTE, wanted=False))
    assert "stuck_run" in bench.alerts()


def test_a_job_that_says_for_ever_that_it_runs_is_told_once_and_can_be_ended() -> None:
    """BUG-103, BUG-102."""
    living = Living(DAILY, takes=400 * DAY).plan().on(10 * HOUR)
    run = living.runs()[0]
    assert (run.status, living.trigger.started) == (RunStatus.RUNNING, 1)
    assert living.told == ["stuck_run"]
    decided = decide(run, CancelAsked(at=living.clock.now(), actor="ann", reason="it hangs"), DAILY)
    assert decided.run.status is RunStatus.CANCELLED


# ---------------------------------------------------------------- the end of a job is noticed, once, and at once


@pytest.mark.parametrize(
    ("end", "status"), [(JobState.SUCCEEDED, RunStatus.COMPLETED), (JobState.FAILED, RunStatus.FAILED)]
)
def test_the_end_of_a_job_that_reports_nothing_is_found_by_looking(end: JobState, status: RunStatus) -> None:
    """BUG-69, BUG-96."""
    living = Living(DAILY)
    living.trigger.category = FailureCategory.PERMANENT
    living.ends_with = lambda _key: end
    living.plan().on(HOUR)
    assert [run.status for run in living.runs()] == [status]


def test_a_run_whose_job_is_done_waits_for_nothing() -> None:
    """BUG-70, BUG-116."""
    story = Story(limits=SOFT).started().succeeds(300)
    assert story.run.ended
    assert (story.run.due_at, story.run.ended_at) == (None, NOON + 5 * MINUTE)
    assert story.run.completion_sla is not None
    assert story.run.completion_sla.state is SlaState.MET


def _monitored() -> Bench:
    watch = WatchSpec(monitoring=2 * DAY)
    return Bench(a_spec(watch=watch, schedules=(ScheduleSpec(overlap=OverlapPolicy.QUEUE),))).completed()


def test_watching_afterwards_holds_nobody_up() -> None:
    """BUG-116: the verdict, whoever waits for the data, and tomorrow's slot come as if it had ended."""
    bench = _monitored()
    assert bench.run.status is RunStatus.COMPLETED_MONITORING
    assert isinstance(bench.wish(NotifyDownstream), NotifyDownstream)
    upstream = UpstreamRuns(bench.store, bench.files, bench.clock).latest(bench.key.slot)
    assert upstream is not None
    assert upstream.ended_at == bench.clock.now()
    bench.later(13 * 3600)
    tomorrow = window_of(bench.spec.name, bench.spec.schedules[0], Period.parse("2026-03-08"))
    assert tomorrow is not None
    opened = open_slot(tomorrow, bench.spec, bench.hands, cause=Cause.SCHEDULE)
    assert opened.run.key.slot == tomorrow.slot  # type: ignore[union-attr]  # refused has none, and fails here


@pytest.mark.parametrize("nobody_looked_for", [timedelta(), 9 * HOUR, 300 * DAY])
def test_the_watch_afterwards_ends_although_nobody_was_there_at_its_end(nobody_looked_for: timedelta) -> None:
    """BUG-116, BUG-23, T-48."""
    story = Story(MONITORED, limits=SOFT).started().succeeds()
    assert story.run.monitor is not None
    until = story.run.monitor.until
    story.wakes_at(until - SECOND)
    assert story.run.status is RunStatus.COMPLETED_MONITORING
    story.wakes_at(until + nobody_looked_for)
    assert (story.run.status, story.run.due_at) == (RunStatus.COMPLETED, None)


def test_what_is_written_meanwhile_does_not_lengthen_the_watch_afterwards() -> None:
    """T-47."""
    story = Story(MONITORED).started().succeeds()
    assert story.run.monitor is not None
    until = story.run.monitor.until
    for _ in range(5):
        story.wakes().answers()
        assert story.run.monitor is not None
        assert story.run.monitor.until == until
    story.tell(JobFinished(at=story.after(1), attempt=1, succeeded=True))
    assert story.run.monitor == replace(story.run.monitor, until=until)


# ---------------------------------------------------------------- what an outcome is read from


def _noted(bench: Bench) -> None:
    for kind in (EventKind.LATE_DATA_ARRIVAL, EventKind.RERUN_REJECTED, EventKind.TRIGGER_FAILED, EventKind.RUN_STUCK):
        record = EventRecord(kind=kind, at=bench.clock.now(), message="meanwhile")
        bench.store.note(bench.key.slot, bench.clock.now(), f"note#{kind}", (record,))


@pytest.mark.parametrize("succeeded", [True, False])
def test_no_line_that_is_written_later_changes_what_came_of_a_run(*, succeeded: bool) -> None:
    """BUG-75, LAT-05."""
    bench = Bench().running()
    complete(bench.key, Report(succeeded=succeeded, category=FailureCategory.PERMANENT), bench.store, bench.clock.now())
    runs = UpstreamRuns(bench.store, bench.files, bench.clock)
    before, seen = bench.run, runs.latest(bench.key.slot)
    bench.later(60)
    _noted(bench)
    assert (bench.run, runs.latest(bench.key.slot)) == (before, seen)
    assert {"LATE_DATA_ARRIVAL", "RERUN_REJECTED", "TRIGGER_FAILED", "RUN_STUCK"} <= set(bench.told())


def test_a_start_that_failed_on_the_way_is_no_outcome() -> None:
    """BUG-75."""
    story = Story().answers()
    story.tell(TriggerAccepted(at=story.at, attempt=1, job_id="job"))
    story.fails()
    assert (story.run.status, story.run.succeeded_at, story.run.ended) == (RunStatus.PENDING, None, False)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 3, 10])
def test_an_end_that_cannot_be_written_is_written_as_soon_as_it_can_be(times: int, *, after: bool) -> None:
    """BUG-136, BUG-96."""
    spec = a_spec(sla=SlaSpec(completion=Deadline(span=9 * HOUR)), watch=WatchSpec(interval=SECOND))
    bench = Bench(spec).running()
    bench.trigger.end(f"{bench.key.run_id}/1")
    bench.later(31)
    failing = _Failing(bench, times, after=after)
    for _turn in range(3 * times + 6):
        failing.turn()
        bench.later(31)
    assert bench.run.status is RunStatus.COMPLETED
    assert (bench.run.due_at, bench.store.outstanding(bench.key)) == (None, ())
    assert bench.alerts() == []
    assert bench.trigger.started == 1


class _Failing:
    """A watcher whose commits fail a few times."""

    def __init__(self, bench: Bench, times: int, *, after: bool) -> None:
        self._bench = bench
        kernel = bench.kernel
        left = [times]

        def fail(call: int) -> None:
            if kernel.calls[call] == "commit" and left[0]:
                left[0] -= 1
                raise StoreUnavailable("it did not answer")

        kernel.before, kernel.after = (kernel.before, fail) if after else (fail, kernel.after)

    def turn(self) -> None:
        """Do what there is to do, as far as it goes."""
        try:
            self._bench.turn()
        except StoreUnavailable:
            return


# ---------------------------------------------------------------- data that comes when it is too late


def test_data_that_comes_after_the_run_was_given_up_is_recorded_and_people_already_know() -> None:
    """LAT-18."""
    living = Living(replace(DAILY, stuck_after=MINUTE), ask=lambda _question, _at: TraitStatus.FAIL)
    living.plan().until(NOON + 12 * HOUR + MINUTE)
    first = living.runs()[0]
    assert (first.status, living.told) == (RunStatus.CANCELLED, ["window_closed"])
    answer = arrive(Marker(slot=first.key.slot, source="landed", at=living.clock.now()), living.hands)
    assert (answer.how, answer.words) == (Arrival.RECORDED, f"{first.key} is CANCELLED")
    living.on(5 * HOUR)
    assert "MARKER_RECEIVED" in living.kinds()
    assert living.told == ["window_closed"], "and nobody takes it for stuck"
    alert = living.hands.dispatches.alert(f"window_closed/{first.key.run_id}")
    assert alert is not None
    assert alert.open, "it stays until somebody runs it again"


def test_a_run_that_is_told_the_time_too_early_or_too_often_does_not_end() -> None:
    """BUG-14, BUG-102."""
    run: Run = Story(limits=SOFT).answers(TraitStatus.FAIL).run
    closes: datetime | None = run.closes_at
    assert closes is not None
    for _ in range(5):
        assert decide(run, Woke(at=closes - SECOND), SPEC).run.status is RunStatus.PENDING


def test_a_late_outcome_of_an_earlier_attempt_ends_nothing() -> None:
    """LAT-03, LAT-15."""
    bench = Bench().running()
    complete(bench.key, Report(succeeded=False), bench.store, bench.clock.now())
    for _ in range(20):
        if bench.run.attempt == 2 and bench.run.status is RunStatus.RUNNING:
            break
        bench.later(31)
        bench.turn()
    assert bench.run.attempt == 2
    late = JobFinished(at=bench.clock.now(), attempt=1, succeeded=False, category=FailureCategory.PERMANENT)
    complete(bench.key, Report(succeeded=False, attempt=1), bench.store, bench.clock.now())
    advance(bench.key, late, bench.store)
    bench.later(31)
    for wish in bench.store.outstanding(bench.key):
        carry_out(bench.key, wish, bench.hands)
    assert bench.run.status is RunStatus.RUNNING
    assert bench.to_the_end().status is RunStatus.COMPLETED

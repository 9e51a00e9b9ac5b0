"""Group 8: what is over is removed, and nothing follows from its being gone."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from tests.lessons.living import DAY, HOUR, Living

from interlock.app.advance import advance
from interlock.app.arrivals import Opening, open_run
from interlock.app.callbacks import Report, complete
from interlock.app.markers import Arrival, arrive
from interlock.app.notifying import resolve_alert
from interlock.app.pausing import pause
from interlock.app.reruns import Rerun, ask_rerun
from interlock.core.agenda import expected
from interlock.core.documents import Document
from interlock.core.events import CancelAsked
from interlock.core.expectations import ExpectationState
from interlock.core.ids import RunKey
from interlock.core.pipelines import MissedPolicy, PipelineSpec, ScheduleSpec, WatchSpec
from interlock.core.runs import Cause
from interlock.core.schedules import window_of
from interlock.core.traits import TraitStatus
from interlock.errors import NotFound
from interlock.ports.controls import Marker
from interlock.ports.evaluators import Question
from interlock.ports.triggers import JobState
from interlock.runtime.retention import Retention
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import NOON, a_slot, a_spec, a_trait

ALL = ScheduleSpec(after=time(6), missed=MissedPolicy.ALL, max_catch_up=50)
DAILY = a_spec(schedules=(ALL,))
HISTORY = 5 * DAY


def retention(living: Living, history: timedelta = HISTORY) -> Retention:
    return Retention(living.kernel, lambda: living.hands, history, marked=False, names=lambda: list(living.files.specs))


def _days(living: Living, days: int, history: timedelta = HISTORY) -> int:
    """Live for some days, and remove what is over twice a day."""
    removed = 0
    for _ in range(2 * days):
        living.on(12 * HOUR)
        removed += retention(living, history).turn()
    return removed


def test_the_past_of_months_is_removed_and_nothing_of_it_begins_again() -> None:
    """T-09, LAT-26: nothing that watches, makes up for what was missed, or looks for what is missing opens it again."""
    living = Living(DAILY, at=NOON - 40 * DAY).plan()
    removed = _days(living, 40)
    assert removed >= 33
    assert len(living.runs()) <= 7
    assert living.trigger.started == 41
    assert set(map(len, living.trigger.jobs.values())) == {1}
    assert living.told == []


def test_whoever_begins_anew_opens_nothing_that_was_removed() -> None:
    """T-09: with the policy `all`, processes that remember nothing, files that are read again."""
    living = Living(DAILY, at=NOON - 20 * DAY).plan()
    _days(living, 20)
    before = living.trigger.started
    living.restart().on(3 * HOUR)
    living.files.specs.clear()
    living.plan().on(HOUR)
    living.files.specs[DAILY.name] = DAILY
    living.plan().on(3 * HOUR)
    assert living.trigger.started == before
    assert living.told == []


def test_the_open_window_of_a_schedule_that_is_changed_is_not_opened_again_when_its_history_is_gone() -> None:
    """T-09: the week's slot has run and is removed; then its schedule is changed, and begins with the window that is open."""
    weekly = a_spec(schedules=(ScheduleSpec(cron="0 6 * * 1", missed=MissedPolicy.ALL),))
    living = Living(weekly, at=NOON - 20 * DAY).plan()
    _days(living, 24, history=DAY)
    ran = living.trigger.started
    assert living.runs() == []
    changed = a_spec(
        schedules=(ScheduleSpec(cron="0 6 * * 1", missed=MissedPolicy.ALL, overlap=ALL.overlap, max_catch_up=3),)
    )
    living.files.specs[weekly.name] = changed
    living.plan().on(HOUR)
    assert (living.trigger.started, living.told) == (ran, [])
    state = living.hands.agendas.expectation(a_slot("2026-03-09"))
    assert state is not None
    assert "its history is over" in state.reason


def test_what_is_expected_of_a_slot_whose_history_is_gone_is_not_missed() -> None:
    """T-09, BUG-194: whoever plans anew may expect it again, and the watchdog may be the first to look."""
    living = Living(DAILY, at=NOON - 10 * DAY).plan()
    _days(living, 10)
    slot, now = a_slot("2026-02-27"), living.clock.now()
    agenda = living.hands.agendas.agenda(slot.pipeline, slot.schedule)
    assert agenda is not None
    window = window_of(slot.pipeline, ALL, slot.period)
    assert window is not None
    living.hands.agendas.put_expectation(expected(DAILY, window, agenda.spec_digest, window.opens_at))
    assert living.scan().findings == 0
    found = living.hands.agendas.expectation(slot)
    assert found is not None
    assert found.state is ExpectationState.WAIVED
    assert (living.told, living.clock.now()) == ([], now)


def test_a_marker_that_comes_again_after_the_history_is_gone_starts_nothing() -> None:
    """T-09."""
    living = Living(DAILY, at=NOON - 10 * DAY).plan()
    _days(living, 10)
    before = living.trigger.started
    found = arrive(Marker(slot=a_slot("2026-02-26"), source="landed", at=living.clock.now()), living.hands)
    living.on(HOUR)
    assert found.how is Arrival.RECORDED
    assert "its history is over" in found.words
    assert living.trigger.started == before


def test_a_late_word_for_a_run_that_is_gone_finds_no_run() -> None:
    living = Living(DAILY, at=NOON - 10 * DAY).plan()
    _days(living, 10)
    key = RunKey(a_slot("2026-02-26"))
    with pytest.raises(NotFound, match="there is no run"):
        complete(key, Report(succeeded=False, attempt=1), living.store, living.clock.now())
    with pytest.raises(NotFound):
        advance(key, CancelAsked(at=living.clock.now(), actor="ann", reason="late"), living.store)
    assert ask_rerun(key, Cause.RERUN, "late", living.hands).how is Rerun.LATER


def test_what_people_run_again_after_its_history_is_gone_goes_by_a_name_that_was_never_used() -> None:
    """T-09, BUG-63: a target that knows the old name would answer with the old job, and nothing would run."""
    living = Living(DAILY, at=NOON - 10 * DAY).plan()
    _days(living, 10)
    before = living.trigger.started
    opened = open_run(a_slot("2026-02-26"), DAILY, living.store, living.clock.now())
    living.on(HOUR)
    assert opened.how is Opening.OPENED
    assert opened.run.key.number == 2
    assert living.trigger.started == before + 1
    assert "example:daily:2026-02-26:2/1" in living.trigger.jobs
    _days(living, 8)
    assert living.store.latest_run(opened.run.key.slot) is None
    assert living.store.retired(opened.run.key.slot) == 2
    again = open_run(a_slot("2026-02-26"), DAILY, living.store, living.clock.now())
    assert again.run.key.number == 3


def test_a_slot_of_which_people_know_that_it_failed_is_kept_until_they_are_done_with_it() -> None:
    living = Living(DAILY, at=NOON - 10 * DAY)
    living.ends_with = lambda _key: JobState.FAILED
    living.plan().on(HOUR)
    living.ends_with = lambda _key: JobState.SUCCEEDED
    _days(living, 12)
    assert "2026-02-25" in living.periods()
    for record in living.hands.dispatches.alerts(limit=99, open_only=True):
        resolve_alert(record.alert.alert_id, "seen", living.clock.now(), living.hands)
    _days(living, 6)
    assert "2026-02-25" not in living.periods()


def test_a_slot_that_nobody_opened_in_time_is_missed_once() -> None:
    """T-09, BUG-194: what was expected is removed when it is over, and nobody is told again."""
    living = Living(DAILY, at=NOON - 20 * DAY).plan().on(HOUR)
    living.watched = False
    for _ in range(6):
        living.on(12 * HOUR)
    living.watched = True
    living.restart()
    _days(living, 12)
    assert living.told.count("SCHEDULE_MISSED") <= 4
    known = len(living.told)
    _days(living, 5, history=DAY)
    assert len(living.told) == known


def test_a_watcher_away_for_longer_than_the_history_makes_up_only_for_what_was_missed() -> None:
    """T-09: the watchdog alone is there, and then the store is tidied by whoever comes first."""
    living = Living(DAILY, at=NOON - 24 * DAY).plan().on(3 * DAY)
    living.watched = False
    living.until(NOON - 12 * DAY)
    retention(living).turn()
    living.watched = True
    living.restart()
    _days(living, 10)
    doubled = [key for key, jobs in living.trigger.jobs.items() if len(jobs) > 1]
    assert doubled == []
    assert len({key.rpartition(":")[0] for key in living.trigger.jobs}) == living.trigger.started


def test_a_run_that_is_watched_for_drift_keeps_all_of_its_history() -> None:
    """T-17, BUG-35: and the budget of reruns is counted over all of them."""
    watch = WatchSpec(interval=6 * HOUR, monitoring=8 * DAY)
    living = Living(a_spec(schedules=(ALL,), watch=watch), at=NOON - 10 * DAY).plan()
    removed = _days(living, 12, history=DAY)
    runs = living.runs()
    active = set(living.store.active_runs(limit=99))
    assert removed > 0
    assert len(active) >= 8
    assert active <= {run.key for run in runs}
    for run in runs:
        assert [entry.version for entry in living.store.journal(run.key)] == list(range(1, run.version + 1))


def _waiting() -> tuple[PipelineSpec, PipelineSpec]:
    first = a_spec(name="first", schedules=(ALL,))
    config = Document((("upstreamPipeline", '"first"'),))
    trait = a_trait("upstream", config=config)
    second = a_spec(trait, name="second", schedules=(ALL,), watch=WatchSpec(interval=6 * HOUR, monitoring=6 * DAY))
    return first, second


def test_what_another_pipeline_may_still_ask_about_is_kept() -> None:
    """A run that is watched for drift asks again about the slot that it waited for."""
    first, second = _waiting()

    def ask(question: Question, _at: datetime) -> TraitStatus:
        if question.slot.pipeline == "first":
            return TraitStatus.PASS
        found = living.store.latest_run(a_slot(str(question.slot.period), pipeline="first"))
        return TraitStatus.PASS if found is not None and found.ended else TraitStatus.FAIL

    living = Living(first, second, at=NOON - 12 * DAY, ask=ask, downstream={"first": ("second",)}).plan()
    removed = _days(living, 12, history=DAY)
    assert removed > 0
    assert "MONITORING_DRIFT_DETECTED" not in living.kinds("second")
    assert "TRAIT_DRIFT" not in living.told


def test_what_a_paused_pipeline_waits_for_is_kept_until_it_goes_on() -> None:
    """BUG-144: to find nothing where there was something would be to wait for ever."""
    first, second = _waiting()
    living = Living(first, second, at=NOON - 10 * DAY, downstream={"first": ("second",)}).plan().on(HOUR)
    pause(second.name, NOON, "ann", "later", living.hands)
    _days(living, 8, history=DAY)
    kept = living.periods("first")
    assert "2026-02-26" in kept
    assert len(kept) >= 8


def test_a_pipeline_that_comes_back_after_its_history_is_gone_asks_anew() -> None:
    """T-62: whatever was answered to the old one."""
    living = Living(DAILY, at=NOON - 12 * DAY).plan()
    _days(living, 2)
    living.files.specs.clear()
    living.plan()
    _days(living, 8)
    assert living.runs() == []
    before, asked = living.trigger.started, len(living.world.asked)
    living.world.ask = lambda _question, _at: TraitStatus.FAIL
    living.files.specs[DAILY.name] = DAILY
    living.plan().on(HOUR)
    assert len(living.world.asked) > asked
    assert living.trigger.started == before


def test_nothing_grows_for_ever_but_one_small_row_for_each_slot() -> None:
    """T-56: a year of a pipeline leaves as much as a month of it."""
    living = Living(DAILY, at=NOON).plan()
    _days(living, 20)
    before = _rows(living)
    slots = living.trigger.started
    _days(living, 30)
    after = _rows(living)
    assert after - before <= (living.trigger.started - slots) + 20


def _rows(living: Living) -> int:
    kernel = living.kernel.real
    assert isinstance(kernel, MemoryKernel)
    return sum(len(rows) for rows in kernel._rows.values())

"""What becomes of a marker: it opens a slot, wakes its run, comes late, or is only recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.app.bench import Bench

from interlock.app.markers import Arrival, arrive, nudge
from interlock.app.pausing import pause
from interlock.core.commands import EvaluateTrait
from interlock.core.ids import Slot
from interlock.core.pipelines import (
    ExclusionSpec,
    LateAction,
    LateDataSpec,
    Mode,
    PipelineSpec,
    RerunSpec,
    ScheduleSpec,
    WatchSpec,
)
from interlock.core.runs import Cause, RunStatus
from interlock.core.times import parse_wall
from interlock.core.traits import TraitStatus
from interlock.ports.controls import Marker
from interlock.testing.builders import NOON, SECOND, a_slot, a_spec
from interlock.testing.fakes import FakeEvaluator

OTHER = a_slot(pipeline="gold")


def _marker(slot: Slot, *, seconds: float = 0, source: str = "landing") -> Marker:
    return Marker(slot=slot, source=source, at=NOON + timedelta(seconds=seconds))


def _bench(gold: PipelineSpec | None = None) -> Bench:
    return Bench(others=(gold or a_spec(name="gold"),))


def test_a_marker_opens_the_slot_of_a_pipeline_whose_window_is_open() -> None:
    bench = _bench()
    assert arrive(_marker(OTHER), bench.hands).how is Arrival.OPENED
    run = bench.store.latest_run(OTHER)
    assert run is not None
    assert (run.cause, run.note) == (Cause.MARKER, "landing")


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        (a_spec(name="gold", schedules=(ScheduleSpec(after=parse_wall("18:00")),)), "opens at"),
        (a_spec(name="gold", exclusions=ExclusionSpec(weekdays=(5,))), "Saturday"),
        (a_spec(name="gold", watch=WatchSpec(enabled=False)), "watch.enabled"),
        (a_spec(name="gold", schedules=(ScheduleSpec(name="a1"), ScheduleSpec(name="b2"))), "no slot"),  # type: ignore[arg-type]
    ],
    ids=["early", "excluded", "unwatched", "no such schedule"],
)
def test_a_marker_that_may_not_open_a_slot_is_recorded_and_says_why(gold: PipelineSpec, words: str) -> None:
    bench = _bench(gold)
    arrived = arrive(_marker(OTHER), bench.hands)
    assert arrived.how is Arrival.RECORDED
    assert words in arrived.words
    assert bench.store.runs_of("gold", limit=1) == ()
    assert len(bench.hands.controls.markers(OTHER.pipeline, limit=10)) == 1


def test_a_marker_for_a_paused_pipeline_opens_nothing() -> None:
    bench = _bench()
    pause(OTHER.pipeline, NOON + timedelta(hours=1), "ann", "migration", bench.hands)
    assert "migration" in arrive(_marker(OTHER), bench.hands).words
    assert bench.store.runs_of("gold", limit=1) == ()


def test_a_marker_for_a_pipeline_nobody_knows_is_recorded_and_answered() -> None:
    bench = _bench()
    nobody = a_slot(pipeline="nobody")
    assert arrive(_marker(nobody), bench.hands).how is Arrival.UNKNOWN
    assert len(bench.hands.controls.markers(nobody.pipeline, limit=10)) == 1


def test_a_marker_wakes_a_waiting_run_at_once() -> None:
    bench = Bench(evaluator=FakeEvaluator(freshness=TraitStatus.FAIL))
    bench.turn()
    assert bench.store.outstanding(bench.key) == ()
    bench.later(1)
    assert arrive(_marker(bench.key.slot, seconds=1), bench.hands).how is Arrival.WOKE
    assert bench.wish(EvaluateTrait).round == 2


def test_the_same_marker_again_asks_nothing_more() -> None:
    bench = Bench(evaluator=FakeEvaluator(freshness=TraitStatus.FAIL))
    bench.turn()
    marker = _marker(bench.key.slot, seconds=1)
    bench.later(1)
    arrive(marker, bench.hands)
    bench.turn()
    arrive(marker, bench.hands)
    assert bench.store.outstanding(bench.key) == ()
    assert len(bench.hands.controls.markers(bench.key.slot.pipeline, limit=10)) == 1


def test_a_marker_older_than_the_last_question_was_there_to_be_seen() -> None:
    bench = Bench(evaluator=FakeEvaluator(freshness=TraitStatus.FAIL))
    bench.turn()
    arrive(_marker(bench.key.slot, seconds=-60), bench.hands)
    assert bench.store.outstanding(bench.key) == ()


def test_what_arrived_before_the_traits_were_asked_is_not_late() -> None:
    """BUG-48."""
    bench = Bench().completed()
    for seconds in (-1, 0):
        assert arrive(_marker(bench.key.slot, seconds=seconds), bench.hands).how is Arrival.RECORDED
    assert bench.alerts() == []


def test_late_data_is_recorded_and_people_are_told_once() -> None:
    bench = Bench().completed()
    late = _marker(bench.key.slot, seconds=5)
    bench.later(5)
    for _ in range(2):
        assert arrive(late, bench.hands).how is Arrival.LATE
    assert bench.told().count("LATE_DATA_ARRIVAL") == 1
    assert bench.alerts() == ["late_data"]


def _late(action: LateAction, **fields: Any) -> Bench:
    return Bench(a_spec(late_data=LateDataSpec(action=action, window=timedelta(hours=1)), **fields)).completed()


def test_late_data_may_run_the_slot_again_within_its_budget() -> None:
    """T-17, BUG-91."""
    bench = _late(LateAction.RERUN, reruns=RerunSpec(drift=1))
    bench.later(5)
    late = _marker(bench.key.slot, seconds=5)
    arrive(late, bench.hands)
    again = bench.store.latest_run(bench.key.slot)
    assert again is not None
    assert (again.key.number, again.cause, again.status) == (2, Cause.LATE_DATA, RunStatus.PENDING)
    assert bench.told().count("RERUN_ACCEPTED") == 1


WATCHED = WatchSpec(monitoring=timedelta(hours=2))


def test_late_data_runs_a_slot_again_that_is_still_watched_for_drift() -> None:
    """T-17."""
    bench = _late(LateAction.RERUN, watch=WATCHED)
    assert bench.run.monitor is not None
    arrive(_marker(bench.later(5).key.slot, seconds=5), bench.hands)
    again = bench.store.latest_run(bench.key.slot)
    assert again is not None
    assert (again.key.number, again.cause, again.status) == (2, Cause.LATE_DATA, RunStatus.PENDING)
    assert bench.run.status is RunStatus.COMPLETED
    assert bench.alerts() == []


def test_late_data_beyond_the_budget_leaves_the_watch_for_drift_as_it_is() -> None:
    bench = _late(LateAction.RERUN, watch=WATCHED, reruns=RerunSpec(drift=0))
    arrive(_marker(bench.later(5).key.slot, seconds=5), bench.hands)
    assert bench.run.status is RunStatus.COMPLETED_MONITORING
    assert bench.alerts() == ["rerun_cap_reached"]


def test_late_data_that_cannot_run_a_slot_again_because_of_a_pause_is_told() -> None:
    bench = _late(LateAction.RERUN).later(5)
    pause(bench.key.slot.pipeline, NOON + timedelta(hours=1), "ann", "migration", bench.hands)
    arrived = arrive(_marker(bench.key.slot, seconds=5), bench.hands)
    assert "migration" in arrived.words
    assert bench.store.latest_run(bench.key.slot) == bench.run
    assert bench.alerts() == ["late_data"]


@pytest.mark.parametrize(("watch", "first"), [(WATCHED, True), (WatchSpec(), False)])
def test_who_is_told_of_late_data_is_told_what_goes_before_a_rerun(watch: WatchSpec, first: bool) -> None:
    bench = _late(LateAction.ALERT, watch=watch).later(5)
    arrive(_marker(bench.key.slot, seconds=5), bench.hands)
    (told,) = bench.hands.dispatches.alerts(limit=5)
    assert "interlock rerun example --schedule daily --date 2026-03-07" in told.alert.message
    assert ("interlock cancel example --schedule daily --date 2026-03-07" in told.alert.message) is first


@pytest.mark.parametrize(("action", "kind"), [(LateAction.ALERT, "WOULD_ALERT"), (LateAction.RERUN, "WOULD_RERUN")])
def test_late_data_for_a_run_in_shadow_is_told_to_nobody_and_runs_nothing(action: LateAction, kind: str) -> None:
    """BUG-162, BUG-163."""
    bench = _late(action, mode=Mode.SHADOW).later(5)
    for _ in range(2):
        arrive(_marker(bench.key.slot, seconds=5), bench.hands)
    assert bench.told().count(kind) == 1
    assert bench.hands.dispatches.alerts(limit=5) == ()
    assert bench.store.latest_run(bench.key.slot) == bench.run


def test_late_data_at_the_very_end_of_its_window_still_counts() -> None:
    bench = _late(LateAction.ALERT).later(3600)
    arrive(_marker(bench.key.slot, seconds=3600), bench.hands)
    assert bench.alerts() == ["late_data"]


def test_late_data_beyond_its_window_is_only_recorded() -> None:
    bench = _late(LateAction.RERUN)
    bench.later(2 * 3600)
    assert arrive(_marker(bench.key.slot, seconds=7200), bench.hands).how is Arrival.LATE
    assert bench.store.latest_run(bench.key.slot) == bench.run
    assert bench.alerts() == []


def test_late_data_may_be_ignored() -> None:
    bench = _late(LateAction.IGNORE)
    bench.later(5)
    assert arrive(_marker(bench.key.slot, seconds=5), bench.hands).how is Arrival.LATE
    assert bench.alerts() == []


def test_a_marker_for_a_run_under_way_is_recorded() -> None:
    bench = Bench().running()
    assert arrive(_marker(bench.key.slot, seconds=1), bench.hands).how is Arrival.RECORDED


def test_news_wakes_every_waiting_run_of_a_pipeline_or_those_of_one_day() -> None:
    bench = Bench(evaluator=FakeEvaluator(freshness=TraitStatus.FAIL))
    bench.turn()
    bench.later(1)
    at = NOON + SECOND
    assert nudge(bench.spec.name, "push", at, bench.hands, day="2026-03-08") == 0
    assert nudge(bench.spec.name, "push", at, bench.hands, day="2026-03-07") == 1
    assert bench.wish(EvaluateTrait).round == 2

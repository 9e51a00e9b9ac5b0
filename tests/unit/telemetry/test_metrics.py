"""Metrics as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interlock.core.chronicle import EventKind, EventRecord
from interlock.ports.stores import TimelineRecord
from interlock.ports.telemetry import StepKind
from interlock.telemetry.counts import Counts
from interlock.telemetry.families import FAMILIES
from interlock.telemetry.metrics import Metrics
from interlock.telemetry.vitals import Load, Vitals
from interlock.testing.builders import NOON, a_slot

WELL = Vitals(store_up=True, store_ping=0.25, due_lag=7.0, active_runs=3, lanes={"starts": Load(2, 1)})


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return dict(_each(metrics))


def _each(metrics: Metrics) -> Iterator[tuple[tuple[str, tuple[tuple[str, str], ...]], float]]:
    for family in text_string_to_metric_families(metrics.render()[1].decode()):
        for sample in family.samples:
            yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value


def test_a_step_is_timed_from_its_beginning_to_its_end_by_what_it_was_and_how_it_ended() -> None:
    hand = Hand()
    metrics = Metrics(Counts(), lambda: WELL, elapsed=hand)
    with metrics.step(StepKind.DECISION, a_slot(), event="Woke") as step:
        hand.now += 0.002
        step.phase("load")
        hand.now += 0.02
        step.phase("commit")
        step.told(outcome="changed")
    found = _samples(metrics)
    labels = (("event", "Woke"), ("outcome", "changed"))
    assert found["interlock_decision_seconds_sum", labels] == pytest.approx(0.022)
    assert found["interlock_decision_seconds_bucket", (*labels[:1], ("le", "0.01"), labels[1])] == 0
    assert found["interlock_decision_seconds_bucket", (*labels[:1], ("le", "0.025"), labels[1])] == 1
    assert found["interlock_decision_phase_seconds_sum", (("phase", "load"),)] == pytest.approx(0.002)
    assert found["interlock_decision_phase_seconds_sum", (("phase", "commit"),)] == pytest.approx(0.02)


def test_a_step_of_which_nobody_said_how_it_ended_ended_in_an_error() -> None:
    metrics = Metrics(Counts(), lambda: WELL)
    with pytest.raises(OSError), metrics.step(StepKind.TRIGGER, a_slot(), type="http", action="start"):
        raise OSError
    labels = (("action", "start"), ("outcome", "error"), ("type", "http"))
    assert _samples(metrics)["interlock_trigger_seconds_count", labels] == 1


def test_what_hangs_can_be_seen_while_it_hangs() -> None:
    metrics = Metrics(Counts(), lambda: WELL)
    with metrics.step(StepKind.TRAIT, a_slot(), trait="t", evaluator="sql") as step:
        assert _samples(metrics)["interlock_under_way", (("step", "trait"),)] == 1
        step.told(outcome="PASS")
    assert _samples(metrics)["interlock_under_way", (("step", "trait"),)] == 0


def test_how_things_stand_is_asked_for_at_each_rendering() -> None:
    seen = [WELL, Vitals(store_up=False, store_ping=1.5)]
    metrics = Metrics(Counts(), lambda: seen.pop(0))
    first, second = _samples(metrics), _samples(metrics)
    assert (first["interlock_due_lag_seconds", ()], first["interlock_store_up", ()]) == (7, 1)
    assert first["interlock_lane_queued", (("lane", "starts"),)] == 2
    assert second["interlock_store_up", ()] == 0
    assert ("interlock_due_lag_seconds", ()) not in second


def test_two_processes_at_work_in_one_interpreter_share_no_numbers() -> None:
    one, two = Metrics(Counts(), lambda: WELL), Metrics(Counts(), lambda: WELL)
    with one.step(StepKind.ALERT, None, sink="pager") as step:
        step.told(outcome="delivered")
    key = ("interlock_delivery_seconds_count", (("outcome", "delivered"), ("sink", "pager")))
    assert key in _samples(one)
    assert key not in _samples(two)


@pytest.mark.parametrize("per_pipeline", [False, True])
def test_the_label_for_pipelines_is_there_only_where_it_is_wanted(*, per_pipeline: bool) -> None:
    counts = Counts(per_pipeline=per_pipeline)
    record = EventRecord(kind=EventKind.RUN_STUCK, at=NOON)
    counts.heard([TimelineRecord(cursor="", pipeline="one", schedule="", period="", run_id="", record=record)])
    labels = (("pipeline", "one"),) if per_pipeline else ()
    assert _samples(Metrics(counts, lambda: WELL))["interlock_runs_stuck_total", labels] == 1


def test_a_label_is_written_so_that_no_name_can_break_the_text() -> None:
    metrics = Metrics(Counts(), lambda: WELL)
    name = 'a"b\\c\nd'
    with metrics.step(StepKind.ALERT, None, sink=name) as step:
        step.told(outcome="failed")
    assert _samples(metrics)["interlock_delivery_seconds_count", (("outcome", "failed"), ("sink", name))] == 1


def test_the_text_is_of_the_plain_format_with_a_type_for_every_family_and_no_moments_of_creation() -> None:
    kind, text = Metrics(Counts(), lambda: WELL).render()
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family.type for family in text_string_to_metric_families(text.decode())}
    for name, family in FAMILIES.items():
        assert families[name.removesuffix("_total")] == family.type
    assert b"_created" not in text

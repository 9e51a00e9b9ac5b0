"""What would have happened, beside what did."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests.unit.app.bench import Bench

from interlock.app.arrivals import open_rerun
from interlock.app.shadow_report import REAL, ShadowSlot, shadow_report
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.pipelines import Mode
from interlock.testing.builders import NOON, a_key, a_spec
from interlock.testing.fakes import FakeEvaluator

SHADOW = a_spec(mode=Mode.SHADOW)


def _played(bench: Bench) -> Bench:
    while bench.turn() and bench.store.outstanding(bench.key):
        pass
    bench.later(60).turn()
    while bench.store.outstanding(bench.key):
        bench.turn()
    return bench


def _slots(bench: Bench, since: timedelta | None = None) -> tuple[ShadowSlot, ...]:
    start = None if since is None else bench.clock.now() - since
    return shadow_report(["example"], bench.store, start).items


def test_a_slot_in_shadow_tells_when_it_would_have_started() -> None:
    bench = _played(Bench(SHADOW))
    (slot,) = _slots(bench)
    assert (slot.starts, slot.would_start_at, slot.really) == (1, NOON, ())
    assert any(line.startswith("WOULD_START") for line in slot.would)
    assert bench.trigger.calls == []


def test_a_pipeline_that_is_no_shadow_is_not_in_the_report() -> None:
    assert _slots(Bench().completed()) == ()


def test_a_real_run_of_the_same_slot_stands_beside_it() -> None:
    """The mode was changed in the middle of the day, and the slot was run again."""
    bench = _played(Bench(SHADOW))
    open_rerun(bench.key.slot, replace(SHADOW, mode=Mode.LIVE), bench.store, bench.clock.now())
    bench.key = a_key(number=2)
    bench.completed()
    (slot,) = _slots(bench)
    assert len(slot.really) == 1
    assert slot.really[0].startswith("example:daily:2026-03-07:2 COMPLETED, began ")


def test_what_was_told_of_a_real_job_stands_beside_it() -> None:
    bench = _played(Bench(SHADOW))
    record = EventRecord(kind=EventKind.TRIGGER_FIRED, at=NOON, message=f"{REAL}ping start")
    bench.store.note(bench.key.slot, NOON, "real#1", (record,))
    (slot,) = _slots(bench)
    assert slot.really == ("ping start, 2026-03-07 12:00:00Z",)


def test_what_happened_at_the_very_instant_asked_about_is_in_the_report() -> None:
    bench = _played(Bench(SHADOW))
    (slot,) = shadow_report(["example"], bench.store, NOON).items
    assert slot.would_start_at == NOON


def test_a_report_reaches_back_as_far_as_it_is_asked_to_and_over_many_pages() -> None:
    bench = _played(Bench(SHADOW))
    for number in range(450):
        record = EventRecord(kind=EventKind.MARKER_RECEIVED, at=bench.clock.now(), message="noise")
        bench.store.note(bench.key.slot, bench.clock.now(), f"noise#{number}", (record,))
    assert [slot.starts for slot in _slots(bench)] == [1]
    bench.later(3600)
    assert _slots(bench, since=timedelta(minutes=30)) == ()


def test_a_slot_that_would_not_have_started_says_what_else_it_would_have_done() -> None:
    bench = Bench(SHADOW, evaluator=FakeEvaluator())
    record = EventRecord(kind=EventKind.WOULD_ALERT, at=NOON, message="SLA_BREACH")
    bench.store.note(bench.key.slot, NOON, "would#1", (record,))
    (slot,) = _slots(bench)
    assert (slot.starts, slot.would_start_at, slot.would) == (0, None, ("WOULD_ALERT: SLA_BREACH",))

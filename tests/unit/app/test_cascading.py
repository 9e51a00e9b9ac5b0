"""Completion is passed on to those who wait for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.app.bench import Bench

from interlock.app.hands import Silence
from interlock.app.perform import carry_out, perform
from interlock.core.commands import NotifyDownstream
from interlock.core.ids import PipelineName
from interlock.core.runs import Cause
from interlock.testing.builders import a_slot, a_spec

GOLD, TIN = a_slot(pipeline="gold"), a_slot(pipeline="tin")


def _bench(**fields: Any) -> Bench:
    others = (a_spec(name="gold"), a_spec(name="tin"))
    return Bench(a_spec(**fields), others=others, downstream={"example": ("gold", "tin")}).completed()


def test_a_completion_opens_the_same_slot_of_every_pipeline_that_waits_for_it() -> None:
    """T-30."""
    bench = _bench()
    carry_out(bench.key, bench.wish(NotifyDownstream), bench.hands)
    for slot in (GOLD, TIN):
        run = bench.store.latest_run(slot)
        assert run is not None
        assert (run.cause, run.note) == (Cause.MARKER, f"cascade:{bench.key.run_id}")


def test_a_marker_is_as_old_as_the_completion_however_late_it_is_told() -> None:
    bench = _bench()
    done = bench.clock.now()
    carry_out(bench.later(600).key, bench.wish(NotifyDownstream), bench.hands)
    assert [marker.at for marker in bench.hands.controls.markers(PipelineName("gold"), limit=10)] == [done]


def test_telling_it_twice_opens_nothing_twice() -> None:
    bench = _bench()
    wish = bench.wish(NotifyDownstream)
    carry_out(bench.key, wish, bench.hands)
    carry_out(bench.key, wish, bench.hands)
    assert len(bench.store.runs_of("gold", limit=10)) == 1
    assert len(bench.hands.controls.markers(PipelineName("gold"), limit=10)) == 1


def test_between_two_downstream_pipelines_passes_the_declared_pause() -> None:
    bench = _bench(cascade_delay=timedelta(seconds=30))
    wish = bench.wish(NotifyDownstream)
    assert perform(bench.key, wish, bench.hands) is Silence.LATER
    assert bench.store.latest_run(GOLD) is not None
    assert bench.store.latest_run(TIN) is None
    bench.later(30)
    assert perform(bench.key, wish, bench.hands) is Silence.SETTLED
    assert bench.store.latest_run(TIN) is not None

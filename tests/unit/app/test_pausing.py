"""Holding the start button for a time, for a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.app.bench import Bench

from interlock.app.pausing import pause, resume
from interlock.app.perform import carry_out
from interlock.core.commands import StartJob
from interlock.core.runs import RunStatus
from interlock.testing.builders import NOON
from interlock.testing.fakes import FakeTrigger, Start

HOUR = timedelta(hours=1)


def _paused(bench: Bench) -> Bench:
    pause(bench.spec.name, bench.clock.now() + HOUR, "ann", "migration", bench.hands)
    return bench


def test_a_paused_run_is_judged_and_not_started() -> None:
    bench = _paused(Bench())
    bench.turn()
    assert bench.run.status is RunStatus.PENDING
    assert bench.run.readiness is not None
    assert bench.run.readiness.ready
    assert bench.trigger.jobs == {}


def test_after_a_resume_it_is_asked_again_and_started() -> None:
    bench = _paused(Bench())
    bench.turn()
    bench.later(60)
    assert resume(bench.spec.name, "ann", bench.hands)
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_a_pause_ends_by_itself() -> None:
    bench = _paused(Bench())
    bench.turn()
    bench.later(3600)
    assert bench.to_the_end().status is RunStatus.COMPLETED


def test_a_start_that_was_wished_for_before_the_pause_is_refused() -> None:
    """T-26."""
    bench = Bench()
    wish = bench.ready_to_start()
    _paused(bench)
    carry_out(bench.key, wish, bench.hands)
    assert bench.trigger.jobs == {}
    assert "TRIGGER_REFUSED" in bench.told()


def test_a_start_that_may_have_happened_before_the_pause_is_looked_for_and_not_refused() -> None:
    bench = Bench(trigger=FakeTrigger(Start.ANSWER_LOST))
    wish = bench.ready_to_start()
    bench.trigger.find_trouble = OSError("no route to host")
    carry_out(bench.key, wish, bench.hands)
    bench.trigger.find_trouble = None
    _paused(bench)
    bench.later(120)
    carry_out(bench.key, bench.wish(StartJob), bench.hands)
    assert bench.run.status is RunStatus.RUNNING


@pytest.mark.parametrize(("until", "reason"), [(NOON, "why"), (NOON + HOUR, "  ")])
def test_a_pause_needs_an_end_ahead_and_a_reason(until: object, reason: str) -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="pause"):
        pause(bench.spec.name, until, "ann", reason, bench.hands)  # type: ignore[arg-type]
    assert bench.hands.controls.pause(bench.spec.name) is None


def test_what_is_not_paused_cannot_be_resumed() -> None:
    assert not resume(Bench().spec.name, "ann", Bench().hands)

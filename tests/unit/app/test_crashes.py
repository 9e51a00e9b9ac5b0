"""Every call of a whole run fails once, before it happened or after; whatever is restarted must bring the run to its end."""

from __future__ import annotations

from itertools import count

import pytest
from tests.unit.app.bench import Bench

from interlock.core.chronicle import EventKind
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import StoreUnavailable
from interlock.ports.triggers import Job
from interlock.testing.builders import SECOND, a_spec, a_trait
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, Start
from interlock.testing.world import refolded

SPEC = a_spec(a_trait("fresh", ttl=300 * SECOND), "upstream", retry=RetrySpec(max_attempts=3, backoff=10 * SECOND))


class Died(BaseException):
    """The process dies."""


def _bench(*starts: Start, repeatable: bool, remembers: bool = True) -> Bench:
    evaluator = FakeEvaluator()
    evaluator.script("upstream", TraitStatus.FAIL, TraitStatus.PASS)
    return Bench(SPEC, evaluator=evaluator, trigger=FakeTrigger(*starts, repeatable=repeatable, remembers=remembers))


def _restarted_to_the_end(bench: Bench) -> None:
    for _ in range(9):
        try:
            bench.to_the_end()
        except (StoreUnavailable, Died):
            bench.later(3)
            continue
        return
    raise AssertionError("it failed once, and goes on failing")


def _sound(bench: Bench) -> None:
    assert all(len(jobs) == 1 for jobs in bench.trigger.jobs.values()), "an attempt was started twice"
    assert bench.store.outstanding(bench.key) == ()
    assert refolded(bench.store, bench.spec, bench.key) == bench.run
    raised = [
        line.record.message
        for line in bench.store.timeline("example", limit=999)
        if line.record.kind is EventKind.ALERT_RAISED
    ]
    assert {alert.message for alert in bench.sink.alerts} == set(raised)


def test_when_all_is_well_the_job_is_started_exactly_once_and_nobody_is_alerted() -> None:
    """T-01, T-105."""
    bench = _bench(repeatable=False)
    assert bench.to_the_end().status is RunStatus.COMPLETED
    _sound(bench)
    assert bench.trigger.started == 1
    assert bench.sink.delivered == []
    assert bench.evaluator.asked("fresh") == 1, "a pass within its ttl is used again"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("repeatable", [False, True])
def test_whatever_store_call_fails_the_run_ends_and_no_attempt_starts_twice(*, repeatable: bool, after: bool) -> None:
    """T-01, T-06, T-08, T-10, T-60, T-66, BUG-06, BUG-76, BUG-136."""
    for call in count():
        bench = _bench(repeatable=repeatable)
        first = len(bench.kernel.calls)
        bench.kernel.fail_at(call, after=after)
        _restarted_to_the_end(bench)
        reached = len(bench.kernel.calls) > first + call
        bench.kernel.heal()
        _sound(bench)
        assert bench.run.status is RunStatus.COMPLETED
        assert bench.trigger.started == 1, "one job, in whichever attempt"
        if not reached:
            break
    assert call > 40


@pytest.mark.parametrize("how", list(Start))
@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("remembers", [False, True])
def test_however_a_start_goes_wrong_it_is_started_at_most_once(
    how: Start, *, repeatable: bool, remembers: bool
) -> None:
    """T-08, T-10."""
    bench = _bench(how, repeatable=repeatable, remembers=remembers)
    for _ in range(30):
        if bench.run.ended or bench.run.doubt:
            break
        bench.turn()
        bench.later(20)
    assert all(len(jobs) == 1 for jobs in bench.trigger.jobs.values())
    lost = how in (Start.ANSWER_LOST, Start.NEVER_ARRIVES)
    assert bool(bench.run.doubt) == (lost and not repeatable and not remembers)


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_process_that_dies_in_the_call_that_starts_leaves_one_job_or_none(*, repeatable: bool) -> None:
    """T-01, T-60, T-68."""
    bench = _bench(repeatable=repeatable)

    def die(_job: Job) -> None:
        bench.trigger.before_start = lambda _job: None
        raise Died

    bench.trigger.before_start = die
    _restarted_to_the_end(bench)
    _sound(bench)
    assert bench.run.status is RunStatus.COMPLETED
    assert bench.trigger.started == 1

"""Starts by hands that are slow, broken or badly equipped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.app.bench import Bench

from interlock.app.hands import Hands, Silence, job_of
from interlock.app.perform import carry_out
from interlock.app.triggering import start_job
from interlock.core.events import StartRefused, TriggerAccepted, TriggerFailed, TriggerInDoubt
from interlock.core.ids import start_key
from interlock.core.pipelines import TriggerSpec
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import ConfigError, StoreUnavailable
from interlock.ports.stores import Claim
from interlock.ports.triggers import Job, JobHandle, Trigger
from interlock.testing.builders import MINUTE, NOON, SECOND, a_spec, a_trait
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeTrigger, Start

LATER = Silence.LATER
LONG = a_spec(permit_lifetime=timedelta(hours=1))


def test_a_performer_that_was_paused_after_its_claim_does_not_call_late() -> None:
    """T-02, LAT-46."""
    bench = Bench(LONG)
    command = bench.ready_to_start()
    bench.pause_after_commits(60)
    assert start_job(bench.key, command, bench.hands) is LATER
    assert bench.trigger.calls == []


def test_a_performer_that_was_paused_before_its_claim_finds_the_others() -> None:
    """T-02, T-03."""
    bench = Bench(LONG)
    command = bench.ready_to_start()

    def other_first(call: int) -> None:
        if bench.kernel.calls[call] == "commit":
            bench.kernel.before = lambda _call: None
            carry_out(bench.key, command, bench.more_hands())

    bench.kernel.before = other_first
    assert start_job(bench.key, command, bench.hands) is LATER
    assert bench.trigger.started == 1


def test_a_repeated_call_that_is_refused_says_nothing_of_the_one_that_was_cut_short() -> None:
    """T-01, T-08: the first call may have started the job, and another attempt would start it twice."""
    bench = Bench(LONG, trigger=FakeTrigger(Start.STARTS, Start.REFUSED, repeatable=True, remembers=False))
    command = bench.ready_to_start()
    assert bench.store.put_claim(Claim(run=bench.key, attempt=1, turn=1, at=NOON, until=NOON + MINUTE))
    bench.trigger.start(job_of(bench.key, 1, start_key(bench.key.run_id, 1)), timeout=MINUTE)
    assert start_job(bench.key, command, bench.later(120).hands) is LATER
    assert isinstance(start_job(bench.key, command, bench.later(120).hands), TriggerAccepted)
    assert bench.trigger.started == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("repeatable", [False, True])
def test_whatever_store_call_fails_the_attempt_is_started_at_most_once(*, repeatable: bool, after: bool) -> None:
    """T-01, T-08, T-10, T-60."""
    call = 0
    while True:
        bench = Bench(LONG, trigger=FakeTrigger(repeatable=repeatable))
        command = bench.ready_to_start()
        reached = len(bench.kernel.calls) + call
        bench.kernel.fail_at(call, after=after)
        try:
            carry_out(bench.key, command, bench.hands)
        except StoreUnavailable:
            pass
        else:
            assert len(bench.kernel.calls) <= reached
            break
        assert bench.trigger.started <= 1
        bench.later(41)
        bench.to_the_end()
        assert bench.run.status is RunStatus.COMPLETED
        assert all(len(jobs) == 1 for jobs in bench.trigger.jobs.values())
        call += 1
    assert call > 4


def test_a_trigger_that_names_no_job_is_looked_for_and_not_believed() -> None:
    """T-22, BUG-115."""
    bench = Bench(trigger=FakeTrigger(remembers=False))
    real = bench.trigger.start

    def nameless(job: Job, *, timeout: timedelta) -> JobHandle:
        real(job, timeout=timeout)
        return JobHandle(id="")

    bench.trigger.start = nameless  # type: ignore[method-assign]  # a broken target
    told = start_job(bench.key, bench.ready_to_start(), bench.hands)
    assert isinstance(told, TriggerInDoubt)
    assert told.reason.startswith("the target system gave the job no id")


def test_a_trigger_that_breaks_its_promise_is_a_lost_answer() -> None:
    bench = Bench(trigger=FakeTrigger(remembers=False))

    def broken(_job: Job) -> None:
        raise KeyError("jobId")

    bench.trigger.before_start = broken
    told = start_job(bench.key, bench.ready_to_start(), bench.hands)
    assert isinstance(told, TriggerInDoubt)
    assert told.reason.startswith("KeyError: 'jobId'")


def _broken(bench: Bench) -> Hands:
    def refuse(_spec: TriggerSpec, _job: Job) -> Trigger:
        raise ConfigError("TOKEN is not set")

    return bench.hands._replace(trigger_for=refuse)


def test_a_trigger_that_cannot_be_made_is_a_permanent_failure_and_closed_for_others() -> None:
    """LAT-23, T-81."""
    bench = Bench()
    command = bench.ready_to_start()
    told = start_job(bench.key, command, _broken(bench))
    assert isinstance(told, TriggerFailed)
    assert (told.category, told.reason) == (
        FailureCategory.PERMANENT,
        "the trigger could not be made: TOKEN is not set",
    )
    assert start_job(bench.key, command, _broken(bench)) == told, "after a crash it says the same"
    assert isinstance(start_job(bench.key, command, bench.hands), StartRefused)


def test_a_trigger_that_cannot_be_made_any_more_leaves_a_doubt_about_an_earlier_start() -> None:
    """T-23."""
    bench = Bench(LONG)
    command = bench.ready_to_start()
    start_job(bench.key, command, bench.hands)
    assert start_job(bench.key, command, _broken(bench)) is LATER
    assert isinstance(start_job(bench.key, command, _broken(bench.later(40))), TriggerInDoubt)


def test_of_two_that_claim_a_start_that_one_cannot_make_one_wins() -> None:
    bench = Bench()
    command = bench.ready_to_start()

    def other_first(call: int) -> None:
        if bench.kernel.calls[call] == "commit":
            bench.kernel.before = lambda _call: None
            start_job(bench.key, command, bench.more_hands())

    bench.kernel.before = other_first
    assert start_job(bench.key, command, _broken(bench)) is LATER
    assert bench.trigger.started == 1


def test_a_clock_that_jumps_between_two_reads_never_starts_on_expired_evidence() -> None:
    """BUG-146."""
    bench = Bench(a_spec(a_trait("fresh", ttl=MINUTE)))
    command = bench.ready_to_start()
    jumpy = bench.hands._replace(clock=FakeClock(NOON, step=61 * SECOND))
    start_job(bench.key, command, jumpy)
    assert bench.trigger.calls == []


@pytest.mark.parametrize("reads", range(10))
def test_a_permit_that_runs_out_while_somebody_joins_does_not_refuse_the_start_under_way(reads: int) -> None:
    """SC-9: a refusal under a call that is being made would let the next attempt start the job a second time."""
    bench = Bench(LONG, trigger=FakeTrigger(repeatable=True))
    command = bench.ready_to_start()
    tick = timedelta(milliseconds=1)
    told: list[object] = []

    def join(_job: Job) -> None:
        bench.trigger.before_start = lambda _job: None
        racing = FakeClock(command.permit.valid_until - tick * reads - tick / 2, step=tick)
        told.append(start_job(bench.key, command, bench.more_hands()._replace(clock=racing)))

    bench.later(3600 - 1)
    bench.trigger.before_start = join
    start_job(bench.key, command, bench.hands)
    assert not isinstance(told[0], StartRefused | TriggerFailed)
    assert bench.trigger.started == 1

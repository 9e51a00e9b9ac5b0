from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.hands import Silence
from interlock.app.perform import carry_out
from interlock.app.triggering import CALL_GRACE, MAX_TURNS, start_job
from interlock.core.commands import EvaluateTrait, RaiseAlert, StartJob
from interlock.core.events import EvaluationAsked, StartRefused, TriggerAccepted, TriggerFailed, TriggerInDoubt
from interlock.core.gate import PAUSED
from interlock.core.runs import Override, RunStatus
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.controls import Pause
from interlock.ports.stores import Claim
from interlock.ports.triggers import Job, JobState
from interlock.testing.builders import NOON, SECOND, a_spec, a_trait
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, Start

LATER, SETTLED = Silence.LATER, Silence.SETTLED
LONG = a_spec(permit_lifetime=timedelta(hours=1))
CLAIMED = 30 * SECOND + CALL_GRACE


class Crash(BaseException):
    """The process dies here."""


def _die(_job: Job) -> None:
    raise Crash


def test_a_start_claims_first_and_then_calls() -> None:
    """T-01, BUG-74."""
    bench = Bench()
    command = bench.ready_to_start()
    claims: list[Claim | None] = []
    bench.trigger.before_start = lambda job: claims.append(bench.store.claim(job.run, job.attempt))
    told = start_job(bench.key, command, bench.hands)
    assert told == TriggerAccepted(at=NOON, attempt=1, job_id=f"job-of-{bench.key.run_id}/1")
    assert claims == [Claim(run=bench.key, attempt=1, turn=1, at=NOON, until=NOON + CLAIMED)]
    assert bench.trigger.calls == [f"{bench.key.run_id}/1"]


def test_an_expired_permit_is_refused_and_nobody_else_starts() -> None:
    """T-26."""
    bench = Bench()
    command = bench.ready_to_start()
    bench.later(300)
    told = start_job(bench.key, command, bench.hands)
    assert isinstance(told, StartRefused)
    bench.clock.set(NOON)
    assert isinstance(start_job(bench.key, command, bench.hands), StartRefused), "not even one whose clock is behind"
    assert bench.trigger.calls == []


def test_a_permit_that_lapses_between_the_claim_and_the_call_is_refused() -> None:
    """T-26, BUG-146."""
    bench = Bench(a_spec(a_trait("fresh", ttl=10 * SECOND)))
    command = bench.ready_to_start()
    bench.later(6)
    bench.pause_after_commits(5)
    assert isinstance(start_job(bench.key, command, bench.hands), StartRefused)
    bench.kernel.after = lambda _call: None
    assert bench.trigger.calls == []
    claim = bench.store.claim(bench.key, 1)
    assert claim is not None
    assert claim.refused, "nobody may start what was reported as refused"


def test_a_wish_whose_run_has_moved_on_is_settled_without_a_call() -> None:
    """T-06, T-33."""
    bench = Bench()
    command = bench.ready_to_start()
    carry_out(bench.key, command, bench.hands)
    assert start_job(bench.key, command, bench.hands) is SETTLED
    other = StartJob(permit=command.permit)
    assert start_job(Bench().key, other, Bench().hands) is SETTLED
    assert bench.trigger.started == 1


@pytest.mark.parametrize("repeatable", [False, True])
def test_two_at_once_start_one_job(*, repeatable: bool) -> None:
    """T-04, LAT-46, BUG-130."""
    for _ in range(20):
        bench = Bench(trigger=FakeTrigger(repeatable=repeatable))
        command = bench.ready_to_start()
        together = Barrier(4)

        def start(_: int, b: Bench = bench, c: StartJob = command, t: Barrier = together) -> object:
            t.wait()
            return carry_out(b.key, c, b.hands)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(start, range(4)))
        assert bench.trigger.started == 1
        assert bench.run.status is RunStatus.RUNNING


def test_whoever_finds_a_claim_waits_until_the_call_is_surely_over() -> None:
    """LAT-46, T-02."""
    bench = Bench(LONG)
    command = bench.ready_to_start()
    bench.trigger.before_start = _die
    with pytest.raises(Crash):
        start_job(bench.key, command, bench.hands)
    bench.trigger.before_start = lambda _job: None
    bench.later(39)
    assert start_job(bench.key, command, bench.hands) is LATER
    told = start_job(bench.key, command, bench.later(1).hands)
    assert isinstance(told, TriggerFailed)
    assert told.category is FailureCategory.TRANSIENT
    assert bench.trigger.calls == []


def test_a_job_that_was_started_before_a_crash_is_found() -> None:
    """T-01, T-10."""
    bench = Bench(LONG)
    command = bench.ready_to_start()
    first = start_job(bench.key, command, bench.hands)
    assert isinstance(first, TriggerAccepted), "and then the process dies before it can tell"
    assert start_job(bench.key, command, bench.hands) is LATER
    again = start_job(bench.key, command, bench.later(40).hands)
    assert isinstance(again, TriggerAccepted)
    assert again.job_id == first.job_id
    assert bench.trigger.started == 1


def test_where_the_target_cannot_be_asked_a_crash_is_a_doubt_and_never_a_second_start() -> None:
    """T-08."""
    bench = Bench(LONG, trigger=FakeTrigger(remembers=False))
    command = bench.ready_to_start()
    start_job(bench.key, command, bench.hands)
    told = carry_out(bench.key, command, bench.later(40).hands)
    assert told is not None
    assert (
        told.run.doubt == "an earlier start was cut short, and this trigger cannot know whether something was started"
    )
    assert bench.trigger.started == 1
    assert isinstance(bench.wish(RaiseAlert), RaiseAlert)


def test_where_the_target_knows_keys_a_crash_need_not_be_waited_out() -> None:
    bench = Bench(LONG, trigger=FakeTrigger(repeatable=True))
    command = bench.ready_to_start()
    bench.trigger.before_start = _die
    with pytest.raises(Crash):
        start_job(bench.key, command, bench.hands)
    bench.trigger.before_start = lambda _job: None
    assert isinstance(start_job(bench.key, command, bench.later(1).hands), TriggerAccepted)
    assert start_job(bench.key, command, bench.hands) is LATER, "only one joins"
    assert bench.trigger.started == 1


def test_that_a_second_call_fails_says_nothing_of_the_first() -> None:
    """T-08, LAT-46."""
    bench = Bench(LONG, trigger=FakeTrigger(Start.REFUSED, repeatable=True))
    command = bench.ready_to_start()
    told: list[object] = []

    def meanwhile(_job: Job) -> None:
        bench.trigger.before_start = lambda _job: None
        told.append(start_job(bench.key, command, bench.more_hands()))

    bench.trigger.before_start = meanwhile
    first = start_job(bench.key, command, bench.hands)
    assert told == [LATER]
    assert isinstance(first, TriggerAccepted)
    assert bench.trigger.started == 1


def test_that_the_first_call_fails_says_nothing_of_the_second() -> None:
    """T-08, LAT-46."""
    bench = Bench(LONG, trigger=FakeTrigger(Start.STARTS, Start.REFUSED, repeatable=True))
    command = bench.ready_to_start()
    told: list[object] = []

    def meanwhile(_job: Job) -> None:
        bench.trigger.before_start = lambda _job: None
        told.append(start_job(bench.key, command, bench.more_hands()))

    bench.trigger.before_start = meanwhile
    assert start_job(bench.key, command, bench.hands) is LATER
    assert isinstance(told[0], TriggerAccepted)


def test_a_start_that_failed_for_certain_is_told_at_once_and_closed_for_others() -> None:
    """BUG-74, T-20."""
    bench = Bench(trigger=FakeTrigger(Start.REFUSED))
    command = bench.ready_to_start()
    bench.trigger.category = FailureCategory.PERMANENT
    told = start_job(bench.key, command, bench.hands)
    assert isinstance(told, TriggerFailed)
    assert (told.category, told.reason) == (FailureCategory.PERMANENT, "no such queue")
    assert isinstance(start_job(bench.key, command, bench.hands), StartRefused)


def test_an_unheard_of_category_counts_as_transient() -> None:
    """BUG-18, BUG-126."""
    bench = Bench(trigger=FakeTrigger(Start.REFUSED))
    bench.trigger.category = "SOLAR_FLARE"  # type: ignore[assignment]  # what a plugin may raise
    told = start_job(bench.key, bench.ready_to_start(), bench.hands)
    assert isinstance(told, TriggerFailed)
    assert told.category is FailureCategory.TRANSIENT


def test_a_start_whose_answer_was_lost_is_found() -> None:
    """T-08."""
    bench = Bench(trigger=FakeTrigger(Start.ANSWER_LOST))
    assert isinstance(start_job(bench.key, bench.ready_to_start(), bench.hands), TriggerAccepted)


def test_a_start_that_may_still_arrive_is_looked_for_when_the_call_is_over() -> None:
    """T-08."""
    bench = Bench(LONG, trigger=FakeTrigger(Start.NEVER_ARRIVES))
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    bench.trigger.jobs[f"{bench.key.run_id}/1"] = [JobState.RUNNING]
    assert isinstance(start_job(bench.key, command, bench.later(40).hands), TriggerAccepted)


def test_a_start_that_nobody_can_ever_know_of_is_a_doubt_at_once() -> None:
    bench = Bench(trigger=FakeTrigger(Start.NEVER_ARRIVES, remembers=False))
    told = start_job(bench.key, bench.ready_to_start(), bench.hands)
    assert isinstance(told, TriggerInDoubt)
    assert told.reason == "the line went dead; this trigger cannot know whether something was started"


def test_a_look_that_fails_is_taken_neither_for_a_job_nor_for_none() -> None:
    """T-08, T-93."""
    bench = Bench(LONG, trigger=FakeTrigger(Start.NEVER_ARRIVES))
    bench.trigger.find_trouble = OSError("no route")
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    assert start_job(bench.key, command, bench.later(40).hands) is LATER
    bench.trigger.find_trouble = None
    assert isinstance(start_job(bench.key, command, bench.hands), TriggerFailed)


@pytest.mark.parametrize("blind", [False, True])
def test_a_repeatable_start_that_is_cut_short_again_and_again_is_told_to_people(*, blind: bool) -> None:
    starts = [Start.NEVER_ARRIVES] * 9
    bench = Bench(LONG, trigger=FakeTrigger(*starts, repeatable=True, remembers=not blind))
    command = bench.ready_to_start()
    for _ in range(MAX_TURNS):
        assert start_job(bench.key, command, bench.hands) is LATER
        bench.later(40)
    told = start_job(bench.key, command, bench.hands)
    assert isinstance(told, TriggerInDoubt)
    assert told.reason == "5 starts in a row were cut short"
    assert len(bench.trigger.calls) == MAX_TURNS


def test_a_repeatable_start_is_repeated_when_the_look_fails() -> None:
    bench = Bench(LONG, trigger=FakeTrigger(Start.NEVER_ARRIVES, repeatable=True))
    bench.trigger.find_trouble = OSError("no route")
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    assert isinstance(start_job(bench.key, command, bench.later(40).hands), TriggerAccepted)


def test_what_may_have_been_started_is_not_refused_when_its_permit_has_run_out() -> None:
    """T-08, T-26."""
    bench = Bench(trigger=FakeTrigger(Start.ANSWER_LOST, repeatable=True, remembers=False))
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    told = start_job(bench.key, command, bench.later(301).hands)
    assert isinstance(told, TriggerInDoubt), "a refusal would let the next attempt start a second job"


def test_what_was_certainly_not_started_is_refused_when_its_permit_has_run_out() -> None:
    bench = Bench(trigger=FakeTrigger(Start.NEVER_ARRIVES, repeatable=True))
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    assert isinstance(start_job(bench.key, command, bench.later(301).hands), StartRefused)
    assert bench.trigger.started == 0


def test_a_look_that_fails_after_the_permit_has_run_out_is_tried_again() -> None:
    bench = Bench(trigger=FakeTrigger(Start.ANSWER_LOST, repeatable=True))
    command = bench.ready_to_start()
    bench.trigger.find_trouble = OSError("no route")
    assert start_job(bench.key, command, bench.hands) is LATER
    assert start_job(bench.key, command, bench.later(301).hands) is LATER
    bench.trigger.find_trouble = None
    assert isinstance(start_job(bench.key, command, bench.hands), TriggerAccepted)


def test_each_attempt_has_a_claim_and_a_key_of_its_own() -> None:
    """BUG-25."""
    bench = Bench(trigger=FakeTrigger(Start.REFUSED))
    carry_out(bench.key, bench.ready_to_start(), bench.hands)
    bench.later(30).turn()
    assert isinstance(bench.wish(EvaluateTrait), EvaluateTrait)
    carry_out(bench.key, bench.ready_to_start(), bench.hands)
    assert bench.trigger.calls == [f"{bench.key.run_id}/1", f"{bench.key.run_id}/2"]
    assert bench.run.status is RunStatus.RUNNING


def _paused(bench: Bench) -> None:
    bench.hands.controls.put_pause(
        Pause(pipeline=bench.spec.name, at=NOON, until=NOON + timedelta(hours=1), actor="ann", reason="moving")
    )


def test_a_pause_holds_back_a_start_unless_the_runs_own_override_names_it() -> None:
    held = Bench()
    command = held.ready_to_start()
    _paused(held)
    assert isinstance(start_job(held.key, command, held.hands), StartRefused)
    assert held.trigger.calls == []
    override = Override(actor="ann", reason="the board waits", constraints=(PAUSED,))
    asked = EvaluationAsked(at=NOON + SECOND, actor="ann", override=override)
    forced = Bench(evaluator=FakeEvaluator(freshness=TraitStatus.FAIL))
    while wishes := forced.store.outstanding(forced.key):
        carry_out(forced.key, wishes[0], forced.hands)
    advance(forced.key, asked, forced.store)
    _paused(forced)
    assert isinstance(start_job(forced.key, forced.ready_to_start(), forced.hands), TriggerAccepted)


class _Elsewhere(FakeTrigger):
    startable = False


def test_a_start_that_belongs_to_anforced_process_is_left_to_it() -> None:
    """A watcher must not report as failed what the process with the terminal is about to start."""
    bench = Bench(trigger=_Elsewhere())
    command = bench.ready_to_start()
    assert start_job(bench.key, command, bench.hands) is LATER
    assert bench.store.claim(bench.key, 1) is None
    assert bench.trigger.calls == []


def test_a_permit_that_nobody_used_is_refused_so_that_its_run_does_not_wait_for_ever() -> None:
    """The process with the terminal died before it began: then nothing was started, for certain."""
    bench = Bench(trigger=_Elsewhere())
    command = bench.ready_to_start()
    bench.later(300)
    assert isinstance(start_job(bench.key, command, bench.hands), StartRefused)
    assert bench.trigger.calls == []
    claim = bench.store.claim(bench.key, 1)
    assert claim is not None
    assert claim.refused


def test_a_start_elsewhere_that_was_cut_short_is_in_doubt() -> None:
    """It was claimed, and whoever claimed it is gone: nobody can know whether the command began."""
    bench = Bench(trigger=_Elsewhere(remembers=False))
    command = bench.ready_to_start()
    bench.store.put_claim(Claim(run=bench.key, attempt=1, turn=1, at=NOON, until=NOON + SECOND))
    assert isinstance(start_job(bench.key, command, bench.later(60).hands), TriggerInDoubt)

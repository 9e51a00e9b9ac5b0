from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.app.bench import Bench

from interlock.app.advance import advance
from interlock.app.callbacks import Report, complete
from interlock.app.hands import Silence
from interlock.app.perform import carry_out, perform
from interlock.app.polling import cancel_job, check_job
from interlock.core.commands import CancelJob, CheckJob, EvaluateTrait
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
)
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Job, JobState
from interlock.testing.builders import NOON, a_key, a_spec, a_trait
from interlock.testing.fakes import FakeTrigger, Start

LATER, SETTLED = Silence.LATER, Silence.SETTLED
LOOK = CheckJob(attempt=1, look=0)
STOP = CancelJob(attempt=1, reason="enough")


@pytest.mark.parametrize(
    ("state", "fact"),
    [
        (JobState.RUNNING, JobSeen(at=NOON, attempt=1)),
        (JobState.SUCCEEDED, JobFinished(at=NOON, attempt=1, succeeded=True)),
        (JobState.FAILED, JobFinished(at=NOON, attempt=1, succeeded=False, category=FailureCategory.TIMEOUT)),
        (JobState.VANISHED, JobVanished(at=NOON, attempt=1, reason="")),
        (JobState.UNSEEN, JobUnseen(at=NOON, attempt=1, look=0, reason="")),
    ],
)
def test_every_look_is_a_fact(state: JobState, fact: object) -> None:
    """T-21, T-22, BUG-19, BUG-04."""
    bench = Bench().running()
    bench.trigger.category = FailureCategory.TIMEOUT
    bench.trigger.end(f"{bench.key.run_id}/1", state)
    assert check_job(bench.key, LOOK, bench.hands) == fact


@pytest.mark.parametrize("trouble", [OSError("no route"), TriggerError("503"), KeyError("state")])
def test_a_look_that_breaks_is_a_job_not_seen_and_never_an_end(trouble: Exception) -> None:
    """T-08, T-22, BUG-04."""
    bench = Bench().running()
    bench.trigger.poll_trouble = trouble
    seen = check_job(bench.key, replace(LOOK, look=3), bench.hands)
    assert isinstance(seen, JobUnseen)
    assert (seen.look, type(trouble).__name__ in seen.reason) == (3, True)


def test_a_job_whose_work_is_being_checked_is_not_looked_at_any_more() -> None:
    bench = Bench(a_spec(verify=(a_trait("rows"),))).running()
    complete(bench.key, Report(succeeded=True), bench.store, NOON)
    bench.trigger.poll_trouble = RuntimeError("must not be asked")
    assert check_job(bench.key, LOOK, bench.hands) is SETTLED


def test_a_look_at_what_is_no_longer_running_is_settled_without_looking() -> None:
    """LAT-03, LAT-15."""
    bench = Bench()
    assert check_job(bench.key, LOOK, bench.hands) is SETTLED
    assert check_job(a_key("2026-03-08"), LOOK, bench.hands) is SETTLED
    bench.running()
    bench.trigger.poll_trouble = RuntimeError("must not be asked")
    assert check_job(bench.key, replace(LOOK, attempt=7), bench.hands) is SETTLED


def test_a_run_keeps_being_looked_at_long_after_its_window() -> None:
    """T-34, T-35, T-36."""
    bench = Bench().running()
    for _ in range(5):
        bench.later(86_400).turn()
        bench.turn()
    assert not bench.run.ended
    bench.trigger.end(f"{bench.key.run_id}/1")
    bench.later(60).turn()
    bench.turn()
    assert bench.run.status is RunStatus.COMPLETED


def _cancelled(bench: Bench) -> Bench:
    advance(bench.key, CancelAsked(at=NOON, actor="ann", reason="enough"), bench.store)
    return bench


def test_a_running_job_is_stopped_by_the_name_the_target_gave_it() -> None:
    """T-121."""
    bench = _cancelled(Bench().running())
    assert carry_out(bench.key, bench.wish(CancelJob), bench.hands) is None
    assert bench.trigger.cancelled == [f"{bench.key.run_id}/1"]
    assert bench.store.outstanding(bench.key) == ()


def test_cancelling_before_anybody_has_called_sees_to_it_that_nobody_does() -> None:
    bench = Bench()
    start = bench.ready_to_start()
    _cancelled(bench)
    assert cancel_job(bench.key, STOP, bench.hands) is SETTLED
    claim = bench.store.claim(bench.key, 1)
    assert claim is not None
    assert claim.refused
    assert cancel_job(bench.key, STOP, bench.hands) is SETTLED
    carry_out(bench.key, start, bench.hands)
    assert bench.trigger.calls == []


def test_cancelling_in_the_middle_of_a_start_waits_and_then_stops_the_job() -> None:
    bench = Bench()
    start = bench.ready_to_start()
    told: list[object] = []

    def meanwhile(_job: Job) -> None:
        _cancelled(bench)
        told.append(cancel_job(bench.key, STOP, bench.hands))

    bench.trigger.before_start = meanwhile
    carry_out(bench.key, start, bench.hands)
    assert told == [LATER]
    assert bench.run.status is RunStatus.CANCELLED
    assert cancel_job(bench.key, STOP, bench.later(40).hands) is SETTLED
    assert bench.trigger.cancelled == [f"{bench.key.run_id}/1"]


def test_cancelling_loses_to_a_start_that_claims_first_and_tries_again() -> None:
    bench = Bench()
    start = bench.ready_to_start()

    def other_first(call: int) -> None:
        if bench.kernel.calls[call] == "commit":
            bench.kernel.before = lambda _call: None
            perform(bench.key, start, bench.more_hands())

    bench.kernel.before = other_first
    assert cancel_job(bench.key, STOP, bench.hands) is LATER
    assert cancel_job(bench.key, STOP, bench.later(40).hands) is SETTLED
    assert bench.trigger.cancelled == [f"{bench.key.run_id}/1"]


def test_cancelling_a_start_that_came_to_nothing_is_done() -> None:
    bench = Bench(trigger=FakeTrigger(Start.NEVER_ARRIVES))
    carry_out(bench.key, bench.ready_to_start(), bench.hands)
    assert cancel_job(bench.key, STOP, _cancelled(bench).later(40).hands) is SETTLED
    assert bench.trigger.cancelled == []


@pytest.mark.parametrize(
    ("trouble", "silence"),
    [
        (TriggerError("503"), LATER),
        (TriggerError("no such call", category="PERMANENT"), SETTLED),
        (OSError("no route"), LATER),
    ],
)
def test_a_job_that_could_not_be_stopped_is_tried_again_unless_it_never_can(
    trouble: Exception, silence: Silence
) -> None:
    bench = _cancelled(Bench().running())
    bench.trigger.cancel_trouble = trouble
    assert cancel_job(bench.key, STOP, bench.hands) is silence


def test_what_has_no_trigger_or_no_run_has_nothing_to_look_at_or_stop() -> None:
    bench = Bench()
    assert cancel_job(a_key("2026-03-08"), STOP, bench.hands) is SETTLED
    start = bench.ready_to_start()
    bare = bench.store.put_spec(a_spec(trigger=None))
    real = bench.store.run
    bench.store.run = lambda key: replace(real(key), spec_digest=bare)  # type: ignore[method-assign, type-var]  # damaged
    assert perform(bench.key, start, bench.hands) is SETTLED
    assert perform(bench.key, STOP, bench.hands) is SETTLED
    bench.store.run = lambda key: replace(real(key), spec_digest=bare, status=RunStatus.RUNNING)  # type: ignore[method-assign, type-var]  # damaged
    assert perform(bench.key, LOOK, bench.hands) is SETTLED


def test_a_trait_that_was_answered_or_belongs_to_an_earlier_round_is_not_asked_again() -> None:
    bench = Bench(a_spec("aa", "bb"))
    wish = bench.wish(EvaluateTrait)
    carry_out(bench.key, wish, bench.hands)
    assert perform(bench.key, wish, bench.hands) is SETTLED
    earlier = replace(bench.wish(EvaluateTrait), round=0)
    assert earlier.trait in bench.run.asked
    assert perform(bench.key, earlier, bench.hands) is SETTLED
    assert perform(a_key("2026-03-08"), wish, bench.hands) is SETTLED
    assert len(bench.evaluator.questions) == 1
    assert advance(bench.key, EvaluationAsked(at=NOON), bench.store).run.round == 1

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.app.bench import Bench

from interlock.app.evaluating import evaluate_pipeline, evaluate_trait
from interlock.core.chronicle import EventKind
from interlock.core.pipelines import Mode
from interlock.core.traits import FailureCategory, Origin, TraitStatus, could_not_tell
from interlock.errors import StoreUnavailable
from interlock.ports.evaluators import Answer, Question
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot, a_spec, a_trait
from interlock.testing.fakes import FakeEvaluator

PASS, FAIL, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.ERROR


def _slow(bench: Bench, seconds: float) -> None:
    def wait(_question: Question) -> None:
        bench.later(seconds)

    bench.evaluator.before = wait


def test_freshness_counts_from_the_question() -> None:
    """T-26."""
    bench = Bench()
    _slow(bench, 45)
    result = evaluate_trait(a_trait(ttl=MINUTE), a_slot(), bench.hands)
    assert (result.observed_at, result.answered_at) == (NOON, NOON + 45 * SECOND)
    assert result.expires_at == NOON + MINUTE


@pytest.mark.parametrize("mode", list(Mode))
def test_a_check_is_told_whether_anything_is_done_on_its_answer(mode: Mode) -> None:
    bench = Bench(a_spec(mode=mode))
    bench.turn()
    evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    assert {question.shadow for question in bench.evaluator.questions} == {mode is Mode.SHADOW}
    assert [bool(question.run_id) for question in bench.evaluator.questions] == [True, False]


def test_a_clock_that_goes_back_while_asking_makes_no_answer_older_than_its_question() -> None:
    """T-50."""
    bench = Bench()
    _slow(bench, -3600)
    result = evaluate_trait(a_trait(ttl=MINUTE), a_slot(), bench.hands)
    assert (result.observed_at, result.answered_at, result.expires_at) == (NOON, NOON, NOON + MINUTE)


@pytest.mark.parametrize("trouble", [RuntimeError("boom"), KeyError("x"), MemoryError()])
def test_an_adapter_that_raises_is_a_result_with_a_category(trouble: Exception) -> None:
    """BUG-12, T-111, T-112."""
    bench = Bench(evaluator=FakeEvaluator(freshness=trouble))
    result = evaluate_trait(a_trait(), a_slot(), bench.hands)
    assert (result.status, result.category, result.origin) == (FAIL, FailureCategory.EVALUATOR_CRASH, Origin.RUNNER)
    assert type(trouble).__name__ in result.reason
    assert could_not_tell(result)


@pytest.mark.parametrize(
    ("declared", "remaining", "life"),
    [
        (timedelta(), None, None),
        (MINUTE, None, MINUTE),
        (MINUTE, 10 * SECOND, 10 * SECOND),
        (MINUTE, 10 * MINUTE, MINUTE),
        (timedelta(), 10 * SECOND, 10 * SECOND),
        (MINUTE, -SECOND, -SECOND),
    ],
)
def test_an_answer_that_knows_its_age_may_shorten_its_life_and_never_lengthen_it(
    declared: timedelta, remaining: timedelta | None, life: timedelta | None
) -> None:
    """T-78, LAT-13."""
    bench = Bench(evaluator=FakeEvaluator(freshness=Answer(status=PASS, ttl=remaining)))
    result = evaluate_trait(a_trait(ttl=declared), a_slot(), bench.hands)
    assert result.expires_at == (None if life is None else NOON + life)


def test_every_trait_is_asked_with_its_slot_and_its_run() -> None:
    """T-28, T-29, T-98, LAT-20."""
    bench = Bench(a_spec("aa", "bb"))
    bench.ready_to_start()
    assert {(q.trait.name, q.slot, q.run_id) for q in bench.evaluator.questions} == {
        ("aa", bench.key.slot, bench.key.run_id),
        ("bb", bench.key.slot, bench.key.run_id),
    }


def test_an_evaluation_asks_everything_afresh_and_is_kept() -> None:
    """T-97, T-107."""
    bench = Bench(a_spec(a_trait("aa", ttl=MINUTE), "bb"))
    bench.evaluator.script("bb", FAIL)
    evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    found = evaluate_pipeline(bench.spec, a_slot(), bench.later(1).hands)
    assert bench.evaluator.asked("aa") == 2
    assert found.readiness.blocking == ("bb",)
    assert bench.store.latest_evaluation("example") == found
    assert bench.trigger.calls == []
    kinds = [line.record.kind for line in bench.store.timeline("example", limit=3)]
    assert kinds == [EventKind.TRAIT_EVALUATED, EventKind.TRAIT_EVALUATED, EventKind.READINESS_CHECKED]
    ready = evaluate_pipeline(a_spec("aa"), a_slot(), bench.later(1).hands)
    assert ready.readiness.ready
    assert bench.store.timeline("example", limit=1)[0].record.message == "1 of 1 needed passed"


def test_one_bad_check_does_not_hide_what_the_others_say() -> None:
    bench = Bench(a_spec("aa", "bb", "cc"))
    bench.evaluator.script("aa", RuntimeError("boom"))
    bench.evaluator.script("cc", ERROR)
    found = evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    assert [result.status for result in found.results] == [FAIL, PASS, ERROR]
    assert found.readiness.errors == ("aa", "cc")
    assert found.readiness.undecided


def test_an_evaluation_never_ends_before_it_began() -> None:
    """T-50."""
    bench = Bench()
    _slow(bench, -3600)
    found = evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    assert found.ended_at == found.started_at == NOON


def test_evidence_that_ran_out_while_others_were_asked_is_no_evidence() -> None:
    """T-26."""
    bench = Bench(a_spec(a_trait("aa", ttl=MINUTE), "bb"))

    def slow_second(question: Question) -> None:
        if question.trait.name == "bb":
            bench.later(3600)

    bench.evaluator.before = slow_second
    found = evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    assert found.readiness.blocking == ("aa",)


def test_a_verdict_that_cannot_be_kept_is_not_given() -> None:
    """BUG-06, T-93."""
    bench = Bench()
    calls = len(bench.kernel.calls)
    evaluate_pipeline(bench.spec, a_slot(), bench.hands)
    last = len(bench.kernel.calls) - calls - 1
    bench.kernel.fail_at(last, after=False)
    with pytest.raises(StoreUnavailable):
        evaluate_pipeline(bench.spec, a_slot(), bench.hands)


def test_a_moment_goes_by_its_one_name() -> None:
    bench = Bench()
    found = evaluate_pipeline(bench.spec, a_slot("2026-03-07T14:00+00:00"), bench.hands)
    assert found.slot == a_slot("2026-03-07T14:00")

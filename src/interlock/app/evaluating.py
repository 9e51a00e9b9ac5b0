"""Asking traits, and what an answer is worth."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from interlock.app.hands import Hands
from interlock.core.chronicle import EventKind, EventRecord, trait_told
from interlock.core.ids import Slot
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.core.readiness import assess
from interlock.core.schedules import in_own_zone
from interlock.core.traits import FailureCategory, Origin, TraitResult, TraitSpec, TraitStatus
from interlock.ports.evaluators import Answer, Question
from interlock.ports.stores import Evaluation


def evaluate_trait(
    trait: TraitSpec, slot: Slot, hands: Hands, *, run_id: str = "", mode: Mode = Mode.LIVE
) -> TraitResult:
    """Ask one trait and return what came of it, always.

    Freshness counts from the asking. Whatever goes wrong in an evaluator is a result with a category, so that one bad
    check never hides what the others say.
    """
    asked = hands.clock.now()
    question = Question(trait=trait, slot=slot, run_id=run_id, shadow=mode is Mode.SHADOW)
    try:
        answer = hands.evaluator.evaluate(question, timeout=trait.timeout)
    except Exception as exc:  # noqa: BLE001  (an adapter that breaks its promise must not take the round with it)
        answer = Answer(
            status=TraitStatus.FAIL,
            reason=f"the evaluator adapter itself failed: {type(exc).__name__}: {exc}",
            category=FailureCategory.EVALUATOR_CRASH,
            origin=Origin.RUNNER,
        )
    return _result(trait, answer, asked, hands.clock.now())


def _result(trait: TraitSpec, answer: Answer, asked: datetime, answered: datetime) -> TraitResult:
    return TraitResult(
        trait=trait.name,
        status=answer.status,
        observed_at=asked,
        answered_at=max(asked, answered),
        expires_at=_expiry(trait.ttl, answer.ttl, asked),
        value=answer.value,
        reason=answer.reason,
        category=answer.category,
        origin=answer.origin,
    )


def _expiry(declared: timedelta, remaining: timedelta | None, asked: datetime) -> datetime | None:
    # An answer that knows its own age may shorten the trait's ttl, never lengthen it; no declared ttl is the longest.
    if remaining is None:
        return asked + declared if declared else None
    return asked + (min(declared, remaining) if declared else remaining)


def evaluate_pipeline(spec: PipelineSpec, slot: Slot, hands: Hands) -> Evaluation:
    """Ask every trait afresh, judge, and keep what was seen. Nothing is started.

    Raises:
        StoreError: the evaluation could not be kept; a verdict nobody can look up again is not given.
    """
    digest = hands.store.put_spec(spec)
    slot = in_own_zone(spec, slot)
    started = hands.clock.now()
    results = hands.together([partial(evaluate_trait, trait, slot, hands, mode=spec.mode) for trait in spec.traits])
    ended = max(started, hands.clock.now())
    evaluation = Evaluation(
        slot=slot,
        spec_digest=digest,
        started_at=started,
        ended_at=ended,
        results=results,
        readiness=assess(spec.traits, spec.rule, results, ended),
    )
    hands.store.record_evaluation(evaluation, _told(evaluation))
    return evaluation


def _told(evaluation: Evaluation) -> tuple[EventRecord, ...]:
    readiness = evaluation.readiness
    traits = tuple(trait_told(result, result.answered_at) for result in evaluation.results)
    blocking = ", ".join(readiness.blocking)
    verdict = EventRecord(
        kind=EventKind.READINESS_CHECKED,
        at=evaluation.ended_at,
        status=readiness.status,
        message=f"blocked by {blocking}" if blocking else f"{readiness.passed} of {readiness.needed} needed passed",
    )
    return (*traits, verdict)

"""Answer from what was pushed: for traits that somebody else checks and tells us about."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from interlock.core.ids import Slot
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, Origin, TraitSpec, TraitStatus
from interlock.errors import StoreError
from interlock.evaluators.workers import raised
from interlock.ports.clock import Clock
from interlock.ports.evaluators import Answer, Evaluator, Question
from interlock.ports.pushes import PushedResult, Pushes

_SKEW: Final = timedelta(minutes=1)


class PushEvaluator:
    """Reads the newest pushed result that fits the slot, and believes it for as long as it lives.

    Its life is its own ttl, else the trait's. With neither, it lives on if it names its period, which does not change
    any more; if it does not, it is STALE at once: a word about no day in particular cannot hold for ever.
    """

    def __init__(self, pushes: Pushes, clock: Clock) -> None:
        self._pushes = pushes
        self._clock = clock

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (it waits for nobody)
        """Answer from the store; see `Evaluator.evaluate`."""
        try:
            kept = self._pushes.get_push(question.slot.pipeline, question.trait.name)
        except StoreError as exc:
            return raised("the shelf of pushed results", exc)
        pushed = newest_fitting(kept, question)
        if pushed is None:
            return _stale(f"nothing was pushed for {question.trait.name} in {question.slot}")
        return answer_of(pushed, question.trait, self._clock.now())


def newest_fitting(kept: tuple[PushedResult, ...], question: Question) -> PushedResult | None:
    """Return the newest of the results that count for the question's slot."""
    fitting = [it for it in kept if it.trait == question.trait.name and _fits(it, question.slot)]
    return max(fitting, key=lambda it: it.pushed_at, default=None)


def answer_of(pushed: PushedResult, trait: TraitSpec, now: datetime) -> Answer:
    """Turn a pushed result into an answer at an instant. The boundary of its life belongs to STALE."""
    age = now - pushed.pushed_at
    if age < -_SKEW:
        return Answer(
            status=TraitStatus.ERROR,
            reason=f"the pushed result is dated {format_duration(-age)} in the future: a clock is wrong",
            category=FailureCategory.PERMANENT,
            origin=Origin.PUSH,
        )
    life = trait.ttl or None if pushed.ttl is None else pushed.ttl
    if life is None and pushed.period is None:
        return _stale(
            "the pushed result has neither a ttl nor a period: push it with one of them, or give the trait a ttl"
        )
    if life is not None and age >= life:
        old = format_duration(timedelta(seconds=int(age.total_seconds())))
        return _stale(f"the result was pushed {old} ago and was good for {format_duration(life)}")
    category = pushed.category
    if pushed.status is TraitStatus.ERROR and category is None:
        category = FailureCategory.TRANSIENT
    return Answer(
        status=pushed.status,
        value=pushed.value,
        reason=pushed.reason,
        category=category if pushed.status is not TraitStatus.PASS else None,
        origin=Origin.PUSH,
        ttl=None if life is None else life - max(age, timedelta()),
    )


def _fits(it: PushedResult, slot: Slot) -> bool:
    return it.schedule in (None, slot.schedule) and it.period in (None, slot.period)


def _stale(reason: str) -> Answer:
    return Answer(status=TraitStatus.STALE, reason=reason, origin=Origin.PUSH)


if TYPE_CHECKING:

    def _is_an_evaluator(it: PushEvaluator) -> Evaluator:
        return it

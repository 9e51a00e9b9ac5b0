"""A round of questions: which traits are asked, what an answer changes, what becomes of answers that never come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.core.commands import EvaluateTrait
from interlock.core.decision import Decision
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.core.traits import FailureCategory, Origin, TraitResult, TraitSpec, TraitStatus

ANSWER_GRACE: Final = timedelta(seconds=15)


def interval(run: Run, spec: PipelineSpec) -> timedelta:
    """Return how often the traits are asked again: the schedule's own interval, else the pipeline's."""
    schedule = spec.schedule(run.key.slot.schedule)
    own = schedule.interval if schedule is not None else None
    return spec.watch.interval if own is None else own


def reusable(result: TraitResult, at: datetime, *, refreshing: bool) -> bool:
    """Say whether a PASS is used again: within its ttl; while refreshing, also one that has none."""
    if result.status is not TraitStatus.PASS:
        return False
    return refreshing if result.expires_at is None else at < result.expires_at


def questions(run: Run, traits: Sequence[TraitSpec], at: datetime, kept: tuple[TraitResult, ...]) -> Decision:
    """Begin a round: ask every trait of which nothing is kept. No commands when there is nothing to ask."""
    have = {result.trait for result in kept}
    asked = tuple(trait for trait in traits if trait.name not in have)
    begun = replace(
        run,
        round=run.round + 1,
        asked=tuple(trait.name for trait in asked),
        asked_at=at,
        again=False,
        results=kept,
    )
    if not asked:
        return Decision(run=begun)
    patience = max(trait.timeout for trait in asked) + ANSWER_GRACE
    return Decision(
        run=replace(begun, wake_at=at + patience),
        commands=tuple(
            EvaluateTrait(round=begun.round, trait=trait.name, deadline=at + trait.timeout) for trait in asked
        ),
    )


def answered(run: Run, result: TraitResult, spec: PipelineSpec, at: datetime) -> Run:
    """Return the run with one answer of the round under way."""
    return replace(
        run,
        asked=tuple(name for name in run.asked if name != result.trait),
        results=_in_order((*run.results, _not_ahead(result, at)), spec),
    )


def lost_answers(run: Run, spec: PipelineSpec, at: datetime) -> Run:
    """Return the run with every answer still out given up on."""
    lost = tuple(
        TraitResult(
            trait=name,
            status=TraitStatus.FAIL,
            observed_at=run.asked_at or at,
            answered_at=at,
            reason="no answer came back in time",
            category=FailureCategory.TIMEOUT,
            origin=Origin.RUNNER,
        )
        for name in run.asked
    )
    return replace(run, asked=(), results=_in_order((*run.results, *lost), spec))


def _not_ahead(result: TraitResult, at: datetime) -> TraitResult:
    # A runner whose clock is ahead must not make its evidence live longer than the ttl allows.
    ahead = result.observed_at - at
    if ahead <= timedelta():
        return result
    return replace(result, observed_at=at, expires_at=None if result.expires_at is None else result.expires_at - ahead)


def _in_order(results: tuple[TraitResult, ...], spec: PipelineSpec) -> tuple[TraitResult, ...]:
    by_trait = {result.trait: result for result in results}
    return tuple(by_trait[trait.name] for trait in spec.checks if trait.name in by_trait)

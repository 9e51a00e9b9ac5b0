"""PENDING: ask the traits, judge the answers, open the gate or leave it shut."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.core.commands import EvaluateTrait, StartJob
from interlock.core.decision import Decision, stay
from interlock.core.events import EvaluationAsked, TraitEvaluated
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness, assess
from interlock.core.runs import Permit, Run, RunStatus
from interlock.core.traits import (
    FailureCategory,
    Origin,
    TraitResult,
    TraitStatus,
    is_fresh,
)

ANSWER_GRACE: Final = timedelta(seconds=15)
START_GRACE: Final = timedelta(minutes=1)


def woken(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Time has passed while PENDING: begin the next round, or give up on answers that did not come."""
    if run.wake_at is None or at < run.wake_at:
        return stay(run)
    if run.asked:
        return _conclude(_with_lost_answers(run, spec, at), spec, at)
    return begin_round(run, spec, at)


def evaluation_asked(run: Run, event: EvaluationAsked, spec: PipelineSpec, at: datetime) -> Decision:
    """Ask everything afresh, unless a round is under way, a later one has begun since, or a retry must still wait."""
    already = run.asked_at is not None and event.at <= run.asked_at
    waiting = run.not_before is not None and at < run.not_before
    if already or waiting or (run.asked and run.wake_at is not None and at < run.wake_at):
        return stay(run)
    fresh = replace(
        run,
        results=(),
        spec_digest=event.spec_digest or run.spec_digest,
        override=event.override or run.override,
    )
    return begin_round(fresh, spec, at)


def begin_round(run: Run, spec: PipelineSpec, at: datetime, *, refreshing: bool = False) -> Decision:
    """Ask every trait of which no usable PASS is at hand.

    Reused is a PASS within its ttl. While refreshing, also a PASS without one: it was asked for this very decision. What
    blocks is always asked again, so that data which has landed is noticed at the next round and not after a ttl.
    """
    kept = tuple(result for result in run.results if _reusable(result, at, refreshing=refreshing))
    have = {result.trait for result in kept}
    asked = tuple(trait for trait in spec.traits if trait.name not in have)
    begun = replace(
        run,
        round=run.round + 1,
        asked=tuple(trait.name for trait in asked),
        asked_at=at,
        refreshing=refreshing,
        results=kept,
        not_before=None,
    )
    if not asked:
        return _conclude(begun, spec, at)
    patience = max(trait.timeout for trait in asked) + ANSWER_GRACE
    return Decision(
        run=replace(begun, wake_at=at + patience),
        commands=tuple(
            EvaluateTrait(round=begun.round, trait=trait.name, deadline=at + trait.timeout) for trait in asked
        ),
    )


def _reusable(result: TraitResult, at: datetime, *, refreshing: bool) -> bool:
    if result.status is not TraitStatus.PASS:
        return False
    return refreshing if result.expires_at is None else at < result.expires_at


def trait_evaluated(run: Run, event: TraitEvaluated, spec: PipelineSpec, at: datetime) -> Decision:
    """Take one answer; judge when it was the last."""
    result = event.result
    if event.round != run.round or result.trait not in run.asked:
        return stay(run)
    heard = replace(
        run,
        asked=tuple(name for name in run.asked if name != result.trait),
        results=_in_order((*run.results, _not_ahead(result, at)), spec),
    )
    return Decision(run=heard) if heard.asked else _conclude(heard, spec, at)


def _not_ahead(result: TraitResult, at: datetime) -> TraitResult:
    # A runner whose clock is ahead must not make its evidence live longer than the ttl allows.
    ahead = result.observed_at - at
    if ahead <= timedelta():
        return result
    return replace(result, observed_at=at, expires_at=None if result.expires_at is None else result.expires_at - ahead)


def _in_order(results: tuple[TraitResult, ...], spec: PipelineSpec) -> tuple[TraitResult, ...]:
    by_trait = {result.trait: result for result in results}
    return tuple(by_trait[trait.name] for trait in spec.traits if trait.name in by_trait)


def _with_lost_answers(run: Run, spec: PipelineSpec, at: datetime) -> Run:
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


def _conclude(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    readiness = assess(spec.traits, spec.rule, run.results, at)
    judged = replace(run, readiness=readiness)
    if spec.trigger is not None and (readiness.ready or run.override is not None):
        permit = _permit(judged, readiness, spec, at)
        if permit.valid_until > at:
            return _open(judged, permit, spec, at)
    if not run.refreshing and _would_pass_refreshed(judged, readiness, at):
        return begin_round(judged, spec, at, refreshing=True)
    return Decision(run=replace(judged, refreshing=False, wake_at=at + spec.watch.interval))


def _would_pass_refreshed(run: Run, readiness: Readiness, at: datetime) -> bool:
    """Say whether only passes are missing that ran out while slower traits were still being asked."""
    blockers = [result for result in run.results if result.trait in readiness.blocking]
    expired = sum(1 for result in blockers if result.status is TraitStatus.PASS and not is_fresh(result, at))
    return not readiness.ready and readiness.passed + expired >= readiness.needed


def _permit(run: Run, readiness: Readiness, spec: PipelineSpec, at: datetime) -> Permit:
    ends = [at + spec.permit_lifetime]
    if readiness.valid_until is not None:
        ends.append(readiness.valid_until)
    if not readiness.ready:
        # An override sets aside what did not pass, never what did: the rest must hold until the start.
        passes = {v.trait for v in readiness.verdicts if v.required and v.status is TraitStatus.PASS}
        ends += (r.expires_at for r in run.results if r.trait in passes and r.expires_at is not None)
    return Permit(
        attempt=run.attempt + 1,
        granted_at=at,
        valid_until=min(ends) - spec.clock_skew,
        spec_digest=run.spec_digest,
        evidence=run.results,
        overridden=tuple(sorted(readiness.blocking)),
    )


def _open(run: Run, permit: Permit, spec: PipelineSpec, at: datetime) -> Decision:
    assert spec.trigger is not None  # noqa: S101  (checked by the one caller)
    patience = (permit.valid_until - at) + 2 * spec.trigger.start_timeout + START_GRACE
    return Decision(
        run=replace(
            run,
            status=RunStatus.TRIGGERING,
            attempt=permit.attempt,
            began_at=at,
            permit=permit,
            refreshing=False,
            wake_at=at + patience,
        ),
        commands=(StartJob(permit=permit),),
    )

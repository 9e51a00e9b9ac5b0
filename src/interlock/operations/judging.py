"""Asking what the traits of a pipeline say, looking at what they said, and telling the result of one."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from typing import Final

from interlock.api.judging import (
    Evaluate,
    PushTrait,
    Readiness,
    Trait,
    TraitEvaluation,
    TraitEvaluations,
    Traits,
)
from interlock.app.evaluating import evaluate_pipeline
from interlock.app.markers import nudge
from interlock.app.push_views import PushView, push_view
from interlock.app.standing import Known, known_traits, standing
from interlock.app.views import ReadinessView, readiness_view
from interlock.clients.redaction import without_secrets
from interlock.codec.evaluator_protocol import MAX_REASON, harmless
from interlock.config import values
from interlock.core.documents import Document
from interlock.core.ids import ScheduleName
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec
from interlock.core.schedules import in_own_zone
from interlock.core.traits import TraitSpec
from interlock.errors import Conflict, Invalid, NotFound
from interlock.operations.desk import Desk
from interlock.operations.pipelines import pipeline_of
from interlock.operations.sizes import kept
from interlock.operations.slots import chosen_slot
from interlock.ports.pushes import PushedResult
from interlock.stores.pushes import PushRows

PUSH: Final = "push"
_LONGEST_TTL: Final = 64


def evaluate(request: Evaluate, desk: Desk) -> ReadinessView:
    """Ask every trait afresh, judge, and keep what was seen."""
    spec = pipeline_of(desk.project, request.pipeline_id)
    slot = chosen_slot(spec, desk.clock.now(), request.schedule, request.date)
    evaluation = evaluate_pipeline(spec, slot, desk.work.hands)
    return readiness_view(spec, slot.schedule, slot.period, evaluation.readiness, evaluation.results)


def readiness(request: Readiness, desk: Desk) -> ReadinessView:
    """Show the latest verdict as it counts now. Nothing is written."""
    spec = pipeline_of(desk.project, request.pipeline_id)
    now = desk.clock.now()
    slot = chosen_slot(spec, now, request.schedule, request.date)
    anywhere = request.schedule is None and request.date is None
    return standing(spec, in_own_zone(spec, slot), desk.store, now, anywhere=anywhere)


def traits(request: Traits, desk: Desk) -> TraitEvaluations:
    """List what is known of the traits of a pipeline."""
    spec = pipeline_of(desk.project, request.pipeline_id)
    return TraitEvaluations(items=tuple(_shown(spec, known) for known in _known(spec, desk)))


def trait(request: Trait, desk: Desk) -> TraitEvaluation:
    """Show what is known of one trait.

    Raises:
        NotFound: the pipeline has no such trait, or nothing is known of it yet.
    """
    spec = pipeline_of(desk.project, request.pipeline_id)
    found = _trait(spec, request.trait_type)
    for known in _known(spec, desk):
        if known.trait.name == found.name:
            return _shown(spec, known)
    raise NotFound(f"nothing is known of the trait {found.name} of {spec.name} yet: it was never asked, nor pushed")


def push_trait(request: PushTrait, desk: Desk) -> PushView:
    """Keep a result for a trait that is checked elsewhere.

    Raises:
        NotFound: there is no such pipeline, trait or schedule.
        Conflict: the trait is checked here.
        Invalid: the value, the period or the ttl is none.
    """
    spec = pipeline_of(desk.project, request.pipeline_id)
    found = _pushable(spec, request.trait_type)
    if request.schedule is not None and spec.schedule(request.schedule) is None:
        raise NotFound(f"pipeline {spec.name} has no schedule {request.schedule!r}")
    pushed = PushedResult(
        trait=found.name,
        status=request.status,
        pushed_at=desk.clock.now(),
        schedule=ScheduleName(request.schedule) if request.schedule else None,
        period=_period(request.date),
        value=_value(request),
        reason=harmless(request.reason, MAX_REASON),
        category=request.category,
        ttl=_life(found, request.ttl),
        pushed_by=desk.actor,
    )
    _keep(spec, pushed, desk)
    return push_view(spec.name, pushed)


def _keep(spec: PipelineSpec, pushed: PushedResult, desk: Desk) -> None:
    work = desk.work
    work.pushes.put_push(spec.name, pushed)
    # Whoever waits for it asks again now, and not after an interval.
    day = pushed.period[:10] if pushed.period is not None else ""
    nudge(spec.name, f"push: {pushed.trait}", pushed.pushed_at, work.hands, day=day)
    work.ring()


def _known(spec: PipelineSpec, desk: Desk) -> tuple[Known, ...]:
    return known_traits(spec, desk.store, PushRows(desk.store.kernel), desk.clock.now())


def _shown(spec: PipelineSpec, known: Known) -> TraitEvaluation:
    result, verdict = known.result, known.verdict
    return TraitEvaluation(
        pipeline_id=spec.name,
        trait_type=verdict.trait,
        status=verdict.status,
        value=result.value,
        reason=verdict.reason,
        failure_category=verdict.category,
        evaluated_at=result.observed_at,
        expires_at=result.expires_at,
        required=verdict.required,
        origin=result.origin,
        schedule_id=known.schedule,
        date=known.period,
    )


def _trait(spec: PipelineSpec, name: str) -> TraitSpec:
    names = [one.name for one in spec.traits]
    found = next((one for one in spec.traits if one.name == name), None)
    if found is None:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        raise NotFound(f"pipeline {spec.name} has no trait {name!r} ({hint})")
    return found


def _pushable(spec: PipelineSpec, name: str) -> TraitSpec:
    found = _trait(spec, name)
    if found.evaluator[0] != PUSH:
        checked_by = without_secrets(found.checked_by)
        raise Conflict(
            f"trait {name} of {spec.name} is checked by {checked_by}, so a pushed result would never be read. "
            "Set `evaluator: push` for it first"
        )
    return found


def _period(text: str | None) -> Period | None:
    try:
        return None if text is None else Period.parse(text)
    except ValueError as exc:
        raise Invalid(f"date: {exc}") from exc


def _value(request: PushTrait) -> Document | None:
    return None if request.value is None else kept(request.value, "value")


def _life(trait: TraitSpec, ttl: int | str | None) -> timedelta:
    # A push without an end would keep its gate open for ever, long after whoever pushed has gone. Clients of the reference
    # implementation mean "for ever" by 0: they get what the trait itself allows.
    if isinstance(ttl, str) and len(ttl) > _LONGEST_TTL:
        raise Invalid("ttl: expected seconds, or a length of time such as 30m")
    life = trait.ttl
    if ttl is not None and not (isinstance(ttl, int) and ttl <= 0):
        try:
            life = values.duration(ttl, values.TTL)
        except values.Refused as exc:
            raise Invalid(f"ttl: {exc}") from exc
    if life <= timedelta():
        raise Invalid(
            f"a ttl is needed: trait {trait.name} declares no ttl, and a pushed result must end some day. "
            "Give one such as 30m"
        )
    return life

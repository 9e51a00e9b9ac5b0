"""How the traits of a pipeline stand, from what was seen and told of them. Nothing here writes or asks an evaluator."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from interlock.app.queries import RECENT, Judgement, as_it_counts, evidence_of, latest_judgement
from interlock.app.views import ReadinessView, readiness_view
from interlock.core.ids import Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import TraitVerdict, assess, verdict
from interlock.core.traits import Origin, TraitResult, TraitSpec, TraitStatus
from interlock.ports.pushes import PushedResult, Pushes

if TYPE_CHECKING:
    from interlock.app.hands import Store

_PUSH = "push"


class Known(NamedTuple):
    """The latest that is known of a trait, how it counts now, and the slot it is about; None: about every one."""

    trait: TraitSpec
    result: TraitResult
    verdict: TraitVerdict
    schedule: str | None
    period: str | None


def standing(spec: PipelineSpec, slot: Slot, store: Store, at: datetime, *, anywhere: bool) -> ReadinessView:
    """Show the latest verdict on a slot as it counts now, or with `anywhere` the latest on any slot of the pipeline.

    Where there is none, every trait of the slot counts as never seen.
    """
    if anywhere:
        judged = latest_judgement(store, spec.name, store.runs_of(spec.name, limit=RECENT))
    else:
        judged = _judgement_of(slot, store)
    if judged is None:
        return readiness_view(spec, slot.schedule, slot.period, assess(spec.traits, spec.rule, (), at), ())
    return as_it_counts(spec, judged, at)


def _judgement_of(slot: Slot, store: Store) -> Judgement | None:
    found = []
    run, evaluation = store.latest_run(slot), store.evaluation(slot)
    if run is not None and run.readiness is not None:
        found.append(Judgement(slot, run.readiness, evidence_of(run), acted_on=run.permit is not None))
    if evaluation is not None:
        found.append(Judgement(slot, evaluation.readiness, evaluation.results))
    return max(found, key=lambda judged: judged.readiness.at, default=None)


def known_traits(spec: PipelineSpec, store: Store, pushes: Pushes, at: datetime) -> tuple[Known, ...]:
    """Return the latest that is known of each trait, in the pipeline's order.

    Of one that is pushed that is the newest pushed result: asking it would only read the same again.
    """
    judged = latest_judgement(store, spec.name, store.runs_of(spec.name, limit=RECENT))
    answers = {result.trait: result for result in judged.results} if judged else {}
    found = []
    for trait in spec.traits:
        answer = answers.get(trait.name)
        pushed = _newest(spec, trait, pushes)
        if pushed is not None:
            told = _told(trait, pushed, at)
            found.append(Known(trait, told, verdict(trait, told, at), pushed.schedule, pushed.period))
        elif answer is not None and judged is not None:
            slot = judged.slot
            found.append(Known(trait, answer, verdict(trait, answer, at), slot.schedule, slot.period))
    return tuple(found)


def _newest(spec: PipelineSpec, trait: TraitSpec, pushes: Pushes) -> PushedResult | None:
    if trait.evaluator[:1] != (_PUSH,):
        return None
    return max(pushes.get_push(spec.name, trait.name), key=lambda each: each.pushed_at, default=None)


def _told(trait: TraitSpec, pushed: PushedResult, at: datetime) -> TraitResult:
    # A word without an end counts for its period, and without that for nothing; one that is over says nothing any more,
    # whatever it said.
    life = pushed.ttl or trait.ttl
    over = pushed.pushed_at + life <= at if life else pushed.period is None
    return TraitResult(
        trait=trait.name,
        status=TraitStatus.STALE if over else pushed.status,
        observed_at=pushed.pushed_at,
        answered_at=pushed.pushed_at,
        expires_at=pushed.pushed_at + life if life else None,
        value=pushed.value,
        reason=pushed.reason,
        category=pushed.category,
        origin=Origin.PUSH,
    )

"""Asking what the traits of a pipeline say, looking at what they said, and telling the result of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta

from interlock.api.contract import Date, Endpoint, PipelineId, Request, Role, ScheduleId
from interlock.app.push_views import PushView
from interlock.app.views import ReadinessView, View
from interlock.core.documents import Document
from interlock.core.traits import FailureCategory, TraitStatus

TraitType: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, description="A trait of the pipeline.")]


class TraitEvaluation(View, frozen=True, kw_only=True, rename="camel"):
    """What is known of one trait. `status` is effective: a PASS that has expired is STALE.

    `schedule_id` and `date` name the slot it was asked for; null where a pushed result counts for every one.
    """

    pipeline_id: str
    trait_type: str
    status: str
    value: Document | None
    reason: str
    failure_category: str | None
    evaluated_at: datetime
    expires_at: datetime | None
    required: bool
    origin: str
    schedule_id: str | None
    date: str | None


class TraitEvaluations(View, frozen=True, kw_only=True, rename="camel"):
    """What is known of a pipeline's traits, in its order; a trait of which nothing is known is not among them."""

    items: tuple[TraitEvaluation, ...]


class Evaluate(Request[ReadinessView], frozen=True, kw_only=True):
    """Ask every trait afresh and judge. Nothing is started."""

    endpoint: ClassVar = Endpoint(
        "POST", "/api/pipelines/{pipelineId}/evaluate", Role.OPERATE, slow=True, repeatable=True
    )

    pipeline_id: PipelineId
    schedule: ScheduleId | None = None
    date: Date | None = None


class Readiness(Request[ReadinessView], frozen=True, kw_only=True):
    """Show the latest verdict as it counts now, of one slot or of any. Nobody is asked, and nothing is written.

    A PASS that has expired counts as STALE. Without a verdict it is NOT_READY, with every trait not seen.
    """

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/readiness", Role.READ)

    pipeline_id: PipelineId
    schedule: ScheduleId | None = None
    date: Date | None = None


class Traits(Request[TraitEvaluations], frozen=True, kw_only=True):
    """List what is known of the traits of a pipeline: the latest answer of each, or the latest pushed result."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/traits", Role.READ, bare=True)

    pipeline_id: PipelineId


class Trait(Request[TraitEvaluation], frozen=True, kw_only=True):
    """Show what is known of one trait."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/traits/{traitType}", Role.READ)

    pipeline_id: PipelineId
    trait_type: TraitType


class PushTrait(Request[PushView], frozen=True, kw_only=True):
    """Hand in a result for a trait that says `evaluator: push`. Runs that wait for it are judged again at once."""

    endpoint: ClassVar = Endpoint(
        "POST", "/api/pipelines/{pipelineId}/traits/{traitType}", Role.PUSH, success=201, repeatable=True
    )

    pipeline_id: PipelineId
    trait_type: TraitType
    status: TraitStatus
    value: Annotated[dict[str, Any] | None, Meta(description="Measurements.")] = None
    reason: Annotated[str, Meta(max_length=4096, description="What there is to say about it.")] = ""
    ttl: Annotated[
        int | str | None,
        Meta(description="How long it counts: seconds, or such as 30m; the trait's own ttl by default."),
    ] = None
    category: Annotated[FailureCategory | None, Meta(description="Why it is no PASS.")] = None
    schedule: Annotated[ScheduleId | None, Meta(description="Count for this schedule only.")] = None
    date: Annotated[Date | None, Meta(description="Count for this period only.")] = None

"""What is to come: the next slots of a pipeline."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final

from msgspec import Meta, field

from interlock.api.contract import Endpoint, PipelineId, Request, Role, ScheduleId
from interlock.app.previews import MOST, SchedulePreview
from interlock.app.views import View

USUAL: Final = 5
"""So many slots of each schedule are shown where nobody says how many."""


class SchedulePreviewList(View, frozen=True, kw_only=True, rename="camel"):
    """The slots to come of several schedules."""

    items: tuple[SchedulePreview, ...]


class PreviewSchedule(Request[SchedulePreviewList], frozen=True, kw_only=True):
    """Show the next slots of each schedule, or of one, as instants. Nothing is opened or asked."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/schedule", Role.READ)

    pipeline_id: PipelineId
    schedule: Annotated[ScheduleId | None, Meta(description="Of this schedule only.")] = None
    count: (
        Annotated[int, Meta(ge=1, le=MOST, description=f"How many slots of each schedule; {USUAL} by default.")] | None
    ) = None
    days: Annotated[int, Meta(ge=1, le=3660, description="All slots of so many days, instead of a number.")] | None = (
        None
    )
    since: Annotated[date | None, Meta(description="Begin with this day in each schedule's zone, instead of now.")] = (
        field(default=None, name="from")
    )
    around_dst: Annotated[
        bool, Meta(description="The slots on both sides of the next two clock changes of each zone.")
    ] = False

"""Holding a pipeline's start button for a while, and telling what has arrived."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, field

from interlock.api.alerting import Length, Until
from interlock.api.contract import Date, Endpoint, PipelineId, Reason, Request, Role, ScheduleId
from interlock.app.control_views import MarkerView, PauseEnd, PauseList, PauseView


class Pause(Request[PauseView], frozen=True, kw_only=True):
    """Let nothing of a pipeline start, whoever asks, for a time. What runs already goes on; what is due waits."""

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/pause", Role.OPERATE, repeatable=True)

    pipeline_id: PipelineId
    reason: Reason
    length: Length | None = field(name="for", default=None)
    until: Until | None = None


class Resume(Request[PauseEnd], frozen=True, kw_only=True):
    """End a pause before its time. What waited is judged at once; a pipeline that is not paused stays as it is."""

    endpoint: ClassVar = Endpoint("DELETE", "/api/pipelines/{pipelineId}/pause", Role.OPERATE, repeatable=True)

    pipeline_id: PipelineId


class Pauses(Request[PauseList], frozen=True, kw_only=True):
    """List the pauses in force."""

    endpoint: ClassVar = Endpoint("GET", "/api/pauses", Role.READ)


class SendMarker(Request[MarkerView], frozen=True, kw_only=True):
    """Tell that something about a slot has arrived: it opens the slot, has its run ask again, or is late data.

    Of a pipeline that nobody has defined the marker is recorded, and the answer is `not_found` with `recorded`.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/markers", Role.PUSH, success=202)

    pipeline_id: PipelineId
    source: Annotated[str, Meta(min_length=1, max_length=1024, description="What has arrived, such as a file's name.")]
    schedule: ScheduleId | None = None
    date: Date | None = None

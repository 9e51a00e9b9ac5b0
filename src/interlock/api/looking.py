"""Looking at what is, was and is to be: nothing here asks an evaluator, starts or writes anything."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from interlock.api.contract import Cursor, Date, Endpoint, Limit, PipelineId, Request, Role, RunId
from interlock.app import explain, shadow_report
from interlock.app.control_views import MarkerList
from interlock.app.late import LateArrivalList
from interlock.app.queries import EventsView, RunsView
from interlock.app.slot_views import StatusView
from interlock.app.watch_views import ExpectationList, StatusList


class Status(Request[StatusView], frozen=True, kw_only=True):
    """Say how a pipeline stands: its latest verdict as it counts now, its current slots, its latest runs."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/status", Role.READ)

    pipeline_id: PipelineId


class AllStatus(Request[StatusList], frozen=True, kw_only=True):
    """Say how every pipeline of the project stands, by name, and which watchers and watchdogs are at work."""

    endpoint: ClassVar = Endpoint("GET", "/api/status", Role.READ)

    limit: Limit = 500
    cursor: Cursor | None = None


class Why(Request[explain.Why], frozen=True, kw_only=True):
    """Give the reasons behind what was decided last about a pipeline, or about one of its runs."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/why", Role.READ)

    pipeline_id: PipelineId
    run_id: RunId | None = None


class History(Request[RunsView], frozen=True, kw_only=True):
    """List the runs of a pipeline, newest first, each with its attempts."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/history", Role.READ)

    pipeline_id: PipelineId
    limit: Limit = 20
    cursor: Cursor | None = None


class Events(Request[EventsView], frozen=True, kw_only=True):
    """List what happened to a pipeline lately, oldest first. The cursor leads to what came before."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/events", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 50
    cursor: Cursor | None = None


Missed = Annotated[bool, Meta(description="Only what was missed, late or failed, or has not begun in time.")]
Day = Annotated[Date, Meta(description="Only slots of one day, such as 2026-03-07.")]


class Expectations(Request[ExpectationList], frozen=True, kw_only=True):
    """List which slots of all pipelines are expected and what came of each, the latest opening first."""

    endpoint: ClassVar = Endpoint("GET", "/api/expectations", Role.READ)

    missed: Missed = False
    date: Day | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class PipelineExpectations(Request[ExpectationList], frozen=True, kw_only=True):
    """List which slots of a pipeline are expected and what came of each, the latest opening first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/expectations", Role.READ)

    pipeline_id: PipelineId
    missed: Missed = False
    date: Day | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class LateArrivals(Request[LateArrivalList], frozen=True, kw_only=True):
    """List data that arrived after its slot had been let through without it, and drift seen later, latest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/late-arrivals", Role.READ)

    pipeline_id: PipelineId
    limit: Limit = 50
    cursor: Cursor | None = None


class Markers(Request[MarkerList], frozen=True, kw_only=True):
    """List the markers that a pipeline received in the last thirty days, latest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/markers", Role.READ)

    pipeline_id: PipelineId
    limit: Limit = 50
    cursor: Cursor | None = None


Since = Annotated[
    str, Meta(min_length=1, max_length=64, description="How far back to look, such as 7d; all there is by default.")
]


class ShadowReport(Request[shadow_report.ShadowReport], frozen=True, kw_only=True):
    """Say slot by slot what Interlock would have done for a pipeline in shadow mode, beside what really happened."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/shadow-report", Role.READ, slow=True)

    pipeline_id: PipelineId
    since: Since | None = None


class AllShadowReport(Request[shadow_report.ShadowReport], frozen=True, kw_only=True):
    """Say what Interlock would have done for every pipeline in shadow mode, beside what really happened."""

    endpoint: ClassVar = Endpoint("GET", "/api/shadow-report", Role.READ, slow=True)

    since: Since | None = None

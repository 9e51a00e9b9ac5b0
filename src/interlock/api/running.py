"""Running a pipeline's current slot, following its run, telling how it ended, and ending it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta

from interlock.api.contract import Cursor, Date, Endpoint, Limit, PipelineId, Reason, Request, Role, RunId, ScheduleId
from interlock.app.queries import RunsView
from interlock.app.runlogs import RunLogsView, RunLogView
from interlock.app.slot_views import SlotView
from interlock.app.views import CancelledView, CompletedView, RunView
from interlock.core.traits import FailureCategory

Attempt: TypeAlias = Annotated[
    int, Meta(ge=1, le=1_000_000, description="Which attempt of the run; the latest by default.")
]
Metadata: TypeAlias = Annotated[
    dict[str, Any], Meta(description="Whatever the job has to say. It is added to what is known, and erases nothing.")
]
Status: TypeAlias = Annotated[Literal["success", "failed"], Meta(description="How it ended.")]


class Run(Request[RunView], frozen=True, kw_only=True):
    """Judge the current slot, and start its job if the traits say so.

    The answer is the run as it then stands; a pipeline without a trigger is done as soon as it is READY. A slot runs once,
    whoever asks and how often: of all who ask for it one gets this answer, and the others a conflict that shows the run.

    When the traits say no (`not_ready`), nothing is started now, but the run is there and waits: a watcher judges it on, and
    starts the job by itself as soon as they say yes. Whoever does not want that cancels the run.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/run", Role.OPERATE, success=202, slow=True)

    pipeline_id: PipelineId
    schedule: ScheduleId | None = None
    force: bool = False
    reason: Reason = ""


class Runs(Request[RunsView], frozen=True, kw_only=True):
    """List the runs of a pipeline, newest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/runs", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 20
    cursor: Cursor | None = None


class RunOf(Request[RunView], frozen=True, kw_only=True):
    """Show one run."""

    endpoint: ClassVar = Endpoint("GET", "/api/runs/{runId}", Role.READ)

    run_id: RunId


class SlotOf(Request[SlotView], frozen=True, kw_only=True):
    """Show how a slot stands: the current one unless a date is given."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/slot", Role.READ)

    pipeline_id: PipelineId
    schedule: ScheduleId | None = None
    date: Date | None = None


class CompleteRun(Request[CompletedView], frozen=True, kw_only=True):
    """Tell how the job of a run ended. The same report may be repeated, and is taken once, if it names its attempt.

    Without its attempt, a report that is told twice could be taken for one of the next attempt too. The address that jobs
    are given names it.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/runs/{runId}/complete", Role.PUSH, addressed=("attempt",))

    run_id: RunId
    status: Status
    attempt: Attempt | None = None
    category: FailureCategory | None = None
    reason: Reason = ""
    metadata: Metadata | None = None

    @property
    def harmless_twice(self) -> bool:
        """Unless the next attempt may have begun between the two, and the second be taken for its end."""
        return self.attempt is not None


class AcceptRun(Request[CompletedView], frozen=True, kw_only=True):
    """Accept the work of a job that has said that it is done, without the checks that `verify` asks for. It is recorded."""

    endpoint: ClassVar = Endpoint("POST", "/api/runs/{runId}/accept", Role.OPERATE)

    run_id: RunId
    reason: Reason


class RunLogs(Request[RunLogsView], frozen=True, kw_only=True):
    """List how the slots of a pipeline went, newest first: each with its latest run."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/runlogs", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 20
    cursor: Cursor | None = None


class RunLog(Request[RunLogView], frozen=True, kw_only=True):
    """Show how one slot went: of the schedule `daily`, or of the pipeline's only one, unless another is named."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/runlogs/{date}", Role.READ)

    pipeline_id: PipelineId
    date: Date
    schedule: ScheduleId | None = None


class CancelRun(Request[CancelledView], frozen=True, kw_only=True):
    """End a run that has not ended, and ask its job to stop. Whether it did, `jobStopped` of the answer says."""

    endpoint: ClassVar = Endpoint("POST", "/api/runs/{runId}/cancel", Role.OPERATE, slow=True)

    run_id: RunId
    reason: Reason


class Cancel(Request[CancelledView], frozen=True, kw_only=True):
    """End the one run of a pipeline that has not ended, or the latest of a slot, and ask its job to stop."""

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/cancel", Role.OPERATE, slow=True)

    pipeline_id: PipelineId
    reason: Reason
    schedule: ScheduleId | None = None
    date: Date | None = None

"""Running slots again, running past ones, and running whole ranges of them."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from msgspec import Meta

from interlock.api.contract import Cursor, Date, Endpoint, Limit, PipelineId, Reason, Request, Role, RunId, ScheduleId
from interlock.api.running import Attempt, Metadata, Status
from interlock.app.rerun_views import BackfillView, ReplaysView, ReplayView, RerunsView, RerunView
from interlock.core.traits import FailureCategory

Day: TypeAlias = Annotated[str, Meta(min_length=1, max_length=32, description="A day, such as 2026-03-07.")]


class Rerun(Request[RerunView], frozen=True, kw_only=True):
    """Run a slot again: its last run has ended, and stays as it is. The traits are asked as they are now.

    `metadata.scheduleId` names the schedule too. When the traits say no, the rerun waits, and is in the answer's `rerun`.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/rerun", Role.OPERATE, success=202, slow=True)

    pipeline_id: PipelineId
    original_date: Date
    reason: Reason
    description: Reason = ""
    metadata: Metadata | None = None
    schedule: ScheduleId | None = None
    force: bool = False


class Reruns(Request[RerunsView], frozen=True, kw_only=True):
    """List what was run again of a pipeline, newest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/reruns", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 20
    cursor: Cursor | None = None


class AllReruns(Request[RerunsView], frozen=True, kw_only=True):
    """List what was run again of all pipelines, newest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/reruns", Role.READ, bare=True)

    limit: Limit = 50
    cursor: Cursor | None = None


class CompleteRerun(Request[RerunView], frozen=True, kw_only=True):
    """Tell how the job of a rerun ended: of its run. A report that names its attempt may be repeated: it is taken once."""

    endpoint: ClassVar = Endpoint("POST", "/api/reruns/{rerunId}/complete", Role.PUSH)

    rerun_id: RunId
    status: Status
    attempt: Attempt | None = None
    category: FailureCategory | None = None
    reason: Reason = ""
    metadata: Metadata | None = None

    @property
    def harmless_twice(self) -> bool:
        """Unless the next attempt may have begun between the two, and the second be taken for its end."""
        return self.attempt is not None


class Replay(Request[ReplayView], frozen=True, kw_only=True):
    """Run one past slot: its first run if it never had one, else its next. Its deadlines stay where they were."""

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/replays", Role.OPERATE, success=202, slow=True)

    pipeline_id: PipelineId
    date: Date
    reason: Reason
    schedule: ScheduleId | None = None
    force: bool = False


class Replays(Request[ReplaysView], frozen=True, kw_only=True):
    """List the replays of a pipeline, newest first."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/replays", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 20
    cursor: Cursor | None = None


class Backfill(Request[BackfillView], frozen=True, kw_only=True):
    """Open the runs of all slots from one day to another that have not succeeded; a watcher takes them one by one.

    `plan` is the name of the plan that a dry run answered: any other is then refused. `max` leaves the rest for later.
    """

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/backfills", Role.OPERATE, success=202)

    pipeline_id: PipelineId
    from_: Day
    to: Day
    schedule: ScheduleId | None = None
    max: Annotated[int, Meta(ge=1)] | None = None
    reason: Reason = ""
    plan: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    dry_run: bool = False

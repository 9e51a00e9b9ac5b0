# Written by scripts/async_client.py out of src/interlock/client/verbs/running.py: change that one, and run it again.
"""Starting, following, reporting and ending runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from interlock.api.running import AcceptRun, Cancel, CancelRun, CompleteRun, Run, RunLog, RunLogs, RunOf, Runs, SlotOf
from interlock.app.queries import RunsView
from interlock.app.runlogs import RunLogsView, RunLogView
from interlock.app.slot_views import SlotView
from interlock.app.views import CancelledView, CompletedView, RunView
from interlock.client.asking import AsyncAsking, async_pages
from interlock.client.values import category_of, plain


class AsyncRunning(AsyncAsking):
    """Verbs about runs."""

    async def run(
        self, pipeline_id: str, *, schedule: str | None = None, force: bool = False, reason: str = ""
    ) -> RunView:
        """Judge the current slot and, if the traits say so, start its job. The job may still run when this returns.

        Args:
            pipeline_id: the pipeline.
            schedule: by default the one whose window opened last.
            force: start it whatever the traits say; needs a reason, which is recorded for good.
            reason: why.

        Raises:
            NotReady: the traits say no, or could not tell (`error.details["undecided"]`).
            Conflict: the slot is running or done.
            Refused: it is before its window or after it, excluded or paused.
            NotFound: there is no such pipeline or schedule.
        """
        return await self.ask(Run(pipeline_id=pipeline_id, schedule=schedule, force=force, reason=reason))

    async def runs(self, pipeline_id: str, *, limit: int = 20, cursor: str | None = None) -> RunsView:
        """List runs of a pipeline, newest first; the answer's `next` is the `cursor` of the page after it.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Runs(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter_runs(self, pipeline_id: str, *, page: int = 200) -> AsyncIterator[RunView]:
        """Go through all runs of a pipeline, newest first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(lambda cursor: self.ask(Runs(pipeline_id=pipeline_id, limit=page, cursor=cursor)))

    async def get_run(self, run_id: str) -> RunView:
        """Show one run, by a name such as `orders:daily:2026-03-07:1`.

        Raises:
            NotFound: there is none.
        """
        return await self.ask(RunOf(run_id=run_id))

    async def slot(self, pipeline_id: str, *, schedule: str | None = None, date: str | None = None) -> SlotView:
        """Show how a slot stands: the current one unless a date is given.

        Raises:
            NotFound: there is no such pipeline or schedule.
        """
        return await self.ask(SlotOf(pipeline_id=pipeline_id, schedule=schedule, date=date))

    async def complete(
        self,
        run_id: str,
        status: Literal["success", "failed"],
        *,
        attempt: int | None = None,
        category: str | None = None,
        reason: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> CompletedView:
        """Tell how the job of a run ended. One that names its attempt may be repeated: it is taken once; `known` says so.

        Args:
            run_id: the run.
            status: how it ended.
            attempt: which attempt of the run; the latest by default.
            category: of a failure: TRANSIENT, TIMEOUT, PERMANENT or EVALUATOR_CRASH.
            reason: what went wrong.
            metadata: whatever the job has to say, for the record.

        Raises:
            NotFound: there is no such run.
            Conflict: it ended otherwise before, or that attempt is not under way.
        """
        return await self.ask(
            CompleteRun(
                run_id=run_id,
                status=status,
                attempt=attempt,
                category=category_of(category),
                reason=reason,
                metadata=plain(metadata),
            )
        )

    async def cancel(
        self, pipeline_id: str, *, reason: str, schedule: str | None = None, date: str | None = None
    ) -> CancelledView:
        """End the one run of a pipeline that has not ended, or the latest of a slot, and ask its job to stop.

        Whether the job stopped, `job_stopped` of the answer says.

        Raises:
            NotFound: there is no such pipeline, or no run of that slot.
            Conflict: nothing runs, or more than one run does.
        """
        return await self.ask(Cancel(pipeline_id=pipeline_id, reason=reason, schedule=schedule, date=date))

    async def accept(self, run_id: str, *, reason: str) -> CompletedView:
        """Accept the work of a job that has said that it is done, without the checks that follow.

        Raises:
            NotFound: there is no such run.
            Conflict: the job has not said so, or the run has ended otherwise.
        """
        return await self.ask(AcceptRun(run_id=run_id, reason=reason))

    async def cancel_run(self, run_id: str, *, reason: str) -> CancelledView:
        """End a run that has not ended, and ask its job to stop.

        Raises:
            NotFound: there is no such run.
            Conflict: it has ended.
        """
        return await self.ask(CancelRun(run_id=run_id, reason=reason))

    async def runlogs(self, pipeline_id: str, *, limit: int = 20, cursor: str | None = None) -> RunLogsView:
        """List how the slots of a pipeline went, newest first: each with its latest run.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(RunLogs(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter_runlogs(self, pipeline_id: str, *, page: int = 200) -> AsyncIterator[RunLogView]:
        """Go through all slots of a pipeline, newest first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(lambda cursor: self.ask(RunLogs(pipeline_id=pipeline_id, limit=page, cursor=cursor)))

    async def runlog(self, pipeline_id: str, date: str, *, schedule: str | None = None) -> RunLogView:
        """Show how one slot went.

        Raises:
            NotFound: nothing ran for it, or there is no such pipeline.
        """
        return await self.ask(RunLog(pipeline_id=pipeline_id, date=date, schedule=schedule))

# Written by scripts/async_client.py out of src/interlock/client/verbs/rerunning.py: change that one, and run it again.
"""Running slots again, running past ones, and running whole ranges of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from interlock.api.rerunning import AllReruns, Backfill, CompleteRerun, Replay, Replays, Rerun, Reruns
from interlock.app.rerun_views import BackfillView, ReplaysView, ReplayView, RerunsView, RerunView
from interlock.client.asking import AsyncAsking, async_pages
from interlock.client.values import category_of, plain


class AsyncRerunning(AsyncAsking):
    """Verbs about slots that are run again, or late."""

    async def rerun(
        self,
        pipeline_id: str,
        original_date: str,
        *,
        reason: str,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        schedule: str | None = None,
        force: bool = False,
    ) -> RerunView:
        """Run a slot again whose last run has ended. That one stays as it is; the traits are asked as they are now.

        Raises:
            NotReady: the traits say no. The rerun waits: it is in `error.details["rerun"]`.
            Conflict: the slot never ran, or runs now.
            Refused: it is paused, or the budget of reruns is used up.
            NotFound: there is no such pipeline or schedule.
        """
        return await self.ask(
            Rerun(
                pipeline_id=pipeline_id,
                original_date=original_date,
                reason=reason,
                description=description,
                metadata=plain(metadata),
                schedule=schedule,
                force=force,
            )
        )

    async def reruns(self, pipeline_id: str | None = None, *, limit: int = 50, cursor: str | None = None) -> RerunsView:
        """List what was run again, of one pipeline or of all, newest first.

        Raises:
            NotFound: there is no such pipeline.
        """
        if pipeline_id is None:
            return await self.ask(AllReruns(limit=limit, cursor=cursor))
        return await self.ask(Reruns(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter_reruns(self, pipeline_id: str | None = None, *, page: int = 200) -> AsyncIterator[RerunView]:
        """Go through all that was run again, of one pipeline or of all, newest first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(lambda cursor: self.reruns(pipeline_id, limit=page, cursor=cursor))

    async def complete_rerun(
        self,
        rerun_id: str,
        status: Literal["success", "failed"],
        *,
        attempt: int | None = None,
        category: str | None = None,
        reason: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> RerunView:
        """Tell how the job of a rerun ended. A report that names its attempt may be repeated: it is taken once.

        Raises:
            NotFound: there is no such rerun.
            Conflict: it ended otherwise before, or that attempt is not under way.
        """
        return await self.ask(
            CompleteRerun(
                rerun_id=rerun_id,
                status=status,
                attempt=attempt,
                category=category_of(category),
                reason=reason,
                metadata=plain(metadata),
            )
        )

    async def replay(
        self, pipeline_id: str, date: str, *, reason: str, schedule: str | None = None, force: bool = False
    ) -> ReplayView:
        """Run one past slot: its first run if it never had one, else its next. Its deadlines stay where they were.

        Raises:
            NotReady: the traits say no, or could not tell.
            Conflict: the slot runs now.
            Refused: it is paused, excluded, in the future, or the budget is used up.
            NotFound: there is no such pipeline or schedule.
        """
        return await self.ask(Replay(pipeline_id=pipeline_id, date=date, reason=reason, schedule=schedule, force=force))

    async def replays(self, pipeline_id: str, *, limit: int = 20, cursor: str | None = None) -> ReplaysView:
        """List the replays of a pipeline, newest first.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Replays(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter_replays(self, pipeline_id: str, *, page: int = 200) -> AsyncIterator[ReplayView]:
        """Go through all replays of a pipeline, newest first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(lambda cursor: self.replays(pipeline_id, limit=page, cursor=cursor))

    async def backfill(  # noqa: PLR0913  (each narrows it down)
        self,
        pipeline_id: str,
        *,
        first: str,
        last: str,
        schedule: str | None = None,
        most: int | None = None,
        reason: str = "",
        plan: str | None = None,
        dry_run: bool = False,
    ) -> BackfillView:
        """Open the runs of all slots from one day to another that have not succeeded; a watcher takes them one by one.

        Args:
            pipeline_id: the pipeline.
            first: the first day, such as 2026-03-01.
            last: the last day.
            schedule: one schedule; by default all of them.
            most: open at most so many, and leave the rest for later.
            reason: why, for the record.
            plan: the `plan` that a dry run answered: what is planned now must be the same.
            dry_run: say what would be done, and do nothing.

        Raises:
            Conflict: the plan is not what it was.
            Refused: it is paused.
            NotFound: there is no such pipeline or schedule.
        """
        return await self.ask(
            Backfill(
                pipeline_id=pipeline_id,
                from_=first,
                to=last,
                schedule=schedule,
                max=most,
                reason=reason,
                plan=plan,
                dry_run=dry_run,
            )
        )

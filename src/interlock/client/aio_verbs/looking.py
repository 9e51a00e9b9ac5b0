# Written by scripts/async_client.py out of src/interlock/client/verbs/looking.py: change that one, and run it again.
"""Looking at what is, was and is to be. Nothing here asks an evaluator, starts or writes anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

from interlock.api.looking import (
    AllShadowReport,
    AllStatus,
    Events,
    Expectations,
    History,
    LateArrivals,
    Markers,
    PipelineExpectations,
    ShadowReport,
    Status,
    Why,
)
from interlock.app import explain, shadow_report
from interlock.app.control_views import MarkerList
from interlock.app.late import LateArrivalList
from interlock.app.queries import EventsView, RunsView
from interlock.app.slot_views import StatusView
from interlock.app.views import EventView
from interlock.app.watch_views import ExpectationList, ExpectationView, StatusList
from interlock.client.asking import AsyncAsking, async_pages


class AsyncLooking(AsyncAsking):
    """Verbs that only look."""

    async def status(self, pipeline_id: str) -> StatusView:
        """Say how a pipeline stands: its latest verdict as it counts now, its current slots, its latest runs.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Status(pipeline_id=pipeline_id))

    async def all_status(self, *, limit: int = 500, cursor: str | None = None) -> StatusList:
        """Say how every pipeline stands, by name, and which watchers and watchdogs are at work."""
        return await self.ask(AllStatus(limit=limit, cursor=cursor))

    async def why(self, pipeline_id: str, *, run_id: str | None = None) -> explain.Why:
        """Give the reasons behind what was decided last about a pipeline, or about one of its runs.

        Raises:
            NotFound: there is no such pipeline or run.
        """
        return await self.ask(Why(pipeline_id=pipeline_id, run_id=run_id))

    async def history(self, pipeline_id: str, *, limit: int = 20, cursor: str | None = None) -> RunsView:
        """List the runs of a pipeline, newest first, each with its attempts.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(History(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    async def events(self, pipeline_id: str, *, limit: int = 50, cursor: str | None = None) -> EventsView:
        """List what happened to a pipeline lately, oldest first; the answer's `next` leads to what came before.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Events(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter_events(self, pipeline_id: str, *, page: int = 200) -> AsyncIterator[EventView]:
        """Go through all that happened to a pipeline, latest first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(
            lambda cursor: self.ask(Events(pipeline_id=pipeline_id, limit=page, cursor=cursor)), backwards=True
        )

    async def expectations(
        self,
        pipeline_id: str | None = None,
        *,
        missed: bool = False,
        date: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> ExpectationList:
        """List which slots are expected and what came of each, of one pipeline or of all, the latest opening first.

        Args:
            pipeline_id: one pipeline; by default all.
            missed: only what was missed, late or failed, or has not begun in time.
            date: only slots of one day.
            limit: at most so many.
            cursor: the `next` of the page before.

        Raises:
            NotFound: there is no such pipeline.
        """
        if pipeline_id is None:
            return await self.ask(Expectations(missed=missed, date=date, limit=limit, cursor=cursor))
        return await self.ask(
            PipelineExpectations(pipeline_id=pipeline_id, missed=missed, date=date, limit=limit, cursor=cursor)
        )

    def iter_expectations(
        self, pipeline_id: str | None = None, *, missed: bool = False, date: str | None = None, page: int = 200
    ) -> AsyncIterator[ExpectationView]:
        """Go through all expectations, of one pipeline or of all, the latest opening first, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return async_pages(
            lambda cursor: self.expectations(pipeline_id, missed=missed, date=date, limit=page, cursor=cursor)
        )

    async def late_arrivals(self, pipeline_id: str, *, limit: int = 50, cursor: str | None = None) -> LateArrivalList:
        """List data that arrived after its slot had been let through without it, and drift seen later, latest first.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(LateArrivals(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    async def markers(self, pipeline_id: str, *, limit: int = 50, cursor: str | None = None) -> MarkerList:
        """List the markers that a pipeline received in the last thirty days, latest first.

        Raises:
            NotFound: there is no such pipeline.
        """
        return await self.ask(Markers(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    async def shadow_report(
        self, pipeline_id: str | None = None, *, since: str | None = None
    ) -> shadow_report.ShadowReport:
        """Say slot by slot what Interlock would have done in shadow mode, beside what really happened.

        Args:
            pipeline_id: one pipeline; by default all that are in shadow mode.
            since: how far back to look, such as 7d; all there is by default.

        Raises:
            NotFound: there is no such pipeline.
        """
        if pipeline_id is None:
            return await self.ask(AllShadowReport(since=since))
        return await self.ask(ShadowReport(pipeline_id=pipeline_id, since=since))

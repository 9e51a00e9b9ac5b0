"""Pipelines, and what they are made of: `client.pipelines`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from interlock.api.planning import PreviewSchedule, SchedulePreviewList
from interlock.api.registering import (
    Archetype,
    Archetypes,
    ArchetypeView,
    ArchetypeViews,
    CalendarDays,
    CalendarNames,
    Calendars,
    CalendarView,
    Pipeline,
    PipelineConfig,
    PipelineConfigs,
    RegisterPipeline,
    RemovePipeline,
)
from interlock.api.registering import Pipelines as ListPipelines
from interlock.client.asking import Asking, pages
from interlock.client.values import plain


class Pipelines:
    """What there is, as it counts; and pipelines that no file defines."""

    def __init__(self, client: Asking) -> None:
        self._client = client

    def list(self, *, limit: int = 100, cursor: str | None = None) -> PipelineConfigs:
        """List the pipelines, by name."""
        return self._client.ask(ListPipelines(limit=limit, cursor=cursor))

    def iter(self, *, page: int = 200) -> Iterator[PipelineConfig]:
        """Go through all pipelines, by name, a page at a time."""
        return pages(lambda cursor: self._client.ask(ListPipelines(limit=page, cursor=cursor)))

    def get(self, pipeline_id: str) -> PipelineConfig:
        """Show one pipeline as it counts: the keys of its file, every default put in.

        Raises:
            NotFound: there is no such pipeline.
        """
        return self._client.ask(Pipeline(pipeline_id=pipeline_id))

    def register(self, document: Mapping[str, Any]) -> PipelineConfig:
        """Register a pipeline, or change one that is registered. The same document again changes nothing.

        Args:
            document: what a pipeline file would hold.

        Raises:
            ConfigError: it cannot be used; `error.problems` says where and why.
            Conflict: a file defines a pipeline of that name.
            Invalid: it is no JSON object.
        """
        return self._client.ask(RegisterPipeline(document=plain(document)))

    def remove(self, pipeline_id: str) -> None:
        """Remove a registration: no new slot opens, the history stays. What was never registered is removed already.

        Raises:
            Conflict: a file defines it.
        """
        return self._client.ask(RemovePipeline(pipeline_id=pipeline_id))

    def schedule(
        self,
        pipeline_id: str,
        *,
        schedule: str | None = None,
        count: int | None = None,
        days: int | None = None,
        since: date | None = None,
        around_dst: bool = False,
    ) -> SchedulePreviewList:
        """Show the next slots of each schedule, or of one, as instants. Nothing is opened or asked.

        Args:
            pipeline_id: the pipeline.
            schedule: only this schedule.
            count: how many slots of each schedule; 5 by default.
            days: all slots of so many days, instead of a number.
            since: begin with this day in each schedule's zone, instead of now.
            around_dst: the slots on both sides of the next two clock changes of each zone.

        Raises:
            NotFound: there is no such pipeline or schedule.
        """
        return self._client.ask(
            PreviewSchedule(
                pipeline_id=pipeline_id,
                schedule=schedule,
                count=count,
                days=days,
                since=since,
                around_dst=around_dst,
            )
        )

    def archetypes(self) -> ArchetypeViews:
        """List the archetypes, by name."""
        return self._client.ask(Archetypes())

    def archetype(self, name: str) -> ArchetypeView:
        """Show one archetype.

        Raises:
            NotFound: there is none of that name.
        """
        return self._client.ask(Archetype(archetype_name=name))

    def calendars(self) -> CalendarNames:
        """List the calendars, by name, each with its next day."""
        return self._client.ask(Calendars())

    def calendar(self, name: str, *, count: int = 30, since: date | None = None) -> CalendarView:
        """Show the next days of a calendar, with everything that it is made of.

        Raises:
            NotFound: there is none of that name.
        """
        return self._client.ask(CalendarDays(calendar_name=name, count=count, since=since))

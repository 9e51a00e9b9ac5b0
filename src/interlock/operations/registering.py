"""Pipelines, and what they are made of: what the files define, and what is registered beside them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from interlock.api.registering import (
    LARGEST_PAGE,
    Archetype,
    Archetypes,
    ArchetypeView,
    ArchetypeViews,
    CalendarDays,
    CalendarName,
    CalendarNames,
    Calendars,
    CalendarView,
    Pipeline,
    PipelineConfig,
    PipelineConfigs,
    Pipelines,
    RegisterPipeline,
    RemovePipeline,
)
from interlock.codec import wire
from interlock.codec.documents import document
from interlock.config.project import API, Project
from interlock.config.shown import archetype_shown, pipeline_shown
from interlock.config.values import meant
from interlock.core import archetypes as core
from interlock.core.calendars import DaySet
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.errors import Conflict, NotFound
from interlock.operations.desk import Desk
from interlock.operations.pipelines import no_pipeline
from interlock.runtime.registered import without_registered

_LOOKED_AT: Final = 3660


def pipelines(request: Pipelines, desk: Desk) -> PipelineConfigs:
    """List the pipelines by name, those that cannot be used among them."""
    project = desk.project
    names = sorted({*project.pipelines, *project.broken})
    begin = 0 if request.cursor is None else bisect_right(names, request.cursor)
    page = names[begin : begin + min(request.limit, LARGEST_PAGE)]
    more = begin + len(page) < len(names)
    return PipelineConfigs(items=tuple(_config(project, name) for name in page), next=page[-1] if more else None)


def pipeline(request: Pipeline, desk: Desk) -> PipelineConfig:
    """Show one pipeline as it counts.

    Raises:
        NotFound: there is none of that name; the nearest is named.
    """
    project, name = desk.project, request.pipeline_id
    if name not in project.pipelines and name not in project.broken:
        raise no_pipeline(project, name)
    return _config(project, name)


def register_pipeline(request: RegisterPipeline, desk: Desk) -> PipelineConfig:
    """Keep a pipeline that is no file's, and go by it at once.

    Raises:
        Conflict: a file defines a pipeline of that name.
        Refused: here only what was deployed counts.
        Unregistrable: it has no name or one that cannot be, no known archetype, or a trigger that runs code here.
        ConfigError: something else is wrong with it; all of it is listed.
    """
    work = desk.work
    work.registry.require_open()
    from interlock.config.registered import Builder, named  # functions on AWS are refused above, and do not carry it

    name = named(request.document)
    work.registry.follow()
    project = desk.project
    _require_no_file(project, name)
    built = Builder(without_registered(project)).build(name, request.document)
    if built.spec is None:
        raise built.trouble
    work.registrations.register(PipelineName(name), document(request.document), desk.clock.now(), desk.actor)
    return _changed(desk, name) or _built(built.spec, project, source=API)


def remove_pipeline(request: RemovePipeline, desk: Desk) -> None:
    """Remove a registration, also one that a file shadows.

    Raises:
        Conflict: only a file defines it, and only removing the file removes it.
        Refused: here only what was deployed counts.
    """
    name = PipelineName(request.pipeline_id)
    work = desk.work
    work.registry.require_open()
    if work.registrations.withdraw(name, desk.clock.now(), desk.actor):
        _changed(desk, name)
    else:
        _require_no_file(desk.project, name)


def archetypes(request: Archetypes, desk: Desk) -> ArchetypeViews:  # noqa: ARG001  (all of them are listed)
    """List the archetypes by name."""
    return ArchetypeViews(items=tuple(_archetype(one) for _, one in sorted(desk.project.archetypes.items())))


def archetype(request: Archetype, desk: Desk) -> ArchetypeView:
    """Show one archetype.

    Raises:
        NotFound: there is none of that name that can be used.
    """
    found = desk.project.archetypes.get(request.archetype_name)
    if found is None:
        hint = meant(request.archetype_name, desk.project.archetypes) or "there are none"
        raise NotFound(f"no sound archetype is named {request.archetype_name!r} ({hint}). See: interlock validate")
    return _archetype(found)


def calendars(request: Calendars, desk: Desk) -> CalendarNames:  # noqa: ARG001  (all of them are listed)
    """List the calendars by name."""
    today = desk.clock.now().date()
    found = sorted(desk.project.calendars.items())
    return CalendarNames(
        items=tuple(CalendarName(name=name, next_day=next(_days(one, today, 1), None)) for name, one in found)
    )


def calendar_days(request: CalendarDays, desk: Desk) -> CalendarView:
    """Show the next days of a calendar.

    Raises:
        NotFound: there is none of that name that can be used.
    """
    name, project = request.calendar_name, desk.project
    calendar = project.calendars.get(name)
    if calendar is None:
        hint = meant(name, project.calendars) or "there are none"
        raise NotFound(f"no sound calendar is named {name!r} ({hint}). See: interlock validate")
    day = desk.clock.now().date() if request.since is None else request.since
    return CalendarView(name=name, days=tuple(_days(calendar, day, request.count)))


def _require_no_file(project: Project, name: str) -> None:
    there = project.pipelines.get(name)
    registered = project.registered.get(name)
    if registered is not None and not registered.shadowed:
        return
    if there is not None or name in project.broken:
        source = (
            there.source if there is not None else project.broken[name][0].file if project.broken[name] else "a file"
        )
        raise Conflict(
            f"the pipeline {name} is defined by {source}: change or remove that file, and not through the API"
        )


def _changed(desk: Desk, name: str) -> PipelineConfig | None:
    desk.work.registry.follow()
    desk.work.ring()
    project = desk.project
    return _config(project, name) if name in project.pipelines else None


# ---------------------------------------------------------------- showing


def _config(project: Project, name: str) -> PipelineConfig:
    registered, there = project.registered.get(name), project.pipelines.get(name)
    mine = registered is not None and not registered.shadowed
    about: dict[str, Any] = {
        "registered_by": registered.by if registered is not None and mine else None,
        "registered_at": registered.at if registered is not None and mine else None,
        "shadowed": registered is not None and registered.shadowed,
    }
    if there is not None:
        return _built(there.spec, project, source=there.source, **about)
    problems = project.broken[name]
    source = API if mine else problems[0].file if problems else ""
    return PipelineConfig(name=name, source=source, problems=tuple(map(str, problems)), **about)


def _built(spec: PipelineSpec, project: Project, **about: Any) -> PipelineConfig:
    shown = wire.from_builtins(
        {**pipeline_shown(spec, project.archetypes[spec.archetype]), "source": ""}, PipelineConfig
    )
    return msgspec.structs.replace(shown, **about)


def _archetype(found: core.Archetype) -> ArchetypeView:
    return wire.from_builtins(archetype_shown(found), ArchetypeView)


def _days(calendar: DaySet, since: date, count: int) -> Iterator[date]:
    for number in range(min(_LOOKED_AT, (date.max - since).days)):
        day = since + timedelta(days=number)
        if calendar.contains(day):
            yield day
            count -= 1
        if not count:
            return

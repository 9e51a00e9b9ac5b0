"""Looking at what is, was and is to be. Nothing here asks an evaluator, starts or writes anything."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import datetime
from typing import Final

from msgspec.structs import replace

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
from interlock.app import explain, late, queries, watch_views
from interlock.app import shadow_report as shadow
from interlock.app.control_views import MarkerList, received_view
from interlock.app.late import LateArrivalList
from interlock.app.queries import FILE, RECENT, RECORDS, REMOVED, EventsView, RunsView, pipeline_status, troubled_status
from interlock.app.slot_views import StatusView
from interlock.app.watch_views import ExpectationList, ExpectationView, StatusList
from interlock.config.project import Project
from interlock.core.ids import PipelineName, RunKey, parse_run_id
from interlock.errors import ConfigError, Invalid, NotFound, Problem, UnreadableRecord
from interlock.operations.desk import Desk
from interlock.operations.instants import day_of, length_of
from interlock.operations.pipelines import known_name
from interlock.stores.members import MemberRows

AT_MOST: Final = 500
"""How much one page holds, whatever is asked for."""

_EVENT_CURSOR: Final = re.compile(
    r"\d{8}T\d{6}\.\d{6}Z\|(?:slot/(?P<slot>[^:|]+):[^|]+|pipeline/(?P<own>[^|]+)|(?P<shared>dispatch/[^|]+|silences))"
    r"\|(?:JOURNAL|NOTE|EXPECTED)#[^|]+\|\d{1,6}",
    re.ASCII,
)


def status(request: Status, desk: Desk) -> StatusView:
    """Say how a pipeline stands; one without a file is known by its history."""
    project, name = desk.project, request.pipeline_id
    if name in project.broken:
        raise ConfigError(_problems(project, name))
    loaded = project.pipelines.get(name)
    if loaded is not None:
        return pipeline_status(loaded.spec, desk.store, desk.clock.now())
    runs = desk.store.runs_of(known_name(project, desk.store, name), limit=RECENT)
    return troubled_status(name, REMOVED, ("no file defines it any more; its history is kept",), runs)


def all_status(request: AllStatus, desk: Desk) -> StatusList:
    """Say how pipelines stand, by name. One that cannot be read hides no other."""
    project, at = desk.project, desk.clock.now()
    names = sorted({*project.pipelines, *project.broken})
    first = 0 if request.cursor is None else bisect_right(names, request.cursor)
    shown = names[first : first + min(request.limit, AT_MOST)]
    more = first + len(shown) < len(names)
    return StatusList(
        items=tuple(_status(project, name, desk, at) for name in shown),
        members=watch_views.attendance(MemberRows(desk.store.kernel), at),
        next=shown[-1] if more else None,
    )


def _status(project: Project, name: str, desk: Desk, at: datetime) -> StatusView:
    try:
        loaded = project.pipelines.get(name)
        if loaded is None:
            runs = desk.store.runs_of(name, limit=RECENT)
            return troubled_status(name, FILE, tuple(map(str, _problems(project, name))), runs)
        shown = pipeline_status(loaded.spec, desk.store, at)
        # Another file, too broken to say its own name, may go by this one.
        problems = tuple(map(str, project.broken.get(name, ())))
        return replace(shown, problems=problems, trouble=FILE if name in project.broken else None)
    except UnreadableRecord as exc:
        # One damaged record must hide neither its pipeline nor the others.
        return troubled_status(name, RECORDS, (str(exc),))


def _problems(project: Project, name: str) -> tuple[Problem, ...]:
    return project.broken[name] or (Problem(project.file, 0, 0, f"the pipeline {name!r} cannot be used"),)


def why(request: Why, desk: Desk) -> explain.Why:
    """Give the reasons behind what was decided last, or behind one run."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    at = desk.clock.now()
    if request.run_id is None:
        return explain.explain(name, desk.store, at) or explain.nothing_decided(name)
    key = _run_key(name, request.run_id, "runId")
    run = desk.store.run(key)
    if run is None:
        raise NotFound(f"there is no run {key} (see: interlock history {name})")
    return explain.explain_run(run, desk.store, at)


def history(request: History, desk: Desk) -> RunsView:
    """List a pipeline's runs, newest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    before = None if request.cursor is None else _run_key(name, request.cursor, "cursor").run_id
    return queries.history(desk.store, name, limit=min(request.limit, AT_MOST), before=before)


def events(request: Events, desk: Desk) -> EventsView:
    """List what happened to a pipeline lately, oldest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    before = _event_cursor(name, request.cursor)
    return queries.events(desk.store, name, limit=min(request.limit, AT_MOST), before=before)


def late_arrivals(request: LateArrivals, desk: Desk) -> LateArrivalList:
    """List what came too late for its slot, latest first."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    before = _event_cursor(name, request.cursor)
    return late.late_arrivals(desk.store, name, limit=min(request.limit, AT_MOST), before=before)


def markers(request: Markers, desk: Desk) -> MarkerList:
    """List a pipeline's markers, latest first."""
    from interlock.stores.controls import ControlRows

    name = PipelineName(known_name(desk.project, desk.store, request.pipeline_id))
    rows, limit = ControlRows(desk.store.kernel), min(request.limit, AT_MOST)
    try:
        found = rows.markers(name, limit=limit + 1, before=request.cursor)
    except ValueError as exc:
        raise Invalid(f"cursor: {exc}") from exc
    more = rows.marker_cursor(found[limit - 1]) if len(found) > limit else None
    return MarkerList(items=tuple(map(received_view, found[:limit])), next=more)


def expectations(request: Expectations, desk: Desk) -> ExpectationList:
    """List what is expected of all pipelines, the latest opening first."""
    return _expectations(request, desk, None)


def pipeline_expectations(request: PipelineExpectations, desk: Desk) -> ExpectationList:
    """List what is expected of one pipeline, the latest opening first."""
    return _expectations(request, desk, known_name(desk.project, desk.store, request.pipeline_id))


def _expectations(request: Expectations | PipelineExpectations, desk: Desk, pipeline: str | None) -> ExpectationList:
    from interlock.stores.agendas import AgendaRows

    day = None if request.date is None else day_of(request.date, "date").isoformat()

    def wanted(view: ExpectationView) -> bool:
        return (day is None or view.date[:10] == day) and (watch_views.is_wrong(view) or not request.missed)

    try:
        return watch_views.expectation_list(
            AgendaRows(desk.store.kernel),
            desk.store,
            desk.clock.now(),
            limit=min(request.limit, AT_MOST),
            pipeline=pipeline,
            before=request.cursor,
            wanted=wanted,
        )
    except ValueError as exc:
        raise Invalid(f"cursor: {exc}") from exc


def shadow_report(request: ShadowReport, desk: Desk) -> shadow.ShadowReport:
    """Say what would have been done for one pipeline."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    return shadow.shadow_report([name], desk.store, _since(request.since, desk))


def all_shadow_report(request: AllShadowReport, desk: Desk) -> shadow.ShadowReport:
    """Say what would have been done for every pipeline."""
    return shadow.shadow_report(sorted(desk.project.pipelines), desk.store, _since(request.since, desk))


def _since(text: str | None, desk: Desk) -> datetime | None:
    return None if text is None else desk.clock.now() - length_of(text, "since")


def _run_key(pipeline: str, text: str, field: str) -> RunKey:
    try:
        key = parse_run_id(text)
    except ValueError as exc:
        raise Invalid(f"{field}: {exc}") from exc
    if key.slot.pipeline != pipeline:
        raise Invalid(f"{field}: {text} is a run of {key.slot.pipeline}, not of {pipeline}")
    return key


def _event_cursor(pipeline: str, text: str | None) -> str | None:
    if text is None:
        return None
    match = _EVENT_CURSOR.fullmatch(text)
    if match is None or not (match["shared"] or pipeline in (match["slot"], match["own"])):
        raise Invalid(
            f"cursor: {text!r} is no cursor of {pipeline}: use the `next` of a page, or the `cursor` of one of its events"
        )
    return text

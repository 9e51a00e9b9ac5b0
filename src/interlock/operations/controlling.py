"""Holding a pipeline's start button for a while, and taking word of what has arrived."""

from __future__ import annotations

from datetime import datetime

from interlock.api.controlling import Pause, Pauses, Resume, SendMarker
from interlock.app import pausing
from interlock.app.control_views import MarkerView, PauseEnd, PauseList, PauseView, marker_view, pause_view
from interlock.app.markers import Arrival, arrive
from interlock.codec import wire
from interlock.config.project import Project
from interlock.core.ids import DEFAULT_SCHEDULE, NAME_RULE, PipelineName, ScheduleName, Slot, is_name
from interlock.core.periods import Period
from interlock.errors import ConfigError, Invalid, NotFound
from interlock.operations.desk import Desk
from interlock.operations.instants import end_of
from interlock.operations.pipelines import known_name, no_pipeline, pipeline_of
from interlock.operations.reasons import given_reason
from interlock.operations.slots import chosen_slot
from interlock.ports.controls import Marker
from interlock.stores.controls import ControlRows


def pause(request: Pause, desk: Desk) -> PauseView:
    """Let nothing of a pipeline start for a time."""
    spec, reason = pipeline_of(desk.project, request.pipeline_id), given_reason(request.reason)
    until = end_of(desk.clock.now(), request.length, request.until, spec.schedules[0].timezone)
    try:
        return pause_view(pausing.pause(spec.name, until, desk.actor, reason, desk.work.hands))
    except ValueError as exc:
        raise Invalid(str(exc)) from exc


def resume(request: Resume, desk: Desk) -> PauseEnd:
    """End a pause before its time."""
    name = PipelineName(known_name(desk.project, desk.work.store, request.pipeline_id))
    return PauseEnd(pipeline_id=name, resumed=pausing.resume(name, desk.actor, desk.work.hands))


def pauses(request: Pauses, desk: Desk) -> PauseList:  # noqa: ARG001  (there is nothing to choose)
    """List the pauses in force."""
    found = ControlRows(desk.store.kernel).pauses(desk.clock.now())
    return PauseList(items=tuple(map(pause_view, found)))


def send_marker(request: SendMarker, desk: Desk) -> MarkerView:
    """Take word that something about a slot has arrived."""
    name, source, project = request.pipeline_id, request.source.strip(), desk.project
    if not source:
        raise Invalid("source: say what has arrived")
    if not is_name(name):
        raise Invalid(f"{name!r} cannot be a pipeline's name, expected {NAME_RULE}")
    now = desk.clock.now()
    marker = Marker(slot=_slot(project, name, now, request.schedule, request.date), source=source, at=now)
    arrived = arrive(marker, desk.work.hands)
    shown = marker_view(marker, arrived)
    if arrived.how is not Arrival.UNKNOWN:
        return shown
    if name in project.broken:
        raise ConfigError(project.broken[name])
    details = {"recorded": True, "marker": wire.to_builtins(shown)}
    raise NotFound(f"{no_pipeline(project, name)}; the marker is recorded", details=details)


def _slot(project: Project, pipeline: str, now: datetime, schedule: str | None, period: str | None) -> Slot:
    loaded = project.pipelines.get(pipeline)
    if loaded is not None:
        # One that names no schedule of the pipeline is news all the same: `arrive` says what can be made of it.
        known = schedule if schedule is None or loaded.spec.schedule(schedule) is not None else None
        slot = chosen_slot(loaded.spec, now, known, period)
        return slot if known == schedule else Slot(slot.pipeline, _schedule(schedule), slot.period)
    try:
        named = Period.of_day(now.date()) if period is None else Period.parse(period)
    except ValueError as exc:
        raise Invalid(f"date: {exc}") from exc
    return Slot(PipelineName(pipeline), _schedule(schedule or DEFAULT_SCHEDULE), named)


def _schedule(name: str | None) -> ScheduleName:
    if name is None or not is_name(name):
        raise Invalid(f"schedule: {name!r} cannot be a schedule's name")
    return ScheduleName(name)

"""Sensors: telling what was measured, once or bit by bit, and looking at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from interlock.api.sensing import (
    AddToSensorSet,
    IncrementSensor,
    MergeSensor,
    PutSensor,
    SensorOf,
    Sensors,
)
from interlock.app.sensing import Sensing, get, listed
from interlock.app.sensor_views import SensorList, SensorView, SensorWritten
from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.errors import Invalid
from interlock.operations.desk import Desk
from interlock.operations.pipelines import known_name, no_pipeline
from interlock.ports.sensors import SensorId
from interlock.stores.sensors import SensorRows

_Write: TypeAlias = PutSensor | MergeSensor | IncrementSensor | AddToSensorSet


def put_sensor(request: PutSensor, desk: Desk) -> SensorWritten:
    """Let a sensor hold this, and have the waiting runs judged."""
    which = _written(request, desk)
    return _sensing(desk).put(which, _data(request.data), delivery_id=request.delivery_id)


def merge_sensor(request: MergeSensor, desk: Desk) -> SensorWritten:
    """Lay fields over those that a sensor has, and have the waiting runs judged."""
    which = _written(request, desk)
    return _sensing(desk).merge(which, _data(request.data), delivery_id=request.delivery_id)


def increment_sensor(request: IncrementSensor, desk: Desk) -> SensorWritten:
    """Add to a number, and have the waiting runs judged."""
    which = _written(request, desk)
    return _sensing(desk).increment(which, request.field, request.by, delivery_id=request.delivery_id)


def add_to_sensor_set(request: AddToSensorSet, desk: Desk) -> SensorWritten:
    """Add to a set, and have the waiting runs judged."""
    which = _written(request, desk)
    return _sensing(desk).add_to_set(which, request.field, request.members, delivery_id=request.delivery_id)


def sensor_of(request: SensorOf, desk: Desk) -> SensorView:
    """Show one sensor."""
    name = known_name(desk.project, desk.store, request.pipeline_id)
    return get(_id(name, request.key, request.date), SensorRows(desk.store.kernel))


def sensors(request: Sensors, desk: Desk) -> SensorList:
    """List sensors."""
    name = PipelineName(known_name(desk.project, desk.store, request.pipeline_id))
    return listed(name, SensorRows(desk.store.kernel), limit=request.limit, after=request.cursor)


def _sensing(desk: Desk) -> Sensing:
    return Sensing(desk.work.sensors, desk.work.hands, by=desk.actor)


def _written(request: _Write, desk: Desk) -> SensorId:
    # Under a name that nobody has defined it would never be looked at. A pipeline whose file is broken just now is known.
    project, name = desk.project, request.pipeline_id
    if name not in project.pipelines and name not in project.broken:
        raise no_pipeline(project, name)
    return _id(name, request.key, request.date)


def _id(pipeline: str, key: str, date: str | None) -> SensorId:
    try:
        return SensorId(PipelineName(pipeline), key, None if date is None else Period.parse(date))
    except ValueError as exc:
        raise Invalid(f"date: {exc}") from exc


def _data(found: Mapping[str, Any]) -> Document:
    try:
        return document(found)
    except ValueError as exc:
        raise Invalid(f"data: {exc}") from exc

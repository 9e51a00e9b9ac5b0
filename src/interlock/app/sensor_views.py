"""What people and programs are shown of sensors."""

from __future__ import annotations

from datetime import datetime

from interlock.app.views import View
from interlock.core.documents import Document
from interlock.ports.sensors import Sensor


class SensorView(View, frozen=True, kw_only=True, rename="camel"):
    """A sensor as it stands. Without a date it counts for every period; `version` counts its writes."""

    pipeline_id: str
    key: str
    date: str | None
    data: Document
    version: int
    updated_at: datetime
    updated_by: str


class SensorList(View, frozen=True, kw_only=True, rename="camel"):
    """Sensors of a pipeline, by key and date. `next` is where to go on, null at the end."""

    items: tuple[SensorView, ...]
    next: str | None


class SensorWritten(View, frozen=True, kw_only=True, rename="camel"):
    """A sensor after a write. `applied` is false if the delivery had been applied before and nothing was changed.

    `woken` is how many waiting runs were told, so that they ask their traits again.
    """

    sensor: SensorView
    applied: bool
    woken: int


def sensor_view(sensor: Sensor) -> SensorView:
    """Show a sensor."""
    return SensorView(
        pipeline_id=sensor.id.pipeline,
        key=sensor.id.key,
        date=sensor.id.period,
        data=sensor.data,
        version=sensor.version,
        updated_at=sensor.updated_at,
        updated_by=sensor.updated_by,
    )

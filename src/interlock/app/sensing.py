"""Sensors: somebody tells what was measured, and whoever waits for it is judged at once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from interlock.app.hands import Hands
from interlock.app.markers import nudge
from interlock.app.sensor_views import SensorList, SensorView, SensorWritten, sensor_view
from interlock.core.documents import Document
from interlock.core.ids import PipelineName
from interlock.errors import Contention, NotFound, StoreError
from interlock.ports.sensors import (
    AddToSet,
    Delivery,
    Increment,
    Member,
    MergeData,
    Number,
    PutData,
    Sensor,
    SensorChange,
    SensorId,
    Sensors,
    place_of,
)

MAX_PAGE: Final = 1000
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
_AT_ONCE: Final = 50

_LISTED: Final = 20


class Sensing:
    """What can be done with sensors, in somebody's name.

    A write that carries a delivery id is done once, however often it is told. A repeated one wakes the runs again all the
    same: whoever told it first may have died before they heard of it.
    """

    def __init__(self, sensors: Sensors, hands: Hands, *, by: str = "") -> None:
        self._sensors = sensors
        self._hands = hands
        self._by = by

    def put(self, which: SensorId, data: Document, *, delivery_id: str = "") -> SensorWritten:
        """Let a sensor hold this, whatever it held; see `Sensors.write` for what may go wrong, here and below."""
        return self._write(which, PutData(data), delivery_id)

    def merge(self, which: SensorId, data: Document, *, delivery_id: str = "") -> SensorWritten:
        """Lay fields over those that a sensor has; a null removes one."""
        return self._write(which, MergeData(data), delivery_id)

    def increment(self, which: SensorId, field: str, by: Number = 1, *, delivery_id: str = "") -> SensorWritten:
        """Add to the number in a field."""
        return self._write(which, Increment(field, by), delivery_id)

    def add_to_set(
        self, which: SensorId, field: str, members: tuple[Member, ...], *, delivery_id: str = ""
    ) -> SensorWritten:
        """Add members to the set in a field."""
        return self._write(which, AddToSet(field, members), delivery_id)

    def _write(self, which: SensorId, change: SensorChange, delivery_id: str) -> SensorWritten:
        delivery = Delivery(at=self._hands.clock.now(), by=self._by, delivery_id=delivery_id)
        written = self._sensors.write(which, change, delivery)
        # By the time after the commit: a run that asked in between may have seen the sensor as it was.
        news = self._hands.clock.now() if written.applied else written.sensor.updated_at
        woken = self._wake(which, news)
        view = sensor_view(written.sensor)
        return SensorWritten(sensor=view, applied=written.applied, woken=woken if written.applied else 0)

    def _wake(self, which: SensorId, news: datetime) -> int:
        day = which.period[:10] if which.period else ""
        try:
            return nudge(which.pipeline, f"sensor: {which.key}", news, self._hands, day=day)
        except (StoreError, Contention) as exc:
            import logging  # hardly ever

            # The sensor is written, and to say otherwise would have it counted twice. The runs ask again by themselves.
            logging.getLogger(__name__).warning(
                "the runs of %s were not told of the sensor %s: %s", which.pipeline, which.key, exc
            )
            return 0


def get(which: SensorId, sensors: Sensors) -> SensorView:
    """Show exactly one sensor.

    Raises:
        NotFound: nobody has written it; those that there are are named.
    """
    found = sensors.sensor(which)
    if found is None:
        others = sensors.sensors(which.pipeline, limit=_LISTED)
        there = [place_of(each.id).replace("#*", "").replace("#", " of ") for each in others]
        named = which.key + (f" of {which.period}" if which.period else "")
        raise NotFound(f"{which.pipeline} has no sensor {named} (there are: {', '.join(there) or 'none'})")
    return sensor_view(found)


def listed(pipeline: PipelineName, sensors: Sensors, *, limit: int, after: str | None = None) -> SensorList:
    """Show a pipeline's sensors, a page of them. A page of large ones holds fewer than are asked for."""
    limit, size, place = min(limit, MAX_PAGE), 0, after
    shown: list[Sensor] = []
    while True:
        found = sensors.sensors(pipeline, limit=_AT_ONCE, after=place)
        for each in found:
            if len(shown) == limit or size > MAX_PAGE_BYTES:
                return SensorList(items=tuple(map(sensor_view, shown)), next=place_of(shown[-1].id))
            shown.append(each)
            size += len(each.data.text)
        if len(found) < _AT_ONCE:
            return SensorList(items=tuple(map(sensor_view, shown)), next=None)
        place = place_of(found[-1].id)

"""Telling what was measured, and looking at it: `client.sensors`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from interlock.api.sensing import AddToSensorSet, IncrementSensor, MergeSensor, PutSensor, SensorOf
from interlock.api.sensing import Sensors as ListSensors
from interlock.app.sensor_views import SensorList, SensorView, SensorWritten
from interlock.client.asking import Asking, pages
from interlock.client.values import named, plain


class Sensors:
    """The sensors of pipelines. Every telling has an id: told again with the same one, it changes nothing.

    Where no `delivery_id` is given, each call makes a new one, so that a telling whose answer was lost is told again safely.
    Whoever tells one measurement from several places, or after a crash, gives it an id of its own.
    """

    def __init__(self, client: Asking) -> None:
        self._client = client

    def put(
        self,
        pipeline_id: str,
        key: str,
        data: Mapping[str, Any],
        *,
        date: str | None = None,
        delivery_id: str | None = None,
    ) -> SensorWritten:
        """Let a sensor hold this, whatever it held before. Waiting runs of the pipeline are judged at once.

        Args:
            pipeline_id: the pipeline.
            key: the sensor's name within the pipeline.
            data: any JSON object of at most 64 KiB.
            date: the one period that it counts for; every period by default.
            delivery_id: names this telling.

        Raises:
            Invalid: the data is no JSON object or too large, or the key is none.
            NotFound: there is no such pipeline.
        """
        return self._client.ask(
            PutSensor(pipeline_id=pipeline_id, key=key, data=plain(data), date=date, delivery_id=named(delivery_id))
        )

    def merge(
        self,
        pipeline_id: str,
        key: str,
        data: Mapping[str, Any],
        *,
        date: str | None = None,
        delivery_id: str | None = None,
    ) -> SensorWritten:
        """Lay fields over those that a sensor has, key by key; a None removes the field.

        Raises:
            Invalid: the data is no JSON object or too large, or the key is none.
            NotFound: there is no such pipeline.
        """
        return self._client.ask(
            MergeSensor(pipeline_id=pipeline_id, key=key, data=plain(data), date=date, delivery_id=named(delivery_id))
        )

    def increment(
        self,
        pipeline_id: str,
        key: str,
        field: str,
        by: float = 1,
        *,
        date: str | None = None,
        delivery_id: str | None = None,
    ) -> SensorWritten:
        """Add to the number in a field; one that is not there counts as zero. Nothing is lost, however many do it at once.

        Raises:
            Invalid: what the field holds is no number, or the key is none.
            NotFound: there is no such pipeline.
        """
        return self._client.ask(
            IncrementSensor(
                pipeline_id=pipeline_id, key=key, field=field, by=by, date=date, delivery_id=named(delivery_id)
            )
        )

    def add_to_set(
        self,
        pipeline_id: str,
        key: str,
        field: str,
        members: Iterable[int | str],
        *,
        date: str | None = None,
        delivery_id: str | None = None,
    ) -> SensorWritten:
        """Add members to the set in a field: a sorted list in which nothing is twice.

        Raises:
            Invalid: what the field holds is no list, a member is neither text nor a whole number, or the key is none.
            NotFound: there is no such pipeline.
        """
        chosen = (members,) if isinstance(members, str) else tuple(members)
        return self._client.ask(
            AddToSensorSet(
                pipeline_id=pipeline_id,
                key=key,
                field=field,
                members=chosen,
                date=date,
                delivery_id=named(delivery_id),
            )
        )

    def get(self, pipeline_id: str, key: str, *, date: str | None = None) -> SensorView:
        """Show one sensor: of exactly this date, or the one without a date.

        Raises:
            NotFound: there is no such pipeline, or nothing was told of that sensor.
        """
        return self._client.ask(SensorOf(pipeline_id=pipeline_id, key=key, date=date))

    def list(self, pipeline_id: str, *, limit: int = 100, cursor: str | None = None) -> SensorList:
        """List the sensors of a pipeline, by key and date.

        Raises:
            NotFound: there is no such pipeline.
        """
        return self._client.ask(ListSensors(pipeline_id=pipeline_id, limit=limit, cursor=cursor))

    def iter(self, pipeline_id: str, *, page: int = 200) -> Iterator[SensorView]:
        """Go through all sensors of a pipeline, by key and date, a page at a time.

        Raises:
            NotFound: there is no such pipeline.
        """
        return pages(lambda cursor: self._client.ask(ListSensors(pipeline_id=pipeline_id, limit=page, cursor=cursor)))

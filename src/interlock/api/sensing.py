"""Sensors: telling what was measured, once or bit by bit, and looking at it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta

from interlock.api.contract import Cursor, Date, Endpoint, Limit, PipelineId, Request, Role
from interlock.app.sensor_views import SensorList, SensorView, SensorWritten
from interlock.ports.sensors import KEY_PATTERN, MAX_DELIVERY_ID, MAX_FIELD, MAX_MEMBERS

SensorKey: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="The sensor's name within the pipeline.",
        extra_json_schema={"pattern": f"^{KEY_PATTERN}$"},
    ),
]
SensorDate: TypeAlias = Annotated[
    Date, Meta(description="The one period that it counts for, such as 2026-03-07; every period without it.")
]
SensorData: TypeAlias = Annotated[
    dict[str, Any], Meta(description="Any JSON object of at most 64 KiB; numbers have at most 64 bits.")
]
DeliveryId: TypeAlias = Annotated[
    str,
    Meta(
        max_length=MAX_DELIVERY_ID,
        description="Names this telling: told again with the same id, it changes nothing.",
    ),
]
Field: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_FIELD, description="A key of the sensor's data.")]


class PutSensor(Request[SensorWritten], frozen=True, kw_only=True):
    """Let a sensor hold this, whatever it held before. Waiting runs of the pipeline are judged at once."""

    endpoint: ClassVar = Endpoint("PUT", "/api/pipelines/{pipelineId}/sensors/{key}", Role.PUSH, repeatable=True)

    pipeline_id: PipelineId
    key: SensorKey
    data: SensorData
    date: SensorDate | None = None
    delivery_id: DeliveryId = ""


class MergeSensor(Request[SensorWritten], frozen=True, kw_only=True):
    """Lay fields over those that a sensor has, key by key; a null removes the field."""

    endpoint: ClassVar = Endpoint("PATCH", "/api/pipelines/{pipelineId}/sensors/{key}", Role.PUSH, repeatable=True)

    pipeline_id: PipelineId
    key: SensorKey
    data: SensorData
    date: SensorDate | None = None
    delivery_id: DeliveryId = ""


class IncrementSensor(Request[SensorWritten], frozen=True, kw_only=True):
    """Add to the number in a field; one that is not there counts as zero. Nothing is lost, however many do it at once."""

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/sensors/{key}/increment", Role.PUSH)

    pipeline_id: PipelineId
    key: SensorKey
    field: Field
    by: Annotated[int | float, Meta(description="What is added; less than nothing to take away.")] = 1
    date: SensorDate | None = None
    delivery_id: DeliveryId = ""

    @property
    def harmless_twice(self) -> bool:
        """With an id of its own it is known again."""
        return bool(self.delivery_id)


class AddToSensorSet(Request[SensorWritten], frozen=True, kw_only=True):
    """Add members to the set in a field: a sorted list in which nothing is twice."""

    endpoint: ClassVar = Endpoint("POST", "/api/pipelines/{pipelineId}/sensors/{key}/add-to-set", Role.PUSH)

    pipeline_id: PipelineId
    key: SensorKey
    field: Field
    members: Annotated[
        tuple[int | str, ...], Meta(min_length=1, max_length=MAX_MEMBERS, description="Texts and whole numbers.")
    ]
    date: SensorDate | None = None
    delivery_id: DeliveryId = ""

    @property
    def harmless_twice(self) -> bool:
        """With an id of its own it is known again."""
        return bool(self.delivery_id)


class SensorOf(Request[SensorView], frozen=True, kw_only=True):
    """Show one sensor: of exactly this date, or the one without a date."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/sensors/{key}", Role.READ)

    pipeline_id: PipelineId
    key: SensorKey
    date: SensorDate | None = None


class Sensors(Request[SensorList], frozen=True, kw_only=True):
    """List the sensors of a pipeline, by key and date."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}/sensors", Role.READ, bare=True)

    pipeline_id: PipelineId
    limit: Limit = 100
    cursor: Cursor | None = None

"""Sensors: what somebody measures and tells, and what rules look at.

A sensor is a JSON object under a key of a pipeline. One that names a period counts for that period alone, one without
counts for every one; both may be there at once.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from interlock.core.documents import Document
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.errors import Invalid

KEY_PATTERN: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?"
KEY_RULE: Final = "1 to 128 characters: A-Z, a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit"
MAX_DELIVERY_ID: Final = 128
MAX_FIELD: Final = 200
MAX_MEMBERS: Final = 10_000

_KEY: Final = re.compile(KEY_PATTERN, re.ASCII)

Number: TypeAlias = int | float
Member: TypeAlias = int | str


def is_sensor_key(text: str) -> bool:
    """Say whether a text may name a sensor."""
    return _KEY.fullmatch(text) is not None


class SensorId(Struct, frozen=True):
    """Which sensor: of a pipeline, under a key, and of one period or of none in particular.

    Raises:
        Invalid: the key is none.
    """

    pipeline: PipelineName
    key: str
    period: Period | None = None

    def __post_init__(self) -> None:
        if not is_sensor_key(self.key):
            raise Invalid(f"{self.key[:200]!r} cannot be the key of a sensor, expected {KEY_RULE}")

    def __str__(self) -> str:
        return f"{self.pipeline}:{self.key}" + (f":{self.period}" if self.period else "")


class Sensor(Struct, frozen=True, kw_only=True):
    """A sensor as it stands. `version` counts its writes; `updated_at` is when the latest of them was told."""

    id: SensorId
    data: Document
    updated_at: datetime
    updated_by: str = ""
    version: int = 1


class PutData(Struct, frozen=True, tag="put"):
    """Let the sensor hold this, whatever it held."""

    data: Document


class MergeData(Struct, frozen=True, tag="merge"):
    """Lay these fields over those it has, key by key; a null removes the field."""

    data: Document


class Increment(Struct, frozen=True, tag="increment"):
    """Add to the number in a field; a field that is not there counts as zero."""

    field: str
    by: Number = 1


class AddToSet(Struct, frozen=True, tag="add"):
    """Add members to the set in a field: a sorted list in which nothing is twice."""

    field: str
    members: tuple[Member, ...]


SensorChange: TypeAlias = PutData | MergeData | Increment | AddToSet


class Delivery(Struct, frozen=True, kw_only=True):
    """Who tells, when, and by which id it would be told once more. Without an id every telling counts."""

    at: datetime
    by: str = ""
    delivery_id: str = ""


class Written(Struct, frozen=True, kw_only=True):
    """The sensor after a write. `applied` is False if the delivery had been applied before, and nothing was changed."""

    sensor: Sensor
    applied: bool


class Sensors(Protocol):
    """Keeps sensors. Safe to call from many threads."""

    def sensor(self, which: SensorId) -> Sensor | None:
        """Return exactly this sensor, or None; one without a period does not stand in for one with.

        Raises:
            UnreadableRecord: it is there and cannot be read.
        """
        ...

    def sensors(self, pipeline: PipelineName, *, limit: int, after: str | None = None) -> tuple[Sensor, ...]:
        """Return a pipeline's sensors by key and period, after the place of one of them.

        Raises:
            Invalid: `after` is no place of a sensor.
            UnreadableRecord: one of them cannot be read; it is never skipped.
        """
        ...

    def write(self, which: SensorId, change: SensorChange, delivery: Delivery) -> Written:
        """Change a sensor, or make it; all at once, and never twice for one delivery id as long as it is remembered.

        Raises:
            Invalid: the change, or what would come of it, is beyond the limits.
            Conflict: the field holds something of another kind: no number, or no set.
            Contention: others were faster every time; nothing was written.
            StoreUnavailable: it may or may not have been written; with a delivery id it can be told again.
        """
        ...


def place_of(which: SensorId) -> str:
    """Return the place of a sensor in its pipeline's list: what `after` takes."""
    return f"{which.key}#{which.period or '*'}"

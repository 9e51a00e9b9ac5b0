"""Sensors, over any kernel."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zlib import crc32

from msgspec import Struct

from interlock.codec import wire
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import EMPTY, Document
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.errors import Contention, Invalid
from interlock.ports.sensors import (
    MAX_DELIVERY_ID,
    AddToSet,
    Delivery,
    Increment,
    MergeData,
    Sensor,
    SensorChange,
    SensorId,
    Sensors,
    Written,
)
from interlock.stores import keys
from interlock.stores.kernel import MAX_PAGE, Kernel, Page, Put, Record
from interlock.stores.repository import decoded, pipeline_note_record
from interlock.stores.sensor_data import changed

REMEMBERED: Final = 256
"""Of so many of the latest deliveries to a sensor it is known that they have been applied."""

_TRIES: Final = 100
_LOCKS: Final = 64
_PATIENCE: Final = 60.0
_PLACE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}#[*0-9T:+-]{1,32}", re.ASCII)


class _Kept(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row. `deliveries` are the ids that were applied, oldest first."""

    key: str
    data: Document
    updated_at: datetime
    period: Period | None = None
    updated_by: str = ""
    deliveries: tuple[str, ...] = ()


class SensorRows:
    """Keeps the sensors of every pipeline, and tells the timeline of every write in the same commit.

    Writes to one sensor of this process take turns, so that only other processes can be faster: with many threads at one
    counter, hardly anybody would ever win otherwise.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._turns = tuple(threading.Lock() for _ in range(_LOCKS))

    def sensor(self, which: SensorId) -> Sensor | None:
        """Return exactly this sensor, or None."""
        record = self._kernel.get(keys.pipeline_pk(which.pipeline), _sk(which))
        return None if record is None else _shown(which.pipeline, record)

    def sensors(self, pipeline: PipelineName, *, limit: int, after: str | None = None) -> tuple[Sensor, ...]:
        """Return a pipeline's sensors by key and period, after the place of one of them."""
        if after is not None and not _PLACE.fullmatch(after):
            raise Invalid(f"{after[:200]!r} is no place in a list of sensors: take it from a list's `next`")
        pk = keys.pipeline_pk(pipeline)
        found: list[Sensor] = []
        start = None if after is None else keys.SENSOR_PREFIX + after
        while len(found) < limit:
            wanted = min(limit - len(found), MAX_PAGE)
            page = self._kernel.rows(pk, keys.SENSOR_PREFIX, Page(limit=wanted, after=start))
            found += [_shown(pipeline, record) for record in page]
            if len(page) < wanted:
                break
            start = page[-1].sk
        return tuple(found)

    def write(self, which: SensorId, change: SensorChange, delivery: Delivery) -> Written:
        """Change a sensor, or make it, and tell the timeline, in one commit."""
        _require_delivery_id(delivery.delivery_id)
        pk, sk = keys.pipeline_pk(which.pipeline), _sk(which)
        turn = self._turns[crc32(f"{pk}#{sk}".encode()) % _LOCKS]
        if not turn.acquire(timeout=_PATIENCE):
            raise Contention(f"the sensor {which} could not be written: its turn did not come. Try again")
        try:
            return self._written(which, pk, sk, change, delivery)
        finally:
            turn.release()

    def _written(self, which: SensorId, pk: str, sk: str, change: SensorChange, delivery: Delivery) -> Written:
        for _ in range(_TRIES):
            old = self._kernel.get(pk, sk)
            before = None if old is None else decoded(old, _Kept)
            if old is not None and before is not None and delivery.delivery_id in before.deliveries:
                return Written(sensor=_shown(which.pipeline, old), applied=False)
            after = _after(which, before, change, delivery)
            version = 1 if old is None else old.version + 1
            row = Record(pk=pk, sk=sk, version=version, body=wire.to_builtins(after))
            if self._kernel.commit(pk, [Put(row), Put(_note(which, change, delivery, after, row))]):
                return Written(sensor=_shown(which.pipeline, row), applied=True)
        raise Contention(f"the sensor {which} could not be written: others kept writing it first. Try again")


def _require_delivery_id(text: str) -> None:
    if len(text) > MAX_DELIVERY_ID or not text.isprintable():
        raise Invalid(f"a delivery id is printable text of at most {MAX_DELIVERY_ID} characters: {text[:200]!r} is not")


def _after(which: SensorId, before: _Kept | None, change: SensorChange, delivery: Delivery) -> _Kept:
    known = () if before is None else before.deliveries
    if delivery.delivery_id:
        known = (*known, delivery.delivery_id)[-REMEMBERED:]
    return _Kept(
        key=which.key,
        data=changed(EMPTY if before is None else before.data, change),
        updated_at=delivery.at,
        period=which.period,
        updated_by=delivery.by,
        deliveries=known,
    )


def _sk(which: SensorId) -> str:
    return keys.sensor_sk(which.key, which.period or "")


def _shown(pipeline: PipelineName, record: Record) -> Sensor:
    kept = decoded(record, _Kept)
    return Sensor(
        id=SensorId(pipeline, kept.key, kept.period),
        data=kept.data,
        updated_at=kept.updated_at,
        updated_by=kept.updated_by,
        version=record.version,
    )


def _note(which: SensorId, change: SensorChange, delivery: Delivery, after: _Kept, row: Record) -> Record:
    by = f" by {delivery.by}" if delivery.by else ""
    record = EventRecord(
        kind=EventKind.SENSOR_UPDATED,
        at=delivery.at,
        message=f"{which.key}{f' of {which.period}' if which.period else ''}: {_words(change, after)}{by}",
        details=_told(change, after),
    )
    return pipeline_note_record(row.pk, which.pipeline, delivery.at, f"{row.sk}#{row.version:08d}", (record,))


def _words(change: SensorChange, after: _Kept) -> str:
    match change:
        case Increment():
            return f"{change.field} {'+' if change.by >= 0 else ''}{change.by}, now {after.data.get(change.field)}"
        case AddToSet():
            return f"{len(change.members)} told for the set {change.field}"
        case MergeData():
            return "merged"
        case _:
            return "put"


def _told(change: SensorChange, after: _Kept) -> Document:
    # What was told, and not what the sensor holds: a large one that changes often would fill the timeline.
    match change:
        case Increment():
            return Document(((change.field, after.data.get(change.field) or "null"),))
        case AddToSet():
            return wire.from_builtins({change.field: list(change.members)}, Document)
        case _:
            return change.data


if TYPE_CHECKING:

    def _are_sensors(it: SensorRows) -> Sensors:
        return it

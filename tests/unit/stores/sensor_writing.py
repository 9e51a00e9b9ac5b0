"""Sensors to write to, and who writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.codec.documents import document, mapping
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.ports.sensors import Delivery, PutData, SensorId, Written
from interlock.stores.sensors import SensorRows

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)
ORDERS = PipelineName("orders")
LANDING = SensorId(ORDERS, "landing")
DAY = SensorId(ORDERS, "landing", Period("2026-03-07"))


def told(by: str = "anna", delivery_id: str = "", *, later: int = 0) -> Delivery:
    return Delivery(at=NOON + timedelta(seconds=later), by=by, delivery_id=delivery_id)


def put(rows: SensorRows, data: dict[str, Any], which: SensorId = LANDING, delivery_id: str = "") -> Written:
    return rows.write(which, PutData(document(data)), told(delivery_id=delivery_id))


def held(rows: SensorRows, which: SensorId = LANDING) -> dict[str, Any]:
    sensor = rows.sensor(which)
    assert sensor is not None
    return mapping(sensor.data)

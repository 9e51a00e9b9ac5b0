"""Sensors for the tests of checks that look at them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.unit.evaluators.worlds import NOON, World

from interlock.codec.documents import document, mapping
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.ports.evaluators import Answer
from interlock.ports.sensors import Delivery, PutData, SensorId


def a_world(data: dict[str, Any] | None = None, *, at: datetime = NOON) -> World:
    """Make a world in which it is noon, and the sensor `orders` holds something."""
    world = World(Path("/"))
    if data is not None:
        write(world, data, at=at)
    return world


def write(
    world: World, data: dict[str, Any], *, key: str = "orders", date: str | None = None, at: datetime = NOON
) -> None:
    """Put a sensor of the pipeline `example`."""
    which = SensorId(PipelineName("example"), key, None if date is None else Period.parse(date))
    world.sensors.write(which, PutData(document(data)), Delivery(at=at))


def value_of(answer: Answer) -> dict[str, Any]:
    """Return what an answer measured."""
    assert answer.value is not None
    return mapping(answer.value)


def ago(**span: float) -> str:
    """Write an instant before noon."""
    return (NOON - timedelta(**span)).isoformat()

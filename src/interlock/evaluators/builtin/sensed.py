"""What the checks that look at sensors have in common: finding the sensor of a slot, and reading its fields.

There is one way to find a sensor, and one way to read a field, a number and an instant, so that all checks see the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from interlock.codec.evaluator_protocol import shown
from interlock.core.periods import Period
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.context import CheckContext, Span
from interlock.ports.evaluators import Answer, Question
from interlock.ports.sensors import KEY_PATTERN, KEY_RULE, Sensor, SensorId, is_sensor_key

SKEW: Final = "60s"

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}([.,]\d{1,9})?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)
_MILLISECONDS: Final = 1e11
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = 200
_FEW: Final = 8

SensorKey: TypeAlias = Annotated[
    str, Meta(description="The key of the sensor.", extra_json_schema={"pattern": f"^{KEY_PATTERN}$"})
]
PerPeriod: TypeAlias = Annotated[
    bool,
    Meta(description="Only the sensor of the run's own period counts: neither its day's, nor one without a period."),
]
Skew: TypeAlias = Annotated[Span, Meta(description="How far ahead of our clock a time may be before it is an error.")]


class Missing:
    """Stands for what is not there; null is there."""


MISSING: Final = Missing()


class Sensed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What all checks of one sensor take."""

    sensor_type: SensorKey
    per_period: PerPeriod = False

    def __post_init__(self) -> None:
        require_key("sensorType", self.sensor_type)


def require_key(name: str, text: str) -> None:
    """Check the key of a sensor in a `Config`.

    Raises:
        ValueError: it is none; the message names the setting.
    """
    if not is_sensor_key(text):
        raise ValueError(f"{name}: {shown(text)!r} cannot be the key of a sensor, expected {KEY_RULE}")


def ids_of(question: Question, key: str, *, per_period: bool) -> Iterator[SensorId]:
    """Yield the sensors that may speak for a slot under a key, the most particular one first."""
    pipeline, period = question.slot.pipeline, question.slot.period
    yield SensorId(pipeline, key, period)
    if not per_period:
        day = Period.of_day(period.day)
        if day != period:
            yield SensorId(pipeline, key, day)
        yield SensorId(pipeline, key)


def find(context: CheckContext, question: Question, key: str, *, per_period: bool) -> Sensor | None:
    """Return the sensor that speaks for a slot under a key: of its period, else of its day, else of none in particular.

    Raises:
        UnreadableRecord: the one that would speak is there and cannot be read.
        StoreUnavailable: the store did not answer.
    """
    for which in ids_of(question, key, per_period=per_period):
        found = context.sensors.sensor(which)
        if found is not None:
            return found
    return None


def nothing_yet(question: Question, key: str, *, per_period: bool) -> str:
    """Say that nobody has written a sensor."""
    where = f"{question.slot.pipeline} {question.slot.period}"
    own = " (one of the period itself is needed)" if per_period else ""
    return f"no data yet: nobody has written the sensor {key} for {where}{own}"


def field_of(sensor: Sensor, field: str) -> Any:
    """Return the value of a field, `MISSING` if it is not there: the key itself, or else a path of keys with dots."""
    text = sensor.data.get(field)
    if text is not None:
        return msgspec.json.decode(text)
    first, *rest = field.split(".")
    text = sensor.data.get(first) if rest else None
    found: Any = MISSING if text is None else msgspec.json.decode(text)
    for step in rest:
        if not isinstance(found, dict) or step not in found:
            return MISSING
        found = found[step]
    return found


def no_field(sensor: Sensor, *fields: str) -> str:
    """Say that a sensor has none of these fields, and which it has: often one is only spelt otherwise."""
    from difflib import get_close_matches

    there = list(sensor.data)
    folded = {_folded(name): name for name in there[:_LONGEST]}
    near = get_close_matches(_folded(fields[0]), folded, n=1)
    few = ", ".join(map(shown, there[:_FEW])) + (f" and {len(there) - _FEW} more" if len(there) > _FEW else "")
    hint = f"did you mean {shown(folded[near[0]])}?" if near else f"it has: {few or 'none'}"
    return f"the sensor {sensor.id.key} has no field {' nor '.join(map(shown, fields))} ({hint})"


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()[:_LONGEST]


def number_of(value: object) -> int | float | None:
    """Read a number, or a text that is one; None when it is neither. A truth value is no number."""
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        value = float(value) if len(value) <= _LONGEST and _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or isfinite(value) else None


def instant_of(value: object) -> datetime | None:
    """Read an instant, in UTC: RFC 3339, or the time since 1970 in seconds or milliseconds; None when it is none.

    A time without an offset is one in UTC. A number from 100,000,000,000 on counts milliseconds: as seconds it would be
    in the year 5138, as milliseconds a smaller one would be before 1973.
    """
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            # Python reads six digits of a second's fraction and drops what follows.
            read = datetime.fromisoformat(value.upper().replace(",", "."))
            return (read.replace(tzinfo=UTC) if read.tzinfo is None else read).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
    number = number_of(value)
    if number is None:
        return None
    try:
        unit = timedelta(milliseconds=1) if abs(number) >= _MILLISECONDS else timedelta(seconds=1)
        return _EPOCH + number * unit
    except OverflowError:
        return None


def ahead(instant: datetime, now: datetime, skew: timedelta) -> str:
    """Say that an instant lies too far in the future to mean anything; nothing when it does not."""
    if instant - now <= skew:
        return ""
    early = format_duration(timedelta(seconds=int((instant - now).total_seconds())))
    return f"is dated {early} in the future ({instant.isoformat()}), so no age means anything: a clock is wrong"


def age_of(instant: datetime, now: datetime) -> str:
    """Write how old something is, in whole seconds."""
    return format_duration(timedelta(seconds=max(0, int((now - instant).total_seconds()))))


def kind_of(value: object) -> str:
    """Name the kind of a value."""
    names = {str: "text", bool: "a truth value", list: "a list", dict: "an object", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def show(value: object) -> str:
    """Write a value for a reason, harmless and short."""
    if isinstance(value, list | dict):
        return f"{kind_of(value)} of {len(value)}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return shown(repr(value)) if isinstance(value, str) else str(value)


def plain(value: object) -> Any:
    """Return what of a value is kept in an answer: itself when it is a single one, not too long."""
    if isinstance(value, list | dict | Missing):
        return None
    return value[:_LONGEST] + "…" if isinstance(value, str) and len(value) > _LONGEST else value


def garbled(reason: str) -> Answer:
    """Answer that what the sensor holds cannot be judged. It is asked again once somebody writes."""
    return Answer(status=TraitStatus.ERROR, reason=reason, category=FailureCategory.PERMANENT)

"""`builtin:sensor-freshness`, `builtin:sensor-threshold` and `builtin:data-quality`: usual questions about one sensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from interlock.codec.documents import document
from interlock.core.times import format_duration
from interlock.core.traits import TraitStatus
from interlock.errors import UnreadableRecord
from interlock.evaluators.builtin.sensed import (
    MISSING,
    SKEW,
    Sensed,
    Skew,
    age_of,
    ahead,
    field_of,
    find,
    garbled,
    instant_of,
    kind_of,
    no_field,
    nothing_yet,
    number_of,
    plain,
    show,
)
from interlock.evaluators.context import CheckContext, Span, seconds
from interlock.ports.evaluators import Answer, Question
from interlock.ports.sensors import Sensor


class FreshnessConfig(Sensed, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `sensor-freshness` takes."""

    max_age: Annotated[Span, Meta(description="How old the sensor may be.")]
    field: Annotated[str, Meta(description="A field with a time of its own. Default: when the sensor was written.")] = (
        ""
    )
    skew: Skew = SKEW

    def __post_init__(self) -> None:
        super().__post_init__()
        seconds("maxAge", self.max_age)
        seconds("skew", self.skew)


class ThresholdConfig(Sensed, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `sensor-threshold` takes."""

    field: Annotated[
        str, Meta(description="The field that is measured. Default: the one named like the sensor, else `value`.")
    ] = ""
    min: Annotated[int | float | None, Meta(description="It must be at least this.")] = None
    max: Annotated[int | float | None, Meta(description="It must be at most this.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min is None and self.max is None:
            raise ValueError("no rule is given: add min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"nothing can be at least {self.min} and at most {self.max}")


class QualityConfig(Sensed, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `data-quality` takes."""

    max_null_rate: (
        Annotated[float, Meta(ge=0, le=1, description="The largest part of nulls, 0 to 1, that `nullRate` may say.")]
        | None
    ) = None
    allow_schema_drift: Annotated[bool, Meta(description="Whether `schemaDrift: true` is let pass.")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_null_rate is None and self.allow_schema_drift:
            raise ValueError("no rule is given: add maxNullRate, or do not allow schema drift")


class OneSensor(ABC):
    """A check of one sensor: it finds it, and says what there is to say when it is not there or cannot be read."""

    def __init__(self, config: Sensed, context: CheckContext) -> None:
        self._sensed = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (the store minds its own time)
        """Look the sensor up; see `Check.evaluate`."""
        key, per_period = self._sensed.sensor_type, self._sensed.per_period
        try:
            sensor = find(self._context, question, key, per_period=per_period)
        except UnreadableRecord as exc:
            return garbled(f"the sensor {key} cannot be judged: {exc}")
        if sensor is None:
            return Answer(status=TraitStatus.FAIL, reason=nothing_yet(question, key, per_period=per_period))
        return self.judge(sensor)

    @abstractmethod
    def judge(self, sensor: Sensor) -> Answer:
        """Answer from the sensor as it stands."""


class SensorFreshness(OneSensor):
    """Passes when the sensor is not older than `maxAge`. A time too far in the future is an error."""

    Config = FreshnessConfig

    def __init__(self, config: FreshnessConfig, context: CheckContext) -> None:
        super().__init__(config, context)
        self._config = config

    def judge(self, sensor: Sensor) -> Answer:
        """Compare its age; see `OneSensor.judge`."""
        now = self._context.clock.now()
        field, subject = self._config.field, f"the sensor {sensor.id.key}"
        told = field_of(sensor, field) if field else None
        if told is MISSING:
            return Answer(status=TraitStatus.FAIL, reason=no_field(sensor, field))
        instant = instant_of(told) if field else sensor.updated_at
        if instant is None:
            return garbled(f"{field} of {subject} is no time: {kind_of(told)} ({show(told)}); expected RFC 3339")
        early = ahead(instant, now, seconds("skew", self._config.skew))
        if early:
            return garbled(f"{field + ' of ' if field else ''}{subject} {early}")
        limit = seconds("maxAge", self._config.max_age)
        fresh = now - instant <= limit
        age = age_of(instant, now)
        value = {
            "updatedAt": instant.isoformat(),
            "age": age,
            "ageSeconds": max(0, int((now - instant).total_seconds())),
            "maxAge": format_duration(limit),
        }
        return Answer(
            status=TraitStatus.PASS if fresh else TraitStatus.FAIL,
            value=document(value),
            reason="" if fresh else f"{subject} is {age} old, and may be {format_duration(limit)} old",
        )


class SensorThreshold(OneSensor):
    """Passes when a number of the sensor is within bounds. A text that is a number counts as one."""

    Config = ThresholdConfig

    def __init__(self, config: ThresholdConfig, context: CheckContext) -> None:
        super().__init__(config, context)
        self._config = config

    def judge(self, sensor: Sensor) -> Answer:
        """Compare the number; see `OneSensor.judge`."""
        config, key = self._config, sensor.id.key
        fields = (config.field,) if config.field else (key, "value")
        found = next(((f, v) for f in fields if (v := field_of(sensor, f)) is not MISSING), None)
        if found is None:
            return Answer(status=TraitStatus.FAIL, reason=no_field(sensor, *fields))
        subject = f"{found[0]} of the sensor {key}"
        number = number_of(found[1])
        if found[1] is None:
            return Answer(status=TraitStatus.FAIL, reason=f"{subject} is null, which satisfies no rule")
        if number is None:
            return garbled(f"{subject} is not numeric: it is {kind_of(found[1])} ({show(found[1])})")
        bounds = {name: bound for name, bound in (("min", config.min), ("max", config.max)) if bound is not None}
        reason = ""
        if config.min is not None and number < config.min:
            reason = f"{subject} is {number}, less than the {config.min} that it must be at least"
        elif config.max is not None and number > config.max:
            reason = f"{subject} is {number}, more than the {config.max} that it may be at most"
        status = TraitStatus.FAIL if reason else TraitStatus.PASS
        return Answer(status=status, value=document({"value": number, **bounds}), reason=reason)


class DataQuality(OneSensor):
    """Passes when there are few enough nulls, and the schema has not drifted.

    Without `nullRate` a limit of it cannot be met; without `schemaDrift` nothing has drifted that anybody knows of.
    """

    Config = QualityConfig

    def __init__(self, config: QualityConfig, context: CheckContext) -> None:
        super().__init__(config, context)
        self._config = config

    def judge(self, sensor: Sensor) -> Answer:
        """Compare what it says; see `OneSensor.judge`."""
        limit, subject = self._config.max_null_rate, f"the sensor {sensor.id.key}"
        said = {field: field_of(sensor, field) for field in ("nullRate", "schemaDrift", "schemaDriftDetails")}
        drifted = False if said["schemaDrift"] in (MISSING, None) else said["schemaDrift"]
        if not isinstance(drifted, bool):
            return garbled(f"schemaDrift of {subject} is {kind_of(drifted)} ({show(drifted)}), not a truth value")
        wrong = []
        if limit is not None:
            if said["nullRate"] in (MISSING, None):
                wrong.append(f"{subject} has no nullRate, and a limit of it is set")
            else:
                rate = number_of(said["nullRate"])
                if rate is None or not 0 <= rate <= 1:
                    return garbled(f"nullRate of {subject} is {show(said['nullRate'])}, expected a number from 0 to 1")
                if rate > limit:
                    wrong.append(f"nullRate of {subject} is {rate}, more than {limit}")
        if drifted and not self._config.allow_schema_drift:
            details = said["schemaDriftDetails"]
            wrong.append("the schema has drifted" + ("" if details in (MISSING, None) else f": {show(details)}"))
        value = {field: plain(found) for field, found in said.items() if found is not MISSING}
        status = TraitStatus.FAIL if wrong else TraitStatus.PASS
        return Answer(status=status, value=document(value), reason="; ".join(wrong))

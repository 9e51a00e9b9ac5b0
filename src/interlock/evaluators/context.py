"""What every check in a class of its own is given, and what they have in common: configuration, variables, durations."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from interlock import reading
from interlock.clients.texts import Redactor
from interlock.core import templates
from interlock.core.ids import Slot
from interlock.core.times import parse_duration
from interlock.errors import ConfigError
from interlock.ports.clock import Clock
from interlock.ports.evaluators import Answer, Question
from interlock.ports.sensors import Sensor, SensorId

if TYPE_CHECKING:
    from interlock.clients.http import HttpSender

Span: TypeAlias = Annotated[
    str | int, Meta(description="A duration such as 90s, 15m or 1h30m, or a whole number of seconds.")
]


class UpstreamRun(Struct, frozen=True, kw_only=True):
    """What is known of the latest run of a slot. `status` is the word people see, such as RUNNING or COMPLETED.

    `shadow` is whether it was opened in shadow mode: then its job was never started, whatever the status says.
    """

    run_id: str
    status: str
    ended_at: datetime | None = None
    shadow: bool = False


class Runs(Protocol):
    """Looks up runs, for checks that ask about another pipeline."""

    def latest(self, slot: Slot) -> UpstreamRun | None:
        """Return the latest run of a slot, reruns included, or None when there is none.

        Raises:
            StoreError: the store did not answer.
        """
        ...

    def never(self, slot: Slot) -> str:
        """Say why a slot that has no run will not get one by itself; nothing when it may still come."""
        ...


class SensorReader(Protocol):
    """Looks sensors up."""

    def sensor(self, which: SensorId) -> Sensor | None:
        """Return exactly this sensor, or None; see `ports.sensors.Sensors`."""
        ...


class NoSensors:
    """A world in which nobody has ever written a sensor."""

    def sensor(self, which: SensorId) -> None:
        """Return None."""


@dataclass(frozen=True, kw_only=True)
class CheckContext:
    """The world as a check sees it.

    `http` makes or returns the HTTP client, and is called only by checks that need one. `env` is the environment (this
    process's own, unless another is given), of which the names in `env_allow` may be used in configuration.
    """

    clock: Clock
    root: Path
    runs: Runs
    http: Callable[[], HttpSender]
    sensors: SensorReader = field(default_factory=NoSensors)
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    env_allow: tuple[str, ...] = ()
    halt: threading.Event = field(default_factory=threading.Event)

    @property
    def redact(self) -> Redactor:
        """What takes the values of allowed variables out of a text."""
        return Redactor.of_environment(self.env, self.env_allow)


class Check(Protocol):
    """One that answers questions in this process. Classes of this shape are registered as plug-ins and have a `Config`."""

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Answer. It may raise: the router turns that into "could not tell"."""
        ...


C = TypeVar("C", bound=Struct)


def read_config(shape: type[C], config: Mapping[str, Any]) -> C:
    """Turn a trait's configuration into a built-in's `Config`.

    Raises:
        ConfigError: a key is unknown, missing or has a wrong value; the message names it.
    """
    try:
        return reading.value(dict(config), shape)
    except msgspec.ValidationError as exc:
        keys = ", ".join(f.encode_name for f in msgspec.structs.fields(shape))
        raise ConfigError(f"its config cannot be used: {_reworded(str(exc))} (its keys are {keys})") from exc


def seconds(key: str, span: str | int) -> timedelta:
    """Read a duration of a `Config`: text, or whole seconds.

    Raises:
        ValueError: it is not one, or negative; the message names the key.
    """
    try:
        found = parse_duration(f"{span}s" if isinstance(span, int) else span)
    except ValueError as exc:
        raise ValueError(f"{key}: {exc}") from exc
    if found < timedelta():
        raise ValueError(f"{key}: a duration here cannot be negative")
    return found


def variables(question: Question) -> dict[str, str]:
    """Return what a configuration may say of the slot. `date` is the day; `hour` is empty for a whole day."""
    slot = question.slot
    return {
        "date": slot.period.day.isoformat(),
        "hour": slot.period.hour,
        "schedule": slot.schedule,
        "pipeline": slot.pipeline,
    }


def expand(text: str, question: Question, context: CheckContext) -> str:
    """Replace `{{date}}`, `${hour}` and `${env:NAME}` in a text of the configuration; see `core.templates`.

    Raises:
        ConfigError: an unknown name, or a variable that is not allowed or not set.
    """
    allowed = {name: context.env[name] for name in context.env_allow if name in context.env}
    values = variables(question) | {"run_id": question.run_id}
    try:
        return templates.expand(text, values, allowed)
    except KeyError as exc:
        raise ConfigError(
            f"{exc.args[0]!r} means nothing here: an evaluator is asked before there is an attempt"
        ) from exc
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


def _reworded(message: str) -> str:
    """Name the key as people write it: msgspec says `$.maxAge`."""
    return re.sub(r"`\$\.?([^`]*)`", lambda match: f"`{match[1] or 'config'}`", message)

"""Where alerts and lifecycle events go: sinks with a name, and what each of them wants to hear."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from interlock.core.alerts import AlertLevel, AlertType
from interlock.ports.sinks import Sink, Subscriber

SINK_TIMEOUT: Final = timedelta(seconds=10)


class Wants(NamedTuple):
    """Which alerts a channel takes: those at least as loud as `min_level` that match every list which is not empty.

    `pipelines` may hold `*` and `?`.
    """

    min_level: AlertLevel = AlertLevel.INFO
    pipelines: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    owners: tuple[str, ...] = ()
    types: tuple[AlertType, ...] = ()


class Channel(NamedTuple):
    """One sink under its name.

    With `group_by` (`pipeline`, `schedule`, `alertType`, `tier`, `owner`) alerts that agree in all of these and become
    due within `group_wait` are told together.
    """

    name: str
    sink: Sink
    wants: Wants = Wants()
    group_by: tuple[str, ...] = ()
    group_wait: timedelta = timedelta()


class Alerting(NamedTuple):
    """How people and programs are told.

    An open alert is told again every `renotify` (zero: never). What could not be delivered for `deliver_for` is given up,
    visibly. Whoever makes something due tells it at once, too, as nobody else may be there; unless `prompt` is False, where
    others are woken for it, and this process may not be let through to the channels.
    """

    channels: tuple[Channel, ...] = ()
    subscribers: tuple[tuple[str, Subscriber], ...] = ()
    renotify: timedelta = timedelta(hours=4)
    deliver_for: timedelta = timedelta(days=1)
    timeout: timedelta = SINK_TIMEOUT
    prompt: bool = True

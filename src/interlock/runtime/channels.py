"""From what the project file says about alerts to channels and subscribers that work."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from interlock import plugins, reading
from interlock.app.channels import Alerting, Channel, Wants
from interlock.clients.redaction import without_secrets
from interlock.codec.documents import mapping
from interlock.config.project import ProjectSettings, SinkSpec
from interlock.core.alerts import AlertLevel
from interlock.errors import ConfigError, InterlockError, SecretError
from interlock.runtime.later import LaterSink
from interlock.runtime.triggers import filled
from interlock.sinks.context import SinkContext

UNSAID: Final = SinkSpec(name="console", type="console", min_level=AlertLevel.WARNING)
"""Where alerts go in a project that says nothing about them: an alert that nobody can see is none."""


def alerting_of(
    settings: ProjectSettings,
    context: SinkContext,
    env: Mapping[str, str],
    secrets: Mapping[str, str],
    *,
    later: bool = False,
) -> Alerting:
    """Make the channels and subscribers of a project. `${env:NAME}` is filled in for the names that the project allows, and
    `${secret:NAME}` for those of its secrets. With `later` each is made when it is first used.

    Raises:
        ConfigError: one of them cannot be used; the message says which and why.
    """
    filling = _Filling({name: env[name] for name in settings.env_allow if name in env}, secrets)

    def made(spec: SinkSpec) -> Any:
        return LaterSink(partial(_made, spec, context, filling)) if later else _made(spec, context, filling)

    return Alerting(
        channels=tuple(_channel(spec, made(spec)) for spec in settings.sinks or (UNSAID,)),
        subscribers=tuple((spec.name, made(spec)) for spec in settings.lifecycle),
        renotify=settings.alerting.renotify,
        deliver_for=settings.alerting.deliver_for,
    )


class _Filling(NamedTuple):
    """What the references of a sink's configuration stand for."""

    env: Mapping[str, str]
    secrets: Mapping[str, str]


def wants_of(settings: ProjectSettings) -> tuple[tuple[str, Wants], ...]:
    """Return what each channel of a project takes, without making one."""
    return tuple((spec.name, _wants(spec)) for spec in settings.sinks or (UNSAID,))


def _channel(spec: SinkSpec, sink: Any) -> Channel:
    return Channel(name=spec.name, sink=sink, wants=_wants(spec), group_by=spec.group_by, group_wait=spec.group_wait)


def _wants(spec: SinkSpec) -> Wants:
    return Wants(
        min_level=spec.min_level,
        pipelines=spec.pipelines,
        tiers=spec.tiers,
        owners=spec.owners,
        types=spec.types,
    )


def _made(spec: SinkSpec, context: SinkContext, filling: _Filling) -> Any:
    kind = plugins.load("sink", spec.type)
    try:
        config = filled(mapping(spec.config), {}, filling.env, filling.secrets)
        return kind(reading.value(config, kind.Config), context)
    except KeyError as exc:
        words = f"{exc.args[0]!r} means nothing here, because an alert has no attempt to fill it from"
        raise ConfigError(f"the alert sink {spec.name!r} cannot be used: {words}; use ${{env:NAME}} only") from exc
    except (SecretError, ValueError) as exc:
        raise ConfigError(f"the alert sink {spec.name!r} cannot be used: {exc}") from exc
    except InterlockError:
        raise
    except Exception as exc:
        # Whatever the class of a plug-in raises when it is made.
        said = without_secrets(f"{type(exc).__name__}: {exc}")
        raise ConfigError(f"the sink {spec.name!r} of the type {spec.type!r} cannot be made: {said}") from exc

"""From a trigger's stored configuration to a trigger for one job: placeholders filled in, checked, built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock import plugins
from interlock.codec.documents import mapping
from interlock.core.pipelines import TriggerSpec
from interlock.core.templates import expand, values_for
from interlock.errors import ConfigError
from interlock.ports.triggers import Job, Trigger
from interlock.triggers.context import TriggerContext


class TriggerFactory:
    """Makes triggers. `env` is the whole environment; only the allowed names of the context are ever read from it."""

    def __init__(self, context: TriggerContext, env: Mapping[str, str]) -> None:
        self._context = context
        self._env = {name: env[name] for name in context.env_allow if name in env}

    def __call__(self, spec: TriggerSpec, job: Job) -> Trigger:
        """Make the trigger of a spec for one job.

        Raises:
            ConfigError: the type is not available, or its configuration cannot be used for this job.
        """
        kind = plugins.load("trigger", spec.type)
        config = mapping(spec.config)
        values = values_for(job.run, job.attempt)
        try:
            normal = kind.normal_form(config) if hasattr(kind, "normal_form") else config
            ready = msgspec.convert(filled(normal, values, self._env), kind.Config)
        except ValueError as exc:
            raise ConfigError(f"the {spec.type} trigger of {job.run.slot.pipeline} cannot be used: {exc}") from exc
        trigger: Trigger = kind(ready, self._context)
        return trigger


def filled(value: Any, values: Mapping[str, str], env: Mapping[str, str]) -> Any:
    """Expand every string inside a parsed value, never the text it was parsed from."""
    if isinstance(value, str):
        return expand(value, values, env)
    if isinstance(value, list | tuple):
        return [filled(item, values, env) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, values, env) for key, item in value.items()}
    return value

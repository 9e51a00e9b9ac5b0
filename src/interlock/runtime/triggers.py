"""From a trigger's stored configuration to a trigger for one job: placeholders filled in, checked, built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from interlock import plugins, reading
from interlock.clients.texts import redacted
from interlock.codec.documents import mapping
from interlock.core.pipelines import TriggerSpec
from interlock.core.templates import CALLBACK, expand, values_for
from interlock.errors import ConfigError
from interlock.ports.triggers import Job, Trigger
from interlock.runtime.keyed import keyed
from interlock.runtime.whereabouts import whereabouts
from interlock.triggers.context import TriggerContext


class _Ready(NamedTuple):
    """A type of trigger with its configuration for one job, and what that was made of."""

    kind: Any
    normal: Mapping[str, Any]
    values: Mapping[str, str]
    config: Any


class TriggerFactory:
    """Makes triggers. `env` is the whole environment; only the allowed names of the context are ever read from it.

    `secrets` are the project's, by name; one is read when a trigger refers to it. `store` returns the name of the store.
    """

    def __init__(
        self,
        context: TriggerContext,
        env: Mapping[str, str],
        secrets: Mapping[str, str],
        store: Callable[[], str],
    ) -> None:
        self._context = context
        self._store = store
        self._env = {name: env[name] for name in context.env_allow if name in env}
        self._secrets = secrets

    def __call__(self, spec: TriggerSpec, job: Job) -> Trigger:
        """Make the trigger of a spec for one job.

        Raises:
            ConfigError: the type is not available, or its configuration cannot be used for this job.
            SecretError: a secret that it refers to cannot be had.
            StoreUnavailable: the store does not answer.
        """
        ready = self._ready(spec, job)

        def where() -> str:
            values, unsecret = {**ready.values, CALLBACK: ""}, {name: name for name in self._secrets}
            leading = filled(ready.normal, values, self._env, unsecret)
            return whereabouts(spec.type, leading, ready.config, self._context.aws)

        return keyed(ready.kind, ready.kind(ready.config, self._context), self._store, where, self._clean)

    def _clean(self, text: str) -> str:
        return redacted(text, self._context.secrets())

    def config(self, spec: TriggerSpec, job: Job) -> Any:
        """Return the configuration of the trigger of a spec for one job.

        Raises:
            ConfigError: the type is not available, or its configuration cannot be used for this job.
            SecretError: a secret that it refers to cannot be had.
        """
        return self._ready(spec, job).config

    def _ready(self, spec: TriggerSpec, job: Job) -> _Ready:
        kind = plugins.load("trigger", spec.type)
        config = mapping(spec.config)
        values = values_for(job.run, job.attempt)
        if callback := self._context.callback_url(job):
            values[CALLBACK] = callback
        try:
            normal = kind.normal_form(config) if hasattr(kind, "normal_form") else config
            ready = reading.value(filled(normal, values, self._env, self._secrets), kind.Config)
            return _Ready(kind, normal, values, ready)
        except KeyError as exc:
            words = f"{exc.args[0]} stands for nothing: `server.publicUrl` is not set in the project file"
            raise ConfigError(f"the {spec.type} trigger of {job.run.slot.pipeline} cannot be used: {words}") from exc
        except ValueError as exc:
            words = self._clean(str(exc))
            raise ConfigError(f"the {spec.type} trigger of {job.run.slot.pipeline} cannot be used: {words}") from None


def filled(value: Any, values: Mapping[str, str], env: Mapping[str, str], secrets: Mapping[str, str]) -> Any:
    """Expand every string inside a parsed value, never the text it was parsed from."""
    if isinstance(value, str):
        return expand(value, values, env, secrets)
    if isinstance(value, list | tuple):
        return [filled(item, values, env, secrets) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, values, env, secrets) for key, item in value.items()}
    return value

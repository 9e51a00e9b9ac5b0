"""A bundle: a project as one document, for functions that have no files.

It holds what was resolved and nothing of the machine on which that was done: no paths, no values of secrets, no time. The
same files give the same bytes, so its digest names what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec
from msgspec import Struct

from interlock.clients.aws import AwsOptions
from interlock.codec import wire
from interlock.config.project import (
    AlertingSpec,
    Project,
    ProjectSettings,
    SecretSpec,
    ServerSpec,
    SinkSpec,
    WatchdogSpec,
)
from interlock.config.stores import ArchiverSpec
from interlock.core.archetypes import Archetype
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.errors import ConfigError, Problem

FORMAT: Final = "interlock-bundle/1"

LONGEST_CHECK: Final = timedelta(seconds=870)
"""How long a check may take: the function that asks is stopped after 900 seconds, and needs some for itself."""

LONGEST_START: Final = timedelta(seconds=870)
"""How long a start may take: the same, for the function that starts jobs."""

LOOPBACK: Final = "loopback"


class KeptSecret(Struct, frozen=True, kw_only=True):
    """Where AWS Secrets Manager keeps a secret, there perhaps one `field` of a JSON object."""

    aws_secret: str
    field: str = ""


class FunctionSettings(Struct, frozen=True, kw_only=True):
    """What of a project file functions go by. `archived` says whether facts are marked for an archiver elsewhere."""

    mode: Mode
    timezone: str
    default_timeout: timedelta
    default_interval: timedelta
    clock_skew: timedelta
    history: timedelta | None
    archived: bool
    watchdog: WatchdogSpec
    alerting: AlertingSpec
    sinks: tuple[SinkSpec, ...]
    lifecycle: tuple[SinkSpec, ...]
    secrets: dict[str, KeptSecret]
    aws: AwsOptions
    env_allow: tuple[str, ...]
    network_allow: tuple[str, ...]
    evaluator_base_url: str
    public_url: str


class Bundled(Struct, frozen=True, kw_only=True):
    """A pipeline of a bundle, its digest, and the file that defines it."""

    digest: str
    source: str
    spec: PipelineSpec


class Bundle(Struct, frozen=True, kw_only=True):
    """A project as one document. `digest` names the content: everything else in it."""

    digest: str
    settings: FunctionSettings
    archetypes: dict[str, Archetype]
    pipelines: dict[str, Bundled]


class _Content(Struct, frozen=True, kw_only=True):
    format: str
    settings: FunctionSettings
    archetypes: dict[str, Archetype]
    pipelines: dict[str, Bundled]


def bundle_of(project: Project) -> Bundle:
    """Return a project as a bundle. Whether functions can do what it says is judged by `config.portable`."""
    pipelines = {
        name: Bundled(digest=wire.digest(one.spec), source=_place(one.source), spec=one.spec)
        for name, one in project.pipelines.items()
    }
    used = sorted({one.spec.archetype for one in pipelines.values()} & project.archetypes.keys())
    content = _Content(
        format=FORMAT,
        settings=_of_functions(project.settings),
        archetypes={name: project.archetypes[name] for name in used},
        pipelines=pipelines,
    )
    return _named(content, _digest(wire.to_builtins(content)))


def bundle_text(bundle: Bundle) -> bytes:
    """Write a bundle: keys in order, indented for those who compare two."""
    content = {"format": FORMAT, **wire.to_builtins(bundle)}
    return msgspec.json.format(wire.to_json(content), indent=2) + b"\n"


def read_bundle(text: bytes, name: str) -> Bundle:
    """Read a bundle back, and believe nothing of it that does not fit together. `name` is where it came from, for people.

    Raises:
        ConfigError: it is no bundle, one of a later Interlock, or not as it was compiled.
    """
    try:
        data = msgspec.json.decode(text)
    except (ValueError, RecursionError) as exc:
        raise _refused(name, f"is no bundle: it is not JSON ({exc})", "make one: interlock compile --out FILE") from exc
    if not isinstance(data, dict) or not str(data.get("format", "")).startswith("interlock-bundle/"):
        raise _refused(name, "is no bundle", "make one: interlock compile --out FILE")
    if data["format"] != FORMAT:
        message = f"is a bundle of the format {data['format']!r}, and this Interlock reads {FORMAT!r}"
        raise _refused(name, message, "compile it with the version of Interlock that deploys it")
    said = data.pop("digest", "")
    if said != _digest(data):
        raise _refused(name, "does not have the digest that it names: it was changed, or damaged", "compile it anew")
    try:
        content = wire.from_builtins(data, _Content)
    except ValueError as exc:
        raise _refused(
            name, f"cannot be read: {exc}", "compile it with the version of Interlock that deploys it"
        ) from exc
    for pipeline, one in content.pipelines.items():
        if wire.digest(one.spec) != one.digest or one.spec.name != pipeline:
            message = f"the pipeline {pipeline} is not the one that it was compiled as"
            raise _refused(name, message, "compile it with the version of Interlock that deploys it")
    return _named(content, said)


def resolved_settings(settings: FunctionSettings, root: Path) -> ProjectSettings:
    """Return the settings of a project without files, which stands at `root` in name only."""
    return ProjectSettings(
        provider="dynamodb",
        sqlite_path=root / "interlock.db",
        history=settings.history,
        server=ServerSpec(public_url=settings.public_url),
        default_timeout=settings.default_timeout,
        clock_skew=settings.clock_skew,
        sinks=settings.sinks,
        alerting=settings.alerting,
        lifecycle=settings.lifecycle,
        mode=settings.mode,
        watcher_interval=settings.default_interval,
        watchdog=settings.watchdog,
        archiver=ArchiverSpec(enabled=settings.archived),
        timezone=settings.timezone,
        env_allow=settings.env_allow,
        secrets={
            name: SecretSpec(aws_secret=one.aws_secret, field=one.field) for name, one in settings.secrets.items()
        },
        aws=settings.aws,
        network_allow=settings.network_allow,
        evaluator_base_url=settings.evaluator_base_url,
    )


def _of_functions(settings: ProjectSettings) -> FunctionSettings:
    return FunctionSettings(
        mode=settings.mode,
        timezone=settings.timezone,
        default_timeout=settings.default_timeout,
        default_interval=settings.watcher_interval,
        clock_skew=settings.clock_skew,
        history=settings.history,
        archived=settings.archiver.enabled,
        watchdog=settings.watchdog,
        alerting=settings.alerting,
        sinks=settings.sinks,
        lifecycle=settings.lifecycle,
        secrets={
            name: KeptSecret(aws_secret=one.aws_secret, field=one.field)
            for name, one in sorted(settings.secrets.items())
            if one.aws_secret
        },
        aws=settings.aws,
        env_allow=settings.env_allow,
        # What listens on the loopback of a function is its own runtime.
        network_allow=tuple(entry for entry in settings.network_allow if entry != LOOPBACK),
        evaluator_base_url=settings.evaluator_base_url,
        public_url=settings.server.public_url,
    )


def _place(source: str) -> str:
    """Return a file without the place of the project on this machine; of one outside of the project, its name."""
    place = PurePath(source)
    return place.name if place.is_absolute() or ".." in place.parts else place.as_posix()


def _named(content: _Content, digest: str) -> Bundle:
    return Bundle(
        digest=digest, settings=content.settings, archetypes=content.archetypes, pipelines=content.pipelines
    )  # fmt: skip


def _digest(content: Mapping[str, Any]) -> str:
    return sha256(wire.to_json(content)).hexdigest()


def _refused(name: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(name, 0, 0, message, hint, "bundle")])

"""What functions on AWS cannot do: run programs, reach files, hold a call for longer than they last.

Each refusal stands at its line where there is a file for it, and says what to use instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from interlock import plugins
from interlock.codec.documents import mapping
from interlock.config.bundle import LONGEST_CHECK, LONGEST_START, Bundle, resolved_settings
from interlock.config.project import Project, ProjectSettings, SinkSpec
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.templates import secrets_in
from interlock.core.times import format_duration
from interlock.core.traits import CONFINED, TraitSpec
from interlock.errors import ConfigError, Problem

_BUILTIN: Final = "builtin:"
_URLS: Final = ("http://", "https://")
_OWN_LOOPBACK: Final = ("localhost", "127.", "::1")
_ELSEWHERE: Final = "ask a service over HTTP, use push or a sensor, or package a function: python:module:function"

_LOCAL_CHECKS: Final[Mapping[str, str]] = {
    "command-exit": "it runs a command",
    "disk-space": "it looks at a disk",
    "file-freshness": "it looks at a file",
}
_LOCAL_SINKS: Final[Mapping[str, str]] = {"file": "it writes a file, which goes away with the function"}
_RUNS_CODE: Final = (
    "it runs code on the machine that Interlock runs on, which would be a function with all that its role may do"
)
_REMOTE_TRIGGER: Final = (
    "start the job where it belongs: lambda, step-function, glue, emr, emr-serverless, http, airflow or databricks; or let "
    "it tell by itself: external"
)


class Trouble(NamedTuple):
    """One thing that functions cannot do, and where in its file it stands."""

    path: Steps
    message: str
    hint: str


def refusals(project: Project) -> tuple[Problem, ...]:
    """Return everything in a project's files that functions cannot do, at its line."""
    found = list(_at(project, project.file, settings_troubles(project.settings)))
    for _, one in sorted(project.pipelines.items()):
        found += _at(project, one.source, pipeline_troubles(one.spec, project.settings))
    return tuple(sorted(found))


def refuse_unportable(bundle: Bundle, name: str) -> None:
    """Refuse a bundle, however it was made, that asks of functions what they cannot do.

    Raises:
        ConfigError: it does; all of it is listed.
    """
    from pathlib import Path

    settings = resolved_settings(bundle.settings, Path())
    told = [("", one) for one in settings_troubles(settings)]
    for pipeline, one in sorted(bundle.pipelines.items()):
        told += [(f"{pipeline}: ", trouble) for trouble in pipeline_troubles(one.spec, settings)]
    if told:
        raise ConfigError([Problem(name, 0, 0, f"{of}{it.message}", it.hint, "aws") for of, it in told])


def _at(project: Project, place: str, troubles: Iterator[Trouble]) -> Iterator[Problem]:
    source = Source(os.path.join(project.root, place), place)  # noqa: PTH118
    for trouble in troubles:
        source.fail(trouble.path, trouble.message, trouble.hint, "aws")
    yield from source.problems


# ---------------------------------------------------------------- pipelines


def pipeline_troubles(spec: PipelineSpec, settings: ProjectSettings) -> Iterator[Trouble]:
    """Yield what functions cannot do of a pipeline."""
    for trait in spec.traits:
        yield from _check_troubles(trait, ("traits", str(trait.name)), settings)
    for index, check in enumerate(spec.verify):
        yield from _check_troubles(check, ("verify", index), settings)
    if spec.trigger is not None:
        yield from _trigger_troubles(spec.trigger, settings)


def _check_troubles(trait: TraitSpec, path: Steps, settings: ProjectSettings) -> Iterator[Trouble]:
    why, hint = _why_not(trait, settings)
    if why:
        message = f"the check {trait.name} cannot be asked on AWS ({trait.checked_by}): {why}"
        yield Trouble((*path, "evaluator"), message, hint)
    if trait.timeout > LONGEST_CHECK:
        said = f"the check {trait.name} may take {format_duration(trait.timeout)}, and a function is stopped before"
        yield Trouble(
            (*path, "timeout"), said, f"at most {format_duration(LONGEST_CHECK)}; let it report with push instead"
        )


def _why_not(trait: TraitSpec, settings: ProjectSettings) -> tuple[str, str]:
    """Return why an evaluator cannot be asked by a function, and what can; nothing when it can be."""
    first = trait.evaluator[0]
    if first.startswith(_BUILTIN):
        return _why_not_builtin(first.removeprefix(_BUILTIN), mapping(trait.config), settings)
    if first == "push" or first.startswith("python:"):
        return "", ""
    if first.lower().startswith(_URLS):
        return _why_not_address(first, settings)
    if not settings.evaluator_base_url or first.startswith(CONFINED):
        return "it is a program, and programs are not deployed", f"{_ELSEWHERE}; or set evaluatorBaseUrl"
    if first.startswith("/") or len(trait.evaluator) > 1:
        hint = "name it by a relative path alone, and give it a config in place of arguments"
        return "only a relative path without arguments can be asked at evaluatorBaseUrl", hint
    return "", ""


def _why_not_builtin(name: str, config: dict[str, Any], settings: ProjectSettings) -> tuple[str, str]:
    if name in _LOCAL_CHECKS:
        return f"{_LOCAL_CHECKS[name]}, and a function is another machine", _ELSEWHERE
    database = config.get("database")
    if name == "sql" and isinstance(database, str) and not database.startswith(("postgresql:", "postgres:", "${")):
        return "its database is a file, and a function has none", "use postgresql://…, or ask a service over HTTP"
    url = config.get("url")
    return _why_not_address(url, settings) if name == "http-json" and isinstance(url, str) else ("", "")


def _why_not_address(text: str, settings: ProjectSettings) -> tuple[str, str]:
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return "", ""
    spelt_out = any(entry.startswith(_OWN_LOOPBACK) for entry in settings.network_allow)
    if spelt_out or not host.lower().startswith(_OWN_LOOPBACK):
        return "", ""
    return "what listens on the loopback of a function is its own runtime", "name the host that answers"


def _trigger_troubles(trigger: TriggerSpec, settings: ProjectSettings) -> Iterator[Trouble]:
    if _runs_here(trigger.type):
        message = f"a trigger of the type {trigger.type!r} cannot be used on AWS: {_RUNS_CODE}"
        yield Trouble(("trigger", "type"), message, _REMOTE_TRIGGER)
    if trigger.start_timeout > LONGEST_START:
        said = f"startTimeout is {format_duration(trigger.start_timeout)}, and a function is stopped before"
        yield Trouble(("trigger", "startTimeout"), said, f"at most {format_duration(LONGEST_START)}")
    yield from _config_troubles(mapping(trigger.config), ("trigger",), settings)


def _runs_here(kind: str) -> bool:
    """Say whether jobs of this type are processes of the machine that starts them: ours by name, others as they say."""
    if plugins.is_ours("trigger", kind):
        return kind in ("command", "foreground", "gate", "python")
    try:
        return bool(getattr(plugins.load("trigger", kind), "local", False))
    except ConfigError:
        return False  # it is not installed here; the function that is to start it will say the same


# ---------------------------------------------------------------- the project file


def settings_troubles(settings: ProjectSettings) -> Iterator[Trouble]:
    """Yield what functions cannot do of a project file."""
    if settings.aws.profile:
        yield _profile(("aws", "profile"))
    if settings.evaluator_base_url:
        why, hint = _why_not_address(settings.evaluator_base_url, settings)
        if why:
            yield Trouble(("evaluatorBaseUrl",), f"evaluatorBaseUrl cannot be used on AWS: {why}", hint)
    for key, sinks in (("alerts", settings.sinks), ("lifecycle", settings.lifecycle)):
        for index, sink in enumerate(sinks):
            yield from _sink_troubles(sink, (key, index), settings)


def _sink_troubles(sink: SinkSpec, path: Steps, settings: ProjectSettings) -> Iterator[Trouble]:
    why = _LOCAL_SINKS.get(sink.type, "")
    if why:
        yield Trouble((*path, "type"), f"the sink {sink.name!r} cannot be used on AWS: {why}", "use s3, sns or webhook")
    yield from _config_troubles(mapping(sink.config), path, settings)


def _config_troubles(config: dict[str, Any], path: Steps, settings: ProjectSettings) -> Iterator[Trouble]:
    """Yield what cannot be had where a trigger or a sink runs: profiles, files, secrets that this machine keeps."""
    if config.get("profile"):
        yield _profile((*path, "profile"))
    if config.get("caFile"):
        said = "caFile cannot be used on AWS: a function has no files of this machine"
        yield Trouble((*path, "caFile"), said, "use a certificate that is publicly trusted")
    for name in sorted(set(chain.from_iterable(map(secrets_in, _texts(config))))):
        spec = settings.secrets.get(name)
        if spec is None or not spec.aws_secret:
            said = f"the secret {name!r} cannot be had on AWS: it is not kept in AWS Secrets Manager"
            yield Trouble(
                path, said, f"secrets: {{{name}: {{awsSecret: arn:aws:secretsmanager:…}}}} in the project file"
            )


def _profile(path: Steps) -> Trouble:
    said = "a profile cannot be used on AWS: functions have roles, and no AWS configuration files"
    return Trouble(path, said, "leave it out; use assumeRole where another account is meant")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(_texts, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(_texts, value))

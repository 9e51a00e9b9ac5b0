"""The project file, resolved: defaults put in, paths made absolute, every value judged."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from interlock.config import values
from interlock.config.build_alerts import build_alerting, build_lifecycle, build_sinks
from interlock.config.build_secrets import build_secrets
from interlock.config.build_server import build_server
from interlock.config.build_stores import build_other_stores, build_stores
from interlock.config.checks import Checks
from interlock.config.project import MetricsSpec, ProjectSettings, TracingSpec, WatchdogSpec
from interlock.config.schema_project import ProjectFile
from interlock.config.settings import Settings
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Range, Refused, meant
from interlock.core.pipelines import DEFAULT_INTERVAL, Mode
from interlock.core.traits import DEFAULT_TIMEOUT

_DEFAULT_DIRS: Final = {
    "archetypeDirs": "archetypes",
    "evaluatorDirs": "evaluators",
    "pipelineDirs": "pipelines",
    "calendarDirs": "calendars",
}


def build_settings(file: ProjectFile, source: Source, root: Path, settings: Settings) -> ProjectSettings:
    """Resolve the project file. Problems are noted; what they spoil stands at its default."""
    kept = build_stores(file, source, root)
    timeout, skew = _engine(file, source)
    interval, reload = _watcher(file, source)
    resolved = ProjectSettings(
        provider=file.provider,
        sqlite_path=_path(file.sqlite.path, root),
        redis=kept.redis,
        postgres=kept.postgres,
        dynamodb=kept.dynamodb,
        history=kept.history,
        server=build_server(file.server, source, root),
        default_timeout=timeout,
        clock_skew=skew,
        archetype_dirs=_dirs(file.archetype_dirs, "archetypeDirs", root, source),
        evaluator_dirs=_dirs(file.evaluator_dirs, "evaluatorDirs", root, source),
        pipeline_dirs=_dirs(file.pipeline_dirs, "pipelineDirs", root, source),
        calendar_dirs=_dirs(file.calendar_dirs, "calendarDirs", root, source),
        watcher_enabled=file.watcher.enabled,
        watcher_interval=interval,
        watcher_workers=file.watcher.workers,
        watcher_reload=reload,
        watchdog=_watchdog(file, source),
        alerting=build_alerting(file.alerting, source),
        mode=Mode(file.mode),
        archiver=kept.archiver,
        metrics=MetricsSpec(enabled=file.metrics.enabled, pipeline_label=file.metrics.pipeline_label),
        tracing=TracingSpec(enabled=None if file.tracing.enabled is UNSET else file.tracing.enabled),
        timezone=_zone(file.timezone, source),
        env_allow=file.env.allow,
        secrets=build_secrets(file.secrets, source, root),
        aws=file.aws,
        network_allow=file.network.allow,
        evaluator_base_url=_base_url(settings.evaluator_base_url, file.evaluator_base_url, source),
    )
    return _with_plugins(resolved, file, source, root)


def _with_plugins(resolved: ProjectSettings, file: ProjectFile, source: Source, root: Path) -> ProjectSettings:
    checks = Checks(root, resolved)
    return replace(
        resolved,
        other_stores=build_other_stores(file, source, root, checks),
        sinks=build_sinks(file.alerts, source, checks),
        lifecycle=build_lifecycle(file.lifecycle, source, checks),
    )


def _span(
    value: int | str | UnsetType, allowed: Range, path: tuple[str, ...], source: Source, default: timedelta
) -> timedelta:
    if value is UNSET:
        return default
    try:
        return values.duration(value, allowed)
    except Refused as exc:
        source.refuse(path, exc, path[-1])
        return default


def _engine(file: ProjectFile, source: Source) -> tuple[timedelta, timedelta]:
    entry = file.engine
    timeout = _span(entry.default_timeout, values.TIMEOUT, ("engine", "defaultTimeout"), source, DEFAULT_TIMEOUT)
    return timeout, _span(entry.clock_skew, values.SKEW, ("engine", "clockSkew"), source, timedelta())


def _watcher(file: ProjectFile, source: Source) -> tuple[timedelta, timedelta]:
    entry = file.watcher
    interval = _span(entry.default_interval, values.INTERVAL, ("watcher", "defaultInterval"), source, DEFAULT_INTERVAL)
    return interval, _span(entry.reload, values.RELOAD, ("watcher", "reload"), source, timedelta(seconds=5))


def _watchdog(file: ProjectFile, source: Source) -> WatchdogSpec:
    plain, entry = WatchdogSpec(), file.watchdog
    return WatchdogSpec(
        enabled=entry.enabled,
        interval=_span(entry.interval, values.INTERVAL, ("watchdog", "interval"), source, plain.interval),
        stuck_run_threshold=_span(
            entry.stuck_run_threshold,
            values.DEADLINE,
            ("watchdog", "stuckRunThreshold"),
            source,
            plain.stuck_run_threshold,
        ),
        ping_url=_address(entry.ping_url, ("watchdog", "pingUrl"), "pingUrl", source),
    )


def _zone(text: str, source: Source) -> str:
    try:
        return values.timezone(text)
    except Refused as exc:
        source.refuse(("timezone",), exc, "timezone")
        return "UTC"


def _base_url(environ: str, written: str, source: Source) -> str:
    if environ:
        return _address(environ, (), "EVALUATOR_BASE_URL", source)
    return _address(written, ("evaluatorBaseUrl",), "evaluatorBaseUrl", source)


def _address(text: str, path: Steps, what: str, source: Source) -> str:
    try:
        fine = not text or (text.startswith(("http://", "https://")) and bool(urlsplit(text).hostname))
    except ValueError:
        fine = False
    if not fine:
        source.fail(path, f"{what}: {text!r} is not an address, expected such as https://host/path")
    return text if fine else ""


def _path(text: str, root: Path) -> Path:
    return Path(os.path.normpath(root / text))


def _dirs(given: Any, key: str, root: Path, source: Source) -> tuple[Path, ...]:
    if given is UNSET:
        usual = root / _DEFAULT_DIRS[key]
        return (usual,) if usual.is_dir() else ()
    found: dict[Path, None] = {}
    for index, text in enumerate(given):
        place = _path(text, root)
        # os.path answers False where Path raises: for a name that is too long, and for one with a NUL.
        if os.path.isdir(place):  # noqa: PTH112
            found[place] = None
        elif os.path.exists(place):  # noqa: PTH110
            source.fail((key, index), f"{text!r} is not a directory", rule="file")
        else:
            hint = meant(place.name, _siblings(place)) if "\0" not in text else ""
            hint = hint if hint.startswith("did") else "make it, or remove it from the list"
            source.fail((key, index), f"the directory {text!r} does not exist", hint, "file")
    return tuple(found)


def _siblings(place: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(entry.name for entry in place.parent.iterdir() if entry.is_dir()))
    except OSError:
        return ()

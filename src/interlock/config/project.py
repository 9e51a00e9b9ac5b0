"""What loading a project results in: everything resolved, nothing optional that means "use the default"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from interlock.core.alerts import AlertLevel, AlertType
from interlock.core.archetypes import Archetype
from interlock.core.calendars import DaySet
from interlock.core.documents import EMPTY, Document
from interlock.core.pipelines import DEFAULT_INTERVAL, Mode, PipelineSpec
from interlock.core.traits import DEFAULT_TIMEOUT
from interlock.errors import Problem


class SinkSpec(Struct, frozen=True, kw_only=True):
    """One place where alerts or lifecycle events go. `config` is the validated configuration of the sink's type.

    It takes alerts at least as loud as `min_level` that match every list which is not empty; `pipelines` may hold `*` and
    `?`. With `group_by`, alerts that agree in all of these and become due within `group_wait` are told together.
    """

    name: str
    type: str
    config: Document = EMPTY
    min_level: AlertLevel = AlertLevel.INFO
    pipelines: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    owners: tuple[str, ...] = ()
    types: tuple[AlertType, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait: timedelta = timedelta()


class AlertingSpec(Struct, frozen=True, kw_only=True):
    """How often an open alert is told again (zero: never), and for how long delivery is tried."""

    renotify: timedelta = timedelta(hours=4)
    deliver_for: timedelta = timedelta(days=1)


class ServerSpec(Struct, frozen=True, kw_only=True):
    """Where the HTTP API listens. An `addr` without a host means loopback."""

    addr: str = "127.0.0.1:3000"
    api_key: str = ""
    max_request_body: int = 1024 * 1024


class WatchdogSpec(Struct, frozen=True, kw_only=True):
    """How often the watchdog looks, for how long a run may stand in one state, and whom it tells that it has looked."""

    enabled: bool = True
    interval: timedelta = timedelta(minutes=5)
    stuck_run_threshold: timedelta = timedelta(minutes=30)
    ping_url: str = ""


class ArchiverSpec(Struct, frozen=True, kw_only=True):
    """Whether and how often history is copied to PostgreSQL."""

    enabled: bool = False
    interval: timedelta = timedelta(minutes=5)
    dsn: str = ""


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """The project file, resolved: every path is absolute, every duration a duration."""

    provider: str = "sqlite"
    sqlite_path: Path
    server: ServerSpec = ServerSpec()
    default_timeout: timedelta = DEFAULT_TIMEOUT
    archetype_dirs: tuple[Path, ...] = ()
    evaluator_dirs: tuple[Path, ...] = ()
    pipeline_dirs: tuple[Path, ...] = ()
    calendar_dirs: tuple[Path, ...] = ()
    sinks: tuple[SinkSpec, ...] = ()
    alerting: AlertingSpec = AlertingSpec()
    lifecycle: tuple[SinkSpec, ...] = ()
    mode: Mode = Mode.LIVE
    watcher_enabled: bool = True
    watcher_interval: timedelta = DEFAULT_INTERVAL
    watcher_workers: int = 16
    watcher_reload: timedelta = timedelta(seconds=5)
    watchdog: WatchdogSpec = WatchdogSpec()
    archiver: ArchiverSpec = ArchiverSpec()
    timezone: str = "UTC"
    env_allow: tuple[str, ...] = ()
    network_allow: tuple[str, ...] = ("loopback",)
    evaluator_base_url: str = ""


class LoadedPipeline(Struct, frozen=True, kw_only=True):
    """A pipeline and the file that owns it, relative to the project where possible."""

    spec: PipelineSpec
    source: str


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the files of a project say. Nothing in it can be changed.

    `broken` is empty unless loading was tolerant: it holds the pipelines that could not be loaded, by name (by file name
    where not even the name could be read), with their problems.
    """

    root: Path
    file: str
    settings: ProjectSettings
    pipelines: Mapping[str, LoadedPipeline]
    archetypes: Mapping[str, Archetype]
    calendars: Mapping[str, DaySet]
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=lambda: MappingProxyType({}))

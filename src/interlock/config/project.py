"""What loading a project results in: everything resolved, nothing optional that means "use the default"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from interlock.clients.aws import AwsOptions
from interlock.config.stores import ArchiverSpec, DynamoSpec, OtherStoreSpec, PostgresSpec, RedisSpec
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


class KeySpec(Struct, frozen=True, kw_only=True):
    """An API key. `digest` is the SHA-256 of its token in hexadecimal digits; without `pipelines` it is good for all."""

    name: str
    digest: str
    roles: tuple[str, ...]
    pipelines: tuple[str, ...] = ()


class TlsSpec(Struct, frozen=True, kw_only=True):
    """The files of a certificate; with `client_ca_file` callers need one, too."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


class ServerSpec(Struct, frozen=True, kw_only=True):
    """Where the HTTP API listens, and who may ask it for what.

    Keys stand in `keys`, in the file `keys_file`, and one in the environment variable `key_variable` (a name alone: its
    value is no part of this). `public_url` has no path.
    """

    host: str = "127.0.0.1"
    port: int = 3000
    keys: tuple[KeySpec, ...] = ()
    keys_file: Path | None = None
    key_variable: str = ""
    max_request_body: int = 1024 * 1024
    rate: int = 500
    burst: int = 1000
    tls: TlsSpec | None = None
    allow_public: bool = False
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()

    @property
    def addr(self) -> str:
        """Host and port in one text."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class WatchdogSpec(Struct, frozen=True, kw_only=True):
    """How often the watchdog looks, for how long a run may stand in one state, and whom it tells that it has looked."""

    enabled: bool = True
    interval: timedelta = timedelta(minutes=5)
    stuck_run_threshold: timedelta = timedelta(minutes=30)
    ping_url: str = ""


class MetricsSpec(Struct, frozen=True, kw_only=True):
    """Whether `/metrics` is there, and whether what is counted is counted for each pipeline."""

    enabled: bool = True
    pipeline_label: bool = False


class TracingSpec(Struct, frozen=True, kw_only=True):
    """Whether spans are made; None: when the environment asks for it."""

    enabled: bool | None = None


class SecretSpec(Struct, frozen=True, kw_only=True):
    """Where a secret is kept: a variable, a file, or AWS Secrets Manager, there perhaps one `field` of a JSON object."""

    env: str = ""
    file: Path | None = None
    aws_secret: str = ""
    field: str = ""


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """The project file, resolved: every path is absolute, every duration a duration."""

    provider: str = "sqlite"
    sqlite_path: Path
    redis: RedisSpec = RedisSpec()
    postgres: PostgresSpec = PostgresSpec()
    dynamodb: DynamoSpec = DynamoSpec()
    other_stores: tuple[OtherStoreSpec, ...] = ()
    """Stores of plug-ins: those that the file describes, and that of the provider."""
    history: timedelta | None = None
    """How long a slot is kept after its last run has ended; None: for ever."""
    server: ServerSpec = ServerSpec()
    default_timeout: timedelta = DEFAULT_TIMEOUT
    clock_skew: timedelta = timedelta()
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
    metrics: MetricsSpec = MetricsSpec()
    tracing: TracingSpec = TracingSpec()
    timezone: str = "UTC"
    env_allow: tuple[str, ...] = ()
    secrets: Mapping[str, SecretSpec] = {}
    aws: AwsOptions = AwsOptions()
    network_allow: tuple[str, ...] = ("loopback",)
    evaluator_base_url: str = ""


class Registered(Struct, frozen=True, kw_only=True):
    """Who registered a pipeline through the API, when, and in which version, as far as that can be read.

    `shadowed` while a file of its name counts.
    """

    by: str = ""
    at: datetime | None = None
    version: int = 0
    shadowed: bool = False


API: Final = "api"
"""The source of a registered pipeline, where another has its file."""


class LoadedPipeline(Struct, frozen=True, kw_only=True):
    """A pipeline and the file that owns it, relative to the project where possible; `api` for one that was registered."""

    spec: PipelineSpec
    source: str


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the files of a project say. Nothing in it can be changed.

    `broken` is empty unless loading was tolerant: it holds the pipelines that could not be loaded, by name (by file name
    where not even the name could be read), with their problems. `registered` says which names were registered through the
    API, those among them that a file shadows included.
    """

    root: Path
    file: str
    settings: ProjectSettings
    pipelines: Mapping[str, LoadedPipeline]
    archetypes: Mapping[str, Archetype]
    calendars: Mapping[str, DaySet]
    broken: Mapping[str, tuple[Problem, ...]] = field(default_factory=lambda: MappingProxyType({}))
    registered: Mapping[str, Registered] = field(default_factory=lambda: MappingProxyType({}))

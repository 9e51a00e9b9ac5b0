"""The shape of the project file, `interlock.yaml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from interlock.clients.aws import AwsOptions
from interlock.config.schema import Duration, Zone


class _File(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What all of these have in common: strict, immutable, camel case."""


class SqliteEntry(_File, frozen=True, kw_only=True):
    """Where the default store keeps its file."""

    path: str = ".interlock/interlock.db"


class RedisTlsEntry(_File, frozen=True, kw_only=True):
    """Certificates for a server that is reached by rediss://."""

    ca_file: Annotated[str, Meta(description="The authorities that count; those of the system when left out.")] = ""
    cert_file: str = ""
    key_file: str = ""


class RedisEntry(_File, frozen=True, kw_only=True):
    """A Redis or Valkey server."""

    addr: Annotated[str, Meta(description="host:port.")] = "localhost:6379"
    url: Annotated[
        str, Meta(description="Instead of addr: redis://, rediss:// (TLS) or unix://; may hold ${env:NAME}.")
    ] = ""
    username: str = ""
    password: Annotated[str, Meta(description="${env:NAME} takes it from a variable.")] = ""
    db: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    key_prefix: Annotated[str, Meta(description="What every key begins with: several projects can share a server.")] = (
        "interlock:"
    )
    cluster: Annotated[bool, Meta(description="The server is a node of a Redis Cluster.")] = False
    wait_replicas: Annotated[
        int, Meta(ge=0, le=100, description="So many replicas must have a commit before it counts as done.")
    ] = 0
    timeout: Annotated[Duration, Meta(description="How long to wait for a connection, and for an answer.")] = "5s"
    tls: RedisTlsEntry = RedisTlsEntry()
    retention_ttl: Annotated[Duration | UnsetType, Meta(description="The same as retention.history.")] = UNSET
    readiness_ttl: Duration = "5m"
    run_index_limit: Annotated[int, Meta(ge=1)] = 100
    event_stream_max: Annotated[int, Meta(ge=1)] = 10_000


class DynamoEntry(_File, frozen=True, kw_only=True):
    """A DynamoDB table."""

    table_name: str = ""
    region: Annotated[str, Meta(description="That of the AWS environment when left out.")] = ""
    endpoint: Annotated[str, Meta(description="Another address than that of AWS.")] = ""
    profile: Annotated[str, Meta(description="A profile of the AWS configuration files.")] = ""
    create_table: Annotated[bool, Meta(description="Make the table when it is missing.")] = False
    timeout: Annotated[Duration, Meta(description="How long to wait for a connection, and for an answer.")] = "5s"
    retention_ttl: Annotated[Duration | UnsetType, Meta(description="The same as retention.history.")] = UNSET
    readiness_ttl: Duration = "5m"


class PostgresEntry(_File, frozen=True, kw_only=True):
    """A PostgreSQL database."""

    dsn: Annotated[str, Meta(description="postgresql://user@host:5432/database; may hold ${env:NAME}.")] = ""
    schema: Annotated[str, Meta(description="Where our tables are; made when it is missing.")] = "interlock"
    pool_size: Annotated[int, Meta(ge=1, le=200, description="Connections of one process at most.")] = 10
    statement_timeout: Duration = "30s"
    connect_timeout: Duration = "5s"
    listen: Annotated[bool, Meta(description="Wake watchers on other machines at once.")] = True


class RetentionEntry(_File, frozen=True, kw_only=True):
    """How long what is over is kept."""

    history: Annotated[
        Duration | UnsetType,
        Meta(description="Slots are removed so long after their last run ended. For ever when left out."),
    ] = UNSET


class KeyEntry(_File, frozen=True, kw_only=True):
    """An API key, by the hash of its token. `interlock keys new` makes one."""

    name: Annotated[str, Meta(description="Who holds it: shown in events and logs.")]
    hash: Annotated[str, Meta(description="sha256: and the SHA-256 of the token, in hexadecimal digits.")]
    roles: tuple[Literal["read", "push", "operate", "admin"], ...] = ("read",)
    pipelines: Annotated[
        tuple[str, ...], Meta(description="All it may touch; * and ? may be used. All when empty.")
    ] = ()


class KeysFile(_File, frozen=True, kw_only=True):
    """A file that holds API keys."""

    keys: tuple[KeyEntry, ...] = ()


class RateEntry(_File, frozen=True, kw_only=True):
    """How much one key, or one address where there are no keys, may ask."""

    requests_per_second: Annotated[int, Meta(ge=0, le=1_000_000, description="0 is without a limit.")] = 500
    burst: Annotated[int, Meta(ge=1, le=1_000_000, description="So many may come at once.")] = 1000


class TlsEntry(_File, frozen=True, kw_only=True):
    """The certificate of the HTTP API."""

    cert_file: str
    key_file: str
    client_ca_file: Annotated[str, Meta(description="Callers need a certificate of one of these authorities.")] = ""


class ServerEntry(_File, frozen=True, kw_only=True):
    """The HTTP API."""

    addr: Annotated[str, Meta(description="host:port; loopback when no host is given.")] = "127.0.0.1:3000"
    api_key: Annotated[str, Meta(description="A key that may do everything; ${env:NAME} takes it from a variable.")] = (
        ""
    )
    keys: tuple[KeyEntry, ...] = ()
    keys_file: Annotated[str, Meta(description="A file with more keys.")] = ""
    max_request_body: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    rate_limit: RateEntry = RateEntry()
    tls: TlsEntry | UnsetType = UNSET
    allow_public: Annotated[bool, Meta(description="Listen beyond loopback without any key.")] = False
    public_url: Annotated[str, Meta(description="Where callers reach it, such as https://interlock.example.com.")] = ""
    trusted_proxies: Annotated[tuple[str, ...], Meta(description="Whose X-Forwarded-For is believed.")] = ()


class EngineEntry(_File, frozen=True, kw_only=True):
    """How traits are evaluated."""

    default_timeout: Duration | UnsetType = UNSET
    clock_skew: Annotated[
        Duration, Meta(description="How much the clocks of machines that share the store may differ.")
    ] = "0s"


class WatcherEntry(_File, frozen=True, kw_only=True):
    """The loop that evaluates pipelines by itself."""

    enabled: bool = True
    default_interval: Duration | UnsetType = UNSET
    workers: Annotated[int, Meta(ge=1, le=256, description="How much is done at once.")] = 16
    reload: Annotated[Duration, Meta(description="How often the files are looked at for changes; 0 is never.")] = "5s"


class WatchdogEntry(_File, frozen=True, kw_only=True):
    """The loop that notices what did not happen."""

    enabled: bool = True
    interval: Duration = "5m"
    stuck_run_threshold: Duration = "30m"
    ping_url: Annotated[str, Meta(description="An address that is asked after every completed scan.")] = ""


class AlertingEntry(_File, frozen=True, kw_only=True):
    """How alerts are repeated, and for how long their delivery is tried."""

    renotify: Annotated[Duration, Meta(description="How often an open alert is told again; 0 is never.")] = "4h"
    deliver_for: Duration = "1d"


class ArchiverEntry(_File, frozen=True, kw_only=True):
    """The copy of history to PostgreSQL."""

    enabled: bool = False
    interval: Duration = "5m"
    dsn: Annotated[str, Meta(description="postgres.dsn when left out; may hold ${env:NAME}.")] = ""
    schema: Annotated[str, Meta(description="Where its tables are; made when it is missing.")] = "interlock_archive"
    behind: Annotated[Duration, Meta(description="Facts that have waited so long for being copied are told of.")] = "1h"


class EnvEntry(_File, frozen=True, kw_only=True):
    """Which environment variables trigger templates may read."""

    allow: tuple[str, ...] = ()


class SecretEntry(_File, frozen=True, kw_only=True):
    """Where one secret is kept; exactly one place is given. Files refer to it as ${secret:NAME}."""

    env: Annotated[str, Meta(description="An environment variable.")] = ""
    file: Annotated[str, Meta(description="A file whose whole content it is, less a newline at its end.")] = ""
    aws_secret: Annotated[str, Meta(description="The ARN of a secret of AWS Secrets Manager.")] = ""
    field: Annotated[str, Meta(description="The key within it, where that secret is a JSON object.")] = ""


class NetworkEntry(_File, frozen=True, kw_only=True):
    """Which hosts HTTP evaluators, triggers and sinks may reach."""

    allow: tuple[str, ...] = ("loopback",)


class MetricsEntry(_File, frozen=True, kw_only=True):
    """What `serve` counts and shows at /metrics."""

    enabled: bool = True
    pipeline_label: Annotated[
        bool, Meta(description="Tell pipelines apart in what is counted: one more series of each for every pipeline.")
    ] = False


class TracingEntry(_File, frozen=True, kw_only=True):
    """Spans of OpenTelemetry."""

    enabled: Annotated[
        bool | UnsetType, Meta(description="By default when the environment names an OTLP endpoint or an exporter.")
    ] = UNSET


class ProjectFile(_File, frozen=True, kw_only=True):
    """A project: where its files are, where state is kept, who is told."""

    provider: Annotated[str, Meta(description="Where state is kept.")] = "sqlite"
    sqlite: SqliteEntry = SqliteEntry()
    redis: RedisEntry = RedisEntry()
    dynamodb: DynamoEntry = DynamoEntry()
    postgres: PostgresEntry = PostgresEntry()
    retention: RetentionEntry = RetentionEntry()
    server: ServerEntry = ServerEntry()
    engine: EngineEntry = EngineEntry()
    archetype_dirs: tuple[str, ...] | UnsetType = UNSET
    evaluator_dirs: tuple[str, ...] | UnsetType = UNSET
    pipeline_dirs: tuple[str, ...] | UnsetType = UNSET
    calendar_dirs: tuple[str, ...] | UnsetType = UNSET
    alerts: tuple[dict[str, Any], ...] = ()
    alerting: AlertingEntry = AlertingEntry()
    lifecycle: tuple[dict[str, Any], ...] = ()
    watcher: WatcherEntry = WatcherEntry()
    watchdog: WatchdogEntry = WatchdogEntry()
    archiver: ArchiverEntry = ArchiverEntry()
    metrics: MetricsEntry = MetricsEntry()
    tracing: TracingEntry = TracingEntry()
    timezone: Zone = "UTC"
    mode: Literal["live", "shadow"] = "live"
    env: EnvEntry = EnvEntry()
    secrets: Annotated[dict[str, SecretEntry], Meta(description="By name: ${secret:NAME} in triggers and sinks.")] = {}
    aws: Annotated[AwsOptions, Meta(description="How AWS is asked, unless a trigger says otherwise.")] = AwsOptions()
    network: NetworkEntry = NetworkEntry()
    evaluator_base_url: Annotated[str, Meta(description="Where evaluators given as a bare name are asked.")] = ""

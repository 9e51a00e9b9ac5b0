"""Where state is kept: the blocks of the project file, judged. What a provider needs is required of the one that is used."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from interlock import plugins
from interlock.codec.documents import document
from interlock.config import values
from interlock.config.checks import Checks
from interlock.config.schema_project import ArchiverEntry, PostgresEntry, ProjectFile, RedisEntry
from interlock.config.shape import kind_of
from interlock.config.source import Source
from interlock.config.stores import ArchiverSpec, DynamoSpec, OtherStoreSpec, PostgresSpec, RedisSpec
from interlock.config.values import Refused
from interlock.plugins import PROVIDERS

_KEYS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ProjectFile))
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TABLE: Final = re.compile(r"(?:arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/)?[A-Za-z0-9_.-]{3,255}")


class Kept(NamedTuple):
    """Where and for how long everything is kept."""

    redis: RedisSpec
    postgres: PostgresSpec
    dynamodb: DynamoSpec
    archiver: ArchiverSpec
    history: timedelta | None


def build_stores(file: ProjectFile, source: Source, root: Path) -> Kept:
    """Resolve everything about stores. Problems are noted; what they spoil stands at its default."""
    _provider(file.provider, source)
    return Kept(
        _redis(file.redis, source, root),
        _postgres(file, source),
        _dynamodb(file, source),
        _archiver(file.archiver, file.postgres, source),
        _history(file, source),
    )


def _provider(name: str, source: Source) -> None:
    if name in PROVIDERS:
        return
    known = dict.fromkeys((*PROVIDERS, *plugins.available("store")))
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = (
            f"did you mean {near[0]}?" if near else f"provider: {PROVIDERS[0]}; or install the plug-in that brings it"
        )
        source.fail(("provider",), f"there is no provider {name!r}, only {', '.join(known)}", hint, "plugin")


def set_other_stores_aside(source: Source) -> Any:
    """Return what the project file says without the blocks of plug-ins' stores, which stay with its source."""
    data = source.data
    strange = [key for key in data if key not in _KEYS] if isinstance(data, dict) else []
    if not strange:
        return data
    names = (data.get("provider"), *plugins.available("store"))
    source.other_stores = {key: data[key] for key in strange if key in names}
    return {key: value for key, value in data.items() if key not in source.other_stores}


def build_other_stores(file: ProjectFile, source: Source, root: Path, checks: Checks) -> tuple[OtherStoreSpec, ...]:
    """Resolve the stores of plug-ins that the file describes or has as its provider. Problems are noted."""
    if file.provider in PROVIDERS and not source.other_stores:
        return ()
    names = dict.fromkeys((file.provider, *source.other_stores))
    known = plugins.available("store")
    found = [_other(name, source, root, checks) for name in names if name in known and name not in PROVIDERS]
    return tuple(spec for spec in found if spec is not None)


def _other(name: str, source: Source, root: Path, checks: Checks) -> OtherStoreSpec | None:
    said = name in source.other_stores
    place = (name,) if said else ("provider",)
    if name in _KEYS:
        message = f"the store {name!r} of the distribution {plugins.owner_of('store', name)} cannot be used"
        source.fail(place, f"{message}: the project file has a key of that name", "it needs another name", "plugin")
        return None
    block = source.other_stores.get(name, {})
    if not isinstance(block, dict):
        source.fail(place, f"{name} is {kind_of(block)}, expected a mapping", f"{name}: {{…}}", "type")
        return None
    try:
        found = checks.config("store", name, block)
    except Refused as exc:
        source.refuse(place, exc)
        return None
    for one in found:
        words = f"{name}: {one.message}" if said else f"the provider {name} needs a block {name!r}: {one.message}"
        source.fail((*place, *one.path) if said else place, words, one.hint, one.rule, on_key=one.on_key and said)
    try:
        return OtherStoreSpec(name=name, config=document(block), root=root)
    except ValueError as exc:
        source.fail(place, f"{name}: {exc}")
        return None


def _redis(entry: RedisEntry, source: Source, root: Path) -> RedisSpec:
    plain = RedisSpec()
    url = entry.url or f"redis://{entry.addr}"
    if entry.url and entry.addr != RedisEntry().addr:
        source.fail(("redis", "addr"), "the server is named twice, by 'addr' and by 'url'", "leave one of them out")
    if not _is_url(url, ("redis", "rediss", "unix")):
        key = "url" if entry.url else "addr"
        expected = "redis://host:6379, rediss://host:6379 or unix:///path" if entry.url else "host:6379"
        source.fail(("redis", key), f"{key}: names no server, expected such as {expected}")
        url = plain.url
    _span(entry.readiness_ttl, values.RETENTION, ("redis", "readinessTtl"), source, timedelta())
    return RedisSpec(
        url=url,
        username=entry.username,
        password=entry.password,
        db=None if entry.db is UNSET else entry.db,
        key_prefix=entry.key_prefix,
        cluster=entry.cluster,
        wait_replicas=entry.wait_replicas,
        timeout=_span(entry.timeout, values.CALL, ("redis", "timeout"), source, plain.timeout),
        ca_file=_file(entry.tls.ca_file, root),
        cert_file=_file(entry.tls.cert_file, root),
        key_file=_file(entry.tls.key_file, root),
    )


def _postgres(file: ProjectFile, source: Source) -> PostgresSpec:
    plain, entry = PostgresSpec(), file.postgres
    if file.provider == "postgres" and not entry.dsn:
        hint = "add postgres: {dsn: postgresql://user@host/database}"
        source.fail(("provider",), "the provider postgres needs 'postgres.dsn'", hint, "missing-key")
    return PostgresSpec(
        dsn=_dsn(entry.dsn, ("postgres", "dsn"), source),
        schema=_schema(entry.schema, ("postgres", "schema"), source, plain.schema),
        pool_size=entry.pool_size,
        statement_timeout=_span(
            entry.statement_timeout, values.CALL, ("postgres", "statementTimeout"), source, plain.statement_timeout
        ),
        connect_timeout=_span(
            entry.connect_timeout, values.CALL, ("postgres", "connectTimeout"), source, plain.connect_timeout
        ),
        listen=entry.listen,
    )


def _dynamodb(file: ProjectFile, source: Source) -> DynamoSpec:
    plain, entry = DynamoSpec(), file.dynamodb
    _span(entry.readiness_ttl, values.RETENTION, ("dynamodb", "readinessTtl"), source, timedelta())
    if file.provider == "dynamodb" and not entry.table_name:
        hint = "add dynamodb: {tableName: interlock}"
        source.fail(("provider",), "the provider dynamodb needs 'dynamodb.tableName'", hint, "missing-key")
    elif entry.table_name and not _TABLE.fullmatch(entry.table_name):
        source.fail(
            ("dynamodb", "tableName"),
            f"tableName: {entry.table_name!r} is no name of a table, nor an ARN: 3 to 255 letters, digits, '_', '-' and '.'",
        )
    if entry.create_table and not entry.region:
        # Each machine would take the region of its own environment: two tables are two stores, and each starts the job.
        source.fail(("dynamodb", "createTable"), "createTable: needs 'dynamodb.region' too", "add region: eu-west-1")
    if entry.endpoint and not _is_url(entry.endpoint, ("http", "https")):
        source.fail(("dynamodb", "endpoint"), "endpoint: is no address, expected such as http://localhost:8000")
    return DynamoSpec(
        table_name=entry.table_name,
        region=entry.region,
        endpoint=entry.endpoint,
        profile=entry.profile,
        create_table=entry.create_table,
        timeout=_span(entry.timeout, values.CALL, ("dynamodb", "timeout"), source, plain.timeout),
    )


def _archiver(entry: ArchiverEntry, postgres: PostgresEntry, source: Source) -> ArchiverSpec:
    plain = ArchiverSpec()
    if entry.enabled and not (entry.dsn or postgres.dsn):
        hint = "add dsn: postgresql://…, or set enabled: false"
        source.fail(("archiver",), "the archiver has no 'dsn'", hint, "missing-key", on_key=True)
    schema = _schema(entry.schema, ("archiver", "schema"), source, plain.schema)
    if (entry.dsn or postgres.dsn) == postgres.dsn and schema == postgres.schema:
        source.fail(
            ("archiver", "schema"), f"schema: {schema!r} is where the store is, and the archive needs one of its own"
        )
    return ArchiverSpec(
        enabled=entry.enabled,
        interval=_span(entry.interval, values.INTERVAL, ("archiver", "interval"), source, plain.interval),
        dsn=_dsn(entry.dsn, ("archiver", "dsn"), source) or postgres.dsn,
        schema=schema,
        behind=_span(entry.behind, values.RETENTION, ("archiver", "behind"), source, plain.behind),
    )


def _history(file: ProjectFile, source: Source) -> timedelta | None:
    """Return how long history is kept: `retention.history`, or what the seeds call it in the block of their provider."""
    given = {
        ("retention", "history"): file.retention.history,
        ("redis", "retentionTtl"): file.redis.retention_ttl,
        ("dynamodb", "retentionTtl"): file.dynamodb.retention_ttl,
    }
    spans = {
        path: _span(value, values.HISTORY, path, source, timedelta())
        for path, value in given.items()
        if value is not UNSET
    }
    general = spans.get(("retention", "history"))
    own = spans.get((file.provider, "retentionTtl"))
    if general is not None and own is not None:
        path = (file.provider, "retentionTtl")
        source.fail(path, "retentionTtl: says the same as retention.history", "leave one of them out")
    return general or own or None


def _dsn(text: str, path: tuple[str, ...], source: Source) -> str:
    # What libpq takes is more than an address: `host=… dbname=…` too, and a variable may hold all of it.
    if text and not (
        _is_url(text, ("postgresql", "postgres")) or re.match(r"\s*\w+\s*=", text) or text.startswith("${")
    ):
        hint = "within a password write %40 for @, %2F for / and %25 for %"
        source.fail(path, "dsn names no database, expected such as postgresql://host:5432/database", hint)
        return ""
    return text


def _schema(text: str, path: tuple[str, ...], source: Source, default: str) -> str:
    if _SCHEMA.fullmatch(text) and not text.startswith("pg_"):
        return text
    source.fail(path, f"schema: {text!r} is no name for ours: small letters, digits and '_', not beginning with pg_")
    return default


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    if not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        return False
    if "${env:" in text:
        return True  # whatever the variable brings is judged by who opens the store
    try:
        parts = urlsplit(text)
        return bool(parts.path) if parts.scheme == "unix" else bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _file(text: str, root: Path) -> Path | None:
    return Path(os.path.normpath(root / text)) if text else None


def _span(
    value: int | str, allowed: values.Range, path: tuple[str, ...], source: Source, default: timedelta
) -> timedelta:
    try:
        return values.duration(value, allowed)
    except Refused as exc:
        source.refuse(path, exc, path[-1])
        return default

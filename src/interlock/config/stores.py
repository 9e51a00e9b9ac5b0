"""Where state is kept, resolved: one spec for each provider."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from interlock.core.documents import EMPTY, Document


class _Guarded(Struct, frozen=True, kw_only=True):
    """What may hold a password, and never shows its values."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class RedisSpec(_Guarded, frozen=True, kw_only=True):
    """A Redis or Valkey server. `url` and `password` may hold `${env:NAME}`, filled in when the store is opened."""

    url: str = "redis://localhost:6379"
    username: str = ""
    password: str = ""
    db: int | None = None
    key_prefix: str = "interlock:"
    cluster: bool = False
    wait_replicas: int = 0
    timeout: timedelta = timedelta(seconds=5)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


class PostgresSpec(_Guarded, frozen=True, kw_only=True):
    """A PostgreSQL database. `dsn` may hold `${env:NAME}`, filled in when the store is opened."""

    dsn: str = ""
    schema: str = "interlock"
    pool_size: int = 10
    statement_timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=5)
    listen: bool = True


class DynamoSpec(Struct, frozen=True, kw_only=True):
    """A DynamoDB table. Credentials, and the region where none is given, are those of the AWS environment."""

    table_name: str = ""
    region: str = ""
    endpoint: str = ""
    profile: str = ""
    create_table: bool = False
    timeout: timedelta = timedelta(seconds=5)


class OtherStoreSpec(_Guarded, frozen=True, kw_only=True):
    """A store of a plug-in's. `config` is its checked block, whose texts may hold `${env:NAME}`; `root` is the project."""

    name: str
    config: Document = EMPTY
    root: Path


class ArchiverSpec(_Guarded, frozen=True, kw_only=True):
    """Whether and how often history is copied to PostgreSQL. `dsn` may hold `${env:NAME}`."""

    enabled: bool = False
    interval: timedelta = timedelta(minutes=5)
    dsn: str = ""
    schema: str = "interlock_archive"
    behind: timedelta = timedelta(hours=1)
    """Facts that wait longer than this for being copied are told of."""

"""The stores that can be had on this machine, each with its server and with a bare driver for the same server.

The servers are those of the tests: real ones, but for DynamoDB, which is an emulator (MiniStack) and says nothing about the
speed of AWS. A site is a kind and an address, so that a helping process can be told where to go.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench import bare_drivers
from bench.bare_drivers import Trip, Values
from tests.servers.dynamodb import REGION, MiniStackServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

from interlock.stores.kernel import Kernel

if TYPE_CHECKING:
    from interlock.stores.dynamodb.options import DynamoOptions

KINDS: Final = ("sqlite", "redis", "valkey", "postgres", "dynamodb")
EMULATED: Final = frozenset({"dynamodb"})
_PATIENCE: Final = timedelta(seconds=60)  # a machine under load is no fault of the store


class Site(NamedTuple):
    """Where stores of a kind can be opened, as many as there are names."""

    kind: str
    address: str

    @property
    def label(self) -> str:
        """What figures are named after."""
        return f"{self.kind}_emulator" if self.kind in EMULATED else self.kind


@contextmanager
def site_of(kind: str, *, durable: bool = True) -> Iterator[Site]:
    """Have a server at work meanwhile. One that is not durable is for what only reads, and filled sooner.

    Raises:
        ServerMissing: this machine has none of that kind.
    """
    match kind:
        case "redis" | "valkey":
            with RedisServer(kind, appendonly="always" if durable else None) as server:
                yield Site(kind, server.url)
        case "postgres":
            settings = {"shared_buffers": "128MB", "max_wal_size": "2GB"}
            with PostgresServer(durable=durable, settings=settings) as server:
                yield Site(kind, server.dsn)
        case "dynamodb":
            with MiniStackServer() as server:
                yield Site(kind, server.url)
        case _:
            with tempfile.TemporaryDirectory() as folder:
                yield Site(kind, folder)


def kernel_at(site: Site, name: str) -> Kernel:
    """Open the store of that name at a site, with the options that everybody has; what is missing is made."""
    match site.kind:
        case "redis" | "valkey":
            from interlock.stores.redis.kernel import RedisKernel
            from interlock.stores.redis.options import RedisOptions

            return RedisKernel(RedisOptions(url=site.address, key_prefix=f"{name}:", timeout=_PATIENCE))
        case "postgres":
            from interlock.stores.postgres.kernel import PostgresKernel
            from interlock.stores.postgres.options import PostgresOptions

            return PostgresKernel(PostgresOptions(dsn=site.address, schema=name))
        case "dynamodb":
            from interlock.stores.dynamodb.kernel import DynamoKernel

            return DynamoKernel(_dynamo_options(site, name))
        case _:
            from interlock.stores.sqlite.kernel import SqliteKernel

            return SqliteKernel(Path(site.address) / f"{name}.db")


def bare_at(site: Site, values: Values, threads: int) -> AbstractContextManager[list[Trip]]:
    """Lend each thread a round trip of the site's bare driver."""
    match site.kind:
        case "redis" | "valkey":
            return bare_drivers.redis(site.address, values, threads)
        case "postgres":
            return bare_drivers.postgres(site.address, values, threads)
        case "dynamodb":
            from interlock.stores.dynamodb.client import make_client

            return bare_drivers.dynamodb(make_client(_dynamo_options(site, "bare")), values, threads)
        case _:
            return bare_drivers.sqlite(Path(site.address), values, threads)


def weight_at(site: Site, name: str) -> int | None:
    """Return how many bytes a store takes at its server; None where that cannot be asked.

    Of Redis it is the memory of the whole server, of which the difference is to be taken.
    """
    match site.kind:
        case "redis" | "valkey":
            from redis import Redis

            with Redis.from_url(site.address) as client:
                return int(client.info("memory")["used_memory"])
        case "postgres":
            import psycopg

            with psycopg.connect(site.address, autocommit=True) as connection:
                query = "SELECT pg_total_relation_size(%s::regclass)"
                (found,) = connection.execute(query, (f"{name}.records",)).fetchone() or (0,)
                return int(found)
        case "dynamodb":
            return None
        case _:
            return sum(file.stat().st_size for file in Path(site.address).glob(f"{name}.db*"))


def settle(site: Site, name: str) -> None:
    """Let the server finish what filling a store has left to do, so that it does not do it while we measure."""
    match site.kind:
        case "postgres":
            import psycopg

            with psycopg.connect(site.address, autocommit=True) as connection:
                connection.execute(f"VACUUM (ANALYZE) {name}.records")
                connection.execute("CHECKPOINT")
        case "sqlite":
            import sqlite3

            with closing(sqlite3.connect(Path(site.address) / f"{name}.db")) as file:
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _dynamo_options(site: Site, name: str) -> DynamoOptions:
    from interlock.stores.dynamodb.options import DynamoOptions

    return DynamoOptions(table_name=name, region=REGION, endpoint=site.address, create_table=True, timeout=_PATIENCE)

"""The yardsticks of `bench.stores`: a store's own driver, doing as little as an advance could do with one round trip.

Each writes two values, the one of the run at the same place every time and the one of the journal at a new one. None of
them reads, decides, compares a version or keeps an index. Every thread has a connection of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

Trip: TypeAlias = Callable[[], None]

_SCRIPT: Final = "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) return 1"
_TABLE: Final = "CREATE TABLE bare (pk text, sk text, body text, PRIMARY KEY (pk, sk))"
_INSERT: Final = "INSERT INTO bare VALUES ({0}, {0}, {0})"
_UPSERT: Final = " ON CONFLICT (pk, sk) DO UPDATE SET body = excluded.body"


class Values(NamedTuple):
    """What is written: as many bytes as a run has, and a line of its journal."""

    run: str
    line: str


@contextmanager
def sqlite(folder: Path, values: Values, threads: int) -> Iterator[list[Trip]]:
    """One transaction and one sync each. They take turns by a lock: SQLite itself would have them sleep and try again."""
    path, lock = folder / "bare.db", Lock()
    connections = [sqlite3.connect(path, isolation_level=None, check_same_thread=False) for _ in range(threads)]
    connections[0].execute("PRAGMA journal_mode = WAL")
    connections[0].execute(_TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
    for connection in connections:
        connection.execute("PRAGMA synchronous = FULL")
    statement = _INSERT.format("?") + _UPSERT

    def trip(me: int, connection: sqlite3.Connection) -> Trip:
        lines = count()

        def act() -> None:
            with lock:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(statement, (f"p{me}", "run", values.run))
                connection.execute(statement, (f"p{me}", f"line-{threads}-{next(lines)}", values.line))
                connection.execute("COMMIT")

        return act

    yield [trip(me, connection) for me, connection in enumerate(connections)]
    for connection in connections:
        connection.close()


@contextmanager
def redis(url: str, values: Values, threads: int) -> Iterator[list[Trip]]:
    """EVALSHA of a script that sets two fields of a hash."""
    from redis import Redis

    clients: list[Any] = [Redis.from_url(url, single_connection_client=True) for _ in range(threads)]
    digest = clients[0].script_load(_SCRIPT)

    def trip(me: int, client: Any) -> Trip:
        lines = count()

        def act() -> None:
            line = f"line-{threads}-{next(lines)}"
            client.evalsha(digest, 1, f"bare:{me}", "run", values.run, line, values.line)

        return act

    yield [trip(me, client) for me, client in enumerate(clients)]
    for client in clients:
        client.close()


@contextmanager
def postgres(dsn: str, values: Values, threads: int) -> Iterator[list[Trip]]:
    """One statement in autocommit that upserts two rows; psycopg prepares it, since it is always the same."""
    import psycopg

    statement = _INSERT.format("%s") + ", (%s, %s, %s)" + _UPSERT
    connections = [psycopg.connect(dsn, autocommit=True) for _ in range(threads)]
    connections[0].execute(_TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))

    def trip(me: int, connection: psycopg.Connection[Any]) -> Trip:
        lines, pk = count(), f"p{me}"

        def act() -> None:
            line = f"line-{threads}-{next(lines)}"
            connection.execute(statement, (pk, "run", values.run, pk, line, values.line))

        return act

    yield [trip(me, connection) for me, connection in enumerate(connections)]
    for connection in connections:
        connection.close()


@contextmanager
def dynamodb(client: Any, values: Values, threads: int) -> Iterator[list[Trip]]:
    """TransactWriteItems of two items, to a table without indexes. The client keeps a connection for each thread."""
    if "bare" not in client.list_tables()["TableNames"]:
        client.create_table(
            TableName="bare",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )

    def put(me: int, name: str, body: str) -> dict[str, Any]:
        item = {"PK": {"S": f"p{me}"}, "SK": {"S": name}, "body": {"S": body}}
        return {"Put": {"TableName": "bare", "Item": item}}

    def trip(me: int) -> Trip:
        lines = count()

        def act() -> None:
            line = f"line-{threads}-{next(lines)}"
            client.transact_write_items(TransactItems=[put(me, "run", values.run), put(me, line, values.line)])

        return act

    with closing(client):
        yield [trip(me) for me in range(threads)]

"""The servers as fixtures: one of each for a session, started when the first test asks for it.

A server that cannot be had is a skip that says why. `INTERLOCK_REQUIRE_SERVERS` names those that must be there, divided
by commas (or `1`: all but DynamoDB Local); their lack is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, TypeVar

import pytest
from tests.servers.airflow import AirflowServer
from tests.servers.base import Server, ServerMissing
from tests.servers.dynamodb import DynamoDBLocalServer, MiniStackServer
from tests.servers.postgres import PgBouncer, PostgresServer
from tests.servers.redis import RedisServer

S = TypeVar("S", bound=Server)
USUAL: Final = frozenset(
    {
        "redis",
        "valkey",
        "redis62",
        "postgres",
        "postgres-newest",
        "pgbouncer",
        "ministack",
        "moto",
        "stepfunctions",
        "awslambdaric",
    }
)


def required() -> frozenset[str]:
    """Return the servers whose lack is a failure."""
    named = os.environ.get("INTERLOCK_REQUIRE_SERVERS", "")
    if named == "1":
        return USUAL
    return frozenset(name.strip() for name in named.split(",") if name.strip() and name.strip() != "0")


def missing(name: str, reason: object) -> NoReturn:
    """Skip the test that wants this server, or fail it where the server must be there."""
    if name in required():
        pytest.fail(f"{reason} (INTERLOCK_REQUIRE_SERVERS asks for {name})", pytrace=False)
    pytest.skip(str(reason))


def have(name: str, make: Callable[[], S]) -> S:
    """Make a server that is not started yet, or skip (or fail) with what is missing. For tests that want one of their own."""
    try:
        return make()
    except ServerMissing as exc:
        missing(name, exc)
        raise


def _running(name: str, make: Callable[[], S]) -> Iterator[S]:
    with have(name, make) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Debian's Redis 7, which keeps nothing on disk."""
    yield from _running("redis", lambda: RedisServer("redis"))


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    """Valkey 9."""
    yield from _running("valkey", lambda: RedisServer("valkey"))


@pytest.fixture(scope="session")
def redis62_server() -> Iterator[RedisServer]:
    """The oldest Redis that is supported."""
    yield from _running("redis62", lambda: RedisServer("redis62"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The machine's PostgreSQL: take `fresh_schema()` or `fresh_database()` for each test."""
    yield from _running("postgres", lambda: PostgresServer("system"))


@pytest.fixture(scope="session")
def postgres_newest_server() -> Iterator[PostgresServer]:
    """The newest PostgreSQL there is."""
    yield from _running("postgres-newest", lambda: PostgresServer("newest"))


@pytest.fixture(scope="session")
def pgbouncer_server(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode before `postgres_server`."""
    yield from _running("pgbouncer", lambda: PgBouncer(postgres_server))


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[MiniStackServer]:
    """MiniStack: take a table of your own name (`fresh_table()`)."""
    yield from _running("ministack", MiniStackServer)


@pytest.fixture(scope="session")
def dynamodb_local_server() -> Iterator[DynamoDBLocalServer]:
    """Amazon's DynamoDB Local: take a table of your own name (`fresh_table()`)."""
    yield from _running("dynamodb-local", DynamoDBLocalServer)


@pytest.fixture(scope="session")
def airflow3_server() -> Iterator[AirflowServer]:
    """Airflow 3: take DAGs of your own for each test (`fresh_dags()`)."""
    yield from _running("airflow3", lambda: AirflowServer("3"))


@pytest.fixture(scope="session")
def airflow2_server() -> Iterator[AirflowServer]:
    """Airflow 2, with the same DAGs."""
    yield from _running("airflow2", lambda: AirflowServer("2"))

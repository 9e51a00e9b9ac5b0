"""The project file's lines for each provider, on a real server where it has one: the only lines that differ."""

from __future__ import annotations

from typing import Final

import pytest
from tests.servers.dynamodb import MiniStackServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

PROVIDERS: Final = ("sqlite", "redis", "postgres", "dynamodb")


def store_lines(provider: str, request: pytest.FixtureRequest) -> str:
    """Return what a project file says about a new, empty store of a provider, starting its server where it has one."""
    match provider:
        case "redis":
            redis: RedisServer = request.getfixturevalue("redis_server")
            prefix = f"p{abs(hash(request.node.nodeid))}:"
            return f'provider: redis\nredis: {{url: "{redis.url}", keyPrefix: "{prefix}"}}\n'
        case "postgres":
            postgres: PostgresServer = request.getfixturevalue("postgres_server")
            return f'provider: postgres\npostgres: {{dsn: "{postgres.dsn}", schema: "{postgres.fresh_schema()}"}}\n'
        case "dynamodb":
            dynamo: MiniStackServer = request.getfixturevalue("ministack_server")
            table = f"tableName: {dynamo.fresh_table()}, region: {dynamo.region}, endpoint: {dynamo.url}"
            return f"provider: dynamodb\ndynamodb: {{{table}, createTable: true}}\n"
    return "provider: sqlite\n"

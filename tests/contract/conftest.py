"""Redis servers of their own, for tests that stop, fill or freeze them, and clusters, which take longer to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.base import ServerMissing
from tests.servers.fixtures import have, missing
from tests.servers.redis import Kind, RedisServer, redis_cluster


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server for this test alone."""
    with have("redis", lambda: RedisServer("redis")) as server:
        yield server


@pytest.fixture(params=["redis", "valkey", "redis62"])
def each_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server for this test alone, of one kind after the other."""
    kind: Kind = request.param
    with have(kind, lambda: RedisServer(kind)) as server:
        yield server


@pytest.fixture(scope="module")
def members() -> Iterator[list[RedisServer]]:
    """The members of a Redis cluster."""
    try:
        with redis_cluster("redis") as members:
            yield members
    except ServerMissing as exc:
        missing("redis", exc)

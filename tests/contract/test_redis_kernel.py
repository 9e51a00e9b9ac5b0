"""Redis and Valkey keep the contract of the stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest
from redis import Redis
from redis.cluster import RedisCluster
from tests.servers.fixtures import have
from tests.servers.redis import RedisServer

from interlock.stores.kernel import Kernel
from interlock.stores.redis.kernel import RedisKernel
from interlock.stores.redis.layout import field_of, keys_of, shard_of
from interlock.stores.redis.options import RedisOptions
from interlock.testing.conformance.kernel_damage import Spoil
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract

pytestmark = pytest.mark.service

_numbers = count()


def _options(url: str, *, cluster: bool = False) -> RedisOptions:
    """Return a store of its own for each test: emptying a server takes longer."""
    return RedisOptions(url=url, key_prefix=f"contract-{next(_numbers)}:", cluster=cluster)


def _spoiler(client: Redis | RedisCluster, options: RedisOptions) -> Spoil:
    """Return what makes the body of a row undecodable, and leaves the rest of it."""

    def spoiled(pk: str, sk: str) -> None:
        rows, field = keys_of(options.key_prefix, shard_of(pk)).rows, field_of(pk, sk)
        value = client.hget(rows, field)
        assert isinstance(value, bytes)
        assert client.hset(rows, field, value[: value.index(b"{")] + b"{") == 0

    return spoiled


class _InRedis:
    @pytest.fixture
    def kernel(self, options: RedisOptions) -> Iterator[Kernel]:
        kernel = RedisKernel(options)
        yield kernel
        kernel.close()


class _OnOneServer(_InRedis, KernelContract):
    @pytest.fixture
    def spoil(self, options: RedisOptions) -> Iterator[Spoil]:
        with Redis.from_url(options.url) as client:
            yield _spoiler(client, options)


class TestRedisKernel(_OnOneServer):
    @pytest.fixture
    def options(self, redis_server: RedisServer) -> RedisOptions:
        return _options(redis_server.url)


class TestValkeyKernel(_OnOneServer):
    @pytest.fixture
    def options(self, valkey_server: RedisServer) -> RedisOptions:
        return _options(valkey_server.url)


class TestOldestRedisKernel(_OnOneServer):
    @pytest.fixture
    def options(self, redis62_server: RedisServer) -> RedisOptions:
        return _options(redis62_server.url)


@pytest.fixture(scope="module")
def durable_redis() -> Iterator[RedisServer]:
    with have("redis", lambda: RedisServer("redis", appendonly="always")) as server:
        yield server


class TestDurableRedisKernel(DurableKernelContract):
    @pytest.fixture
    def open_kernel(self, durable_redis: RedisServer) -> Callable[[], Kernel]:
        return partial(RedisKernel, _options(durable_redis.url))


class TestRedisClusterKernel(_InRedis, KernelContract):
    @pytest.fixture
    def options(self, members: list[RedisServer]) -> RedisOptions:
        return _options(members[0].url, cluster=True)

    @pytest.fixture
    def spoil(self, options: RedisOptions) -> Iterator[Spoil]:
        with RedisCluster.from_url(options.url) as client:
            yield _spoiler(client, options)

"""Several Redis stores beside each other, several versions, several processes."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from tests.contract.redis_opening import opened
from tests.servers.redis import RedisServer

from interlock.errors import StoreError, StoreTooNew
from interlock.stores.kernel import Page, Put
from interlock.stores.redis.layout import SHARDS, keys_of, shard_of
from interlock.testing.conformance.kernel_values import NOON, a_record, everywhere, keep

pytestmark = pytest.mark.service


def test_prefixes_that_look_alike_never_meet(redis: RedisServer) -> None:
    """T-64: whatever characters they are made of, also those that mean something to a cluster."""
    prefixes = [
        "",
        "a",
        "a:",
        "a:b",
        "a{",
        "a{}",
        "a}",
        "{a}",
        "{a}:",
        "a{00}:",
        "a{00}:rows",
        "a*",
        "ä",
        "a:{00}:",
        "x" * 300,
    ]
    kernels = [opened(redis.url, key_prefix=prefix) for prefix in prefixes]
    for kernel, prefix in zip(kernels, prefixes, strict=True):
        keep(kernel, *(a_record(f"p{n}", body={"of": prefix}, kind="k", wake_at=NOON) for n in range(2 * SHARDS)))
    for kernel, prefix in zip(kernels, prefixes, strict=True):
        found = kernel.listing("k", Page())
        assert [row.body for row in found] == [{"of": prefix}] * (2 * SHARDS)
        assert len(kernel.due(NOON, 1000)) == 2 * SHARDS
        kernel.close()


def test_a_store_of_a_later_version_is_left_as_it_is(redis: RedisServer) -> None:
    """Whether it is found so, or becomes so while it is open."""
    layout = keys_of("interlock:", shard_of("p")).layout.decode()
    with closing(opened(redis.url)) as kernel:
        keep(kernel, a_record(expires_at=NOON))
        redis.ask("SET", layout, "2")
        with pytest.raises(StoreTooNew, match="a later Interlock wrote it"):
            kernel.commit("p", [Put(a_record(version=2))])
        with pytest.raises(StoreTooNew):
            kernel.purge(NOON, 10)
        with pytest.raises(StoreTooNew):
            opened(redis.url)
        assert kernel.get("p", "a") == a_record(expires_at=NOON)


def test_a_store_opened_for_reading_writes_nothing_at_all(redis: RedisServer) -> None:
    """Nor makes anything: an empty one reads as empty."""
    with closing(opened(redis.url, read_only=True)) as reader:
        assert everywhere(reader) == [[], [], []]
        reader.ping()
        for write in (
            lambda: reader.commit("p", [Put(a_record())]),
            lambda: reader.purge(NOON, 1),
            lambda: reader.restore([a_record()]),
        ):
            with pytest.raises(StoreError, match="for reading only"):
                write()
        assert redis.ask("DBSIZE") == 0
        with closing(opened(redis.url)) as writer:
            keep(writer, a_record())
        assert reader.get("p", "a") == a_record()


def test_a_fork_is_told_to_open_the_store_itself(redis: RedisServer) -> None:
    """Two processes on one connection would take each other's answers; and the parent goes on."""
    with closing(opened(redis.url)) as kernel:
        keep(kernel, a_record())
        child = os.fork()
        if child == 0:
            code = 1
            try:
                kernel.ring()
                kernel.close()
                kernel.get("p", "a")
            except StoreError as exc:
                code = 0 if "Open the store again in the child" in str(exc) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        keep(kernel, a_record(version=2))

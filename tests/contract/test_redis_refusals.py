"""What the Redis store says when the server refuses: nothing was done, not even half."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from tests.contract.redis_opening import opened
from tests.servers.base import ServerMissing, small_disk, until
from tests.servers.fixtures import have, missing
from tests.servers.redis import RedisServer

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.kernel import Change, Delete, Page, Put
from interlock.stores.redis.kernel import RedisKernel
from interlock.stores.redis.layout import keys_of, shard_of
from interlock.testing.conformance.kernel_values import HOUR, NOON, a_record, everywhere, keep

pytestmark = pytest.mark.service


def test_a_full_memory_takes_no_commit_and_no_half_of_one(each_redis: RedisServer) -> None:
    """Nothing of a batch is done, whatever stands first in it; and what makes room still works."""
    with closing(opened(each_redis.url)) as kernel:
        keep(kernel, a_record(kind="k", wake_at=NOON), a_record(sk="b", expires_at=NOON), a_record(sk="c"))
        before = everywhere(kernel)
        each_redis.set("maxmemory", "1")
        batches: tuple[list[Change], ...] = (
            [Delete("b", 1), Put(a_record(version=2, kind="other", wake_at=NOON + HOUR)), Put(a_record(sk="new"))],
            [Put(a_record(sk="new")), Delete("b")],
        )
        for batch in batches:
            with pytest.raises(StoreUnavailable, match=r"memory is full.*Nothing was written"):
                kernel.commit("p", batch)
        with pytest.raises(StoreUnavailable, match="memory is full"):
            kernel.ping()
        assert everywhere(kernel) == before
        assert kernel.commit("p", [Delete("c", 1)]) is True
        assert kernel.purge(NOON, 10) == 1
        each_redis.set("maxmemory", "0")
        assert kernel.commit("p", [Put(a_record(version=2))]) is True


def test_a_replica_takes_no_commit_and_says_so(each_redis: RedisServer) -> None:
    """It can be read."""
    with closing(opened(each_redis.url)) as kernel, each_redis.replica() as replica:
        keep(kernel, a_record())
        replica.wait_in_step()
        with closing(opened(replica.url)) as other:
            until(lambda: other.get("p", "a") == a_record(), "the row does not come to the replica")
            batches: list[list[Change]] = [[Put(a_record(version=2))], [Delete("a")]]
            for batch in batches:
                with pytest.raises(StoreUnavailable, match=r"it is a replica.*Nothing was written"):
                    other.commit("p", batch)
            with pytest.raises(StoreUnavailable, match="it is a replica"):
                other.ping()
            assert any("is a replica" in advice for advice in other.advice())
            assert other.get("p", "a") == a_record()


def test_too_few_replicas_for_the_server_take_no_commit(redis: RedisServer) -> None:
    """min-replicas-to-write is the server's own wish."""
    with closing(opened(redis.url)) as kernel:
        redis.set("min-replicas-to-write", "1")
        with pytest.raises(StoreUnavailable, match=r"min-replicas-to-write.*Nothing was written"):
            kernel.commit("p", [Put(a_record())])
        redis.set("min-replicas-to-write", "0")
        assert kernel.get("p", "a") is None


def test_a_full_disk_takes_no_commit_until_there_is_room() -> None:
    """The server says so itself, before it does anything (appendfsync everysec; with always it stops)."""
    try:
        with (
            small_disk("2m") as disk,
            have("redis", lambda: RedisServer("redis", appendonly="everysec", root=disk)) as server,
            closing(opened(server.url)) as kernel,
        ):
            rows = [a_record(sk=f"{number:03}", body={"x": "x" * 10_000}) for number in range(400)]
            with pytest.raises(StoreUnavailable, match=r"cannot write its data to its disk.*Nothing was written"):
                [kernel.commit("p", [Put(row)]) for row in rows]
            with pytest.raises(StoreUnavailable, match="cannot write its data to its disk"):
                kernel.ping()
            assert len(kernel.rows("p", "", Page())) > 10
    except ServerMissing as exc:
        missing("disk", exc)


@pytest.mark.parametrize("lacking", ["zadd", "zrem", "hdel", "hset"])
def test_a_user_who_may_not_do_all_of_it_does_none_of_it(each_redis: RedisServer, lacking: str) -> None:
    """A script that fails half-way is not undone, so it fails before."""
    with closing(opened(each_redis.url)) as kernel:
        keep(kernel, a_record(kind="k", wake_at=NOON))
        before = everywhere(kernel)
        each_redis.ask("ACL", "SETUSER", "clerk", "on", ">pw", "~interlock:*", "+@all", f"-{lacking}")
        with closing(opened(each_redis.url, username="clerk", password="pw")) as clerk:
            with pytest.raises(StoreError, match=r"may not do that.*Nothing was written"):
                clerk.commit("p", [Put(a_record(version=2)), Put(a_record(sk="b"))])
            assert everywhere(clerk) == before
            assert clerk.get("p", "a") == kernel.get("p", "a")


def test_the_commands_that_the_page_lists_are_enough(each_redis: RedisServer) -> None:
    """For all verbs; and without CONFIG something is said of it."""
    page = (Path(__file__).parents[2] / "docs/reference/store-redis.md").read_text()
    rights = re.findall(r" (\+[a-z|]+)", page)
    each_redis.ask("ACL", "SETUSER", "clerk", "on", ">pw", "~interlock:*", "resetchannels", "&interlock:*", *rights)
    heard = Event()
    with closing(opened(each_redis.url, username="clerk", password="pw")) as clerk:
        keep(clerk, a_record(kind="k", wake_at=NOON, expires_at=NOON), a_record(sk="b"))
        assert all(everywhere(clerk))
        clerk.restore([a_record("q")])
        assert len(clerk.walk(None, 10).found) == 3
        assert clerk.purge(NOON, 10) == 1
        clerk.ping()
        assert not any("could not be checked" in advice for advice in clerk.advice())
        each_redis.ask("ACL", "SETUSER", "clerk", "-config|get" if each_redis.kind != "redis62" else "-config")
        assert any("could not be checked" in advice for advice in clerk.advice())
        end = clerk.listen(heard.set)
        until(lambda: _rung(clerk, heard), "no ring is heard")
        end()


def _rung(kernel: RedisKernel, heard: Event) -> bool:
    kernel.ring()
    return heard.wait(0.1)


@pytest.mark.parametrize("name", ["rows", "names", "due", "expiry", "listed", "layout"])
def test_what_is_not_ours_is_neither_written_over_nor_mixed_with_ours(redis: RedisServer, name: str) -> None:
    """Somebody else's key in the middle of ours: nothing of the batch is done."""
    keys = keys_of("interlock:", shard_of("p"))
    theirs = getattr(keys, name).decode()
    redis.ask("LPUSH", theirs, "x")
    with pytest.raises(StoreError, match=r"redis\.keyPrefix"):
        opened(redis.url).commit("p", [Put(a_record(kind="k", wake_at=NOON, expires_at=NOON))])
    assert redis.ask("DBSIZE") == 1
    assert redis.ask("LRANGE", theirs, 0, -1) == ["x"]


def test_passwords_are_needed_and_wrong_ones_are_not_told() -> None:
    """Each mistake has its own words."""
    with have("redis", lambda: RedisServer("redis", password="right")) as server:
        bare = f"redis://{server.address}"
        with pytest.raises(StoreError, match="it wants a password"):
            opened(bare)
        with pytest.raises(StoreError, match="does not know this user name and password") as wrong:
            opened(bare, password="wrong-one")
        assert "wrong-one" not in str(wrong.value)
        with (
            closing(opened(server.url)) as by_url,
            closing(opened(bare, username="default", password="right")) as named,
        ):
            keep(by_url, a_record())
            assert named.get("p", "a") == a_record()


def test_a_password_that_nobody_asks_for_and_a_database_that_is_not_there_are_told(each_redis: RedisServer) -> None:
    """Both are settings, and no reason to try again."""
    for more, words in (({"password": "x"}, "it has no passwords"), ({"db": 4711}, "no database of that number")):
        with pytest.raises(StoreError, match=words) as told:
            opened(each_redis.url, **more)
        assert not isinstance(told.value, StoreUnavailable)


def test_databases_of_one_server_are_stores_of_their_own(redis: RedisServer) -> None:
    """As prefixes are."""
    with closing(opened(redis.url)) as first, closing(opened(redis.url, db=1)) as second:
        keep(first, a_record())
        assert second.get("p", "a") is None
        keep(second, a_record(body={"second": True}))
        assert first.get("p", "a") == a_record()


def test_a_server_that_may_forget_is_told_of(each_redis: RedisServer) -> None:
    """One that is set up as it should be is not."""
    with closing(opened(each_redis.url)) as kernel:
        assert [advice for advice in kernel.advice() if "appendonly is no" in advice]
        each_redis.set("appendonly", "yes")
        each_redis.set("appendfsync", "everysec")
        (later,) = kernel.advice()
        assert "appendfsync is everysec" in later
        each_redis.set("appendfsync", "always")
        assert kernel.advice() == ()
        each_redis.set("maxmemory-policy", "allkeys-lru")
        assert kernel.advice() == ()  # without a limit it throws nothing away
        each_redis.set("maxmemory", "100mb")
        (unsafe,) = kernel.advice()
        assert "maxmemory-policy is allkeys-lru" in unsafe
        each_redis.set("maxmemory-policy", "volatile-lru")
        assert kernel.advice() == ()  # our keys never expire

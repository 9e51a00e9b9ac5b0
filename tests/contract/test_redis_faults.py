"""What the Redis store does when the server, the disk or the network does not do what it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
from tests.contract.redis_opening import at_last, opened
from tests.servers.base import free_port, until
from tests.servers.fixtures import have
from tests.servers.proxy import Proxy
from tests.servers.redis import Kind, RedisServer

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.kernel import Page, Put
from interlock.stores.redis.kernel import RedisKernel
from interlock.testing.conformance.kernel_values import NOON, a_record, at_once, keep, names

pytestmark = pytest.mark.service

SOON = timedelta(seconds=0.5)


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    kind: Kind = getattr(request, "param", "redis")
    with have(kind, lambda: RedisServer(kind, appendonly="always")) as server:
        yield server


@pytest.fixture
def proxy(redis: RedisServer) -> Iterator[Proxy]:
    with Proxy(redis) as proxy:
        yield proxy


# ---------------------------------------------------------------- scripts


def test_scripts_are_sent_again_when_the_server_has_forgotten_them(each_redis: RedisServer) -> None:
    """SCRIPT FLUSH, a restart and a failover all leave a server without them."""
    with closing(opened(each_redis.url)) as kernel:
        for version in range(1, 4):
            each_redis.ask("SCRIPT", "FLUSH")
            keep(kernel, a_record(version=version, expires_at=NOON))
            each_redis.ask("SCRIPT", "FLUSH")
            assert kernel.rows("p", "", Page()) == [a_record(version=version, expires_at=NOON)]
        each_redis.ask("SCRIPT", "FLUSH")
        assert kernel.purge(NOON, 10) == 1


# ---------------------------------------------------------------- restarts


@pytest.mark.parametrize("durable", ["redis", "valkey"], indirect=True)
def test_a_restart_under_load_loses_nothing_acknowledged_and_denies_nothing_done(durable: RedisServer) -> None:
    """With appendfsync always. Whoever was not answered reads again, and finds the row at one version or the next."""
    done = Event()

    def count(me: int) -> int:
        with closing(opened(durable.url, timeout=timedelta(seconds=5))) as kernel:
            version = 0
            while not done.is_set():
                try:
                    answer = kernel.commit(f"p{me}", [Put(a_record(f"p{me}", version=version + 1))])
                except StoreUnavailable:
                    seen = at_last(lambda: kernel.get(f"p{me}", "a"))
                    found = 0 if seen is None else seen.version
                    assert found in (version, version + 1)
                    version = found
                else:
                    assert answer is True, "nobody else writes here"
                    version += 1
            last = kernel.get(f"p{me}", "a")
            assert last is not None
            assert last.version == version
            return version

    def act(me: int) -> int:
        if me < 3:
            return count(me)
        try:
            for _ in range(3):
                done.wait(0.15)
                durable.restart()
            done.wait(0.15)
        finally:
            done.set()
        return 0

    assert all(reached > 3 for reached in at_once(4, act)[:3])


def test_the_first_commit_after_a_restart_succeeds(durable: RedisServer) -> None:
    """What broke while nobody used it is seen before anything is sent on it."""
    with closing(opened(durable.url)) as kernel:
        keep(kernel, a_record())
        at_once(4, lambda _: kernel.get("p", "a"))
        durable.restart()
        assert kernel.commit("p", [Put(a_record(version=2))]) is True
        assert kernel.get("p", "a") == a_record(version=2)


@pytest.mark.parametrize("each_redis", ["redis", "valkey"], indirect=True)
def test_a_server_that_lost_its_data_is_not_written_as_if_nothing_had_run(each_redis: RedisServer) -> None:
    """An empty store knows of no run, so everything would start a second time."""
    with closing(opened(each_redis.url)) as kernel:
        keep(kernel, a_record())
        each_redis.flush()
        with pytest.raises(StoreError, match="what was stored under 'interlock:' is gone"):
            kernel.commit("p", [Put(a_record())])
        with pytest.raises(StoreUnavailable, match="is gone"):
            kernel.ping()
        assert each_redis.ask("DBSIZE") == 0
    with closing(opened(each_redis.url)) as anew:
        keep(anew, a_record())


# ---------------------------------------------------------------- network


def test_a_commit_whose_answer_is_lost_is_unknown_and_has_happened_once(proxy: Proxy, redis: RedisServer) -> None:
    """It is never repeated by itself: that would be answered False, for what it did itself."""
    with closing(opened(proxy.through(redis.url))) as kernel:
        keep(kernel, a_record())
        proxy.lose_reply(to=b"EVALSHA")
        with pytest.raises(StoreUnavailable, match="may or may not have happened"):
            kernel.commit("p", [Put(a_record(version=2))])
        assert proxy.lost == 1
        assert kernel.get("p", "a") == a_record(version=2)
        assert kernel.commit("p", [Put(a_record(version=3))]) is True


def test_a_commit_that_never_arrives_is_unknown_and_has_not_happened(proxy: Proxy, redis: RedisServer) -> None:
    """The caller cannot tell it from the other; both go on by reading."""
    with closing(opened(proxy.through(redis.url))) as kernel:
        keep(kernel, a_record())
        proxy.lose_request(to=b"EVALSHA")
        with pytest.raises(StoreUnavailable, match="may or may not have happened"):
            kernel.commit("p", [Put(a_record(version=2))])
        assert kernel.get("p", "a") == a_record()
        assert kernel.commit("p", [Put(a_record(version=2))]) is True


@pytest.mark.parametrize(
    ("word", "look"),
    [
        (b"HGET", lambda kernel: [kernel.get("p", "a")]),
        (b"EVALSHA", lambda kernel: kernel.rows("p", "", Page())),
        (b"HMGET", lambda kernel: kernel.listing("k", Page())),
    ],
)
def test_a_read_whose_answer_is_lost_is_asked_again(
    proxy: Proxy, redis: RedisServer, word: bytes, look: Callable[[RedisKernel], object]
) -> None:
    """Once, on a new connection."""
    with closing(opened(proxy.through(redis.url))) as kernel:
        keep(kernel, a_record(kind="k"))
        proxy.lose_reply(to=word)
        assert look(kernel) == [a_record(kind="k")]
        assert proxy.lost == 1


def test_connections_that_were_cut_while_idle_fail_nobody(proxy: Proxy, redis: RedisServer) -> None:
    """Neither a commit nor a read."""
    with closing(opened(proxy.through(redis.url))) as kernel:
        keep(kernel, a_record())
        at_once(4, lambda _: kernel.get("p", "a"))
        proxy.cut()
        until(lambda: proxy.open_connections == 0, "connections are still open")
        keep(kernel, a_record(version=2))
        assert kernel.get("p", "a") == a_record(version=2)


def test_a_slow_server_is_waited_for(proxy: Proxy, redis: RedisServer) -> None:
    """Slow is not gone."""
    with closing(opened(proxy.through(redis.url))) as kernel:
        proxy.delay(to_server=0.05, to_client=0.05)
        keep(kernel, a_record(kind="k"))
        assert kernel.listing("k", Page()) == [a_record(kind="k")]


def test_a_frozen_server_is_not_waited_for_without_end(redis: RedisServer) -> None:
    """Every verb gives up, and works again when the server does."""
    with closing(opened(redis.url, timeout=SOON)) as kernel:
        keep(kernel, a_record())
        redis.freeze()
        began = monotonic()
        with pytest.raises(StoreUnavailable, match="may or may not have happened"):
            kernel.commit("p", [Put(a_record(version=2))])
        for verb in (lambda: kernel.get("p", "a"), lambda: kernel.due(NOON, 1), kernel.ping, kernel.advice):
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                verb()
        kernel.ring()
        assert monotonic() - began < 15
        redis.thaw()
        found = kernel.get("p", "a")
        assert found is not None
        keep(kernel, a_record(version=found.version + 1))


def test_a_wrong_address_fails_in_one_line_that_names_it() -> None:
    """And without the password."""
    port = free_port()
    with pytest.raises(StoreUnavailable, match="nobody listens there") as refused:
        opened(f"redis://user:secret@127.0.0.1:{port}/3")
    assert f"redis://127.0.0.1:{port}/3" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


# ---------------------------------------------------------------- replicas


def test_what_a_replica_has_confirmed_survives_a_failover_and_nothing_else(durable: RedisServer) -> None:
    """Replication waits for nobody by itself: without waitReplicas an acknowledged commit is lost with its server."""
    with (
        durable.replica() as replica,
        closing(opened(durable.url)) as hasty,
        closing(opened(durable.url, wait_replicas=1, timeout=timedelta(seconds=8))) as sure,
        closing(opened(durable.url, wait_replicas=1, timeout=timedelta(seconds=2))) as unsure,
    ):
        replica.wait_in_step()
        until(lambda: "do not wait for them" in "".join(hasty.advice()), "the replica is not counted")
        keep(sure, a_record(sk="confirmed"))
        replica.ask("REPLICAOF", "NO", "ONE")
        assert hasty.commit("p", [Put(a_record(sk="hasty"))]) is True
        with pytest.raises(StoreUnavailable, match="may or may not survive a failover"):
            unsure.commit("p", [Put(a_record(sk="unsure"))])
        assert names(sure.rows("p", "", Page())) == ["confirmed", "hasty", "unsure"]
        durable.kill()
        with closing(opened(replica.url)) as after:
            assert names(after.rows("p", "", Page())) == ["confirmed"]
            keep(after, a_record(sk="goes on"))


def test_a_commit_that_lost_waits_for_nobody(durable: RedisServer) -> None:
    """Nothing was written that could be lost."""
    with closing(opened(durable.url)) as kernel, closing(opened(durable.url, wait_replicas=1, timeout=SOON)) as sure:
        keep(kernel, a_record())
        assert sure.commit("p", [Put(a_record())]) is False
        assert any("every commit fails" in advice for advice in sure.advice())


def test_a_commit_whose_replicas_cannot_be_asked_is_unknown_too(proxy: Proxy, redis: RedisServer) -> None:
    """It has happened; whether it survives a failover nobody has said. The next one goes on."""
    with redis.replica() as replica, closing(opened(proxy.through(redis.url), wait_replicas=1)) as kernel:
        replica.wait_in_step()
        proxy.lose_reply(to=b"WAIT")
        with pytest.raises(StoreUnavailable, match="may or may not survive a failover"):
            kernel.commit("p", [Put(a_record())])
        assert proxy.lost == 1
        assert kernel.get("p", "a") == a_record()
        keep(kernel, a_record(version=2))

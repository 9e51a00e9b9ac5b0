"""Ringing and hearing over a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from threading import Event, Thread
from threading import enumerate as threads
from time import monotonic

import pytest
from tests.contract.redis_opening import opened
from tests.servers.base import until
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

from interlock.stores.redis import chime as redis_chime
from interlock.stores.redis.kernel import RedisKernel

pytestmark = pytest.mark.service


def _subscribers(server: RedisServer) -> int:
    answer = server.ask("PUBSUB", "NUMSUB", "interlock:ring")
    assert isinstance(answer, list)
    return int(str(answer[1]))


def _listening(server: RedisServer, count: int) -> None:
    until(lambda: _subscribers(server) == count, f"not {count} but {_subscribers(server)} listen")


def _listeners() -> list[Thread]:
    return [thread for thread in threads() if thread.name == "interlock-store-listener"]


def test_everybody_who_listens_hears_a_ring(redis: RedisServer) -> None:
    """On whatever machine, and also whoever rings."""
    first, second = Event(), Event()
    with closing(opened(redis.url)) as one, closing(opened(redis.url)) as other:
        one.listen(first.set)
        other.listen(second.set)
        _listening(redis, 2)
        one.ring()
        assert first.wait(30)
        assert second.wait(30)
    assert _listeners() == []


def test_a_store_of_another_prefix_is_not_woken(redis: RedisServer) -> None:
    """Rings are heard in order, so the one that was not for us would have come before."""
    heard: list[str] = []
    got = Event()
    with closing(opened(redis.url)) as ours, closing(opened(redis.url, key_prefix="other:")) as other:

        def hear() -> None:
            heard.append("ring")
            got.set()

        ours.listen(hear)
        _listening(redis, 1)
        other.ring()
        ours.ring()
        assert got.wait(30)
        assert redis.ask("PING") == "PONG"
        assert heard == ["ring"]


def test_nobody_is_called_after_the_end(redis: RedisServer) -> None:
    """And the thread is gone; ending twice is harmless."""
    heard = Event()
    with closing(opened(redis.url)) as kernel:
        end = kernel.listen(heard.set)
        _listening(redis, 1)
        end()
        end()
        assert _listeners() == []
        kernel.ring()
        _listening(redis, 0)
        assert not heard.is_set()


def test_who_listens_hears_again_after_a_restart(redis: RedisServer) -> None:
    """And is called when the connection is back: somebody may have rung meanwhile."""
    heard = Event()
    with closing(opened(redis.url)) as kernel:
        kernel.listen(heard.set)
        _listening(redis, 1)
        redis.restart()
        assert heard.wait(30)
        _listening(redis, 1)
        heard.clear()
        kernel.ring()
        assert heard.wait(30)


def test_listening_may_begin_while_the_server_is_away(redis: RedisServer) -> None:
    """It never raises, and hears when the server is there."""
    heard = Event()
    with closing(opened(redis.url)) as kernel:
        redis.kill()
        kernel.listen(heard.set)
        kernel.ring()
        redis.start()
        assert heard.wait(30)


def test_a_ring_holds_nobody_up_when_the_server_does_not_answer(redis: RedisServer) -> None:
    """Nor does the end of listening, nor closing."""
    kernel = opened(redis.url, timeout=timedelta(seconds=60))
    end = kernel.listen(lambda: None)
    _listening(redis, 1)
    redis.freeze()
    began = monotonic()
    kernel.ring()
    end()
    kernel.close()
    assert monotonic() - began < 20
    redis.thaw()


def test_whoever_is_called_may_end_the_listening(redis: RedisServer) -> None:
    """From within the thread that ends."""
    ends: list[Callable[[], None]] = []
    ended = Event()

    def hear() -> None:
        ends[0]()
        ended.set()

    with closing(opened(redis.url)) as kernel:
        ends.append(kernel.listen(hear))
        _listening(redis, 1)
        kernel.ring()
        assert ended.wait(30)
        until(lambda: _listeners() == [], "the listener goes on")


def test_a_closed_store_neither_rings_nor_listens(redis: RedisServer) -> None:
    """Nothing here ever raises."""
    kernel = opened(redis.url)
    kernel.close()
    kernel.ring()
    kernel.listen(lambda: None)()
    assert _listeners() == []


def test_a_quiet_connection_is_asked_whether_it_lives_and_kept(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has nothing to tell is not gone."""
    monkeypatch.setattr(redis_chime, "_QUIET", 0.0)
    heard = Event()
    with closing(opened(redis.url)) as kernel:
        kernel.listen(heard.set)
        until(lambda: re.search(r"cmdstat_ping:calls=([5-9]|\d\d)", redis.info("commandstats")) is not None, "no pings")
        assert not heard.is_set()
        kernel.ring()
        assert heard.wait(30)


def test_a_connection_that_died_without_a_word_is_noticed(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lost its power says no goodbye."""
    monkeypatch.setattr(redis_chime, "_QUIET", 0.0)
    heard = Event()
    with (
        Proxy(redis) as proxy,
        closing(opened(redis.url)) as rings,
        closing(opened(proxy.through(redis.url), timeout=timedelta(seconds=0.5))) as kernel,
    ):
        kernel.listen(heard.set)
        _listening(redis, 1)
        proxy.hang()
        until(lambda: proxy.accepted > 3, "nobody connects again")
        proxy.heal()
        until(heard.is_set, "nobody is called")
        heard.clear()
        until(lambda: _rang(rings, heard), "no ring is heard")


def _rang(kernel: RedisKernel, heard: Event) -> bool:
    kernel.ring()
    return heard.wait(0.2)

"""The threads that carry requests out: two crews, so that what takes long never keeps waiting what is quick."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from typing import Final, Generic, NamedTuple, TypeVar

from interlock.errors import Busy, ServerUnavailable

T = TypeVar("T")

_AGAIN: Final = timedelta(seconds=1)


class Size(NamedTuple):
    """How many threads a crew has, and how many requests may wait for one of them."""

    threads: int
    waiting: int


QUICK: Final = Size(threads=16, waiting=1024)
SLOW: Final = Size(threads=32, waiting=128)
REPORTS: Final = Size(threads=2, waiting=32)
"""For looking at much at once: who may only look must not keep anybody from starting or stopping a job."""
LARGE: Final = Size(threads=2, waiting=64)
"""For reading large bodies: few, so that they cannot keep the processor from everything else."""


class Crew:
    """A pool of threads that takes only so much. What it has taken, it does, whatever becomes of who asked for it."""

    def __init__(self, name: str, size: Size) -> None:
        self._name = name
        self._most = size.threads + size.waiting
        self._under_way = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(size.threads, thread_name_prefix=f"interlock-{name}")

    @property
    def under_way(self) -> int:
        """How much it has taken and not yet done."""
        return self._under_way

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Begin with some work; what is returned ends with it.

        Raises:
            Busy: too much is waiting already.
            ServerUnavailable: it was closed.
        """
        if self._closed:
            raise ServerUnavailable("the server is stopping: nothing more is taken")
        if self._under_way >= self._most:
            message = f"{self._under_way} {self._name} requests are under way or waiting: more are not taken now"
            raise Busy(message, retry_after=_AGAIN)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, copy_context().run, work)
        self._under_way += 1
        future.add_done_callback(self._done)
        return future

    def close(self) -> None:
        """Take no more, drop what waits, and wait for what is under way."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._under_way -= 1
        if not future.cancelled():
            future.exception()  # it was looked at: nobody may be there any more to be told


class Crews(NamedTuple):
    """All of a server's: for what is quick, for what is slow, for looking at much, and for reading large bodies."""

    quick: Crew
    slow: Crew
    reports: Crew
    large: Crew


async def outcome(future: Awaitable[T]) -> T:
    """Wait for some work. To wait no longer does not end it."""
    return await asyncio.shield(future)


class Flights(Generic[T]):
    """What is under way once is not begun a second time: who asks for the same joins it, and gets the same answer."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Future[T]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def board(self, key: Hashable, begin: Callable[[], asyncio.Future[T]]) -> asyncio.Future[T]:
        """Return what is under way under a key, or begin it."""
        future = self._under_way.get(key)
        if future is None:
            future = self._under_way[key] = begin()
            future.add_done_callback(lambda _: self._under_way.pop(key))
        return future

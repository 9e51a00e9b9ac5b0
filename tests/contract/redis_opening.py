"""Opening Redis stores for tests that break them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Any, TypeVar

from interlock.errors import StoreUnavailable
from interlock.stores.redis.kernel import RedisKernel
from interlock.stores.redis.options import RedisOptions

T = TypeVar("T")


def opened(url: str, *, read_only: bool = False, **more: Any) -> RedisKernel:
    """Open a store that waits for long, so that a loaded machine is not taken for a broken one."""
    return RedisKernel(RedisOptions(**{"url": url, "timeout": timedelta(seconds=20), **more}), read_only=read_only)


def at_last(ask: Callable[[], T]) -> T:
    """Ask until the store answers."""
    deadline = monotonic() + 30
    while True:
        try:
            return ask()
        except StoreUnavailable:
            if monotonic() > deadline:
                raise
            Event().wait(0.01)

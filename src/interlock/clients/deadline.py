"""The time that several calls of a client have together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic


class Deadline:
    """The end of the time that begins now, by this machine's monotonic clock: what dates say does not count."""

    def __init__(self, timeout: timedelta, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._ends = now() + timeout.total_seconds()

    def left(self) -> timedelta:
        """Return the time that is left; none when it is over."""
        return timedelta(seconds=max(self._ends - self._now(), 0.0))

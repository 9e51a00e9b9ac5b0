"""How much each caller may ask: buckets that refill with time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

_MOST: Final = 10_000


class Grant(NamedTuple):
    """What is left. In `wait` seconds there is one more, in zero if there is one now; in `full` seconds all are there."""

    allowed: bool
    left: int
    wait: float
    full: float


class Throttle:
    """One bucket for each name. With a `rate` of zero nothing is limited. Not for several threads.

    At most 10,000 buckets are kept: those longest unused are forgotten, which forgives them what they used.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> Grant:
        """Take one out of a bucket, if there is one."""
        return self._look(name, 1.0)

    def look(self, name: str) -> Grant:
        """Say whether there is one, and leave it there."""
        return self._look(name, 0.0)

    def _look(self, name: str, cost: float) -> Grant:
        if self.rate <= 0:
            return Grant(allowed=True, left=self.burst, wait=0.0, full=0.0)
        now = self._clock()
        level, at = self._buckets.pop(name, (float(self.burst), now))
        level = min(float(self.burst), level + max(0.0, now - at) * self.rate)
        allowed = level >= 1.0
        if allowed:
            level -= cost
        if cost or level < self.burst:
            self._buckets[name] = (level, now)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        wait = 0.0 if allowed else (1.0 - level) / self.rate
        return Grant(allowed, int(level), wait, (self.burst - level) / self.rate)

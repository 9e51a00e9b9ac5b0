"""The real time, and waiting for it. The only place that looks at a clock, and the only one that waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Protocol

from interlock.ports.clock import Clock


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)  # noqa: TID251  (everybody else asks this one)


class Pacer(Protocol):
    """Waits."""

    def until(self, when: datetime) -> None:
        """Return at an instant, or earlier when poked."""
        ...


class SystemPacer:
    """Waits by the machine's clock, a second at most at a stretch, so that a clock set back cannot keep it asleep."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poked = threading.Event()

    def until(self, when: datetime) -> None:
        """Return at an instant, or earlier when poked."""
        left = (when - self._clock.now()).total_seconds()
        while left > 0:
            if self._poked.wait(min(left, 1.0)):
                self._poked.clear()
                return
            left = min((when - self._clock.now()).total_seconds(), left - 0.9 if left > 1 else 0)

    def poke(self) -> None:
        """End the present wait, or the next one."""
        self._poked.set()

"""Clocks that stand still until they are told to go on, and one that errs."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from interlock.ports.clock import Clock


class FakeClock:
    """Shows the time it was set to. With a `step` it goes on by that much each time it is read."""

    def __init__(self, at: datetime, *, step: timedelta = timedelta()) -> None:
        self._at = at
        self._step = step
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time, then go on by one step."""
        with self._lock:
            at = self._at
            self._at += self._step
            return at

    def advance(self, span: timedelta) -> datetime:
        """Go on by a span, or back by a negative one, and return the new time."""
        with self._lock:
            self._at += span
            return self._at

    def set(self, at: datetime) -> None:
        """Jump to an instant."""
        with self._lock:
            self._at = at


class SkewedClock:
    """Shows another clock's time with a constant error: a machine whose clock is ahead (or behind)."""

    def __init__(self, true: Clock, error: timedelta) -> None:
        self._true = true
        self._error = error

    def now(self) -> datetime:
        """Return the wrong time."""
        return self._true.now() + self._error


if TYPE_CHECKING:

    def _are_clocks(one: FakeClock, other: SkewedClock) -> tuple[Clock, Clock]:
        return one, other

"""Looking after the jobs that this process has started because somebody asked for it, and nobody here waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from interlock.app.advance import Advanced
from interlock.app.hands import Hands
from interlock.core.ids import RunKey
from interlock.errors import InterlockError
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.looks import Look, Looks, take_a_look

_IDLE: Final = timedelta(seconds=30)


class Afterwards:
    """Looks at such jobs soon after their start, and then less and less often, as a watcher does for those it has started.

    A courtesy: without it their end would be noticed at the rhythm of their pipeline. What it misses, a watcher sees.
    """

    def __init__(self, hands: Hands, ring: Callable[[], None]) -> None:
        self._hands = hands
        self._ring = ring
        self._looks = Looks()
        self._lock = threading.Lock()
        self._poked = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def look_after(self, key: RunKey, attempt: int) -> None:
        """Look at the job of an attempt from now on."""
        with self._lock:
            if self._closed:
                return
            self._looks.add(key, attempt, self._hands.clock.now())
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="interlock-afterwards", daemon=True)
                self._thread.start()
        self._poked.set()

    def close(self) -> None:
        """Make no more looks, and wait for the one under way."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._poked.set()
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while not self._closed:
            for each in self._looks.due(self._hands.clock.now()):
                self._look(each)
            self._poked.wait(self._pause(self._hands.clock.now()).total_seconds())
            self._poked.clear()

    def _pause(self, now: datetime) -> timedelta:
        following = self._looks.next_at()
        return _IDLE if following is None else min(max(following - now, timedelta()), _IDLE)

    def _look(self, look: Look) -> None:
        pause = None
        try:
            if not self._closed:
                pause = take_a_look(look, self._hands, self._ended)
        except Exception:  # noqa: BLE001, S110  (it was a courtesy: the run's own look says what is wrong)
            pass
        finally:
            self._looks.made(look, self._hands.clock.now(), pause=pause)

    def _ended(self, told: Advanced) -> None:
        # Whoever is to be told of it should not wait for a watcher.
        with suppress(InterlockError):
            Driver(self._hands, SystemPacer(self._hands.clock)).catch_up(told.run.key)
        self._ring()

"""Listening for rings: what the kernels share whose server can wake others (`Chime`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event, Lock, Thread, current_thread
from typing import ClassVar, Final

from interlock.errors import StoreError

TICK: Final = 0.1
"""Seconds after which a listener that hears nothing looks whether it was ended."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_SOON: Final = 1.0


class Listener(ABC):
    """A thread that listens for somebody, and goes on after a lost connection: at once, then after growing pauses."""

    troubles: ClassVar[tuple[type[Exception], ...]] = (StoreError,)
    """What `hear` raises when a connection is lost or cannot be made."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._ended = Event()
        self._pause = _FIRST_PAUSE
        self._missed = False
        self._thread = Thread(target=self._run, name="interlock-store-listener", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nobody wants to hear anything any more."""
        return self._ended.is_set()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def end(self) -> None:
        """End it, and wait a moment until it has; it may be called again, before it began, and from within `heard`."""
        self._ended.set()
        if self.alive and self._thread is not current_thread():
            self._thread.join(_SOON)  # a server that does not answer may hold it up for longer

    @abstractmethod
    def hear(self) -> None:
        """Connect, say `tuned`, and `tell` of every ring, until it is `ended` or the connection is lost.

        It returns when it was ended, or when nothing can ever be heard; it raises one of `troubles` for everything else.
        """

    def tuned(self) -> None:
        """Learn that from now on every ring is heard. Between a lost connection and this one, one may have been missed."""
        self._pause = _FIRST_PAUSE
        if self._missed:
            self.tell()

    def tell(self) -> None:
        """Call whoever listens."""
        # What goes wrong in him is his, and may not end the listening.
        with suppress(Exception):
            if not self.ended:
                self._heard()

    def _run(self) -> None:
        while not self.ended:
            try:
                self.hear()
            except self.troubles:
                self._missed = True
                self._ended.wait(self._pause)
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            else:
                return


class Listeners:
    """All who listen to one store."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._there: list[Listener] = []
        self._closed = False

    @property
    def listening(self) -> bool:
        """Whether anybody of them is listening just now."""
        with self._lock:
            return any(listener.alive for listener in self._there)

    def start(self, listener: Listener) -> Callable[[], None]:
        """Let it listen, until the function that is returned is called or this is closed."""
        with self._lock:
            if not self._closed:
                self._there.append(listener)
                listener.start()
        return partial(self._end, listener)

    def close(self) -> None:
        """End all of them; none can begin any more."""
        with self._lock:
            self._closed = True
            there, self._there = self._there, []
        for listener in there:
            listener.end()

    def _end(self, listener: Listener) -> None:
        with self._lock, suppress(ValueError):
            self._there.remove(listener)
        listener.end()

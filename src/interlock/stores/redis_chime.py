"""Waking whoever watches a store, over a channel of the server."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread, current_thread
from time import monotonic
from typing import Final

from msgspec.structs import replace
from redis import exceptions as said

from interlock.errors import StoreError
from interlock.stores.redis_lines import Line, Lines
from interlock.stores.redis_options import Access, Address
from interlock.stores.redis_routes import Routes

_SOON: Final = 0.5
_TICK: Final = 0.1
_QUIET: Final = 15.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0


class Bell:
    """Rings a channel and listens to it. In a cluster any member passes a ring on to all the others."""

    def __init__(self, access: Access, routes: Routes, channel: bytes) -> None:
        # A ring must not hold anybody up, so it has connections of its own, which give up soon.
        self._hasty = replace(access, timeout=min(access.timeout, _SOON))
        self._patient = access
        self._routes = routes
        self._channel = channel
        self._lock = Lock()
        self._ringers: dict[Address, Lines] = {}
        self._ears: set[_Ear] = set()
        self._closed = False

    def ring(self) -> None:
        """Wake everybody who listens. Never raises."""
        for server in self._routes.all():
            with self._lock:
                if self._closed:
                    return
                if server.address not in self._ringers:
                    self._ringers[server.address] = Lines(self._hasty, server.address)
                lines = self._ringers[server.address]
            if _rung(lines, self._channel):
                return

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard` after every ring until the function that is returned is called. Never raises."""
        ear = _Ear(self._patient, self._routes, self._channel, heard)
        with self._lock:
            if self._closed:
                return ear.stop
            self._ears.add(ear)
        ear.start()

        def stop() -> None:
            with self._lock:
                self._ears.discard(ear)
            ear.stop()

        return stop

    def close(self) -> None:
        """End all listening."""
        with self._lock:
            self._closed = True
            ears, self._ears = self._ears, set()
            ringers = list(self._ringers.values())
        for ear in ears:
            ear.stop()
        for lines in ringers:
            lines.close(_SOON)


def _rung(lines: Lines, channel: bytes) -> bool:
    try:
        with lines.line() as line:
            line.ask("PUBLISH", channel, b"")
    except (StoreError, said.RedisError):
        return False
    return True


class _Ear:
    """A thread that listens, and goes on listening."""

    def __init__(self, access: Access, routes: Routes, channel: bytes, heard: Callable[[], None]) -> None:
        self._access = access
        self._routes = routes
        self._channel = channel
        self._heard = heard
        self._ended = Event()
        self._thread = Thread(target=self._run, name="interlock-redis-listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive() and self._thread is not current_thread():
            self._thread.join(2 * _SOON)  # a server that does not answer may hold it up for longer

    def _run(self) -> None:
        pause, attempt = _FIRST_PAUSE, 0
        while not self._ended.is_set():
            servers = self._routes.all()
            lines = Lines(self._access, servers[attempt % len(servers)].address)
            try:
                with lines.line() as line:
                    line.ask("SUBSCRIBE", self._channel)
                    pause = _FIRST_PAUSE
                    if attempt:
                        self._call()  # somebody may have rung while nobody listened
                    self._hear(line)
            except (StoreError, said.RedisError, OSError):
                attempt += 1
                self._ended.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            finally:
                lines.close(0)

    def _hear(self, line: Line) -> None:
        quiet_since, asked = monotonic(), False
        while not self._ended.is_set():
            said_now = line.listen(_TICK)
            now = monotonic()
            if said_now is not None:
                quiet_since, asked = now, False
                if said_now[0] == b"message":
                    self._call()
            elif asked and now - quiet_since > _QUIET + self._access.timeout:
                raise said.TimeoutError("nothing was heard, and a ping is not answered")
            elif not asked and now - quiet_since > _QUIET:
                asked = True
                line.send("PING")

    def _call(self) -> None:
        if not self._ended.is_set():
            self._heard()

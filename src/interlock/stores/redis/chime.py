"""Waking whoever watches a store, over a channel of the server."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from threading import Lock
from time import monotonic
from typing import Final

from msgspec.structs import replace
from redis import exceptions as said

from interlock.errors import StoreError
from interlock.stores.listening import TICK, Listener, Listeners
from interlock.stores.redis.lines import Line, Lines
from interlock.stores.redis.options import Access, Address
from interlock.stores.redis.routes import Routes

_SOON: Final = 0.5
_QUIET: Final = 15.0


class RedisChime:
    """Rings a channel and listens to it. In a cluster any member passes a ring on to all the others."""

    def __init__(self, access: Access, routes: Routes, channel: bytes) -> None:
        # A ring must not hold anybody up, so it has connections of its own, which give up soon.
        self._hasty = replace(access, timeout=min(access.timeout, _SOON))
        self._patient = access
        self._routes = routes
        self._channel = channel
        self._lock = Lock()
        self._ringers: dict[Address, Lines] = {}
        self._listeners = Listeners()
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
        return self._listeners.start(_Ear(self._patient, self._routes, self._channel, heard))

    def close(self) -> None:
        """End all listening."""
        with self._lock:
            self._closed = True
            ringers = list(self._ringers.values())
        self._listeners.close()
        for lines in ringers:
            lines.close(_SOON)


def _rung(lines: Lines, channel: bytes) -> bool:
    try:
        with lines.line() as line:
            line.ask("PUBLISH", channel, b"")
    except (StoreError, said.RedisError):
        return False
    return True


class _Ear(Listener):
    """A listener at one of the servers, and at the next one whenever it has lost one."""

    troubles = (StoreError, said.RedisError, OSError)

    def __init__(self, access: Access, routes: Routes, channel: bytes, heard: Callable[[], None]) -> None:
        super().__init__(heard)
        self._access = access
        self._routes = routes
        self._channel = channel
        self._turns = count()

    def hear(self) -> None:
        servers = self._routes.all()
        lines = Lines(self._access, servers[next(self._turns) % len(servers)].address)
        try:
            with lines.line() as line:
                line.ask("SUBSCRIBE", self._channel)
                self.tuned()
                self._follow(line)
        finally:
            lines.close(0)

    def _follow(self, line: Line) -> None:
        quiet_since, asked = monotonic(), False
        while not self.ended:
            said_now = line.listen(TICK)
            now = monotonic()
            if said_now is not None:
                quiet_since, asked = now, False
                if said_now[0] == b"message":
                    self.tell()
            elif asked and now - quiet_since > _QUIET + self._access.timeout:
                raise said.TimeoutError("nothing was heard, and a ping is not answered")
            elif not asked and now - quiet_since > _QUIET:
                asked = True
                line.send("PING")

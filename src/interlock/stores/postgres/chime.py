"""Waking each other by LISTEN and NOTIFY: a courtesy between machines, in threads of its own, and never in anybody's way.

A connection pooler hands its sessions from one to the next, so that nothing can be heard through one, and what was asked for
would be heard by somebody else. It shows by the number of the server process, which is not the one that we were told.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Final

from interlock.clients.postgres import Connection, Database
from interlock.errors import StoreError
from interlock.stores.listening import TICK, Listener, Listeners

_SOON: Final = timedelta(seconds=1)
_SULK: Final = 5.0  # how long nobody rings after a ring that failed
_LOOK_EVERY: Final = 30.0  # a connection that a firewall has forgotten says nothing, and is not closed
_PATIENCE: Final = timedelta(seconds=10)


class PostgresChime:
    """What rings and listens for one store, on a channel with the name of its schema."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self.listeners = Listeners()
        self._silent_until = 0.0

    def ring(self) -> None:
        """Wake everybody who listens. A second is all the time it gets, and after a failure there is a pause."""
        if monotonic() < self._silent_until:
            return
        try:
            with self._database.connection("ring", patience=_SOON) as conn:
                conn.execute("SELECT pg_notify(%s, '')", [self._channel])
        except StoreError:
            self._silent_until = monotonic() + _SULK

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Start to listen; the function that is returned ends it."""
        return self.listeners.start(_Ear(self._database, self._channel, heard))

    def close(self) -> None:
        """End all listening."""
        self.listeners.close()


class _Ear(Listener):
    """A listener with a connection of its own."""

    def __init__(self, database: Database, channel: str, heard: Callable[[], None]) -> None:
        super().__init__(heard)
        self._database = database
        self._channel = channel

    def hear(self) -> None:
        with self._database.alone("listen to", patience=_PATIENCE) as conn:
            if not _is_pooled(conn):
                rung = Event()
                conn.add_notify_handler(lambda _: rung.set())
                conn.execute(f'LISTEN "{self._channel}"')
                self.tuned()
                self._follow(conn, rung)

    def _follow(self, conn: Connection, rung: Event) -> None:
        """Wait until something comes on the wire, and let psycopg read it by asking for nothing."""
        poller = select.poll()
        poller.register(conn.pgconn.socket, select.POLLIN)
        looked_at = monotonic()
        while not self.ended:
            if not poller.poll(TICK * 1000) and monotonic() - looked_at < _LOOK_EVERY:
                continue
            conn.execute("")
            looked_at = monotonic()
            if rung.is_set():
                rung.clear()
                self.tell()


def _is_pooled(conn: Connection) -> bool:
    (pid,) = conn.execute("SELECT pg_backend_pid()").fetchone() or (None,)
    return bool(pid != conn.pgconn.backend_pid)

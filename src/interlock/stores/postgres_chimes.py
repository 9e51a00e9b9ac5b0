"""Waking each other by LISTEN and NOTIFY: a courtesy between machines, in threads of its own, and never in anybody's way.

A connection pooler hands its sessions from one to the next, so that nothing can be heard through one, and what was asked for
would be heard by somebody else. It shows by the number of the server process, which is not the one that we were told.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event, Lock, Thread, current_thread
from time import monotonic
from typing import Final

from interlock.clients.postgres import Connection, Database
from interlock.errors import StoreError

_SOON: Final = timedelta(seconds=1)
_SULK: Final = 5.0  # how long nobody rings after a ring that failed
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_LOOK_EVERY: Final = 30.0  # a connection that a firewall has forgotten says nothing, and is not closed
_PATIENCE: Final = timedelta(seconds=10)


class Chimes:
    """What rings and listens for one store, on a channel with the name of its schema."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._lock = Lock()
        self._listeners: list[_Listener] = []
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
        listener = _Listener(self._database, self._channel, heard)
        with self._lock:
            self._listeners.append(listener)
        listener.start()
        return partial(self._end, listener)

    def _end(self, listener: _Listener) -> None:
        listener.end()
        with self._lock, suppress(ValueError):
            self._listeners.remove(listener)

    def close(self) -> None:
        """End all listening."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.end()


class _Listener:
    """One thread with a connection of its own."""

    def __init__(self, database: Database, channel: str, heard: Callable[[], None]) -> None:
        self._database = database
        self._channel = channel
        self._heard = heard
        self._ended = Event()
        self._bell, self._clapper = socket.socketpair()
        self._thread = Thread(target=self._run, name="interlock-listen", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """End it, and wait a moment until it has; it may be called again, and from within `heard`."""
        if not self._ended.is_set():
            self._ended.set()
            with suppress(OSError):
                self._clapper.send(b".")
        if current_thread() is not self._thread:
            self._thread.join(_SOON.total_seconds())

    def _run(self) -> None:
        with self._bell, self._clapper:
            pause, missed = _FIRST_PAUSE, False
            while not self._ended.is_set():
                with suppress(StoreError), self._database.alone("listen to", patience=_PATIENCE) as conn:
                    if _is_pooled(conn):
                        return
                    rung = self._tuned(conn)
                    pause = _FIRST_PAUSE
                    if missed:
                        self._tell()
                    self._follow(conn, rung)
                missed = True
                self._ended.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _tuned(self, conn: Connection) -> Event:
        rung = Event()
        conn.add_notify_handler(lambda _: rung.set())
        conn.execute(f'LISTEN "{self._channel}"')
        return rung

    def _follow(self, conn: Connection, rung: Event) -> None:
        """Wait until something comes on the wire, and let psycopg read it by asking for nothing."""
        poller = select.poll()
        for wire in (conn.pgconn.socket, self._bell.fileno()):
            poller.register(wire, select.POLLIN)
        while not self._ended.is_set():
            poller.poll(_LOOK_EVERY * 1000)
            if self._ended.is_set():
                return
            conn.execute("")
            if rung.is_set():
                rung.clear()
                self._tell()

    def _tell(self) -> None:
        # What goes wrong in whoever listens is his, and may not end the listening.
        with suppress(Exception):
            self._heard()


def _is_pooled(conn: Connection) -> bool:
    (pid,) = conn.execute("SELECT pg_backend_pid()").fetchone() or (None,)
    return bool(pid != conn.pgconn.backend_pid)

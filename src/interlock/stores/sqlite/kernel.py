"""The store in one SQLite file: nothing to install, safe for many threads and several processes of one machine.

Commits of many threads share transactions and syncs (`writer`). Readers have connections of their own and never
wait for a writer. Every read is a transaction of its own, so it sees all that was committed before it began, by
anybody. All times are whole microseconds since 1970; bodies are canonical JSON text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from interlock.clients.forks import Opener
from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.kernel import Change, Page, Place, Record, Walk, as_ping
from interlock.stores.rows import (
    Row,
    Step,
    due_place,
    follower,
    micros,
    names_between,
    record_of,
    standing_of,
    steps_of,
)
from interlock.stores.sqlite.errors import translated
from interlock.stores.sqlite.files import StoreFile
from interlock.stores.sqlite.writer import GroupWriter, Work
from interlock.stores.walking import place_of, restorable, walked

if TYPE_CHECKING:
    from interlock.stores.kernel import Kernel, Walkable

_MAX_IDLE: Final = 8
_ABOVE_TEXT: Final = b""  # SQLite sorts every blob behind every text

_COLUMNS: Final = "SELECT pk, sk, version, CAST(body AS BLOB), wake_at, expires_at, kind, rank FROM records "
_GET: Final = _COLUMNS + "WHERE pk = ? AND sk = ?"
_ROWS: Final = _COLUMNS + "WHERE pk = ? AND sk >= ? AND sk < ? ORDER BY sk LIMIT ?"
_ROWS_BACK: Final = _COLUMNS + "WHERE pk = ? AND sk >= ? AND sk < ? ORDER BY sk DESC LIMIT ?"
_DUE: Final = "SELECT pk, sk, wake_at FROM records WHERE wake_at <= ? ORDER BY wake_at, pk, sk LIMIT ?"
_LISTING: Final = _COLUMNS + "WHERE kind = ? AND (rank, pk, sk) >= (?, ?, ?) ORDER BY rank, pk, sk LIMIT ?"
_LISTING_BACK: Final = (
    _COLUMNS + "WHERE kind = ? AND (rank, pk, sk) < (?, ?, ?) ORDER BY rank DESC, pk DESC, sk DESC LIMIT ?"
)
_WALK: Final = _COLUMNS + "WHERE (pk, sk) >= (?, ?) ORDER BY pk, sk LIMIT ?"
_VERSION: Final = "SELECT version FROM records WHERE pk = ? AND sk = ?"
_PUT: Final = """
    INSERT INTO records (pk, sk, version, body, wake_at, expires_at, kind, rank)
    VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?)
    ON CONFLICT (pk, sk) DO UPDATE SET version = excluded.version, body = excluded.body, wake_at = excluded.wake_at,
        expires_at = excluded.expires_at, kind = excluded.kind, rank = excluded.rank
"""
_RESTORE: Final = """
    INSERT INTO records (pk, sk, version, body, wake_at, expires_at, kind, rank)
    VALUES (?, ?, ?, CAST(? AS TEXT), ?, ?, ?, ?) ON CONFLICT (pk, sk) DO NOTHING
"""
_DELETE: Final = "DELETE FROM records WHERE pk = ? AND sk = ?"
_PURGE: Final = """
    DELETE FROM records WHERE (pk, sk) IN
        (SELECT pk, sk FROM records WHERE expires_at <= ? ORDER BY expires_at, pk, sk LIMIT ?)
"""
_TOUCH: Final = "UPDATE records SET version = version WHERE FALSE"
_PEEK: Final = "SELECT 1 FROM records LIMIT 1"


class SqliteKernel:
    """A kernel in one file, created when it is missing together with the directory right above it.

    `busy_timeout` is how long to wait for a lock of another process. With `read_only` nothing can be committed, and a
    missing or older store is an error.

    Raises:
        StoreTooNew: a later Interlock wrote the file; it is left untouched.
        StoreUnavailable: trying again can help.
        StoreError: the file is damaged, not ours, or not to be opened by this user.
    """

    def __init__(self, path: Path, *, busy_timeout: timedelta = timedelta(seconds=10), read_only: bool = False) -> None:
        self._file = StoreFile(path, busy_timeout.total_seconds(), read_only=read_only)
        self._opener = Opener()
        self._file.prepare()
        self._readers = _Readers(self._file)
        self._writer = GroupWriter(self._file)

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        found = self._read(_GET, pk, sk)
        return record_of(found[0]) if found else None

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        steps = steps_of(pk, batch)
        return bool(self._write(partial(_apply, pk, steps)))

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        low, high = names_between(prefix, page)
        query = _ROWS_BACK if page.backwards else _ROWS
        return _records(self._read(query, pk, low, _ABOVE_TEXT if high is None else high, max(page.limit, 0)))

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        return [due_place(*found) for found in self._read(_DUE, micros(before), max(limit, 0))]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        standing: tuple[str | bytes, ...] = (_ABOVE_TEXT,) * 3 if page.backwards else ("", "", "")
        if page.after is not None:
            rank, pk, sk = standing_of(page.after)
            standing = (rank, pk, sk if page.backwards else follower(sk))
        query = _LISTING_BACK if page.backwards else _LISTING
        return _records(self._read(query, kind, *standing, max(page.limit, 0)))

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        return self._write(partial(_purge, micros(now), max(limit, 0)))

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor: by partition, then by name."""
        pk, sk = ("", "") if after is None else place_of(after)
        start = sk if after is None else follower(sk)
        return walked(self._read(_WALK, pk, start, max(limit, 1)), limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none; all of them in one transaction."""
        rows = restorable(records)
        if rows:
            self._write(partial(_restore, rows))

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store can be read, and written if it is not opened for reading only."""
        with as_ping():
            self._read(_PEEK)
            if not self._file.read_only:
                # BEGIN IMMEDIATE alone succeeds on a read-only file. Only a statement that would write tells the truth.
                self._write(_touch)

    def close(self) -> None:
        """Finish the commits already accepted and let go of the file; later calls raise `StoreUnavailable`.

        In a forked child it does nothing: the connections are the parent's.
        """
        if self._opener.is_here:
            self._writer.close()
            self._readers.close()

    def _read(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        self._opener.refuse_fork(f"the store {self._file.path}")
        db = self._readers.take()
        try:
            found = db.execute(query, arguments).fetchall()
        except sqlite3.Error as exc:
            db.close()
            raise translated(exc, self._file.path, "read") from exc
        except BaseException:
            db.close()
            raise
        self._readers.give(db)
        return found

    def _write(self, work: Work) -> int:
        self._opener.refuse_fork(f"the store {self._file.path}")
        if self._file.read_only:
            raise StoreError(
                f"cannot write the store {self._file.path}: it was opened for reading only. Nothing was written"
            )
        return self._writer.perform(work)


class _Readers:
    """Idle connections for reading. As many are open as reads overlap; a thread that dies leaves none behind."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    def take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(
                    f"the store {self._file.path} is closed: nothing can be read or written any more"
                )
            if self._idle:
                return self._idle.pop()
        try:
            return self._file.reader()
        except sqlite3.Error as exc:
            raise translated(exc, self._file.path, "open") from exc

    def give(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MAX_IDLE:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()


def _records(rows: list[tuple[Any, ...]]) -> list[Record]:
    return [record_of(row) for row in rows]


def _apply(pk: str, steps: tuple[Step, ...], db: sqlite3.Connection) -> int:
    """Compare all, then write all. Nothing else writes meanwhile, so a batch that loses has written nothing."""
    for step in steps:
        found = db.execute(_VERSION, (pk, step.sk)).fetchone()
        if step.expected is not None and step.expected != (found[0] if found else 0):
            return False
    for step in steps:
        if step.row:
            db.execute(_PUT, step.row)
        elif step.deletes:
            db.execute(_DELETE, (pk, step.sk))
    return True


def _purge(until: int, limit: int, db: sqlite3.Connection) -> int:
    return db.execute(_PURGE, (until, limit)).rowcount


def _restore(rows: Sequence[Row], db: sqlite3.Connection) -> int:
    return db.executemany(_RESTORE, rows).rowcount


def _touch(db: sqlite3.Connection) -> int:
    return db.execute(_TOUCH).rowcount


if TYPE_CHECKING:

    def _is_a_kernel(it: SqliteKernel) -> Kernel:
        return it

    def _is_walkable(it: SqliteKernel) -> Walkable:
        return it

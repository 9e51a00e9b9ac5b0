"""The file of a SQLite store: opening it, knowing whose it is, and bringing it up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final, Literal

from interlock.errors import StoreEmpty, StoreError, StoreTooNew
from interlock.stores.sqlite.errors import MOVED, translated

APPLICATION_ID: Final = 0x494E544C  # "INTL": what tells our files from anybody else's
SCHEMA_VERSION: Final = 1  # the number of the last file in `migrations`

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_BEAT: Final = 0.01
_Mode = Literal["ro", "rw", "rwc"]


class StoreFile:
    """Where a store is and how long to wait for its locks. Holds nothing open itself."""

    def __init__(self, path: Path, busy_timeout: float, *, read_only: bool) -> None:
        self.path = path.absolute()
        self.busy_timeout = busy_timeout
        self.read_only = read_only
        self._identity: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Make the store ready to use: create it, bring it up to date, or do nothing, which is quick.

        Raises:
            StoreEmpty: there is nothing to read yet.
            StoreTooNew: a later Interlock wrote it; no byte of it was changed.
            StoreUnavailable: trying again can help.
            StoreError: it is damaged, not ours, or not to be opened by this user.
        """
        if self.path.is_dir():
            raise StoreError(f"cannot open the store {self.path}: it is a directory. Name a file in it")
        version = self._version_seen()
        if version == SCHEMA_VERSION:
            return
        if self.read_only:
            state = "does not exist or is empty" if version == 0 else "is of an older version"
            kind = StoreEmpty if version == 0 else StoreError
            raise kind(
                f"cannot read the store {self.path}: it {state}, and it was opened for reading only. "
                "Open it once for writing (any command that runs or evaluates something does), or correct the path"
            )
        try:
            self.path.parent.mkdir(exist_ok=True)
            with closing(self._connect("rwc")) as db:
                self._enter_wal(db)
                self._migrate(db)
        except OSError as exc:
            raise StoreError(
                f"cannot create the store {self.path}: {exc}. Create its directory, or correct the path"
            ) from exc
        except sqlite3.Error as exc:
            raise translated(exc, self.path, "create or migrate") from exc

    def reader(self) -> sqlite3.Connection:
        """Return a connection which cannot write.

        Raises:
            sqlite3.Error: untranslated, like everything that comes out of the connection later.
        """
        if self.read_only:
            return self._connect("ro")
        db = self._connect("rw")
        db.execute("PRAGMA query_only = ON")
        return db

    def writer(self) -> sqlite3.Connection:
        """Return a connection whose commits are on the disk when COMMIT returns.

        Raises:
            sqlite3.Error: untranslated, like everything that comes out of the connection later.
            StoreError: the file system cannot hold a store.
        """
        db = self._connect("rw")
        db.execute("PRAGMA synchronous = FULL")
        self._enter_wal(db)
        if self._identity is None:
            there = self.path.stat()
            self._identity = there.st_dev, there.st_ino
        return db

    def refuse_newer(self, db: sqlite3.Connection) -> None:
        """Look again inside a transaction: a later Interlock may have migrated the file while we had it open.

        Raises:
            StoreTooNew: it has.
        """
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise self._too_new(version)

    def refuse_moved(self) -> None:
        """Look whether the file that is open still goes by its name: SQLite itself goes on writing into a nameless one.

        Raises:
            StoreError: it was moved or removed, or another stands in its place.
        """
        try:
            now = self.path.stat()
            same = (now.st_dev, now.st_ino) == self._identity
        except OSError:
            same = False
        if not same:
            raise StoreError(f"cannot write the store {self.path}: {MOVED}")

    def wal_size(self) -> int:
        """Return the bytes in the write-ahead log; 0 when there is none."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _connect(self, mode: _Mode) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )

    def _version_seen(self) -> int:
        """Look without touching. Only a connection that cannot write leaves a newer store's log alone on closing."""
        try:
            with closing(self._connect("ro")) as db:
                db.execute("BEGIN")
                return self._version_of(db)
        except sqlite3.Error as exc:
            code = exc.sqlite_errorcode
            if code & 0xFF == sqlite3.SQLITE_CANTOPEN and self._may_be_created():
                return 0
            # Somebody died while creating the store: only who may write can clear his half transaction away.
            if code == sqlite3.SQLITE_READONLY_ROLLBACK and not self.read_only:
                return 0
            raise translated(exc, self.path, "open") from exc

    def _may_be_created(self) -> bool:
        # There was no file a moment ago. If there is one now, another process is creating it, and we do that together.
        if self.path.exists():
            return not self.read_only and os.access(self.path, os.R_OK | os.W_OK)
        return self.path.parent.parent.is_dir()

    def _version_of(self, db: sqlite3.Connection) -> int:
        # In a transaction, always: half seen before another process creates the store and half after, it looks foreign.
        (owner,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if owner == 0 and version == 0 and tables == 0:
            return 0
        if owner != APPLICATION_ID:
            raise StoreError(
                f"cannot open the store {self.path}: it is a SQLite database of some other program. "
                "It was not changed. Correct the path"
            )
        if version > SCHEMA_VERSION:
            raise self._too_new(version)
        return int(version)

    def _too_new(self, version: int) -> StoreTooNew:
        return StoreTooNew(
            f"cannot use the store {self.path}: a later Interlock wrote it (schema {version}; this one knows "
            f"{SCHEMA_VERSION}). It was not changed. Upgrade Interlock, or use another store"
        )

    def _enter_wal(self, db: sqlite3.Connection) -> None:
        # SQLite does not wait for a lock when two connections turn a new file to WAL at once, so we do.
        deadline = monotonic() + self.busy_timeout
        mode = None
        while mode is None:
            try:
                (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= deadline:
                    raise
                Event().wait(_BEAT)
        if mode != "wal":
            raise StoreError(
                f"cannot write the store {self.path}: its file system cannot share memory between processes, as "
                "network file systems cannot. Put the store on a local disk"
            )

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        try:
            done = self._version_of(db)  # another process may have been faster
            for number, statements in _migrations():
                if number > done:
                    for statement in statements:
                        db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


def _migrations() -> Iterator[tuple[int, list[str]]]:
    for file in sorted(_MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        yield int(file.name[:4]), list(_statements(file.read_text("utf-8")))


def _statements(script: str) -> Iterator[str]:
    """Split a script. `executescript` would commit half a migration: it ends the transaction it is called in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

"""SQLite's errors in our words: what happened, what it means, what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from interlock.errors import StoreError, StoreUnavailable

_RETRY: Final[dict[int, str]] = {
    sqlite3.SQLITE_BUSY: "another process held its write lock for the whole busy timeout. Nothing was written. Find it "
    "with `fuser -v {path}`, end it or let it finish, and try again",
    sqlite3.SQLITE_LOCKED: "another connection of this process holds a lock on it. Nothing was written: try again",
    sqlite3.SQLITE_FULL: "the disk is full, or the file may not grow further. Nothing was written. Free some space "
    "and try again: the store itself is unharmed",
    sqlite3.SQLITE_IOERR: "the disk reported an error. The write may or may not have happened. Look at the system log "
    "for disk or network file system trouble, then try again",
    sqlite3.SQLITE_NOMEM: "there is no memory left. Nothing was written: try again when there is",
    sqlite3.SQLITE_PROTOCOL: "its locks are too busy to join. Nothing was written: try again",
    sqlite3.SQLITE_INTERRUPT: "the operation was interrupted. Nothing was written: try again",
}
_FINAL: Final[dict[int, str]] = {
    sqlite3.SQLITE_CORRUPT: "the file is damaged. Stop Interlock, keep a copy of the file, and restore a backup, or "
    "save what can be read with `sqlite3 {path} .recover`",
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database. Check the path, or restore a backup: an empty store would not know what has run"
    ),
    sqlite3.SQLITE_READONLY: "this user may not write the file or its directory (SQLite also writes {path}-wal and "
    "{path}-shm, even for reading). Correct owner and permissions of both, or run as their owner",
    sqlite3.SQLITE_PERM: "this user has no permission for it. Correct owner and permissions, or run as its owner",
    sqlite3.SQLITE_AUTH: "this user has no permission for it. Correct owner and permissions, or run as its owner",
    sqlite3.SQLITE_TOOBIG: "a body is larger than SQLite can keep. Nothing was written: keep large things elsewhere "
    "and store where they are",
}


MOVED: Final = "the file was moved or removed while it was open. Put it back, and start this process again"


def translated(exc: Exception, path: Path, doing: str) -> StoreError:
    """Return our error for one of SQLite's; `doing` completes "cannot … the store"."""
    code = getattr(exc, "sqlite_errorcode", -1)
    kind, words = StoreError, str(exc)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        words = MOVED
    elif code & 0xFF == sqlite3.SQLITE_CANTOPEN:
        kind, words = _cannot_open(path)
    elif code & 0xFF in _RETRY:
        kind, words = StoreUnavailable, _RETRY[code & 0xFF]
    elif code & 0xFF in _FINAL:
        words = _FINAL[code & 0xFF]
    error = kind(f"cannot {doing} the store {path}: {words.replace('{path}', str(path))} (SQLite says: {exc})")
    error.__cause__ = exc
    return error


def _cannot_open(path: Path) -> tuple[type[StoreError], str]:
    # Never open the file here to see why: closing it again would drop every lock this process holds on it (POSIX).
    if not path.parent.is_dir():
        return StoreError, "its directory does not exist, or this user may not enter it. Create it, or correct the path"
    wanted = path if path.exists() else path.parent
    if not os.access(wanted, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return StoreError, _FINAL[sqlite3.SQLITE_READONLY]
    return StoreUnavailable, "it cannot be opened now; perhaps this process has too many files open. Try again"

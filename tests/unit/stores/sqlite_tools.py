"""Other processes, traces and damage for the tests of the SQLite store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from interlock.stores.kernel import Put, Record

PATIENCE = 30.0
HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
db.close()
"""


def a_row(sk: str = "a", version: int = 1, pk: str = "p", **fields: Any) -> Record:
    return Record(**{"pk": pk, "sk": sk, "version": version, "body": {"n": version}, **fields})


def put(*records: Record) -> list[Put]:
    return [Put(record) for record in records]


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another Python with our path, and its pipes in text."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
    )


def said_by(script: str, *arguments: object) -> str:
    """Run another Python to its end; return what it said, and insist that it went well."""
    process = python(script, *arguments)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


@contextmanager
def write_lock_held(path: Path) -> Iterator[None]:
    """Let another process hold the write lock of a database."""
    process = python(HOLD, path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate("\n", timeout=PATIENCE)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something another thread or process does."""
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline, "it never happened"
        os.sched_yield()


def raw(path: Path, *statements: str) -> list[Any]:
    """Do something to a database behind the store's back; return the rows of the last statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        return [db.execute(statement).fetchall() for statement in statements][-1]


def on_connect(monkeypatch: pytest.MonkeyPatch, act: Callable[[sqlite3.Connection], object]) -> None:
    """Do something to every connection that is opened from now on."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*arguments, **options)
        act(db)
        return db

    monkeypatch.setattr(sqlite3, "connect", connected)

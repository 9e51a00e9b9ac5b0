"""Archiving: rows a second out of a backlog of marks, beside `COPY` of the same rows into tables without any index.

    python -m bench.archive

The store is SQLite, the archive a PostgreSQL that is started for it. `ratio_to_copy` says how many times as long archiving
takes: it reads each fact from the store, checks for what is known, keeps eleven indexes, and strikes the marks.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.servers.base import ServerMissing
from tests.servers.postgres import PostgresServer

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.archive.archiver import Archiver
from interlock.archive.database import Archive
from interlock.archive.tables import TABLES, Table
from interlock.clients.postgres import Connection, Database
from interlock.core.events import TraitEvaluated, Woke
from interlock.core.ids import RunKey, TraitName
from interlock.core.traits import TraitResult, TraitStatus
from interlock.stores.kernel import Kernel
from interlock.stores.marks import MarkingKernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import NOON, a_slot, a_spec

RUNS: Final = 1000
CHANGES: Final = 10
SCHEMA: Final = "archived"

LIMITS: Final = {"ratio_to_copy": 15.0}


def main(runs: int = RUNS) -> dict[str, float]:
    """Measure, print a small table, return the figures; nothing where there is no PostgreSQL."""
    try:
        with _server() as server, tempfile.TemporaryDirectory() as folder:
            figures = _measured(server, Path(folder) / "live.db", runs)
    except ServerMissing as exc:
        print(f"archive: not measured: {exc}", file=sys.stderr)
        return {}
    for name, figure in figures.items():
        print(f"{name:32} {figure:12,.2f}")
    return figures


@contextmanager
def _server() -> Iterator[PostgresServer]:
    with PostgresServer("system") as server:
        yield server


def _measured(server: PostgresServer, path: Path, runs: int) -> dict[str, float]:
    with closing(SqliteKernel(path)) as kernel, closing(Database(server.dsn)) as database:
        archiver = Archiver(kernel, Archive(database, SCHEMA))
        archiver.turn()
        _live(kernel, runs)
        begun = perf_counter()
        report = archiver.turn()
        archiving = perf_counter() - begun
        begun = perf_counter()
        archiver.turn()
        idle = perf_counter() - begun
        with database.connection() as conn:
            copying = sum(_copied(conn, table) for table in TABLES)
    return {
        "rows": report.rows,
        "rows_per_second": report.rows / archiving,
        "facts_per_second": report.marks / archiving,
        "copy_rows_per_second": report.rows / copying,
        "ratio_to_copy": archiving / copying,
        "idle_turn_ms": idle * 1000,
    }


def _live(kernel: Kernel, runs: int) -> None:
    """Let runs be opened and changed, as watchers do."""
    store, spec = Repository(MarkingKernel(kernel, lambda: NOON)), a_spec("a")
    for number in range(runs):
        at = NOON + timedelta(minutes=number)
        slot = a_slot(f"{at:%Y-%m-%dT%H:00}", schedule=f"every-{number % 60:02}")
        key = open_run(slot, spec, store, at).run.key
        _changed(key, store)


def _changed(key: RunKey, store: Repository) -> None:
    for _ in range(CHANGES // 2):
        run = store.run(key)
        if run is None or run.wake_at is None:
            raise AssertionError("the run waits for an answer")
        at = run.updated_at + timedelta(seconds=1)
        result = TraitResult(
            trait=TraitName("a"),
            status=TraitStatus.FAIL,
            observed_at=at,
            answered_at=at,
            reason="no new rows since noon",
        )
        judged = advance(key, TraitEvaluated(at=at, round=run.round, result=result), store).run
        if judged.wake_at is None:
            raise AssertionError("the run is asked again")
        advance(key, Woke(at=judged.wake_at), store)


def _copied(conn: Connection, table: Table) -> float:
    """Copy a table's rows into one without indexes, and return how long that took."""
    columns = ", ".join(f'"{column}"' for column in table.columns)
    rows = conn.execute(f"SELECT {columns} FROM {SCHEMA}.{table.name}".encode()).fetchall()
    conn.execute(
        f"CREATE TABLE {SCHEMA}.plain_{table.name} AS SELECT {columns} FROM {SCHEMA}.{table.name} WHERE false".encode()
    )
    begun = perf_counter()
    with conn.cursor().copy(f"COPY {SCHEMA}.plain_{table.name} ({columns}) FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row([_plain(value) for value in row])
    return perf_counter() - begun


def _plain(value: object) -> object:
    from psycopg.types.json import Jsonb

    return Jsonb(value) if isinstance(value, dict) else value


if __name__ == "__main__":
    main()

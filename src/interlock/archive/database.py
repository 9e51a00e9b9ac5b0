"""The archive's side: its tables, written in one transaction per page, and what it knows of how far copying has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from psycopg import sql

from interlock.archive.gaps import Gap, GapReason
from interlock.archive.rows import ArchiveRow
from interlock.archive.tables import TABLES, Table, upsert
from interlock.clients.migrations import migrate, standing
from interlock.clients.postgres import Connection, Database
from interlock.clients.postgres_errors import state_of
from interlock.errors import StoreError, StoreUnavailable

T = TypeVar("T")

LEDGER: Final = "archive_migrations"
MIGRATIONS: Final = Path(__file__).parent / "migrations"

_MIGRATING: Final = timedelta(minutes=30)
_WRITING: Final = timedelta(minutes=2)
# SQLSTATEs of what no repetition mends: the data itself cannot be kept.
_REFUSED: Final = ("22", "23", "54")
# Those of tables, columns and schemas that are not there.
_REMOVED: Final = ("42P01", "42703", "3F000")


class NotTaken(StoreError):
    """PostgreSQL refused rows for what is in them. Nothing was written; others may be taken."""


class Unchecked(NamedTuple):
    """A run whose journal was not looked through for gaps up to its version, and the versions that are not there."""

    run_id: str
    version: int
    missing: tuple[int, ...]


class Page(NamedTuple):
    """What is written in one transaction. `copied` are the rows of the live store that are whole now, `gaps` those that
    are not; `cursors` say how far copying has come with it."""

    rows: Sequence[ArchiveRow]
    copied: Sequence[str] = ()
    gaps: Sequence[Gap] = ()
    cursors: Mapping[str, str] = {}
    generation: int = 0


class Archive:
    """The archive's tables in a schema of a database. Safe to use from many threads."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._schema = schema
        self._upserts = {table.name: upsert(table, schema) for table in TABLES}

    def __repr__(self) -> str:
        return f"<Archive {self.where}>"

    @property
    def where(self) -> str:
        """Where it is, as people may see it."""
        return f"{self._database.target}, schema {self._schema}"

    def prepare(self) -> None:
        """Make or upgrade the tables. Any number of processes may do so at once.

        Raises:
            StoreUnavailable: trying again can help.
            StoreTooNew: a later Interlock made them.
            StoreError: they cannot be made.
        """
        with self._database.connection("make the archive's tables in", patience=_MIGRATING) as conn:
            migrate(conn, self._schema, MIGRATIONS, ledger=LEDGER)

    def exists(self) -> bool:
        """Say whether its tables are there and are those of this version. Nothing is written.

        Raises:
            StoreError: nobody can tell.
        """
        left = self._database.read(lambda conn: standing(conn, self._schema, MIGRATIONS, ledger=LEDGER))
        return not left.empty and not left.pre

    def write(self, page: Page) -> int:
        """Write rows, each fact once however often it comes; return how many were new or newer.

        Raises:
            StoreUnavailable: it may or may not have happened, and can be done again.
            NotTaken: something in the rows cannot be kept; nothing was written.
            StoreError: it cannot be done at all.
        """
        try:
            with self._writing() as conn:
                # Who copies the same at once waits here: two that wrote in different orders could wait in a circle.
                conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"interlock:{self._schema}"])
                written = self._rows(conn, page.rows)
                self._standing(conn, page)
                return written
        except StoreUnavailable:
            raise
        except StoreError as exc:
            if state_of(exc)[:2] in _REFUSED:
                raise NotTaken(str(exc)) from exc
            raise

    def cursor(self, name: str) -> str | None:
        """Return how far a kind of copying has come; None when it has never begun, and never because of an error.

        Raises:
            StoreError: it cannot be known.
        """
        query = self._sql("SELECT cursor_value FROM {}.archive_cursors WHERE pipeline_id = '' AND data_type = %s")
        found = self._read(lambda conn: conn.execute(query, [name]).fetchone())
        return None if found is None else str(found[0])

    def generation(self) -> int:
        """Return how many pages it knows to have been copied; see `Archiver`.

        Raises:
            StoreError: it cannot be known.
        """
        return int(self.cursor("generation") or 0)

    def unchecked(self, limit: int) -> list[Unchecked]:
        """Return runs of which the journal is to be looked through for gaps, with what is missing in each.

        Raises:
            StoreError: it cannot be known.
        """
        query = self._sql(
            "SELECT run_id, version, ARRAY(SELECT v FROM generate_series(complete_to + 1, version) v WHERE NOT EXISTS "
            "(SELECT FROM {0}.journal j WHERE j.run_id = r.run_id AND j.version = v) ORDER BY v) "
            "FROM {0}.runs r WHERE complete_to < version ORDER BY run_id LIMIT %s"
        )
        found = self._read(lambda conn: conn.execute(query, [limit]).fetchall())
        return [Unchecked(run_id, version, tuple(missing)) for run_id, version, missing in found]

    def checked(self, runs: Iterable[Unchecked]) -> None:
        """Note that the journals of runs were looked through, each up to a version.

        Raises:
            StoreUnavailable: it may or may not have happened, and can be done again.
        """
        query = self._sql("UPDATE {}.runs SET complete_to = greatest(complete_to, %s) WHERE run_id = %s")
        done = sorted((run.run_id, run.version) for run in runs)
        with self._writing() as conn, conn.cursor() as cursor:
            cursor.executemany(query, [(version, run_id) for run_id, version in done])

    def gaps(self, limit: int) -> list[Gap]:
        """Return what is missing, as far as it was noticed.

        Raises:
            StoreError: it cannot be known.
        """
        query = self._sql(
            "SELECT stream_id, reason, message, coalesce(pipeline_id, ''), coalesce(run_id, ''), version "
            "FROM {}.archive_gaps ORDER BY stream_id LIMIT %s"
        )
        found = self._read(lambda conn: conn.execute(query, [limit]).fetchall())
        return [Gap(row[0], GapReason(row[1]), *row[2:]) for row in found]

    def begin_anew(self) -> None:
        """Forget how far copying everything has come, and which runs were looked through. No fact is removed.

        Raises:
            StoreUnavailable: it may or may not have happened, and can be done again.
        """
        with self._writing() as conn:
            conn.execute(self._sql("DELETE FROM {}.archive_cursors WHERE data_type = 'copy'"))
            conn.execute(self._sql("UPDATE {}.runs SET complete_to = 0 WHERE complete_to > 0"))

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()

    def _read(self, act: Callable[[Connection], T]) -> T:
        with self._whole():
            return self._database.read(act)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Lend a connection in a transaction."""
        with (
            self._whole(),
            self._database.connection("write to the archive in", patience=_WRITING) as conn,
            conn.transaction(),
        ):
            yield conn

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except StoreError as exc:
            if state_of(exc) not in _REMOVED:
                raise
            raise StoreError(
                f"cannot use the archive in the database {self.where}: a table or column of it was removed. What waits "
                "stays in the store. Restore the schema from a backup; or drop it whole, and `interlock archive` makes it "
                "anew and copies everything that the store still has"
            ) from exc

    def _rows(self, conn: Connection, rows: Iterable[ArchiveRow]) -> int:
        written = 0
        for name, values in _sorted_out(rows).items():
            text = msgspec.json.encode(values).decode()
            written += max(conn.execute(self._upserts[name], [text]).rowcount, 0)
        return written

    def _standing(self, conn: Connection, page: Page) -> None:
        set_cursor = self._sql(
            "INSERT INTO {0}.archive_cursors (pipeline_id, data_type, cursor_value) VALUES ('', %s, %s) "
            "ON CONFLICT (pipeline_id, data_type) DO UPDATE SET cursor_value = excluded.cursor_value, updated_at = now()"
        )
        for name, value in page.cursors.items():
            conn.execute(set_cursor, [name, value])
        if page.generation:
            later = sql.SQL(" WHERE archive_cursors.cursor_value::bigint < excluded.cursor_value::bigint")
            conn.execute(set_cursor + later, ["generation", str(page.generation)])
        if page.copied:
            conn.execute(self._sql("DELETE FROM {}.archive_gaps WHERE stream_id = ANY(%s)"), [list(page.copied)])
        add_gap = self._sql(
            "INSERT INTO {0}.archive_gaps (stream_id, reason, message, pipeline_id, run_id, version) "
            "VALUES (%s, %s, %s, nullif(%s, ''), nullif(%s, ''), %s) ON CONFLICT (stream_id) DO UPDATE SET "
            "reason = excluded.reason, message = excluded.message"
        )
        for gap in page.gaps:
            conn.execute(add_gap, [gap.stream_id, str(gap.reason), *gap[2:]])

    def _sql(self, text: str) -> sql.Composed:
        # The texts are those of this module; only the schema's name is not.
        return sql.SQL(text).format(sql.Identifier(self._schema))


def _sorted_out(rows: Iterable[ArchiveRow]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows by table, in the order of tables, each fact once: one statement cannot write a row twice."""
    found: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {table.name: {} for table in TABLES}
    for table, values in rows:
        facts, key = found[table.name], tuple(values[name] for name in table.key)
        known = facts.get(key)
        if known is None or _newness(table, values) > _newness(table, known):
            facts[key] = values
    return {name: list(facts.values()) for name, facts in found.items() if facts}


def _newness(table: Table, values: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(values[name] for name in table.newer)

"""The tables of a store in PostgreSQL: making them, knowing whose version they are, and what the server should be told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from interlock.clients import migrations
from interlock.clients.migrations import Standing
from interlock.clients.postgres import Connection, Database
from interlock.errors import StoreEmpty, StoreError
from interlock.stores.postgres.options import PostgresOptions

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_PATIENCE: Final = timedelta(minutes=10)  # for one step of a migration; every opening waits for it
_SETTINGS: Final = """
    SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database)
"""


def database_of(options: PostgresOptions) -> Database:
    """Return the database of a store; nothing is connected yet.

    Raises:
        StoreError: the DSN cannot be read.
    """
    return Database(
        options.dsn,
        pool_size=options.pool_size,
        statement_timeout=options.statement_timeout,
        connect_timeout=options.connect_timeout,
    )


def standing_on(database: Database, options: PostgresOptions) -> Standing:
    """Return which migrations are left to apply. Nothing is written.

    Raises:
        StoreTooNew: a later Interlock has been there.
        StoreUnavailable: trying again can help.
        StoreError: it cannot.
    """
    return database.read(lambda conn: migrations.standing(conn, options.schema, _MIGRATIONS), "open")


def migrate(database: Database, options: PostgresOptions, *, post: bool = False) -> tuple[str, ...]:
    """Apply what is left of `pre`, and with `post` of everything; return the names of what was applied.

    With `post` no older Interlock can use the store any more: none may be running.

    Raises:
        StoreTooNew: a later Interlock has been there; nothing was changed.
        StoreUnavailable: trying again can help, and goes on where this left off.
        StoreError: it cannot.
    """
    with database.connection("migrate", patience=_PATIENCE) as conn:
        return migrations.migrate(conn, options.schema, _MIGRATIONS, post=post)


def prepare(database: Database, options: PostgresOptions, *, read_only: bool) -> None:
    """Make the store ready to use: create it, bring it up to date, or do nothing, which is quick.

    Raises:
        StoreEmpty: there is nothing to read yet.
        StoreTooNew: a later Interlock has been there; nothing was changed.
        StoreUnavailable: trying again can help.
        StoreError: its tables are older and may not be changed here, or it may not be used by this user.
    """
    found = standing_on(database, options)
    if not found.pre:
        return
    where = f"the schema {options.schema!r} of the database {database.target}"
    if read_only and found.empty:
        raise StoreEmpty(
            f"cannot read {where}: nothing is in it, and it was opened for reading only. Open it once for writing (any "
            "command that runs or evaluates something does), or correct `dsn` and `schema`"
        )
    if read_only or not options.migrate:
        why = "it was opened for reading only" if read_only else "`migrate` is off"
        raise StoreError(
            f"cannot use {where}: its tables lack {', '.join(found.pre)}, and {why}. Nothing was changed. "
            "Run `interlock store migrate`"
        )
    migrate(database, options)


def advice_on(database: Database, options: PostgresOptions) -> tuple[str, ...]:
    """Look at the server, and return each thing that should be set up otherwise.

    Raises:
        StoreUnavailable: it does not answer.
    """
    fsync, whole_pages, free = database.read(_settings)
    where = f"the database {database.target}"
    found: list[str] = []
    if not fsync:
        found.append(
            f"{where} runs with fsync=off: what was committed is lost, and the database destroyed, when the machine "
            "crashes, and a job may be started twice. Set fsync=on and restart it"
        )
    if not whole_pages:
        found.append(
            f"{where} runs with full_page_writes=off: a crash of the machine may destroy it. Set full_page_writes=on, "
            "unless its file system never writes half a page"
        )
    if free < options.pool_size:
        found.append(
            f"{where} has {max(free, 0)} connections left, and each process of Interlock may need {options.pool_size}, and "
            "one more to listen. Raise its max_connections, lower `poolSize`, or put PgBouncer before it"
        )
    left = standing_on(database, options).post
    if left:
        found.append(
            f"the schema {options.schema!r} of {where} still carries what only the version before needed "
            f"({', '.join(left)}). When no process of that version runs any more, run `interlock store migrate`"
        )
    return tuple(found)


def _settings(conn: Connection) -> tuple[bool, bool, int]:
    fsync, whole_pages, free = conn.execute(_SETTINGS).fetchone() or (True, True, 0)
    return fsync, whole_pages, free

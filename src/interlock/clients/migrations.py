"""Bringing the tables of a schema in PostgreSQL up to date, step by step, once, whoever starts first.

A folder holds the steps as `NNNN_pre_name.sql` and `NNNN_post_name.sql`. The number is the generation of the tables. `pre`
makes what this version needs and is harmless to the version before; `post` removes what only the version before needed, and
is left to the operator, when the last of the old processes has ended. Each step is one transaction under one lock, so any
number of processes may begin at once; a ledger in the schema says what was applied, with a digest of it.

In a step `{schema}` stands for the quoted name of the schema, so that nothing depends on a search path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from psycopg import sql

from interlock.clients.postgres import Connection
from interlock.errors import StoreError, StoreTooNew
from interlock.version import __version__

_NAME: Final = re.compile(r"(\d{4})_(pre|post)_[a-z0-9_]+\.sql")
# Not to_regclass: it answers from what the session has remembered, also when somebody has made the table meanwhile.
_SCHEMA_THERE: Final = "SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s"
_LEDGER_THERE: Final = """
    SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s
"""
_LEDGER: Final = sql.SQL("""
    CREATE TABLE IF NOT EXISTS {ledger} (
        name text PRIMARY KEY,
        digest text NOT NULL,
        applied_by text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
""")


class Step(NamedTuple):
    """One file of a folder of migrations."""

    name: str
    generation: int
    post: bool
    digest: str
    text: str


class Standing(NamedTuple):
    """What is left to do: `empty` when nothing was ever applied."""

    empty: bool
    pre: tuple[str, ...]
    post: tuple[str, ...]


def steps(folder: Path) -> tuple[Step, ...]:
    """Return the steps in a folder in their order: by generation, `pre` before `post`, then by name.

    Raises:
        ValueError: a file is not named as one.
    """
    return tuple(sorted(map(_step, folder.glob("*.sql")), key=lambda step: (step.generation, step.post, step.name)))


def standing(conn: Connection, schema: str, folder: Path, *, ledger: str = "migrations") -> Standing:
    """Look at what was applied, and say what is left. Nothing is written.

    Raises:
        StoreTooNew: a later version was there.
        StoreError: a step was changed after it was applied, or the schema may not be looked at.
    """
    return _standing(_applied(conn, schema, ledger), steps(folder), schema)


def migrate(
    conn: Connection, schema: str, folder: Path, *, post: bool = False, ledger: str = "migrations"
) -> tuple[str, ...]:
    """Apply the `pre` steps that are left, or with `post` all of them; return the names of those applied here and now.

    It is quick when nothing is left. The connection is in autocommit, and its `patience` is how long one step may take.

    Raises:
        StoreTooNew: a later version was there; nothing was changed.
        StoreError: a step was changed after it was applied; nothing was changed.
    """
    known = steps(folder)
    done: list[str] = []
    while True:
        left = _wanted(_standing(_applied(conn, schema, ledger), known, schema), post=post)
        if not left:
            return tuple(done)
        done += _next(conn, schema, known, ledger, post=post)


def _next(conn: Connection, schema: str, known: Sequence[Step], ledger: str, *, post: bool) -> list[str]:
    """Apply the first step that is left, if there still is one when the lock is ours."""
    with conn.transaction():
        limit = int(conn.patience * 1000)
        # Both end with the transaction: behind a pooler the session is somebody else's next.
        conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(limit)])
        conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [str(limit)])
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"interlock:{schema}:{ledger}"])
        names = _wanted(_standing(_applied(conn, schema, ledger), known, schema), post=post)
        if not names:
            return []
        step = next(step for step in known if step.name == names[0])
        # CREATE SCHEMA IF NOT EXISTS asks for the right to create even where there is nothing to create.
        if conn.execute(_SCHEMA_THERE, [schema]).fetchone() is None:
            conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        table = sql.Identifier(schema, ledger)
        conn.execute(_LEDGER.format(ledger=table))
        conn.execute(step.text.replace("{schema}", _quoted(schema)))
        conn.execute(
            sql.SQL("INSERT INTO {} (name, digest, applied_by) VALUES (%s, %s, %s)").format(table),
            [step.name, step.digest, __version__],
        )
    return [step.name]


def _applied(conn: Connection, schema: str, ledger: str) -> dict[str, str]:
    if conn.execute(_LEDGER_THERE, [schema, ledger]).fetchone() is None:
        return {}
    query = sql.SQL("SELECT name, digest FROM {}").format(sql.Identifier(schema, ledger))
    return dict(conn.execute(query).fetchall())


def _standing(applied: dict[str, str], known: Sequence[Step], schema: str) -> Standing:
    newest = max((step.generation for step in known), default=0)
    for name in sorted(applied.keys() - {step.name for step in known}):
        _refuse_unknown(name, newest, schema)
    for step in known:
        if applied.get(step.name, step.digest) != step.digest:
            raise StoreError(
                f"cannot use the schema {schema!r}: its migration {step.name} was applied with another content than this "
                "version has. Nothing was changed. Install the version of Interlock that made it, or a released one"
            )
    left = [step for step in known if step.name not in applied]
    return Standing(
        empty=not applied,
        pre=tuple(step.name for step in left if not step.post),
        post=tuple(step.name for step in left if step.post),
    )


def _refuse_unknown(name: str, newest: int, schema: str) -> None:
    """Let what the next version prepares pass, since it is harmless to this one by its promise; and nothing else."""
    found = _NAME.fullmatch(f"{name}.sql")
    if found and found[2] == "pre" and int(found[1]) == newest + 1:
        return
    raise StoreTooNew(
        f"cannot use the schema {schema!r}: a later Interlock has been there (migration {name}; this one knows up to "
        f"generation {newest}). It was not changed. Upgrade Interlock, or use another schema"
    )


def _wanted(found: Standing, *, post: bool) -> tuple[str, ...]:
    return (*found.pre, *found.post) if post else found.pre


def _step(file: Path) -> Step:
    found = _NAME.fullmatch(file.name)
    if found is None:
        raise ValueError(f"{file.name} is not a migration: name it NNNN_pre_name.sql or NNNN_post_name.sql")
    text = file.read_text("utf-8")
    return Step(file.stem, int(found[1]), found[2] == "post", sha256(text.encode()).hexdigest(), text)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

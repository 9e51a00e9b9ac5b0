"""The store in PostgreSQL: safe for any number of threads, processes and machines.

A commit is one call of a function in the database, in autocommit: one round trip, whose answer is that of a finished and
durable transaction. It is sent once. Every read is one statement, so it sees one moment. All times are whole microseconds
since 1970; bodies are canonical JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from interlock.clients.postgres import Connection
from interlock.clients.postgres_errors import state_of
from interlock.errors import StoreError
from interlock.stores.kernel import Change, Page, Place, Record, Walk, as_ping
from interlock.stores.postgres.chime import PostgresChime
from interlock.stores.postgres.options import PostgresOptions
from interlock.stores.postgres.schema import advice_on, database_of, migrate, prepare, standing_on
from interlock.stores.rows import Row, Step, due_place, end_of, micros, record_of, standing_of, steps_of
from interlock.stores.walking import place_of, restorable, walked

if TYPE_CHECKING:
    from interlock.stores.kernel import Advised, Chime, Kernel, Migratable, Walkable

Answer = TypeVar("Answer")

_COLUMNS: Final = "SELECT pk, sk, version, body, wake_at, expires_at, kind, rank FROM {records} "
_GET: Final = _COLUMNS + "WHERE pk = %s AND sk = %s"
_ROWS: Final = _COLUMNS + "WHERE pk = %s{bounds} ORDER BY sk{way} LIMIT %s"
_DUE: Final = "SELECT pk, sk, wake_at FROM {records} WHERE wake_at <= %s ORDER BY wake_at, pk, sk LIMIT %s"
_LISTING: Final = _COLUMNS + "WHERE kind = %s{bounds} ORDER BY rank{way}, pk{way}, sk{way} LIMIT %s"
_COMMIT: Final = "SELECT {schema}.commit_batch(%s, %s::json)"
# What another purge or a commit has locked is left to the next time, so that nobody waits for anybody. Rows that are locked
# stay where they are, so their place is enough to find them again.
_PURGE: Final = """
    DELETE FROM {records} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {records} WHERE expires_at <= %s ORDER BY expires_at, pk, sk LIMIT %s FOR UPDATE SKIP LOCKED
    ))
"""
_WALK: Final = _COLUMNS + "WHERE (pk, sk) > (%s, %s) ORDER BY pk, sk LIMIT %s"
_WALK_FROM_THE_BEGINNING: Final = _COLUMNS + "ORDER BY pk, sk LIMIT %s"
_DURABLY: Final = (
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
_RESTORE: Final = """
    INSERT INTO {records} (pk, sk, version, body, wake_at, expires_at, kind, rank)
    SELECT * FROM json_to_recordset(%s::json) AS it (
        pk text, sk text, version bigint, body text, wake_at bigint, expires_at bigint, kind text, rank text
    ) ON CONFLICT (pk, sk) DO NOTHING
"""
_AT_ONCE: Final = 200
_PEEK: Final = "SELECT 1 FROM {records} LIMIT 1"
_TOUCH: Final = "UPDATE {records} SET version = version WHERE false"

_MET_ANOTHER: Final = ("ILK02", "23505")  # a row went, or came, after the function had compared it
_TOO_ISOLATED: Final = "ILK01"

_encode: Final = msgspec.json.Encoder().encode


class PostgresKernel:
    """A kernel in one schema of a PostgreSQL database; what is missing there is created.

    With `read_only` nothing can be committed, and a missing or older store is an error.

    Raises:
        StoreEmpty: it was opened for reading only, and nothing is in it yet.
        StoreTooNew: a later Interlock has been there; nothing was changed.
        StoreUnavailable: trying again can help.
        StoreError: the database cannot be used, or its tables not by this user.
    """

    def __init__(self, options: PostgresOptions, *, read_only: bool = False) -> None:
        self._options = options
        self._read_only = read_only
        self._database = database_of(options)
        self._names = {"schema": f'"{options.schema}"', "records": f'"{options.schema}".records'}
        self._chime = PostgresChime(self._database, options.schema)
        try:
            prepare(self._database, options, read_only=read_only)
        except BaseException:
            self._database.close()
            raise

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        found = [] if "\0" in pk + sk else self._read(_GET, pk, sk)
        return record_of(found[0]) if found else None

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        changes = _encode([_change(step) for step in steps_of(pk, batch)]).decode()
        query = _COMMIT.format_map(self._names)
        try:
            return self._write("commit to", lambda conn: conn.execute(query, (pk, changes)).fetchone() == (True,))
        except StoreError as exc:
            if state_of(exc) in _MET_ANOTHER:
                return False
            if state_of(exc) == _TOO_ISOLATED:
                raise StoreError(
                    f"cannot commit to the database {self._database.target}: its sessions have another isolation level than "
                    "READ COMMITTED, and the connection pooler before it lets nobody choose. Nothing was written. Correct "
                    "default_transaction_isolation of the server, the database or the user"
                ) from exc
            raise

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        bounds = [(" AND sk >= %s", prefix), (" AND sk < %s", end_of(prefix))]
        bounds.append((" AND sk < %s" if page.backwards else " AND sk > %s", page.after))
        given = [(bound, value) for bound, value in bounds if value is not None]
        if "\0" in pk + prefix:
            return []
        query = _ROWS.format(bounds="".join(bound for bound, _ in given), way=_way(page), **self._names)
        return _records(self._read(query, pk, *(value for _, value in given), max(page.limit, 0)))

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        return [due_place(*found) for found in self._read(_DUE, micros(before), max(limit, 0))]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        bounds, standing = "", () if page.after is None else standing_of(page.after)
        if standing:
            bounds = f" AND (rank, pk, sk) {'<' if page.backwards else '>'} (%s, %s, %s)"
        if "\0" in kind:
            return []
        query = _LISTING.format(bounds=bounds, way=_way(page), **self._names)
        return _records(self._read(query, kind, *standing, max(page.limit, 0)))

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        query, values = _PURGE.format_map(self._names), (micros(now), max(limit, 0))
        return self._write("purge", lambda conn: conn.execute(query, values).rowcount)

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor: by partition, then by name."""
        if after is None:
            return walked(self._read(_WALK_FROM_THE_BEGINNING, max(limit, 1)), limit)
        return walked(self._read(_WALK, *place_of(after), max(limit, 1)), limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none; some hundred of them in each transaction."""
        rows = [_fields(row) for row in restorable(records)]
        query = _RESTORE.format_map(self._names)
        for start in range(0, len(rows), _AT_ONCE):
            some = _encode(rows[start : start + _AT_ONCE]).decode()
            self._write("restore", partial(_restored, query, some))

    def pending(self) -> tuple[str, ...]:
        """Return the names of the migrations that are left to apply."""
        found = standing_on(self._database, self._options)
        return (*found.pre, *found.post)

    def migrate(self) -> tuple[str, ...]:
        """Apply the migrations that are left, clean-up included; return the names of those applied here and now.

        No process of an older Interlock can use the store afterwards: none may be running.
        """
        self._refuse_read_only("migrate")
        return migrate(self._database, self._options, post=True)

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store can be read, and written if it is not opened for reading only."""
        with as_ping():
            self._read(_PEEK)
            if not self._read_only:
                self._write("write", lambda conn: conn.execute(_TOUCH.format_map(self._names)))

    def ring(self) -> None:
        """Wake everybody who listens to this store. Returns soon, also when the server does not answer."""
        if self._options.listen and not self._read_only:
            self._chime.ring()

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard` after every ring, from a thread of its own, until the function that is returned is called.

        Through a connection pooler nothing can be heard: then `heard` is never called, and whoever waits has to look by
        himself now and then.
        """
        return self._chime.listen(heard) if self._options.listen else _nothing

    def advice(self) -> tuple[str, ...]:
        """Look at the server, and return each thing that should be set up otherwise: what it means, and what to do."""
        return advice_on(self._database, self._options)

    def close(self) -> None:
        """Finish the commits already accepted and let go of every connection; later calls raise `StoreUnavailable`.

        In a forked child it does nothing: the connections are the parent's.
        """
        if self._database.opener.is_here:
            self._chime.close()
            self._database.close()

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if any("\0" in value for value in values if isinstance(value, str)):
            raise ValueError(f"no name in the database {self._database.target} holds NUL, so nothing is at {values}")
        text = query.format_map(self._names) if "{" in query else query
        return self._database.read(lambda conn: conn.execute(text, values).fetchall())

    def _write(self, doing: str, act: Callable[[Connection], Answer]) -> Answer:
        self._refuse_read_only(doing)
        with self._database.connection(doing) as conn:
            return act(conn)

    def _refuse_read_only(self, doing: str) -> None:
        if self._read_only:
            raise StoreError(
                f"cannot {doing} the database {self._database.target}: it was opened for reading only. Nothing was written"
            )


def _change(step: Step) -> dict[str, Any]:
    """Return what `commit_batch` takes for a step: a row to write, a row to delete, or a row to compare only."""
    if step.row is None:
        return {"sk": step.sk, "expected": step.expected, "act": "delete" if step.deletes else None}
    return {**_fields(step.row), "expected": step.expected, "act": "put"}


def _fields(row: Row) -> dict[str, Any]:
    if "\0" in row.rank + (row.kind or ""):
        raise ValueError(
            f"the kind or rank of the row {row.sk!r} of {row.pk!r} holds NUL, which PostgreSQL cannot keep"
        )
    return {**row._asdict(), "body": row.body.decode()}


def _restored(query: str, some: str, conn: Connection) -> None:
    with conn.transaction():
        conn.execute(_DURABLY)
        conn.execute(query, (some,))


def _records(rows: list[tuple[Any, ...]]) -> list[Record]:
    return [record_of(row) for row in rows]


def _way(page: Page) -> str:
    return " DESC" if page.backwards else ""


def _nothing() -> None:
    """There is nothing to end."""


if TYPE_CHECKING:

    def _is_a_kernel(it: PostgresKernel) -> Kernel:
        return it

    def _is_a_chime(it: PostgresKernel) -> Chime:
        return it

    def _is_advised(it: PostgresKernel) -> Advised:
        return it

    def _is_walkable(it: PostgresKernel) -> Walkable:
        return it

    def _is_migratable(it: PostgresKernel) -> Migratable:
        return it

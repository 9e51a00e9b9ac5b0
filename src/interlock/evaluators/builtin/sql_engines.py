"""One value out of SQLite, PostgreSQL or DuckDB: read-only, with bound parameters, by a deadline.

Parameters are written `:name` for every engine and are translated to what the engine wants. Drivers that are not in the
standard library are imported on first use.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra

if TYPE_CHECKING:
    import psycopg

NO_ROW: Final = object()

# Whatever may hold a colon that is no parameter comes first: texts, quoted names, comments, dollar quotes, casts.
_TOKEN: Final = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|::|:(?P<name>[A-Za-z_]\w*)",
    re.DOTALL,
)
_READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_UNREADABLE: Final = "its address cannot be read"
_PASSING: Final = ("locked", "busy", "disk i/o error")


class SqlTrouble(Exception):
    """No value was had; the message is the engine's and may hold the address."""

    def __init__(self, category: FailureCategory, message: str) -> None:
        self.category = category
        super().__init__(message)


def translated(query: str, known: Mapping[str, str], style: Callable[[str], str]) -> tuple[str, dict[str, str]]:
    """Rewrite `:name` to an engine's own spelling; return the query and the parameters that it uses.

    Raises:
        SqlTrouble: it names a parameter that does not exist.
    """
    used: dict[str, str] = {}

    def one(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        if name not in known:
            there = ", ".join(f":{it}" for it in known)
            raise SqlTrouble(FailureCategory.PERMANENT, f"the query uses :{name}; there are {there}")
        used[name] = known[name]
        return style(name)

    return _TOKEN.sub(one, query), used


def ask_sqlite(path: Path, query: str, known: Mapping[str, str], seconds: float) -> object:
    """Ask a SQLite file.

    Raises:
        TimeoutError: the time was up.
        SqlTrouble: anything else.
    """
    if not path.is_file():
        raise SqlTrouble(FailureCategory.PERMANENT, f"there is no file {path}")
    deadline = monotonic() + seconds
    query, used = translated(query, known, lambda name: f":{name}")
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=seconds, isolation_level=None
        )
        with contextlib.closing(connection):
            connection.set_progress_handler(lambda: monotonic() > deadline, 1000)
            connection.execute("PRAGMA query_only=1")
            # ATTACH would create a file, even here.
            connection.set_authorizer(_only_reading)
            with contextlib.closing(connection.execute(query, used)) as cursor:
                row = cursor.fetchone()
    except sqlite3.Error as exc:
        raise _sqlite_trouble(exc, late=monotonic() > deadline) from exc
    return row[0] if row else NO_ROW


def _only_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _sqlite_trouble(exc: sqlite3.Error, *, late: bool) -> Exception:
    message = str(exc)
    if late and isinstance(exc, sqlite3.OperationalError):
        return TimeoutError(message)
    if message == "not authorized":
        message = "the query does something else than reading"
    passing = isinstance(exc, sqlite3.OperationalError) and any(word in message.lower() for word in _PASSING)
    return SqlTrouble(FailureCategory.TRANSIENT if passing else FailureCategory.PERMANENT, message)


def ask_duckdb(name: str, query: str, known: Mapping[str, str], seconds: float, *, root: Path) -> object:
    """Ask a DuckDB file, or with no name an empty memory that can read files, by paths relative to `root`.

    Raises:
        TimeoutError: the time was up.
        SqlTrouble: anything else.
    """
    try:
        import duckdb
    except ImportError as exc:
        raise MissingExtra("a duckdb: database", "duckdb") from exc
    if name and not (root / name).is_file():
        raise SqlTrouble(FailureCategory.PERMANENT, f"there is no file {root / name}")
    query, used = translated(query, known, lambda it: f"${it}")
    try:
        statements = duckdb.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SqlTrouble(FailureCategory.PERMANENT, "the query must be one SELECT")
        target = str(root / name) if name else ":memory:"
        connection = duckdb.connect(target, read_only=bool(name), config={"file_search_path": str(root)})
        with contextlib.closing(connection), _interrupting(connection.interrupt, seconds):
            row = connection.execute(query, used).fetchone()
    except duckdb.InterruptException as exc:
        raise TimeoutError from exc
    except duckdb.Error as exc:
        passing = isinstance(exc, duckdb.IOException) and "lock" in str(exc).lower()
        raise SqlTrouble(FailureCategory.TRANSIENT if passing else FailureCategory.PERMANENT, str(exc)) from exc
    return row[0] if row else NO_ROW


@contextlib.contextmanager
def _interrupting(interrupt: Callable[[], object], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def ask_postgres(address: str, query: str, known: Mapping[str, str], seconds: float) -> object:
    """Ask PostgreSQL, in a read-only transaction.

    Raises:
        TimeoutError: the time was up.
        SqlTrouble: anything else.
    """
    try:
        import psycopg
    except ImportError as exc:
        raise MissingExtra("a postgresql:// database", "postgres") from exc
    query, used = translated(query.replace("%", "%%"), known, lambda name: f"%({name})s")
    deadline = monotonic() + seconds
    try:
        with contextlib.closing(_connect(psycopg, address, seconds)) as connection:
            left = max(1, int((deadline - monotonic()) * 1000))
            connection.read_only = True
            connection.execute(f"SET statement_timeout = {left}")
            # Preparing is what makes the server refuse a second statement, which could end the read-only transaction.
            row = connection.execute(query.encode(), used, prepare=True).fetchone()
    except psycopg.errors.QueryCanceled as exc:
        raise TimeoutError from exc
    except psycopg.Error as exc:
        raise _postgres_trouble(psycopg, exc, late=monotonic() > deadline) from exc
    return row[0] if row else NO_ROW


def _connect(driver: Any, address: str, seconds: float) -> psycopg.Connection[Any]:
    # What cannot be read is not quoted: it may be a part of the password.
    if address.partition("://")[2].partition("/")[0].count("@") > 1:
        raise SqlTrouble(FailureCategory.PERMANENT, f"{_UNREADABLE}: write @ in a password as %40")
    try:
        ports = str(driver.conninfo.conninfo_to_dict(address).get("port") or "")
    except driver.Error as exc:
        raise SqlTrouble(FailureCategory.PERMANENT, _UNREADABLE) from exc
    if not all(port.isdigit() or not port for port in ports.split(",")):
        raise SqlTrouble(FailureCategory.PERMANENT, f"{_UNREADABLE}: its port is not a number")
    connection: psycopg.Connection[Any] = driver.connect(
        address,
        connect_timeout=max(1, int(seconds)),
        tcp_user_timeout=max(1, int(seconds * 1000)),
        application_name="interlock",
    )
    return connection


def _postgres_trouble(driver: Any, exc: psycopg.Error, *, late: bool) -> Exception:
    message = str(exc)
    if isinstance(exc, driver.OperationalError):
        if late or "timeout" in message:
            return TimeoutError(message)
        if message.startswith("connection is bad: invalid"):
            return SqlTrouble(FailureCategory.PERMANENT, _UNREADABLE)
        wrong = any(word in message for word in ("authentication failed", "does not exist"))
        return SqlTrouble(FailureCategory.PERMANENT if wrong else FailureCategory.TRANSIENT, message)
    if isinstance(exc, driver.ProgrammingError) and "the last operation didn't produce" in message:
        message = "the query returns no rows of values"
    return SqlTrouble(FailureCategory.PERMANENT, message)

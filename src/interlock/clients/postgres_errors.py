"""PostgreSQL's errors in our words: what happened, what it means, what to do. A password is in none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import psycopg
from psycopg import pq

from interlock.errors import StoreError, StoreUnavailable

_NOTHING: Final = "Nothing was written"
_UNKNOWN: Final = "What was asked may or may not have been done"

# By SQLSTATE, or the first two characters of it. What is in the first table can help itself, or somebody is at it.
_RETRY: Final[dict[str, str]] = {
    "08": f"the connection broke. {_UNKNOWN}: try again",
    "25006": f"it is read-only: a standby, or a server that was told so. {_NOTHING}. After a failover try again; "
    "otherwise name the primary (of several hosts: target_session_attrs=read-write), or end default_transaction_read_only",
    "25P03": f"the transaction was idle for too long. {_NOTHING}: try again",
    "40": f"another transaction was in the way. {_NOTHING}: try again",
    "53100": f"its disk is full. {_NOTHING}. Free some space there and try again: what was stored is unharmed",
    "53200": f"it has no memory left. {_NOTHING}: try again when it has",
    "53300": f"all its connections are in use. {_NOTHING}. Raise its max_connections, lower `poolSize` of each process, or "
    "put PgBouncer before it; then try again",
    "53": f"it has run out of something. {_NOTHING}: try again when there is more",
    "55P03": f"somebody else held a lock for too long. {_NOTHING}: try again",
    "57014": f"the statement was cancelled, or took longer than `statementTimeout`. {_NOTHING}. Look for what holds locks "
    "in pg_stat_activity, and try again",
    "57P01": f"its administrator ended the connection. {_UNKNOWN}: try again",
    "57P02": f"the server crashed. {_UNKNOWN}: try again",
    "57P03": f"it is starting up, shutting down or recovering. {_NOTHING}: try again",
    "57P05": f"the connection was idle for too long for it. {_NOTHING}: try again",
    "58": f"its disk reported an error. {_UNKNOWN}. Look at its log and its disk, then try again",
}
_FINAL: Final[dict[str, str]] = {
    "28P01": "the password is wrong, or the user does not exist. Correct the DSN",
    "28P00": "it wants a password, and none was given. Write it into the DSN, or set PGPASSWORD",
    "28": "this user may not connect from here. Correct the DSN, or the server's pg_hba.conf",
    "3D000": "there is no such database. Create it, or correct the DSN",
    "3F000": "the schema is not there (any more). Correct `schema`, or run `interlock store migrate`",
    "42501": f"this user has not the right to do that. {_NOTHING}. Grant it, or name a user who has it",
    "42P01": "a table is missing: the schema was removed or is not ours. Correct `schema`, or run `interlock store migrate`",
    "42883": "a function is missing: the schema is of another version. Run `interlock store migrate`",
    "42703": "a column is missing: the schema is of another version. Run `interlock store migrate`",
    "54": f"something is larger than PostgreSQL can keep. {_NOTHING}: keep large things elsewhere, and where they are here",
    "XX001": f"its data is damaged. {_UNKNOWN}. Stop Interlock, look at the server's log, and restore a backup",
    "XX002": f"an index of it is damaged. {_UNKNOWN}. Stop Interlock and run REINDEX on the schema",
}
# What a server says before it has let somebody in comes without its SQLSTATE. 28P00 is of our own making.
_REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("password authentication failed", "28P01"),
    ("auth failed", "28P01"),
    ("no password supplied", "28P00"),
    ("no pg_hba.conf entry", "28"),
    ("pg_hba.conf rejects", "28"),
    ("not permitted to log in", "28"),
    ("permission denied for database", "28"),
    ("no such user", "28P01"),
    ("no such database", "3D000"),
    ('database "', "3D000"),
    ('role "', "28P01"),
    ("too many clients", "53300"),
    ("too many connections", "53300"),
    ("no more connections allowed", "53300"),
    ("remaining connection slots", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
    ("recovery", "57P03"),
    ("not yet accepting", "57P03"),
    ("session is read-only", "25006"),
)
_NO_TLS: Final = ("does not support SSL", "certificate", "SSL error")
_ANOTHER: Final = ("invalid response to SSL negotiation", "expected authentication request from server")
_LONGEST: Final = 300


class Overdue(psycopg.OperationalError):
    """No answer came within the time that was given for it."""

    def __init__(self) -> None:
        super().__init__("no answer in time")


class Target(NamedTuple):
    """Where a database is, as people may see it, and the password, which nobody may."""

    shown: str
    password: str = ""

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"<{self.shown}>"

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Read it off the parts of a DSN, and off libpq's own defaults for the rest."""
        known = {option.keyword.decode(): (option.val or b"").decode() for option in pq.Conninfo.get_defaults()}
        known.update({key: str(value) for key, value in given.items()})
        hosts = (known.get("host") or known.get("hostaddr") or "the local socket").split(",")
        ports = (known.get("port") or "5432").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        places = ", ".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=False))
        name = known.get("dbname") or known.get("user") or ""
        return cls(f"{name!r} at {places}", known.get("password", ""))


def is_pooler(exc: psycopg.Error) -> bool:
    """Tell whether a connection was refused for its settings, as PgBouncer does."""
    return "unsupported startup parameter" in str(exc)


def state_of(exc: StoreError) -> str:
    """Return the SQLSTATE behind one of our errors, or nothing when there is none."""
    return (exc.__cause__.sqlstate or "") if isinstance(exc.__cause__, psycopg.Error) else ""


def leaves(exc: BaseException | None) -> bool:
    """Tell whether the connection is of no use after this error."""
    if not isinstance(exc, psycopg.Error):
        return False
    state = exc.sqlstate or ""
    if not state:
        return isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError)
    return state == "25006" or (state[:2] in ("08", "57", "58") and state != "57014")


def translated(exc: psycopg.Error, target: Target, doing: str, *, connecting: bool = False) -> StoreError:
    """Return our error for one of psycopg's; `doing` completes "cannot … the database"."""
    said = _said(exc, target)
    if isinstance(exc, Overdue):
        return StoreUnavailable(
            f"cannot {doing} the database {target}: no answer came in time. {_UNKNOWN}. The server may be frozen or "
            "overloaded, or a lock held: look at it, and try again"
        )
    state = exc.sqlstate or (_state_of(said) if connecting else "")
    kind, words = _looked_up(state)
    if not words and connecting:
        kind, words = _cannot_connect(said)
    elif not words and isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError):
        kind, words = StoreUnavailable, f"the connection was lost. {_UNKNOWN}: try again"
    elif not words:
        words = f"it refused. {_NOTHING}"
    return kind(f"cannot {doing} the database {target}: {words} (PostgreSQL says: {said})")


def _looked_up(state: str) -> tuple[type[StoreError], str]:
    for table, kind in ((_RETRY, StoreUnavailable), (_FINAL, StoreError)):
        words = table.get(state) or table.get(state[:2])
        if words:
            return kind, words
    return StoreError, ""


def _state_of(said: str) -> str:
    return next((state for words, state in _REFUSED if words in said), "")


def _cannot_connect(said: str) -> tuple[type[StoreError], str]:
    if any(words in said for words in _NO_TLS):
        return StoreError, "TLS could not be agreed on. Correct sslmode and sslrootcert in the DSN, or the server's"
    if any(words in said for words in _ANOTHER):
        return StoreError, "what answers there is no PostgreSQL. Correct the address"
    if "timeout expired" in said:
        return StoreUnavailable, "no PostgreSQL answers there in time. Start it, or correct the address; then try again"
    return StoreUnavailable, "no server can be reached there. Start it, or correct the address; then try again"


def _said(exc: psycopg.Error, target: Target) -> str:
    words = " ".join((exc.diag.message_primary or str(exc)).split()) or type(exc).__name__
    for secret in {target.password, quote(target.password, safe="")} - {""}:
        words = words.replace(secret, "(redacted)")
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"

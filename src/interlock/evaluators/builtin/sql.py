"""`builtin:sql`: does a value in a database satisfy a rule?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import unquote, urlsplit

from msgspec import Meta

from interlock.codec.evaluator_protocol import failure, harmless
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.builtin.rules import Ruled, judge
from interlock.evaluators.builtin.sql_engines import NO_ROW, SqlTrouble, ask_duckdb, ask_postgres, ask_sqlite
from interlock.evaluators.context import CheckContext, expand, variables
from interlock.evaluators.workers import too_late
from interlock.ports.evaluators import Answer, Question

_PASSWORD_WORD = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)


class SqlConfig(Ruled, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `sql` takes."""

    database: Annotated[
        str,
        Meta(
            min_length=1,
            description="A SQLite file relative to the project, postgresql://…, duckdb:FILE, or duckdb: alone to read files."
            " ${env:NAME} is replaced for allowed names.",
        ),
    ]
    query: Annotated[
        str,
        Meta(
            min_length=1,
            description="One statement that reads. :date, :hour, :schedule and :pipeline are bound as parameters. The first"
            " column of the first row is compared.",
        ),
    ]


class SqlCheck:
    """Runs one reading statement and compares the first column of its first row.

    The database is opened read-only where the engine can. At the timeout the query is interrupted. No row and NULL are
    FAIL. The password in the address is in no reason.
    """

    Config = SqlConfig

    def __init__(self, config: SqlConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Ask the database; see `Check.evaluate`."""
        database = expand(self._config.database, question, self._context)
        bound = variables(question)
        try:
            found = self._ask(database, bound, timeout)
        except TimeoutError:
            return too_late("the database", timeout)
        except SqlTrouble as exc:
            return failure(exc.category, f"the database: {harmless(without_password(str(exc), database), 500)}")
        if found is NO_ROW:
            return Answer(status=TraitStatus.FAIL, reason="the query returned no row, which satisfies no rule")
        return judge(self._config, found, what="the value")

    def _ask(self, database: str, bound: dict[str, str], timeout: timedelta) -> object:
        kind, _, rest = database.partition(":")
        # The engines count milliseconds in 32 bits.
        seconds = min(timeout.total_seconds(), 1_000_000.0)
        if kind in ("postgresql", "postgres"):
            return ask_postgres(database, self._config.query, bound, seconds)
        if kind == "duckdb":
            return ask_duckdb(rest, self._config.query, bound, seconds, root=self._context.root)
        if kind == "sqlite":
            # As SQLAlchemy writes it: three slashes before a relative path, four before an absolute one.
            database = rest.removeprefix("//").removeprefix("/") if rest.startswith("//") else rest
        elif "://" in database:
            known = "a SQLite file, postgresql://… or duckdb:…"
            raise SqlTrouble(FailureCategory.PERMANENT, f"{kind}: is no database known here; use {known}")
        return ask_sqlite(self._context.root / database, self._config.query, bound, seconds)


def without_password(text: str, database: str) -> str:
    """Take the address, and whatever in it may be a password, out of a text."""
    text = text.replace(database, "(address)")
    secrets = {match[1].strip("'") for match in _PASSWORD_WORD.finditer(database)}
    try:
        password = urlsplit(database).password
    except ValueError:
        # An unreadable address: anything between the scheme and the last @ may be one.
        password = database.partition("://")[2].rpartition("@")[0].partition(":")[2]
    secrets |= {password or "", unquote(password or "")}
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text

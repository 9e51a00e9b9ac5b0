"""What a store in PostgreSQL is told. No driver is needed to say it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from interlock.clients.redaction import MASK, without_secrets

_USER: Final = re.compile(r"(?<=://).*(?=@)", re.DOTALL)
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class PostgresOptions(Struct, frozen=True, kw_only=True):
    """Where a store is, and how patient to be with it. Its `repr` shows no password.

    `dsn` is a URL or the `key=value` form; what it says itself wins over what is said here. All names are in `schema`.
    `listen` lets the server wake who waits on other machines. `migrate` brings older tables up to date at opening.

    Raises:
        ValueError: the name of the schema cannot be used, or a number or time is not positive.
    """

    dsn: str
    schema: str = "interlock"
    pool_size: int = 10
    statement_timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=5)
    listen: bool = True
    migrate: bool = True

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema) or self.schema.startswith("pg_"):
            raise ValueError(
                f"{self.schema!r} cannot be the name of a schema: it has 1 to 63 of a-z, 0-9 and _, begins with a "
                "letter or _, and not with pg_"
            )
        if self.pool_size < 1:
            raise ValueError(f"a pool has at least 1 connection, not {self.pool_size}")
        if min(self.statement_timeout, self.connect_timeout) <= timedelta(0):
            raise ValueError("statementTimeout and connectTimeout are longer than nothing")

    def __repr__(self) -> str:
        return f"PostgresOptions({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # One that nobody can read may hold an @ or a / where the password should have none.
        shown = msgspec.structs.replace(self, dsn=without_secrets(_USER.sub(MASK, self.dsn)))
        return [(name, getattr(shown, name)) for name in self.__struct_fields__]

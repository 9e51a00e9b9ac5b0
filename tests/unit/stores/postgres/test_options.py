"""What a store in PostgreSQL is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from interlock.stores.postgres.options import PostgresOptions


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:s3cret@h:5432/db",
        "postgresql://u:s3cret%40@h/db?sslmode=require",
        "postgresql://h/db?password=s3cret",
        "postgresql://u:s3@cret/s3cret@h/db",
        "host=h password=s3cret dbname=db",
        "host=h password='s3cret and more' dbname=db",
    ],
)
def test_no_password_is_ever_shown(dsn: str) -> None:
    options = PostgresOptions(dsn=dsn, schema="s")
    assert "s3cret" not in repr(options) + str(options) + str(options.__rich_repr__())
    assert "schema='s'" in repr(options)
    assert options.dsn == dsn


@pytest.mark.parametrize("schema", ["", "pg_catalog", "1a", "a-b", "a.b", 'a"b', "A", "a b", "a" * 64, "ä"])
def test_a_schema_has_a_name_that_needs_no_care(schema: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a schema"):
        PostgresOptions(dsn="postgresql://h/db", schema=schema)


@pytest.mark.parametrize(
    "wrong",
    [{"pool_size": 0}, {"statement_timeout": timedelta(0)}, {"connect_timeout": timedelta(seconds=-1)}],
    ids=str,
)
def test_what_would_never_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least 1 connection|longer than nothing"):
        PostgresOptions(dsn="postgresql://h/db", **wrong)

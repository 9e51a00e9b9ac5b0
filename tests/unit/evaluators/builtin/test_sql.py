"""Laws of `builtin:sql` over SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.unit.evaluators.worlds import World

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.builtin.sql import without_password
from interlock.evaluators.builtin.sql_engines import SqlTrouble, translated
from interlock.ports.evaluators import Answer

KNOWN = {"date": "2026-03-07", "hour": "14", "schedule": "daily", "pipeline": "example"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.db") as lite:
        lite.execute("CREATE TABLE sales (day TEXT, amount INTEGER)")
        lite.executemany("INSERT INTO sales VALUES (?, ?)", [("2026-03-07", 60), ("2026-03-07", 60), ("2026-03-06", 5)])
    lite.close()
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as duck:
        duck.execute(
            "CREATE TABLE sales AS SELECT * FROM (VALUES ('2026-03-07', 60), ('2026-03-07', 60)) AS t(day, amount)"
        )
    (tmp_path / "sales.csv").write_text("day,amount\n2026-03-07,60\n2026-03-07,60\n")
    return tmp_path


def ask(root: Path, database: str, query: str, timeout: float = 20.0, **rule: Any) -> Answer:
    config = {"database": database, "query": query, **(rule or {"min": 100})}
    return World(root, env={"DIR": str(root), "SECRET": "hunter2hunter2"}, env_allow=("DIR",)).ask(
        "builtin:sql", config=config, timeout=timeout
    )


EVERYWHERE = pytest.mark.parametrize(
    ("database", "table"),
    [
        ("shop.db", "sales"),
        ("sqlite:shop.db", "sales"),
        ("sqlite:///shop.db", "sales"),
        ("${env:DIR}/shop.db", "sales"),
        ("duckdb:shop.duckdb", "sales"),
        ("duckdb:", "'sales.csv'"),
    ],
)


@EVERYWHERE
def test_a_value_is_compared_and_kept(root: Path, database: str, table: str) -> None:
    answer = ask(root, database, f"SELECT sum(amount) FROM {table} WHERE CAST(day AS TEXT) = :date")
    assert answer.status is TraitStatus.PASS, answer.reason
    assert answer.value is not None
    assert mapping(answer.value) == {"value": 120}


@EVERYWHERE
def test_a_value_that_breaks_the_rule_is_a_plain_fail(root: Path, database: str, table: str) -> None:
    answer = ask(root, database, f"SELECT sum(amount) FROM {table}", expect={"op": "<", "value": 100})
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.EVALUATOR, None)
    assert "which is not < 100" in answer.reason


@EVERYWHERE
def test_no_row_and_null_are_not_green(root: Path, database: str, table: str) -> None:
    """A check that saw nothing must say so."""
    none = ask(root, database, f"SELECT amount FROM {table} WHERE amount > 10000", min=0)
    null = ask(root, database, f"SELECT max(amount) FROM {table} WHERE amount > 10000", min=0)
    assert (none.status, null.status) == (TraitStatus.FAIL, TraitStatus.FAIL)
    assert "no row" in none.reason
    assert "null" in null.reason


WRITES = [
    "DELETE FROM sales",
    "DROP TABLE sales",
    "INSERT INTO sales VALUES ('x', 1)",
    "SELECT 1; DELETE FROM sales",
    "PRAGMA user_version = 7",
    "ATTACH 'new.db' AS other",
    "COPY sales TO 'stolen.csv'",
    "",
]


@pytest.mark.parametrize("query", WRITES)
@pytest.mark.parametrize("database", ["shop.db", "duckdb:shop.duckdb", "duckdb:"])
def test_only_one_reading_statement_is_run(root: Path, database: str, query: str) -> None:
    before = {path.name for path in root.iterdir()}
    answer = ask(root, database, query, min=0)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert {path.name for path in root.iterdir()} == before
    assert ask(root, "shop.db", "SELECT sum(amount) FROM sales", equals=125).status is TraitStatus.PASS


@pytest.mark.parametrize("database", ["shop.db", "duckdb:"])
def test_an_endless_query_is_interrupted_at_the_deadline(root: Path, database: str) -> None:
    started = time.monotonic()
    answer = ask(root, database, ENDLESS, timeout=0.4)
    assert time.monotonic() - started < 2
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.TIMEOUT)


@pytest.mark.parametrize(
    ("database", "fragment"),
    [
        ("gone.db", "there is no file"),
        ("duckdb:gone.duckdb", "there is no file"),
        ("mysql://u:hunter2@h/db", "no database known here"),
        ("postgresql://u:hunter2@h:notaport/db", "address cannot be read"),
        ("postgresql://u:x:hunter2@h/db?what=hunter2", "address cannot be read"),
        ("postgresql://u:p@hunter2@h/db", "write @ in a password as %40"),
        ("${env:SECRET}", "not listed under"),
    ],
)
def test_a_database_that_cannot_be_opened_is_permanent_and_shows_no_password(
    root: Path, database: str, fragment: str
) -> None:
    """T-73."""
    answer = ask(root, database, "SELECT 1")
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert fragment in answer.reason
    assert "hunter2" not in answer.reason


@pytest.mark.parametrize("database", ["shop.db", "duckdb:shop.duckdb"])
def test_a_query_with_a_mistake_is_permanent_and_quotes_the_engine(root: Path, database: str) -> None:
    answer = ask(root, database, "SELECT amout FROM sales")
    assert answer.category is FailureCategory.PERMANENT
    assert "amout" in answer.reason


def test_a_locked_database_is_worth_another_try(root: Path) -> None:
    """Locked for the whole timeout: nobody knows, and asking again may help."""
    holder = sqlite3.connect(root / "shop.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    answer = ask(root, "shop.db", "SELECT 1 FROM sales", timeout=0.3)
    holder.close()
    assert answer.category in (FailureCategory.TRANSIENT, FailureCategory.TIMEOUT)


def test_an_absolute_path_may_be_written_with_four_slashes(root: Path) -> None:
    assert ask(root, f"sqlite:///{root}/shop.db", "SELECT 1", equals=1).status is TraitStatus.PASS


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hunter2@h/db",
        "postgresql://u:hunter2@[h/db",
        "postgresql://h/db?password=hunter2",
        "postgresql://h/db?password=hunter2&sslmode=require",
        "postgresql://u:hunt%65r2@h/db",
    ],
)
def test_every_way_of_writing_a_password_is_taken_out(address: str) -> None:
    """T-73."""
    said = without_password(f"no login with hunter2 (written hunt%65r2) at {address}", address)
    assert "hunter2" not in said
    assert address not in said
    assert "%65" not in address or "%65" not in said


def test_parameters_are_bound_and_not_pasted(root: Path) -> None:
    world = World(root)
    config = {"database": "shop.db", "query": "SELECT :pipeline || :schedule || :hour", "equals": "exampleh1414"}
    assert world.ask("builtin:sql", schedule="h14", date="2026-03-07T14:00", config=config).status is TraitStatus.PASS


@pytest.mark.parametrize(
    ("query", "expected", "used"),
    [
        ("SELECT :date", "SELECT <date>", {"date"}),
        ("SELECT ':date', \":hour\", x::date", "SELECT ':date', \":hour\", x::date", set()),
        ("SELECT 'it''s :date' || :date", "SELECT 'it''s :date' || <date>", {"date"}),
        ("SELECT 1 -- :nope\n, :hour /* :nope */", "SELECT 1 -- :nope\n, <hour> /* :nope */", {"hour"}),
        ("SELECT $$ :nope $$, $a$ :nope $a$, :date", "SELECT $$ :nope $$, $a$ :nope $a$, <date>", {"date"}),
        ("SELECT :date::date", "SELECT <date>::date", {"date"}),
    ],
)
def test_only_real_parameters_are_translated(query: str, expected: str, used: set[str]) -> None:
    text, parameters = translated(query, KNOWN, lambda name: f"<{name}>")
    assert text == expected
    assert set(parameters) == used


def test_an_unknown_parameter_is_named(root: Path) -> None:
    with pytest.raises(SqlTrouble, match=":day"):
        translated("SELECT :day", KNOWN, str)
    assert ":day" in ask(root, "shop.db", "SELECT :day").reason


def test_text_is_never_compared_as_a_number(root: Path) -> None:
    """LAT-31."""
    assert ask(root, "shop.db", "SELECT '100'", equals=100).status is TraitStatus.FAIL
    assert ask(root, "shop.db", "SELECT '100'", min=100).status is TraitStatus.ERROR
    assert ask(root, "shop.db", "SELECT 1e6", equals=1_000_000).status is TraitStatus.PASS

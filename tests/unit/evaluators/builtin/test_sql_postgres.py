"""Laws of `builtin:sql` over a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.unit.evaluators.worlds import World

from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Answer

pytestmark = pytest.mark.service

PASSWORD = "p4ss%w0rd"
ENCODED = "p4ss%25w0rd"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of its own on a Unix socket; the address holds a password."""
    if shutil.which("postgres") is None or shutil.which("initdb") is None:
        pytest.skip("no PostgreSQL on this machine")
    user = "postgres" if os.geteuid() == 0 else None
    # Not pytest's folder: nobody else may look into that, and PostgreSQL does not run as root.
    with tempfile.TemporaryDirectory(prefix="interlock-pg-", ignore_cleanup_errors=True) as name:
        folder, data, secret = Path(name), Path(name, "data"), Path(name, "password")
        data.mkdir()
        secret.write_text(PASSWORD)
        if user:
            for path in (folder, data, secret):
                shutil.chown(path, user)
        with running(folder, data, secret, user):
            dsn = f"postgresql://checker:{ENCODED}@/postgres?host={folder}"
            with connected(dsn) as connection:
                connection.execute("CREATE TABLE sales AS SELECT DATE '2026-03-07' AS day, 60.5 AS amount")
            yield dsn


@contextlib.contextmanager
def running(folder: Path, data: Path, secret: Path, user: str | None) -> Iterator[None]:
    made: list[str | Path] = ["initdb", "-D", data, "-U", "checker", "--no-sync", "-A", "scram-sha-256"]
    subprocess.run([*made, f"--pwfile={secret}"], check=True, capture_output=True, user=user, cwd=folder)
    server = subprocess.Popen(
        ["postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def connected(dsn: str) -> psycopg.Connection[Any]:
    until = time.monotonic() + 30
    while True:
        try:
            return psycopg.connect(dsn)
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def ask(address: str, query: str, timeout: float = 20.0, **rule: Any) -> Answer:
    config = {"database": address, "query": query, **(rule or {"min": 0})}
    return World(Path("/")).ask("builtin:sql", config=config, timeout=timeout)


def test_a_value_is_compared(address: str) -> None:
    answer = ask(address, "SELECT sum(amount) FROM sales WHERE day = :date AND '100%' LIKE '1%'", equals=60.5)
    assert answer.status is TraitStatus.PASS, answer.reason


def test_no_row_is_not_green(address: str) -> None:
    assert ask(address, "SELECT amount FROM sales WHERE day = '2000-01-01'").status is TraitStatus.FAIL


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO sales VALUES (DATE '2026-03-07', 1)",
        "SELECT 1; COMMIT; DELETE FROM sales",
        "DROP TABLE sales",
        "SELECT amout FROM sales",
        "SET TRANSACTION READ WRITE",
    ],
)
def test_only_one_reading_statement_is_run(address: str, query: str) -> None:
    answer = ask(address, query)
    assert answer.category is FailureCategory.PERMANENT, answer.reason
    assert ask(address, "SELECT count(*) FROM sales", equals=1).status is TraitStatus.PASS


def test_a_slow_query_is_interrupted_at_the_deadline(address: str) -> None:
    started = time.monotonic()
    answer = ask(address, "SELECT pg_sleep(60)", timeout=0.5)
    assert time.monotonic() - started < 2
    assert answer.category is FailureCategory.TIMEOUT


def test_a_refused_login_is_permanent_and_shows_no_password(address: str) -> None:
    """T-73."""
    answer = ask(address.replace(ENCODED, "wr0ngpass"), "SELECT 1")
    assert answer.category is FailureCategory.PERMANENT
    assert "authentication failed" in answer.reason
    assert "wr0ngpass" not in answer.reason


def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path) -> None:
    answer = ask(f"postgresql://checker:{ENCODED}@/postgres?host={tmp_path}", "SELECT 1")
    assert answer.category is FailureCategory.TRANSIENT
    assert PASSWORD not in answer.reason

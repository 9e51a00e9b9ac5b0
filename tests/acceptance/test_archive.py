"""The archive as people meet it: one command, or a server that does it by itself, and questions to a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, interlock
from tests.acceptance.living import until
from tests.acceptance.serving import Server
from tests.servers.fixtures import have
from tests.servers.postgres import PostgresServer
from tests.unit.archive.history import Outside, outside

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

PAGE = Path(__file__).parents[2] / "docs/reference/archive.md"
TABLES = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)


@pytest.fixture
def there(postgres_server: PostgresServer) -> Iterator[Outside]:
    with outside(postgres_server) as made:
        yield made


def archived(root: Path, there: Outside, *, interval: str = "5m", **rest: str) -> Path:
    made = a_project(root, **rest)
    with (made / "interlock.yaml").open("a") as file:
        file.write(f"archiver: {{enabled: true, interval: {interval}, schema: {there.schema}, dsn: '${{env:DSN}}'}}\n")
    return made


def test_a_run_is_archived_by_one_command_whatever_process_made_it(there: Outside, tmp_path: Path) -> None:
    """T-51, T-59."""
    root = archived(tmp_path, there)
    assert interlock("run", "orders", cwd=root).code == 0  # a gate needs no archive, nor its address
    env = {"DSN": there.server.dsn}
    said = interlock("archive", "--check", cwd=root, env=env)
    assert (said.code, "facts wait" in said.out) == (1, True)
    assert interlock("archive", cwd=root, env=env).code == 0
    said = interlock("archive", "--check", "--json", cwd=root, env=env)
    assert (said.code, said.document["ok"], said.document["waiting"]) == (0, True, 0)
    assert there.ask("SELECT pipeline_id, status, attempts FROM {}.runs") == [("orders", "COMPLETED", 1)]
    assert there.ask("SELECT status FROM {}.attempts") == [("COMPLETED",)]
    again = interlock("archive", "--full", "--json", cwd=root, env=env)
    assert (again.code, again.document["rows"], again.document["ok"]) == (0, 0, True)


def test_an_archive_that_is_not_there_is_one_clear_line_and_nothing_is_lost(there: Outside, tmp_path: Path) -> None:
    """T-52: and no password in it."""
    root = archived(tmp_path, there)
    interlock("run", "orders", cwd=root)
    said = interlock("archive", cwd=root, env={"DSN": "postgresql://me:secret-word@127.0.0.1:1/history"})
    assert said.code == 75
    assert said.err.count("\n") == 1
    assert "'history' at 127.0.0.1:1" in said.err
    assert "secret-word" not in said.err
    assert interlock("archive", cwd=root, env={"DSN": there.server.dsn}).code == 0
    assert there.count("runs") == 1


def test_the_doctor_looks_at_the_archive_and_fails_for_nothing_that_decisions_do_not_need(
    there: Outside, tmp_path: Path
) -> None:
    root = archived(tmp_path, there)
    interlock("run", "orders", cwd=root)
    found = {}
    for name, dsn in (("there", there.server.dsn), ("away", "postgresql://me:secret-word@127.0.0.1:1/history")):
        said = interlock("doctor", "--json", cwd=root, env={"DSN": dsn})
        assert "secret-word" not in said.out
        (found[name],) = (check for check in said.document["checks"] if check["name"] == "archive")
    assert [found[name]["outcome"] for name in ("there", "away")] == ["ok", "warn"]
    assert "no server can be reached there" in found["away"]["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--follow", "--check"), "--follow and --check do not go together"),
        (("--check", "--full"), "--check and --full do not go together"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    there: Outside, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    said = interlock("archive", *options, cwd=archived(tmp_path, there), env={"DSN": there.server.dsn})
    assert (said.code, message in said.err) == (2, True)


def test_a_server_archives_by_itself_and_lives_on_while_postgresql_is_away(tmp_path: Path) -> None:
    """T-52: said once, and made up for."""
    with have("postgres", PostgresServer) as postgres:
        there = Outside(postgres, "history")
        root = archived(tmp_path, there, interval="1s")
        server = Server(root, "--no-watcher", env={"DSN": postgres.dsn})
        try:
            interlock("run", "orders", cwd=root)
            until(lambda: there.archive.exists() and there.count("runs") == 1, lambda: server.said)
            postgres.kill()
            interlock("rerun", "orders", "--reason", "again", cwd=root)
            until(lambda: "trouble archive: " in server.said, lambda: server.said)
            postgres.start()
            until(lambda: there.count("runs") == 2, lambda: server.said)
            until(lambda: "archive: it goes on" in server.said, lambda: server.said)
            assert server.said.count("trouble archive: ") <= 3  # gone, starting up, and there again
            assert server.ask("/api/health").status == 200
        finally:
            server.end()
            there.archive.close()


# ---------------------------------------------------------------------- the page


def blocks() -> list[str]:
    """Every question of the page."""
    return re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_every_question_of_the_page_is_answered(tmp_path: Path) -> None:
    """In their order, rights included, on an archive in which a run has failed, retried and been run again."""
    with have("postgres", PostgresServer) as postgres:
        there = Outside(postgres, "interlock_archive")
        root = archived(tmp_path, there, job="exit 3", pipeline="retry: {maxAttempts: 2, backoffSeconds: 1}\n")
        env = {"DSN": postgres.dsn}
        assert interlock("run", "orders", cwd=root).code == 4
        assert interlock("archive", cwd=root, env=env).code == 0
        assert len(blocks()) > 10
        for block in blocks():
            there.ask(block)
        assert there.ask("SELECT attempts, failed, categories FROM {}.v_retries") == [(2, 2, "TRANSIENT")]
        there.archive.close()


def test_every_table_view_and_comment_is_there_and_on_the_page(there: Outside) -> None:
    there.archive.prepare()
    names = {
        name for (name,) in there.ask("SELECT table_name FROM information_schema.tables WHERE table_schema = '{}'")
    }
    assert set(TABLES.findall(PAGE.read_text().split("## Questions")[0])) == names
    without = there.ask(
        "SELECT relname FROM pg_class WHERE relnamespace = '{}'::regnamespace AND relkind IN ('r', 'v') "
        "AND obj_description(oid) IS NULL AND relname <> 'archive_migrations'"
    )
    assert without == []

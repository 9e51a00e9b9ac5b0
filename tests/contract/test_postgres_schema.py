"""The tables of a store in PostgreSQL: made once by many, brought up to date in two steps, kept apart, and left alone."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from tests.contract.postgres_tools import forever, opened, put, rung
from tests.servers.base import until
from tests.servers.fixtures import have
from tests.servers.postgres import PgBouncer, PostgresServer

from interlock.errors import StoreEmpty, StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Check, Page
from interlock.stores.postgres import schema as postgres_schema
from interlock.testing.conformance.kernel_values import NOON, at_once

pytestmark = pytest.mark.service


@pytest.fixture
def schema(postgres_server: PostgresServer) -> str:
    """A schema that is not there yet."""
    name = postgres_server.fresh_schema()
    postgres_server.execute(f"DROP SCHEMA {name}")
    return name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations, to be added to."""
    copy = tmp_path / "migrations"
    shutil.copytree(postgres_schema._MIGRATIONS, copy)
    monkeypatch.setattr(postgres_schema, "_MIGRATIONS", copy)
    return copy


def test_of_many_that_start_at_once_one_makes_the_tables(postgres_server: PostgresServer, schema: str) -> None:
    """And all of them go on with the same ones."""
    kernels = at_once(8, lambda _: opened(postgres_server, schema))
    won = at_once(8, lambda me: kernels[me].commit("p", put("a", body={"by": me})))
    assert won.count(True) == 1
    for kernel in kernels:
        assert [row.body["by"] for row in forever(kernel, "p")] == [won.index(True)]
        kernel.close()
    assert _applied(postgres_server, schema) == ["0001_pre_records"]


def test_of_many_that_start_at_once_with_a_new_version_one_migrates(
    postgres_server: PostgresServer, schema: str, folder: Path
) -> None:
    """Each step once, in its order, and those that waited find it done."""
    opened(postgres_server, schema).close()
    (folder / "0002_pre_more.sql").write_text(
        "CREATE TABLE {schema}.more (n int); INSERT INTO {schema}.more VALUES (1);"
    )
    (folder / "0003_pre_last.sql").write_text("INSERT INTO {schema}.more SELECT count(*) + 1 FROM {schema}.more;")
    for kernel in at_once(8, lambda _: opened(postgres_server, schema)):
        kernel.close()
    assert postgres_server.execute(f"SELECT n FROM {schema}.more ORDER BY n") == [(1,), (2,)]


def test_a_step_that_fails_leaves_nothing_of_itself(postgres_server: PostgresServer, schema: str, folder: Path) -> None:
    """The steps before it stay, and it is tried again."""
    step = folder / "0002_pre_more.sql"
    step.write_text("CREATE TABLE {schema}.more (n int); SELECT 1 / 0;")
    with pytest.raises(StoreError, match=r"cannot migrate .*division by zero"):
        opened(postgres_server, schema)
    assert _applied(postgres_server, schema) == ["0001_pre_records"]
    step.write_text("CREATE TABLE {schema}.more (n int);")
    opened(postgres_server, schema).close()
    assert _applied(postgres_server, schema) == ["0001_pre_records", "0002_pre_more"]


def test_the_store_works_before_its_clean_up_and_after(
    postgres_server: PostgresServer, schema: str, folder: Path
) -> None:
    """`post` waits for somebody who knows that no older process runs; until then there is advice."""
    (folder / "0001_post_tidy.sql").write_text("ALTER TABLE {schema}.records ADD COLUMN tidy int;")
    with closing(opened(postgres_server, schema)) as kernel:
        assert kernel.pending() == ("0001_post_tidy",)
        assert any("interlock store migrate" in each for each in kernel.advice())
        assert kernel.commit("p", put("a"))
        assert kernel.migrate() == ("0001_post_tidy",)
        assert kernel.migrate() == ()
        assert (kernel.pending(), kernel.commit("p", put("b"))) == ((), True)
        assert not any("migrate" in each for each in kernel.advice())


@pytest.mark.parametrize("later", ["0001_post_unheard", "0002_post_later", "0003_pre_much_later", "strange"])
def test_what_a_later_version_has_changed_is_not_touched(
    postgres_server: PostgresServer, schema: str, later: str
) -> None:
    """It may mean something that this version does not know."""
    opened(postgres_server, schema).close()
    _apply(postgres_server, schema, later)
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match=f"a later Interlock .*{later}.*Upgrade"):
            opened(postgres_server, schema, read_only=read_only)
    assert _applied(postgres_server, schema) == sorted(["0001_pre_records", later])


def test_what_the_next_version_has_only_prepared_is_no_hindrance(postgres_server: PostgresServer, schema: str) -> None:
    """While processes are replaced one after the other, an old one may be started again."""
    opened(postgres_server, schema).close()
    _apply(postgres_server, schema, "0002_pre_next")
    with closing(opened(postgres_server, schema)) as kernel:
        assert kernel.commit("p", put("a"))


def test_a_step_that_was_changed_after_it_was_applied_is_told(
    postgres_server: PostgresServer, schema: str, folder: Path
) -> None:
    """Nobody knows what tables there are."""
    opened(postgres_server, schema).close()
    step = folder / "0001_pre_records.sql"
    step.write_text(step.read_text() + "-- and more\n")
    with pytest.raises(StoreError, match="0001_pre_records was applied with another content"):
        opened(postgres_server, schema)


def test_a_store_that_is_not_there_is_empty_for_who_only_looks(postgres_server: PostgresServer, schema: str) -> None:
    """And looking makes none."""
    with pytest.raises(StoreEmpty):
        opened(postgres_server, schema, read_only=True)
    assert postgres_server.execute(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == [(0,)]


def test_older_tables_are_not_changed_by_who_only_looks(
    postgres_server: PostgresServer, schema: str, folder: Path
) -> None:
    opened(postgres_server, schema).close()
    (folder / "0002_pre_more.sql").write_text("CREATE TABLE {schema}.more (n int);")
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"lack 0002_pre_more.*interlock store migrate"):
            opened(postgres_server, schema, read_only=read_only, migrate=False)
    assert _applied(postgres_server, schema) == ["0001_pre_records"]


def test_who_only_looks_writes_nothing(postgres_server: PostgresServer, schema: str) -> None:
    with closing(opened(postgres_server, schema)) as kernel:
        assert kernel.commit("p", put("a", expires_at=NOON))
    with closing(opened(postgres_server, schema, read_only=True)) as kernel:
        assert kernel.get("p", "a") is not None
        for act in (
            lambda: kernel.commit("p", put("b")),
            lambda: kernel.purge(NOON, 10),
            kernel.migrate,
        ):
            with pytest.raises(StoreError, match="opened for reading only"):
                act()
        kernel.ping()
        kernel.ring()
        assert len(forever(kernel, "p")) == 1


def test_two_schemas_of_one_database_never_meet(postgres_server: PostgresServer, schema: str) -> None:
    """T-64: neither their rows nor their rings."""
    with closing(opened(postgres_server, schema)) as one, closing(opened(postgres_server, f"{schema}_b")) as other:
        heard, theirs = Event(), Event()
        one.listen(heard.set)
        other.listen(theirs.set)
        assert one.commit("p", put("a", kind="k", wake_at=NOON, expires_at=NOON))
        assert other.commit("p", [Check("a", 0)])
        assert (forever(other, "p"), other.due(NOON, 10), other.listing("k", Page()), other.purge(NOON, 10)) == (
            [],
            [],
            [],
            0,
        )
        until(lambda: rung(one, heard), "our ring is heard")
        assert not theirs.is_set()


def test_whoever_may_only_use_the_tables_can(postgres_server: PostgresServer, schema: str) -> None:
    """The rights that the documentation names are enough, and each that is missing is told by name."""
    opened(postgres_server, schema).close()
    postgres_server.execute(f"CREATE ROLE {schema}_user LOGIN")
    dsn = postgres_server.dsn_of(user=f"{schema}_user")
    with pytest.raises(StoreError, match=r"has not the right.*permission denied for schema"):
        opened(postgres_server, schema, dsn=dsn)
    postgres_server.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {schema}_user; GRANT SELECT ON {schema}.migrations TO {schema}_user;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.records TO {schema}_user"
    )
    with closing(opened(postgres_server, schema, dsn=dsn)) as kernel:
        assert kernel.commit("p", put("a", expires_at=NOON))
        kernel.ping()
        assert kernel.purge(NOON, 10) == 1
    with pytest.raises(StoreError, match=r"has not the right.*permission denied for database"):
        opened(postgres_server, f"{schema}_more", dsn=dsn)


def test_a_schema_that_was_removed_is_told(postgres_server: PostgresServer, schema: str) -> None:
    """It is not made again under a running process: an empty store would not know what has run."""
    with closing(opened(postgres_server, schema)) as kernel:
        assert kernel.commit("p", put("a"))
        postgres_server.execute(f"DROP SCHEMA {schema} CASCADE")
        for act in (lambda: kernel.get("p", "a"), lambda: kernel.commit("p", put("b"))):
            with pytest.raises(StoreError, match="interlock store migrate") as caught:
                act()
            assert not isinstance(caught.value, StoreUnavailable)


def test_through_a_pooler_nothing_is_heard_and_nobody_is_disturbed(
    pgbouncer_server: PgBouncer, postgres_server: PostgresServer, schema: str
) -> None:
    """A ring goes out; a listener would share its session with strangers, so there is none."""
    heard, direct = Event(), Event()
    with (
        closing(opened(postgres_server, schema)) as straight,
        closing(opened(postgres_server, schema, dsn=pgbouncer_server.dsn)) as kernel,
    ):
        end = kernel.listen(heard.set)
        straight.listen(direct.set)
        until(lambda: rung(kernel, direct), "a ring through the pooler is heard")
        until(lambda: not kernel._chime.listeners.listening, "it has seen that it would hear nothing")
        assert not heard.is_set()
        end()


def test_another_isolation_level_is_set_right_or_told(postgres_server: PostgresServer) -> None:
    """A snapshot from before the lock would compare with the past. Only a pooler keeps us from choosing."""
    database = postgres_server.fresh_database()
    postgres_server.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    with closing(opened(postgres_server, dsn=postgres_server.dsn_of(database))) as kernel:
        assert kernel.commit("p", put("a")) is True
    with (
        have("pgbouncer", lambda: PgBouncer(postgres_server)) as bouncer,
        closing(opened(postgres_server, dsn=bouncer.dsn_of(database))) as kernel,
        pytest.raises(StoreError, match=r"READ COMMITTED.*Nothing was written"),
    ):
        kernel.commit("p", put("b"))
    assert postgres_server.execute("SELECT sk FROM interlock.records", database=database) == [("a",)]


def test_a_fork_is_told_to_open_its_own_and_leaves_ours_alone(postgres_server: PostgresServer, schema: str) -> None:
    """One connection in two processes mixes up their answers."""
    with closing(opened(postgres_server, schema)) as kernel:
        assert kernel.commit("p", put("a"))
        said, speaks = os.pipe()
        child = os.fork()
        if child == 0:
            words = b"nothing"
            try:
                kernel.get("p", "a")
            except StoreError as exc:
                words = str(exc).encode()
            kernel.close()
            os.write(speaks, words)
            os._exit(0)
        os.waitpid(child, 0)
        os.close(speaks)
        with os.fdopen(said) as heard:
            assert "this is its fork" in heard.read()
        assert kernel.commit("p", put("b")) is True
        assert len(forever(kernel, "p")) == 2


def test_a_server_that_may_forget_is_told(postgres_server: PostgresServer, schema: str) -> None:
    """This one runs without syncing its disk."""
    with closing(opened(postgres_server, schema)) as kernel:
        told = kernel.advice()
        assert any("fsync=off" in each for each in told)
        assert any("full_page_writes=off" in each for each in told)


def _apply(server: PostgresServer, schema: str, name: str) -> None:
    server.execute(f"INSERT INTO {schema}.migrations (name, digest, applied_by) VALUES ('{name}', 'x', '9.9')")


def _applied(server: PostgresServer, schema: str) -> list[str]:
    return [name for (name,) in server.execute(f"SELECT name FROM {schema}.migrations ORDER BY name")]

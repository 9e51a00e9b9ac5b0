"""What the store in PostgreSQL does when its server, its disk or the network fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from tests.contract.postgres_tools import Writer, forever, opened, put, rung, writers
from tests.servers.base import ServerMissing, small_disk, until
from tests.servers.fixtures import have
from tests.servers.postgres import PgBouncer, PostgresServer
from tests.servers.proxy import Proxy

from interlock.clients import postgres as door
from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Check, Kernel
from interlock.stores.postgres.kernel import PostgresKernel

pytestmark = pytest.mark.service

_SECOND = timedelta(seconds=1)
_FAR = 30.0


@pytest.fixture(scope="module")
def victim() -> Iterator[PostgresServer]:
    with have("postgres", lambda: PostgresServer("system", durable=True)) as server:
        yield server


@pytest.fixture
def server(victim: PostgresServer) -> PostgresServer:
    """A server to be killed, with nothing of ours in it."""
    victim.start()
    victim.execute("DROP SCHEMA IF EXISTS interlock CASCADE")
    return victim


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own clock ends a statement as soon as the server's should have."""
    monkeypatch.setattr(door, "_SLACK", 0.5)
    monkeypatch.setattr(door, "_CANCEL", 0.5)


def test_a_server_killed_under_load_loses_no_acknowledged_commit(server: PostgresServer) -> None:
    """And no commit is answered False that happened: each writer is alone in its partition. Three kills, four writers."""
    kernel = opened(server)
    with writers(kernel, 4) as found:
        for kill in range(3):
            seen = [writer.acknowledged for writer in found]
            until(partial(_all_went_on, found, seen), f"writing before kill {kill}")
            server.restart()
    assert [writer.trouble for writer in found] == [None] * 4
    assert any(writer.unknown for writer in found)
    for writer in found:
        names = [int(row.sk) for row in forever(kernel, writer.pk)]
        assert names == list(range(1, len(names) + 1))
        assert writer.acknowledged <= len(names) <= writer.acknowledged + 1
    kernel.close()


def test_a_commit_is_on_the_disk_also_where_the_server_would_rather_not_wait(server: PostgresServer) -> None:
    """With synchronous_commit=off a server that is killed loses what it has answered: ours it has to write first."""
    server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    _set(server, "synchronous_commit", "off")
    with closing(opened(server)) as kernel:
        assert kernel.commit("p", put("a"))
        server.restart()
        assert kernel.get("p", "a") is not None
    server.execute("ALTER SYSTEM RESET wal_writer_delay")
    _set(server, "synchronous_commit", "on")


def test_a_restart_between_two_commits_is_not_noticed(server: PostgresServer) -> None:
    """Connections that died while nobody used them are not tried: nothing was sent, so nothing is unknown."""
    with closing(opened(server)) as kernel:
        with writers(kernel, 4) as found:
            until(lambda: all(writer.acknowledged > 5 for writer in found), "four connections")
        server.restart()
        assert kernel.commit("p", put("a")) is True
        server.restart()
        assert kernel.get("p", "a") is not None


def test_a_read_that_was_broken_off_is_done_again(server: PostgresServer) -> None:
    """It changes nothing, so asking twice is harmless."""
    with Proxy(server) as proxy, closing(opened(server, dsn=proxy.through(server.dsn))) as kernel:
        assert kernel.commit("p", put("a"))
        proxy.lose_reply(to=b"SELECT pk")
        assert kernel.get("p", "a") is not None
        assert proxy.lost == 1


@pytest.mark.parametrize(("lose", "happened"), [("lose_reply", True), ("lose_request", False)])
def test_a_commit_without_an_answer_is_sent_once_and_unknown(server: PostgresServer, lose: str, happened: bool) -> None:
    """It may or may not have happened, and whoever asked is told so, and finds out by reading."""
    with Proxy(server) as proxy, closing(opened(server, dsn=proxy.through(server.dsn))) as kernel:
        assert kernel.commit("p", put("warm"))
        getattr(proxy, lose)(to=b"commit_batch")
        with pytest.raises(StoreUnavailable, match="may or may not have been done"):
            kernel.commit("p", put("a"))
        assert (kernel.get("p", "a") is not None) is happened
        assert kernel.commit("p", [Check("a", int(happened))]) is True


@pytest.mark.usefixtures("impatient")
def test_a_slow_server_is_waited_for(server: PostgresServer) -> None:
    """Slow is not gone."""
    with Proxy(server) as proxy, closing(opened(server, dsn=proxy.through(server.dsn))) as kernel:
        proxy.delay(to_server=0.05, to_client=0.05)
        assert kernel.commit("p", put("a")) is True
        assert [record.sk for record in forever(kernel, "p")] == ["a"]


@pytest.mark.usefixtures("impatient")
def test_a_frozen_server_holds_nobody_for_ever(server: PostgresServer) -> None:
    """Neither a commit nor a read nor a ring nor an opening; and when it goes on, so does the store."""
    kernel = opened(server, statement_timeout=_SECOND / 2)
    assert kernel.commit("p", put("a"))
    server.freeze()
    began = monotonic()
    for act in (lambda: kernel.commit("p", put("b")), lambda: kernel.get("p", "a"), lambda: opened(server, "late")):
        with pytest.raises(StoreUnavailable):
            act()
    kernel.ring()
    kernel.ring()
    assert monotonic() - began < _FAR
    server.thaw()
    assert kernel.commit("p", put("c")) is True
    kernel.close()


@pytest.mark.usefixtures("impatient")
def test_a_statement_that_waits_too_long_is_ended_through_a_pooler_too(server: PostgresServer) -> None:
    """There the server knows no limit: we cancel it, so that it does not happen when nobody waits for it any more."""
    with have("pgbouncer", lambda: PgBouncer(server)) as bouncer, ExitStack() as stack:
        for dsn in (server.dsn, bouncer.dsn):
            kernel = stack.enter_context(closing(opened(server, dsn=dsn, statement_timeout=_SECOND)))
            assert kernel.commit("p", put(dsn))
            with kernel._database.connection() as locker, locker.transaction():
                locker.execute(f"LOCK TABLE {kernel._names['records']} IN EXCLUSIVE MODE")
                with pytest.raises(StoreUnavailable):
                    kernel.commit("p", put(f"late {dsn}"))
                assert server.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == [(0,)]
            assert kernel.get("p", f"late {dsn}") is None


def test_a_full_disk_loses_nothing_and_heals() -> None:
    """What was stored stays readable, what cannot be written is refused, and space is all it takes to go on."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk("160m"))
        except ServerMissing as exc:
            pytest.skip(str(exc))
        settings = {"max_wal_size": "32MB", "min_wal_size": "32MB"}
        server = stack.enter_context(have("postgres", lambda: PostgresServer("system", settings=settings, root=disk)))
        kernel = stack.enter_context(closing(opened(server)))
        assert kernel.commit("p", put("first"))
        ballast = _fill(disk)
        names = (f"{number:05}" for number in range(10_000))
        with pytest.raises(StoreUnavailable, match="disk is full"):
            _put_all(kernel, names)
        kept = [row.sk for row in forever(kernel, "p")]
        assert kept == [*(f"{number:05}" for number in range(len(kept) - 1)), "first"]
        ballast.unlink()
        assert kernel.commit("p", put(next(names))) is True


def _put_all(kernel: Kernel, names: Iterator[str]) -> None:
    for name in names:
        assert kernel.commit("p", put(name, body={"long": name * 400}))


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return ballast


def test_a_standby_is_not_used_until_it_is_the_primary(server: PostgresServer) -> None:
    """What it shows may be old, and what it is told is refused: nobody decides on it. A failover ends that."""
    kernel = opened(server)
    assert kernel.commit("p", put("a"))
    server.stop()
    signal = server.data / "standby.signal"
    signal.touch()
    server.start()
    for act in (lambda: kernel.get("p", "a"), lambda: kernel.commit("p", put("b")), lambda: opened(server)):
        with pytest.raises(StoreUnavailable, match="standby"):
            act()
    server.execute("SELECT pg_promote()")
    assert kernel.commit("p", put("b")) is True
    kernel.close()


def test_a_server_that_turned_read_only_says_so_and_is_asked_again(server: PostgresServer) -> None:
    """The connection is given up: the next one may lead to where it can be written."""
    with closing(opened(server)) as kernel:
        assert kernel.commit("p", put("a"))
        _set(server, "default_transaction_read_only", "on")
        with pytest.raises(StoreUnavailable, match="read-only"):
            kernel.commit("p", put("b"))
        with pytest.raises(StoreUnavailable, match="read-only"):
            kernel.ping()
        assert kernel.get("p", "a") is not None
        _set(server, "default_transaction_read_only", "off")
        assert kernel.commit("p", put("b")) is True
        kernel.ping()


def test_a_backend_ended_by_its_administrator_is_replaced(server: PostgresServer) -> None:
    """Idle ones are noticed before anything is sent."""
    with closing(opened(server)) as kernel:
        assert kernel.commit("p", put("a"))
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'interlock'")
        until(
            lambda: (
                server.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'interlock'") == [(0,)]
            ),
            "the backend is gone",
        )
        assert kernel.commit("p", put("b")) is True


def _opened_when_free(server: PostgresServer, dsn: str) -> PostgresKernel:
    """Open a kernel as soon as the server has noticed that others have hung up."""
    found: list[PostgresKernel] = []

    def tried() -> bool:
        try:
            found.append(opened(server, "guest", dsn=dsn))
        except StoreUnavailable:
            return False
        return True

    until(tried, "the one connection is free")
    return found[0]


def test_a_server_without_a_free_connection_says_what_to_do() -> None:
    settings = {"max_connections": "4", "superuser_reserved_connections": "3", "max_wal_senders": "0"}
    with have("postgres", lambda: PostgresServer("system", settings=settings)) as server:
        server.execute("CREATE ROLE guest LOGIN; CREATE SCHEMA guest AUTHORIZATION guest")
        dsn = server.dsn_of(user="guest")
        with closing(_opened_when_free(server, dsn)) as kernel:
            assert kernel.commit("p", put("a"))
            assert any("max_connections" in each for each in kernel.advice())
            with pytest.raises(StoreUnavailable, match=r"all its connections are in use.*max_connections"):
                opened(server, "guest", dsn=dsn)


def test_who_listens_hears_a_ring_and_survives_a_restart(server: PostgresServer) -> None:
    """After a lost connection it is called without a ring: one may have been missed."""
    heard = Event()
    with closing(opened(server)) as one, closing(opened(server)) as other:
        end = one.listen(heard.set)
        until(lambda: rung(other, heard), "a ring is heard")
        heard.clear()
        server.restart()
        assert heard.wait(_FAR)
        until(lambda: rung(other, heard), "a ring is heard again")
        end()
        end()


@pytest.mark.usefixtures("impatient")
def test_listening_to_a_frozen_server_ends_at_once(server: PostgresServer) -> None:
    with closing(opened(server, statement_timeout=_SECOND)) as kernel:
        heard = Event()
        end = kernel.listen(heard.set)
        until(lambda: rung(kernel, heard), "a ring is heard")
        server.freeze()
        began = monotonic()
        end()
        assert monotonic() - began < 10
        server.thaw()


def _all_went_on(found: Sequence[Writer], since: Sequence[int]) -> bool:
    return all(writer.acknowledged > before + 20 for writer, before in zip(found, since, strict=True))


def _set(server: PostgresServer, setting: str, value: str) -> None:
    server.execute(f"ALTER SYSTEM SET {setting} = {value}")
    server.execute("SELECT pg_reload_conf()")
    until(lambda: server.execute(f"SHOW {setting}") == [(value,)], f"{setting} is {value}")

"""Many who write and purge one store in PostgreSQL at once: nobody waits in a circle, and nothing is half done."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

import pytest
from tests.contract.postgres_tools import opened
from tests.servers.base import until
from tests.servers.postgres import PostgresServer

from interlock.stores.kernel import Change, Check, Delete, Page, Put
from interlock.stores.postgres.kernel import PostgresKernel
from interlock.testing.conformance.kernel_values import NOON, a_record, at_once, keep

pytestmark = pytest.mark.service

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%commit_batch%'"


@pytest.fixture
def kernels(postgres_server: PostgresServer) -> Iterator[list[PostgresKernel]]:
    """Seven openings of one store: to the server they are seven processes."""
    database = postgres_server.fresh_database()
    found = [opened(postgres_server, dsn=postgres_server.dsn_of(database)) for _ in range(7)]
    yield found
    for kernel in found:
        kernel.close()
    assert postgres_server.execute(f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{database}'") == [(0,)]


def test_batches_in_any_order_and_purges_never_lock_each_other_out(kernels: list[PostgresKernel]) -> None:
    """Every batch is whole: whatever rows a purge has left of it were written by the same hand in the same turn."""
    names, done = [f"{number}" for number in range(6)], Event()

    def act(me: int) -> int:
        try:
            return _purged(kernels[me], done) if me < 2 else written(kernels[me], me)
        finally:
            if me >= 2:
                done.set()

    def written(kernel: PostgresKernel, me: int) -> int:
        won, dice = 0, Random(me)
        for turn in range(60):
            found = {row.sk: row.version for row in kernel.rows("p", "", Page())}
            order = dice.sample(names, len(names))
            rows = [
                a_record(sk=sk, version=found.get(sk, 0) + 1, expires_at=NOON, body={"by": [me, turn]}) for sk in order
            ]
            won += kernel.commit("p", [*map(Put, rows)])
            assert len({str(row.body) for row in kernel.rows("p", "", Page())}) <= 1
        return won

    assert sum(at_once(len(kernels), act)[2:]) > 0


def _purged(kernel: PostgresKernel, done: Event) -> int:
    purged = 0
    while not done.is_set():
        purged += kernel.purge(NOON, 1000)
    return purged


def test_two_purges_at_once_remove_each_row_once(kernels: list[PostgresKernel]) -> None:
    """What one has in hand the other leaves to it."""
    keep(kernels[0], *(a_record(f"p{number % 9}", f"{number:04}", expires_at=NOON) for number in range(900)))
    removed = at_once(4, lambda me: sum(kernels[me].purge(NOON, 40) for _ in range(30)))
    assert sum(removed) == 900
    assert kernels[0].purge(NOON, 1000) == 0


def test_two_that_check_what_the_other_writes_do_not_both_win(kernels: list[PostgresKernel]) -> None:
    """BUG-130: each requires that the other's row is absent; no row is there to be locked."""
    for number in range(40):
        names = (f"{number}a", f"{number}b")

        def act(me: int, names: tuple[str, str] = names) -> bool:
            return kernels[me].commit("p", [Check(names[1 - me], 0), Put(a_record(sk=names[me]))])

        assert sorted(at_once(2, act)) == [False, True]


def test_a_batch_that_a_purge_has_overtaken_is_lost_as_a_whole(
    kernels: list[PostgresKernel], postgres_server: PostgresServer
) -> None:
    """The purge has the row in hand, and lets go of it only after the batch has compared."""
    keep(kernels[0], a_record(sk="old"), a_record(sk="kept"))
    batch: list[Change] = [Put(a_record(sk="new")), Put(a_record(sk="old", version=2)), Delete("kept")]
    with ThreadPoolExecutor(1) as pool:
        with kernels[1]._database.connection() as conn, conn.transaction():
            assert conn.execute("DELETE FROM interlock.records WHERE sk = 'old'").rowcount == 1
            answer = pool.submit(kernels[0].commit, "p", batch)
            until(lambda: postgres_server.execute(_WAITING) == [(1,)], "the batch waits for the purge")
        assert answer.result(30) is False
    assert [row.sk for row in kernels[0].rows("p", "", Page())] == ["kept"]
    assert kernels[0].commit("p", [Delete("old"), Put(a_record(sk="new"))]) is True

"""Commits of many threads: shared transactions, separate answers, locks of other processes, interruptions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
from tests.unit.stores.sqlite_tools import a_row, on_connect, put, raw, until, write_lock_held

from interlock.errors import StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Check, Page
from interlock.stores.sqlite import writer as sqlite_writer
from interlock.stores.sqlite.files import StoreFile
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.stores.sqlite.writer import GroupWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def queued(kernel: SqliteKernel, path: Path, *acts: Callable[[], object]) -> Iterator[list[Future[object]]]:
    """Let acts of as many threads pile up behind another process's lock, which is released at the end of the block."""
    with ThreadPoolExecutor(len(acts)) as pool, write_lock_held(path):
        futures = [pool.submit(act) for act in acts]
        until(lambda: len(kernel._writer._queue) == len(acts))
        yield futures


def test_commits_that_wait_together_share_one_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    on_connect(monkeypatch, lambda db: db.set_trace_callback(statements.append))
    with closing(SqliteKernel(path)) as kernel:
        statements.clear()
        acts = [lambda me=me: kernel.commit(f"p{me}", put(a_row(pk=f"p{me}"))) for me in range(16)]
        with queued(kernel, path, *acts) as futures:
            pass
        assert [future.result() for future in futures] == [True] * 16
        assert statements.count("COMMIT") == 1
        assert all(kernel.get(f"p{me}", "a") for me in range(16))


def test_a_lost_race_within_a_shared_transaction_is_lost(path: Path) -> None:
    """BUG-05: the answers of one transaction differ, and say the truth."""
    with closing(SqliteKernel(path)) as kernel:
        acts = [lambda me=me: kernel.commit("p", put(a_row(body={"by": me}), a_row(f"by {me}"))) for me in range(8)]
        with queued(kernel, path, *acts) as futures:
            pass
        won = [future.result() for future in futures]
        assert won.count(True) == 1
        assert [row.sk for row in kernel.rows("p", "", Page())] == ["a", f"by {won.index(True)}"]


def test_trouble_of_one_commit_is_not_the_others_trouble(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_connect(monkeypatch, lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 50_000))
    with closing(SqliteKernel(path)) as kernel:
        rows = [a_row(pk=f"p{me}") for me in range(7)]
        large = [a_row("small", pk="large"), a_row("large", pk="large", body={"x": "x" * 60_000})]
        acts: list[Callable[[], object]] = [lambda row=row: kernel.commit(row.pk, put(row)) for row in rows]  # type: ignore[misc]  # mypy: default of a lambda
        acts.insert(3, lambda: kernel.commit("large", put(*large)))
        with queued(kernel, path, *acts) as futures:
            pass
        with pytest.raises(StoreError, match="larger than SQLite can keep"):
            futures[3].result()
        assert [future.result() for future in futures if future is not futures[3]] == [True] * 7
        assert [kernel.get(row.pk, "a") for row in rows] == rows
        assert kernel.rows("large", "", Page()) == []


def test_a_lock_held_too_long_is_said_in_time_and_to_all(path: Path) -> None:
    with closing(SqliteKernel(path, busy_timeout=timedelta(seconds=1))) as kernel:
        kernel.commit("p", put(a_row()))
        begun = monotonic()
        acts = [lambda: kernel.commit("p", put(a_row(version=2)))] * 8
        with queued(kernel, path, *acts) as futures:
            for future in futures:
                with pytest.raises(StoreUnavailable, match=r"another process held its write lock.*fuser"):
                    future.result()
            took = monotonic() - begun
        assert 0.9 < took < 6, "eight waiters waited one after the other"
        assert kernel.get("p", "a") == a_row()
        assert kernel.commit("p", put(a_row(version=2))) is True


def test_a_ping_notices_that_nothing_can_be_written(path: Path) -> None:
    with closing(SqliteKernel(path, busy_timeout=timedelta(milliseconds=50))) as kernel:
        kernel.ping()
        with write_lock_held(path), pytest.raises(StoreUnavailable, match="write lock"):
            kernel.ping()
        kernel.ping()


def test_a_store_migrated_by_a_later_version_while_open_is_not_written_any_more(path: Path) -> None:
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row()))
        raw(path, "PRAGMA user_version = 99")
        with pytest.raises(StoreTooNew, match="schema 99"):
            kernel.commit("p", put(a_row(version=2)))
        assert kernel.get("p", "a") == a_row()


def test_an_interrupted_leader_answers_those_it_wrote_for(path: Path) -> None:
    """Ctrl-C reaches one thread; the others must neither hang nor believe."""
    with closing(SqliteKernel(path)) as kernel:

        def interrupted(_: sqlite3.Connection) -> int:
            raise KeyboardInterrupt

        acts = [lambda: kernel._writer.perform(interrupted), lambda: kernel.commit("p", put(a_row()))]
        with queued(kernel, path, *acts) as futures:
            pass
        failures = [future.exception(timeout=30) for future in futures]
        assert {type(failure) for failure in failures} <= {KeyboardInterrupt, StoreUnavailable}
        assert kernel.get("p", "a") is None
        assert kernel.commit("p", put(a_row())) is True


def test_whoever_waits_is_woken_and_need_not_look_for_himself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "_HEAL", 1000.0)
    with closing(SqliteKernel(path)) as kernel, ThreadPoolExecutor(8) as pool:
        rows = [a_row(str(number), pk=f"p{number % 8}") for number in range(400)]
        assert all(pool.map(lambda row: kernel.commit(row.pk, put(row)), rows, timeout=30))


def test_a_waiter_gives_up_at_last_and_its_work_is_not_done_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that comes true minutes after its caller gave up is an unsafe one."""
    monkeypatch.setattr(sqlite_writer, "_GRACE", 0.0)
    monkeypatch.setattr(sqlite_writer, "_HEAL", 0.01)
    with closing(SqliteKernel(path, busy_timeout=timedelta(milliseconds=50))) as kernel:
        with kernel._writer._lead, pytest.raises(StoreUnavailable, match="may or may not have happened"):
            kernel.commit("p", put(a_row()))
        assert kernel.commit("q", [Check("a", 0)]) is True
        assert kernel.get("p", "a") is None


def test_work_accepted_before_close_is_finished(path: Path) -> None:
    kernel = SqliteKernel(path)
    acts = [lambda me=me: kernel.commit("p", put(a_row(str(me)))) for me in range(4)]
    with queued(kernel, path, *acts) as futures:
        closer = Thread(target=kernel.close)
        closer.start()
        until(lambda: not kernel._writer._accepting)
        with pytest.raises(StoreUnavailable, match="is closed"):
            kernel.commit("p", put(a_row("late")))
    closer.join()
    assert [future.result() for future in futures] == [True] * 4
    with closing(SqliteKernel(path)) as again:
        assert [row.sk for row in again.rows("p", "", Page())] == ["0", "1", "2", "3"]


def test_work_that_slips_in_behind_close_is_refused(path: Path) -> None:
    """Checked open, then closed by another thread, then queued: it must be answered too."""
    file = StoreFile(path, 1.0, read_only=False)
    file.prepare()
    writer = GroupWriter(file)
    writer.close()
    writer._accepting = True
    with pytest.raises(StoreUnavailable):
        writer.perform(lambda db: 1)


def test_the_log_is_emptied_though_readers_always_overlap(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite alone never empties it then: without our help it grew past 30 MB in this test."""
    monkeypatch.setattr(sqlite_writer, "WAL_LIMIT", 2**20)
    done, sizes = Event(), []
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row()))
        readers = [Thread(target=_read_overlapping, args=(path, done)) for _ in range(2)]
        for reader in readers:
            reader.start()
        try:
            for number in range(2, 1500):
                assert kernel.commit("p", put(a_row(version=number, body={"x": str(number % 10) * 20_000})))
                sizes.append(kernel._file.wal_size())
        finally:
            done.set()
            for reader in readers:
                reader.join()
    assert max(sizes) < 12 * 2**20


def _read_overlapping(path: Path, done: Event) -> None:
    """Hold one snapshot or the next at every moment, each for a short while."""
    with closing(sqlite3.connect(path, isolation_level=None)) as one, closing(sqlite3.connect(path)) as other:
        other.isolation_level = None
        for opens, ends in cycle([(one, other), (other, one)]):
            opens.execute("BEGIN")
            opens.execute("SELECT count(*) FROM records").fetchone()
            if ends.in_transaction:
                ends.execute("COMMIT")
            if done.wait(0.02):
                return

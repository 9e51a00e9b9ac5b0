"""What is peculiar to the SQLite store in daily use; the contract is tested in tests/contract."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.unit.stores.sqlite_tools import a_row, on_connect, put, raw, said_by, write_lock_held

from interlock.errors import StoreError, UnreadableRecord
from interlock.stores.kernel import Page
from interlock.stores.sqlite import kernel as module
from interlock.stores.sqlite.kernel import SqliteKernel

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it's 100%? #1" / "store.db"


@pytest.fixture
def kernel(path: Path) -> Iterator[SqliteKernel]:
    kernel = SqliteKernel(path)
    yield kernel
    kernel.close()


def test_a_commit_waits_for_the_disk_and_readers_have_a_log(kernel: SqliteKernel) -> None:
    assert kernel.commit("p", put(a_row()))
    db = kernel._writer._connection()
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_columns_hold_what_the_documentation_says(kernel: SqliteKernel, path: Path) -> None:
    kernel.commit("p", put(a_row(wake_at=NOON + timedelta(microseconds=7), body={"b": "é", "a": 1})))
    assert raw(path, "SELECT body, typeof(body), wake_at FROM records") == [
        ('{"a":1,"b":"é"}', "text", 1772884800000007)
    ]


@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (module._GET, 2, "PRIMARY KEY (pk=? AND sk=?)"),
        (module._ROWS, 4, "PRIMARY KEY (pk=? AND sk>? AND sk<?)"),
        (module._ROWS_BACK, 4, "PRIMARY KEY (pk=? AND sk>? AND sk<?)"),
        (module._DUE, 2, "COVERING INDEX records_due (wake_at<?)"),
        (module._LISTING, 5, "INDEX records_listing (kind=? AND (rank,pk,sk)>(?,?,?))"),
        (module._LISTING_BACK, 5, "INDEX records_listing (kind=? AND (rank,pk,sk)<(?,?,?))"),
        (module._PURGE, 2, "INDEX records_expiry (expires_at<?)"),
    ],
)
def test_every_query_is_a_range_of_one_index_and_sorts_nothing(
    kernel: SqliteKernel, path: Path, query: str, arguments: int, index: str
) -> None:
    """T-65: no scan, however many rows there are."""
    with closing(sqlite3.connect(path)) as db:
        plan = " | ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + query, ("x",) * arguments))
    assert index in plan
    assert "SCAN" not in plan.replace("SCAN CONSTANT ROW", "")
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("body", ["'{'", "'[1]'", "'7'", "CAST(x'7b22ff227d' AS TEXT)"])
def test_a_row_somebody_damaged_is_named_and_never_skipped(kernel: SqliteKernel, path: Path, body: str) -> None:
    """T-55: one bad row must not shorten a list."""
    kernel.commit("p", put(a_row("good", kind="k", wake_at=NOON), a_row("bad", kind="k", wake_at=NOON)))
    raw(path, f"UPDATE records SET body = {body} WHERE sk = 'bad'")
    for look in (
        lambda: kernel.get("p", "bad"),
        lambda: kernel.rows("p", "", Page()),
        lambda: kernel.listing("k", Page()),
    ):
        with pytest.raises(UnreadableRecord, match="the row 'bad' of 'p'"):
            look()
    assert [place.sk for place in kernel.due(NOON, 10)] == ["bad", "good"]
    assert kernel.get("p", "good") == a_row("good", kind="k", wake_at=NOON)


def test_readers_go_on_while_another_process_writes(kernel: SqliteKernel, path: Path) -> None:
    kernel.commit("p", put(a_row(kind="k", wake_at=NOON)))
    with write_lock_held(path):
        assert kernel.get("p", "a") is not None
        assert len(kernel.rows("p", "", Page())) == 1
        assert len(kernel.due(NOON, 1)) == 1
        with closing(SqliteKernel(path)) as other:
            assert len(other.listing("k", Page())) == 1


def test_who_only_reads_writes_nothing_and_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row()))
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir()))
    statements: list[str] = []
    on_connect(monkeypatch, lambda db: db.set_trace_callback(statements.append))
    with closing(SqliteKernel(path)) as kernel:
        assert kernel.get("p", "a") == a_row()
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())) == before
    # A plain BEGIN holds one snapshot and takes no lock to write.
    assert not [line for line in statements if line != "BEGIN" and not line.startswith(("SELECT", "PRAGMA"))]


def test_a_read_only_store_reads_and_refuses_to_write(path: Path) -> None:
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row()))
    with closing(SqliteKernel(path, read_only=True)) as kernel:
        assert kernel.get("p", "a") == a_row()
        with pytest.raises(StoreError, match="opened for reading only"):
            kernel.commit("p", put(a_row(version=2)))
        kernel.ping()
        assert kernel.get("p", "a") == a_row()


def test_a_read_only_store_is_not_created(path: Path) -> None:
    path.parent.mkdir()
    with pytest.raises(StoreError, match="does not exist or is empty"):
        SqliteKernel(path, read_only=True)
    assert list(path.parent.iterdir()) == []


def test_nothing_is_left_open_after_close(path: Path) -> None:
    threads = set(threading.enumerate())
    kernel = SqliteKernel(path)
    together = [threading.Thread(target=_use, args=(kernel, str(me))) for me in range(12)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert _open_files(path)
    kernel.close()
    assert _open_files(path) == []
    assert set(threading.enumerate()) <= threads
    assert sorted(path.parent.iterdir()) == [path]


def test_threads_that_die_leave_no_connections(kernel: SqliteKernel, path: Path) -> None:
    _use(kernel, "first")
    before = _open_files(path)
    for number in range(40):
        thread = threading.Thread(target=_use, args=(kernel, str(number)))
        thread.start()
        thread.join()
    assert _open_files(path) == before


def test_many_reads_at_once_leave_few_connections_open(kernel: SqliteKernel) -> None:
    held = [kernel._readers.take() for _ in range(30)]
    for db in held:
        kernel._readers.give(db)
    assert len(kernel._readers._idle) == module._MAX_IDLE


def test_a_forked_child_is_refused_and_the_parent_is_unharmed(path: Path) -> None:
    said = said_by(
        """
import os, sys
from pathlib import Path
from interlock.errors import StoreError
from interlock.stores.kernel import Put, Record
from interlock.stores.sqlite.kernel import SqliteKernel
row = lambda version: [Put(Record(pk="p", sk="a", version=version, body={}))]
kernel = SqliteKernel(Path(sys.argv[1]))
assert kernel.commit("p", row(1)) and kernel.get("p", "a")
child = os.fork()
if child == 0:
    for use in (lambda: kernel.get("p", "a"), lambda: kernel.commit("p", row(2)), kernel.ping):
        try:
            use()
        except StoreError as exc:
            print("refused" if "Open the store again in the child" in str(exc) else exc)
    kernel.close()
    again = SqliteKernel(Path(sys.argv[1]))
    print(again.commit("p", row(2)), flush=True)
    again.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(kernel.commit("p", row(2)), kernel.commit("p", row(3)), kernel.get("p", "a").version)
kernel.close()
""",
        path,
    )
    assert said.splitlines() == ["refused", "refused", "refused", "True", "False True 3"]
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_opening_is_light_in_modules() -> None:
    """A command that only looks at a status opens the store: nothing heavy may come with it."""
    said = said_by("import sys, interlock.stores.sqlite.kernel; print(*sorted(sys.modules))")
    assert not {"asyncio", "logging", "subprocess", "json", "concurrent.futures", "socket"} & set(said.split())


def _use(kernel: SqliteKernel, pk: str) -> None:
    assert kernel.commit(pk, put(a_row(pk=pk)))
    assert kernel.get(pk, "a") == a_row(pk=pk)


def _open_files(path: Path) -> list[str]:
    return sorted(file.path for file in psutil.Process().open_files() if file.path.startswith(str(path)))

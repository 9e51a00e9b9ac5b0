"""Files that are new, old, foreign, damaged, forbidden, or on a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.stores.sqlite_tools import a_row, on_connect, put, python, raw, said_by

from interlock.errors import StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Page, Put, Record
from interlock.stores.sqlite import files as sqlite_files
from interlock.stores.sqlite.kernel import SqliteKernel

CRASH_WITH_LOG = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    db.execute(statement)
os._exit(0)
"""
OPEN_AND_PUT = """
import sys
from pathlib import Path
from interlock.stores.kernel import Put, Record
from interlock.stores.sqlite.kernel import SqliteKernel
print("ready", flush=True)
sys.stdin.readline()
kernel = SqliteKernel(Path(sys.argv[1]))
print(kernel.commit("p", [Put(Record(pk="p", sk=sys.argv[2], version=1, body={}))]))
kernel.close()
"""
AS_NOBODY = """
import os, sys
from pathlib import Path
from interlock.errors import StoreError
from interlock.stores.kernel import Put, Record
from interlock.stores.sqlite.kernel import SqliteKernel
import interlock.stores.rows, interlock.stores.sqlite.errors, urllib.parse
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    kernel = SqliteKernel(Path(sys.argv[1]))
    print("opened", kernel.get("p", "a") is not None)
    try:
        kernel.ping()
    except StoreError as exc:
        print("ping", type(exc).__name__)
    kernel.commit("p", [Put(Record(pk="p", sk="b", version=1, body={}))])
    print("committed")
except StoreError as exc:
    print(type(exc).__name__, exc)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Path:
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row(), *(a_row(f"{number:03}", body={"x": "x" * 900}) for number in range(90))))
    return path


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory other users can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-test-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_the_schema_version_is_the_number_of_the_last_migration() -> None:
    numbers = [number for number, _ in sqlite_files._migrations()]
    assert numbers == list(range(1, sqlite_files.SCHEMA_VERSION + 1))


def test_a_file_says_whose_it_is_and_how_old(store: Path) -> None:
    assert raw(store, "PRAGMA application_id") == [(sqlite_files.APPLICATION_ID,)]
    assert raw(store, "PRAGMA user_version") == [(sqlite_files.SCHEMA_VERSION,)]


def test_processes_that_create_a_store_at_once_all_succeed(tmp_path: Path) -> None:
    for round_ in range(4):
        path = tmp_path / f"{round_}" / "store.db"
        racers = [python(OPEN_AND_PUT, path, me) for me in range(6)]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(6) as pool:
            said = list(pool.map(lambda racer: racer.communicate("\n", timeout=30)[0], racers))
        assert said == ["True\n"] * 6
        with closing(SqliteKernel(path)) as kernel:
            assert [row.sk for row in kernel.rows("p", "", Page())] == list("012345")


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_creation_that_was_killed_halfway_is_begun_again(path: Path, journal: str) -> None:
    spill = ["PRAGMA cache_size = 1", "BEGIN", "CREATE TABLE records (x)"]
    fill = ["INSERT INTO records VALUES (randomblob(9000))"] * 20
    said_by(CRASH_WITH_LOG, path, f"PRAGMA journal_mode = {journal}", *spill, *fill)
    with closing(SqliteKernel(path)) as kernel:
        assert kernel.commit("p", put(a_row())) is True


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with closing(SqliteKernel(path)) as kernel:
        assert kernel.commit("p", put(a_row())) is True


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [(1, ["CREATE TABLE records (x)", "CREATE TABLE nonsense ("])]
    monkeypatch.setattr(sqlite_files, "_migrations", lambda: iter(steps))
    with pytest.raises(StoreError, match="cannot create or migrate"):
        SqliteKernel(path)
    assert raw(path, "SELECT count(*) FROM sqlite_schema") == [(0,)]
    monkeypatch.undo()
    with closing(SqliteKernel(path)) as kernel:
        kernel.ping()


def test_a_newer_store_is_left_byte_for_byte(store: Path) -> None:
    """Even with a log its writer left behind, which any ordinary connection would empty into the file on closing."""
    said_by(CRASH_WITH_LOG, store, "PRAGMA user_version = 99", "UPDATE records SET version = 7")
    before = {file.name: file.read_bytes() for file in store.parent.iterdir() if not file.name.endswith("-shm")}
    assert store.name + "-wal" in before
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match=rf"{store}: a later Interlock wrote it \(schema 99"):
            SqliteKernel(store, read_only=read_only)
    after = {file.name: file.read_bytes() for file in store.parent.iterdir() if not file.name.endswith("-shm")}
    assert after == before


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    raw(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="some other program"):
        SqliteKernel(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"name: daily\n", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 4080])
def test_what_is_no_database_is_named_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=str(path)) as caught:
        SqliteKernel(path)
    assert not isinstance(caught.value, StoreUnavailable)
    assert path.read_bytes() == content


def test_a_truncated_store_is_damaged(store: Path) -> None:
    os.truncate(store, store.stat().st_size // 2)
    with pytest.raises(StoreError, match=f"{store}: the file is damaged"), closing(SqliteKernel(store)) as kernel:
        kernel.rows("p", "", Page())


def test_damage_inside_is_said_when_it_is_met_and_never_read_as_absence(store: Path) -> None:
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (store.stat().st_size - 4096))
    with closing(SqliteKernel(store)) as kernel:
        with pytest.raises(StoreError, match="the file is damaged"):
            kernel.get("p", "050")
        with pytest.raises(StoreError, match="the file is damaged"):
            kernel.commit("p", put(a_row("050", version=2)))


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it is a directory"):
        SqliteKernel(tmp_path)


def test_only_the_directory_right_above_is_created(tmp_path: Path) -> None:
    with closing(SqliteKernel(tmp_path / ".interlock" / "store.db")) as kernel:
        kernel.ping()
    with pytest.raises(StoreError, match="directory does not exist"):
        SqliteKernel(tmp_path / "typo" / ".interlock" / "store.db")
    assert not (tmp_path / "typo").exists()


def test_a_user_who_may_not_write_the_file_is_told(open_to_all: Path) -> None:
    path = _readable_store(open_to_all)
    said = said_by(AS_NOBODY, path).splitlines()
    assert said[:2] == ["opened True", "ping StoreUnavailable"]
    assert said[2].startswith(f"StoreError cannot write the store {path}: this user may not write the file")


def test_a_user_who_may_not_write_the_directory_is_told(open_to_all: Path) -> None:
    path = _readable_store(open_to_all)
    path.chmod(0o666)
    open_to_all.chmod(0o555)
    said = said_by(AS_NOBODY, path)
    assert said.startswith("StoreError")
    assert f"the store {path}: this user may not write the file or its directory" in said


def test_a_user_who_may_not_read_the_file_is_told(open_to_all: Path) -> None:
    path = _readable_store(open_to_all)
    path.chmod(0o000)
    said = said_by(AS_NOBODY, path)
    assert said.startswith(f"StoreError cannot open the store {path}: this user may not write the file")


def test_a_user_who_may_not_create_the_file_is_told(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    said = said_by(AS_NOBODY, open_to_all / "store.db")
    assert said.startswith(f"StoreError cannot create or migrate the store {open_to_all}/store.db: this user may not")


def test_a_file_that_may_not_grow_is_full_and_works_again_when_it_may(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_connect(monkeypatch, lambda db: db.execute("PRAGMA max_page_count = 20"))
    with closing(SqliteKernel(path)) as kernel:
        kept = _fill(kernel)
        assert len(kernel.rows("p", "", Page())) == kept
    monkeypatch.undo()
    with closing(SqliteKernel(path)) as kernel:
        assert len(kernel.rows("p", "", Page())) == kept
        assert kernel.commit("p", put(a_row("more", body={"x": "x" * 9000}))) is True


def test_a_full_disk_loses_nothing_and_the_store_works_again_when_there_is_space(tmp_path: Path) -> None:
    """The commit itself fails here, not the statement before it: all who share it are told, none of it is seen."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("only root can mount a small disk, and not in every container")
    try:
        with closing(SqliteKernel(disk / "store.db")) as kernel:
            assert kernel.commit("p", put(a_row("first")))
            ballast = disk / "ballast"
            ballast.write_bytes(b"x" * 600_000)
            kept = _fill(kernel)
            with ThreadPoolExecutor(8) as pool:
                tries = [pool.submit(kernel.commit, f"q{n}", put(_large("a", f"q{n}"))) for n in range(8)]
            assert all(isinstance(each.exception(), StoreUnavailable) for each in tries)
            assert all(kernel.get(f"q{number}", "a") is None for number in range(8))
            assert len(kernel.rows("p", "", Page())) == kept + 1
            ballast.unlink()
            assert kernel.commit("p", put(_large("more"))) is True
            kernel.ping()
            assert raw(disk / "store.db", "PRAGMA integrity_check") == [("ok",)]
    finally:
        subprocess.run(["umount", disk], check=True)


def _large(sk: str, pk: str = "p") -> Record:
    return a_row(sk, pk=pk, body={"x": "x" * 20_000})


def _fill(kernel: SqliteKernel) -> int:
    """Write until there is no space; return how many rows were taken. Half of each batch is small and would fit."""
    for number in range(200):
        try:
            kernel.commit("p", put(a_row(f"{number:04}b", body={"x": "x" * 20_000})))
        except StoreUnavailable:
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                kernel.commit("p", put(a_row("small"), a_row("large", body={"x": "x" * 60_000})))
            return number
    raise AssertionError("the disk never filled")


def _readable_store(folder: Path) -> Path:
    path = folder / "store.db"
    with closing(SqliteKernel(path)) as kernel:
        kernel.commit("p", put(a_row()))
    path.chmod(0o444)
    return path


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_whose_file_was_moved_away_takes_nothing_more(tmp_path: Path, replaced: bool) -> None:
    """What is written into a file that has no name any more is lost, and the next process would start everything anew."""
    path = tmp_path / "store.db"
    with closing(SqliteKernel(path)) as kernel:
        assert kernel.commit("p", [Put(Record(pk="p", sk="one", version=1, body={}))])
        path.rename(tmp_path / "elsewhere.db")
        if replaced:
            SqliteKernel(path).close()
        with pytest.raises(StoreError, match="moved or removed"):
            kernel.commit("p", [Put(Record(pk="p", sk="two", version=1, body={}))])

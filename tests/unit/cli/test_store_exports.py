"""`interlock store export` and `store import`: what is not whole is neither written nor believed."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.cli.store_tools import EXPORT, at_work, changed, gone, rows_of, spoilt
from tests.unit.cli.terminal import Terminal, now

from interlock.runtime import moving
from interlock.stores import keys
from interlock.stores.kernel import Put, Record, Walk
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.conformance.kernel_values import HOUR, a_record


def test_an_export_goes_to_a_file_of_the_owner_alone_and_leaves_nothing_beside_it(kept: Terminal) -> None:
    said = kept("store", "export", "--to", EXPORT)
    file = kept.root / EXPORT
    assert said.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert json.loads(lines[0])["project"] == kept.root.name
    assert json.loads(lines[-1])["count"] == len(lines) - 2
    assert json.loads(lines[-1])["digest"] in said.err
    assert [path.name for path in kept.root.iterdir() if ".part" in path.name] == []


def test_an_export_whose_name_says_so_is_compressed_and_the_same(kept: Terminal) -> None:
    plain = kept("store", "export").out
    assert kept("store", "export", "--to", "store.jsonl.gz").code == 0
    packed = gzip.decompress((kept.root / "store.jsonl.gz").read_bytes()).decode()
    assert packed.splitlines()[1:] == plain.splitlines()[1:]


def test_an_export_is_refused_while_somebody_is_at_work(kept: Terminal) -> None:
    at_work(kept)
    said = kept("store", "export", "--to", EXPORT)
    assert said.code == 7
    assert "somebody is at work on the store (the watcher w)" in said.err
    assert not (kept.root / EXPORT).exists()
    assert kept("store", "export", "--to", EXPORT, "--live").code == 0
    gone(kept)
    refused = kept("store", "import", EXPORT)
    assert refused.code == 2
    assert "exported while somebody was at work" in refused.err


@pytest.mark.parametrize(
    ("role", "here", "there", "code"),
    [
        ("watcher", True, True, 7),
        ("watchdog", True, True, 7),
        ("watcher", True, False, 0),  # its process is certainly gone
        ("watchdog", False, True, 0),  # one elsewhere starts nothing, and is stopped by its next write
    ],
)
def test_who_is_at_work_is_known_by_its_lease_and_its_process(
    kept: Terminal,
    role: str,
    here: bool,
    there: bool,
    code: int,
) -> None:
    host = socket.gethostname() if here else "elsewhere"
    at_work(kept, role=role, host=host, pid=os.getpid() if there else 2**22 + 1)
    assert kept("store", "export", "--to", EXPORT).code == code


def test_a_row_that_cannot_be_read_ends_an_export_unless_it_may_be_left_out(kept: Terminal) -> None:
    """T-118: never silently."""
    spoilt(kept, keys.run_sk(1))
    said = kept("store", "export", "--to", EXPORT)
    assert said.code == 3
    assert keys.run_sk(1) in said.err
    assert not (kept.root / EXPORT).exists()
    said = kept("store", "export", "--to", EXPORT, "--skip-unreadable")
    assert said.code == 0
    assert "1 rows could not be read and are missing" in said.err
    trailer = json.loads((kept.root / EXPORT).read_text().splitlines()[-1])
    assert [row["sk"] for row in trailer["unreadable"]] == [keys.run_sk(1)]
    gone(kept)
    refused = kept("store", "import", EXPORT)
    assert refused.code == 2
    assert "1 rows are missing" in refused.err
    assert kept("store", "import", EXPORT, "--accept-missing").code == 0


def test_a_full_disk_leaves_no_export_and_the_one_before_as_it_was(
    kept: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kept.root / EXPORT
    file.write_text("the one before")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("interlock.runtime.export_files.os.fsync", full)
    said = kept("store", "export", "--to", EXPORT)
    assert said.code == 3
    assert "No space left on device. Nothing is left of it" in said.err
    assert file.read_text() == "the one before"
    assert [path for path in kept.root.iterdir() if ".part" in path.name] == []


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EPIPE, "nobody reads on")]
)
def test_a_stream_that_takes_no_more_is_told_of_in_words(
    kept: Terminal, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def full(_data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    stream = SimpleNamespace(buffer=SimpleNamespace(write=full), flush=lambda: None, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdout", stream)
    said = kept("store", "export")
    assert said.code == 3
    assert f"cannot write the export to stdout: {words}." in said.err


def test_a_device_is_never_replaced_by_a_file(kept: Terminal) -> None:
    said = kept("store", "export", "--to", "/dev/null")
    assert said.code == 2
    assert not Path("/dev/null").is_file()


def test_a_store_that_changes_while_it_is_exported_gives_no_export(
    kept: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two instants fit together nowhere."""
    meanwhile(monkeypatch, lambda: changed(kept, Put(a_record())), on=2)
    said = kept("store", "export", "--to", EXPORT)
    assert said.code == 75
    assert "the store changed while it was exported" in said.err
    assert not (kept.root / EXPORT).exists()


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], *, on: int) -> None:
    """Let something happen when a store is walked for the n-th time."""
    real, count = SqliteKernel.walk, iter(range(1, 1000))

    def walk(kernel: SqliteKernel, after: str | None, limit: int) -> Walk:
        if next(count) == on:
            act()
        return real(kernel, after, limit)

    monkeypatch.setattr(SqliteKernel, "walk", walk)


def test_what_has_expired_is_not_taken_along(kept: Terminal) -> None:
    """A store may remove it at any time, also between two looks."""
    changed(kept, Put(a_record(expires_at=now() - HOUR)), Put(a_record(sk="b", expires_at=now() + HOUR)))
    assert [row["sk"] for row in rows_of(kept("store", "export").out) if row["pk"] == "p"] == ["b"]


def test_an_import_gives_the_store_that_was_exported(kept: Terminal) -> None:
    first = kept("store", "export", "--to", EXPORT)
    gone(kept)
    said = kept("store", "import", EXPORT)
    assert said.code == 0
    again = kept("store", "export")
    assert again.err.split()[-1] == first.err.split()[-1] == said.err.split()[-1]
    assert kept("store", "check").code == 0
    assert kept("run", "orders").code == 7, "it knows what has run"


def test_an_import_may_come_by_stdin_and_compressed(kept: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept("store", "export", "--to", "store.jsonl.gz").code == 0
    gone(kept)
    data = (kept.root / "store.jsonl.gz").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert kept("store", "import", "-").code == 0
    assert kept("store", "check").code == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: data.replace(b'"version":1', b'"version":2', 1), "changed, lost or added"),
        (lambda data: data.replace(b'"formatVersion":1', b'"formatVersion":9'), "format is of version 9"),
        (lambda data: b"".join(line * (1 + (b"SPEC" in line)) for line in data.splitlines(True)), "is there twice"),
        (lambda data: gzip.compress(data)[:-20], "cannot be read on"),
        (lambda data: gzip.compress(data)[:40] + b"\0" * 40 + gzip.compress(data)[80:], "cannot be read"),
        (lambda _data: b"", "it is no export"),
    ],
)
def test_a_damaged_export_is_refused_and_nothing_is_written(
    kept: Terminal, spoil: Callable[[bytes], bytes], words: str
) -> None:
    assert kept("store", "export", "--to", EXPORT).code == 0
    gone(kept)
    file = kept.root / EXPORT
    file.write_bytes(spoil(file.read_bytes()))
    said = kept("store", "import", EXPORT)
    assert said.code == 2
    assert words in said.err
    assert kept("store", "check", "--json").document["rows"] == 0
    assert kept("status").code == 0, "the store is not closed either"


def test_a_store_that_is_not_empty_is_never_written_over(kept: Terminal) -> None:
    assert kept("store", "export", "--to", EXPORT).code == 0
    before = rows_of(kept("store", "export").out)
    said = kept("store", "import", EXPORT)
    assert said.code == 7
    assert "is not empty" in said.err
    assert rows_of(kept("store", "export").out) == before
    assert kept("status").code == 0


def test_an_export_of_another_project_is_refused_unless_it_is_meant(kept: Terminal) -> None:
    assert kept("store", "export", "--to", EXPORT).code == 0
    gone(kept)
    file = kept.root / EXPORT
    file.write_text(file.read_text().replace(f'"project":"{kept.root.name}"', '"project":"billing"', 1))
    said = kept("store", "import", EXPORT)
    assert said.code == 2
    assert "an export of the project 'billing'" in said.err
    assert kept("store", "import", EXPORT, "--from-project", "billing").code == 0


def test_a_file_that_is_not_there_is_not_found(terminal: Terminal) -> None:
    assert terminal("store", "import", "nowhere.jsonl").code == 8


def test_an_import_that_was_broken_off_closes_the_store_and_is_gone_on_with(
    kept: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may believe half a history."""
    first = kept("store", "export", "--to", EXPORT)
    gone(kept)
    monkeypatch.setattr(moving, "BATCH", 3)
    real = SqliteKernel.restore

    def dies(kernel: SqliteKernel, records: list[Record]) -> None:
        real(kernel, records)
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteKernel, "restore", dies)
    assert kept("store", "import", EXPORT).code == 130
    for verb in (["run", "orders"], ["status"], ["history", "orders"]):
        said = kept(*verb)
        assert said.code == 3
        assert f"an import from {EXPORT} into it began at" in said.err
    assert kept("store", "check", "--json").document["closed"]
    monkeypatch.setattr(SqliteKernel, "restore", real)
    other = kept.root / "other.jsonl"
    other.write_text(an_empty_export(kept))
    assert kept("store", "import", str(other)).code == 7
    said = kept("store", "import", EXPORT)
    assert said.code == 0
    assert said.err.split()[-1] == first.err.split()[-1]
    assert kept("status").code == 0


def an_empty_export(terminal: Terminal) -> str:
    lines = (terminal.root / EXPORT).read_text().splitlines(keepends=True)
    trailer = json.loads(lines[-1])
    return lines[0] + json.dumps({**trailer, "count": 0, "digest": f"sha256-sum:{0:064x}"}) + "\n"


def test_a_store_that_does_not_keep_what_it_was_given_stays_closed(
    kept: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept("store", "export", "--to", EXPORT).code == 0
    gone(kept)
    real = SqliteKernel.restore
    monkeypatch.setattr(SqliteKernel, "restore", lambda kernel, records: real(kernel, records[1:]))
    said = kept("store", "import", EXPORT)
    assert said.code == 3
    assert "It stays closed" in said.err
    assert kept("status").code == 3

"""Stores that cannot be read: one message, the right code, and not a byte changed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, a_script, begin, environment, interlock

READING = [("status",), ("status", "orders"), ("why", "orders"), ("history", "orders"), ("events", "orders")]
AS_NOBODY = """
import glob, os, sys
from interlock.cli.main import run_cli
if os.geteuid() == 0:
    run_cli(["status"])  # everything is imported by it: nobody may not read every Python
    for left in glob.glob(".interlock/interlock.db-*"):
        os.remove(left)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(run_cli(["status"]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = a_project(tmp_path)
    assert interlock("run", "orders", cwd=root).code == 0
    return root


def _store(project: Path) -> Path:
    return project / ".interlock/interlock.db"


@pytest.mark.parametrize("argv", READING)
def test_reading_leaves_the_store_as_it_was(project: Path, argv: tuple[str, ...]) -> None:
    """T-97."""
    before = _store(project).read_bytes()
    assert interlock(*argv, "--json", cwd=project).code == 0
    assert _store(project).read_bytes() == before


@pytest.mark.parametrize("argv", READING)
def test_a_damaged_store_is_undecided_and_says_what_to_do(project: Path, argv: tuple[str, ...]) -> None:
    _store(project).write_bytes(b"this is no database" * 500)
    said = interlock(*argv, cwd=project)
    assert (said.code, said.out) == (3, "")
    assert "not a SQLite database" in said.err
    assert "Traceback" not in said.err


def test_a_store_of_a_later_version_is_left_alone(project: Path) -> None:
    with closing(sqlite3.connect(_store(project))) as db:
        db.execute("PRAGMA user_version = 999")
    before = _store(project).read_bytes()
    said = interlock("status", cwd=project)
    assert said.code == 3
    assert "Upgrade Interlock" in said.err
    assert _store(project).read_bytes() == before


def test_a_timeline_that_cannot_be_read_is_an_error_and_never_a_shorter_list(project: Path) -> None:
    """T-118."""
    with closing(sqlite3.connect(_store(project))) as db, db:
        db.execute("UPDATE records SET body = '{}' WHERE sk LIKE 'JOURNAL#000001#00000002'")
    said = interlock("events", "orders", cwd=project)
    assert (said.code, said.out) == (3, "")
    assert "cannot be read" in said.err
    assert "bug in Interlock" not in said.err


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that other users may enter, which a test's own is not."""
    with tempfile.TemporaryDirectory(prefix="interlock-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_directory_that_may_not_be_written_is_named(shared: Path) -> None:
    root = a_project(shared / "project")
    assert interlock("run", "orders", cwd=root).code == 0
    _store(root).parent.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    _store(root).parent.chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert "Correct owner and permissions" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_own_code_and_one_line(tmp_path: Path, number: int, code: int) -> None:
    root = a_project(tmp_path)
    a_script(root / "evaluators" / "check", "touch asked; sleep 20")
    process = begin("evaluate", "orders", cwd=root)
    deadline = time.monotonic() + 30
    while not (root / "asked").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err

"""The watchdog as a process: it goes its rounds, and leaves in order when it is told to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, begin, interlock

MINUTE = 60


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watchdog_that_is_told_to_stop_finishes_its_scan_and_leaves_with_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    """BUG-194."""
    root = a_project(tmp_path / "project")
    watchdog = begin("watchdog", cwd=root)
    assert watchdog.stdout is not None
    assert watchdog.stderr is not None
    assert watchdog.stderr.readline() == "interlock: the watchdog looks every 5m; stop it with Ctrl-C or SIGTERM\n"
    _seen(root)
    os.kill(watchdog.pid, number)
    out, err = watchdog.communicate(timeout=MINUTE)
    assert (watchdog.returncode, err) == (0, "")
    assert out.splitlines()[0].endswith("ok  nothing to tell")
    assert "watchdog" not in interlock("status", cwd=root).out


def _seen(root: Path) -> list[dict[str, object]]:
    """Wait until a watchdog has shown a sign of life, and return all there are."""
    members: list[dict[str, object]] = []
    while not members:
        members = interlock("status", "--json", cwd=root).document["members"]
    return members


def test_a_watchdog_that_was_killed_is_shown_as_gone_and_the_next_one_goes_on(tmp_path: Path) -> None:
    root = a_project(tmp_path / "project")
    watchdog = begin("watchdog", cwd=root)
    assert watchdog.stderr is not None
    watchdog.stderr.readline()
    members = _seen(root)
    watchdog.kill()
    watchdog.communicate(timeout=MINUTE)
    assert [member["role"] for member in members] == ["watchdog"]
    assert interlock("watchdog", "--once", cwd=root).code == 0
    assert len(interlock("status", "--json", cwd=root).document["members"]) == 1

"""A project of one pipeline, and a terminal in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from tests.acceptance.cli import a_project
from tests.unit.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    for name in [name for name in os.environ if name.startswith(("INTERLOCK_", "_INTERLOCK"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("EVALUATOR_BASE_URL", raising=False)
    root = a_project(tmp_path / "project", timezone="UTC")
    monkeypatch.chdir(root)
    before = signal.getsignal(signal.SIGTERM)
    with time_machine.travel(datetime(2026, 3, 7, 12, tzinfo=UTC)):  # not across a midnight, whatever the hour
        yield Terminal(root, capsys)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def kept(terminal: Terminal) -> Terminal:
    """A terminal in a project whose one run has ended well."""
    assert terminal("run", "orders").code == 0
    return terminal

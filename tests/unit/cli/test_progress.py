"""What is said to people who wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from tests.unit.cli.terminal import Terminal

from interlock.cli import progress
from interlock.cli.progress import patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)


def _told(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], Event]:
    lines: list[str] = []
    said = Event()

    def tell(text: str) -> None:
        lines.append(text)
        said.set()

    monkeypatch.setattr(progress, "tell", tell)
    return lines, said


def test_what_takes_long_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, said = _told(monkeypatch)
    with patience("asking"):
        assert said.wait(10)
    assert lines == ["asking"]


def test_what_is_quick_or_told_otherwise_or_for_a_program_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, said = _told(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 0.2)
    with patience("asking"):
        pass
    with patience("asking") as waiting:
        waiting.end()
        assert not said.wait(0.3)
    with patience("asking", quiet=True):
        assert not said.wait(0.3)
    assert lines == []


class AtOnce:
    """A timer whose time has come when it is started."""

    def __init__(self, interval: float, function: Callable[..., None], args: Any) -> None:
        assert interval > 0
        self._function, self._args = function, args

    def start(self) -> None:
        self._function(*self._args)

    def cancel(self) -> None:
        return


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("evaluate", "orders"), "asking the traits of orders"),
        (("validate",), "reading every file of the project"),
        (("store", "check"), "verifying every row of the store"),
        (("store", "export", "--to", "rows.jsonl"), "exporting every row of the store"),
        (("store", "migrate"), "bringing the store up to date"),
        (("alerts", "test"), "trying every channel"),
        (("run", "orders"), "asking the traits of orders"),
        (("rerun", "orders", "--reason", "once more"), "asking the traits of orders"),
        (("ping", "orders", "success"), "asking the traits of orders"),
    ],
)
def test_whatever_may_take_longer_than_a_second_says_what_is_waited_for(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr(progress, "Timer", AtOnce)
    if argv[0] in {"store", "rerun"}:
        terminal("run", "orders")
    said = terminal(*argv)
    assert words in said.err, said


@pytest.mark.parametrize("watched", [True, False])
def test_reading_many_files_is_told_to_whoever_reads_along(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr(progress, "Timer", AtOnce)
    monkeypatch.setattr(progress, "watched", lambda: watched)
    assert ("reading the files of the project" in terminal("status").err) is watched


@pytest.mark.parametrize(
    "argv", [("evaluate", "orders"), ("validate",), ("rerun", "orders", "--reason", "x"), ("store", "check")]
)
def test_a_program_that_asks_for_json_is_told_nothing_meanwhile(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.setattr(progress, "Timer", AtOnce)
    terminal("run", "orders")
    assert terminal(*argv, "--json").err == ""


def test_an_import_says_what_is_waited_for(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal("run", "orders")
    assert terminal("store", "export", "--to", "rows.jsonl").code == 0
    for file in (terminal.root / ".interlock").glob("interlock.db*"):
        file.unlink()
    monkeypatch.setattr(progress, "Timer", AtOnce)
    assert "importing" in terminal("store", "import", "rows.jsonl").err

"""What is said to people who wait."""

from __future__ import annotations

from threading import Event

import pytest

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

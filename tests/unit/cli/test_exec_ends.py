"""The end of a command that `interlock exec` has run, where the store cannot be used."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from tests.unit.operations.office import NOW, Office, an_office

from interlock.cli import foreground
from interlock.cli.foreground import Play
from interlock.core.schedules import current_window
from interlock.errors import StoreUnavailable


class Waits:
    """A pacer that waits for nothing, and lets a signal arrive at one of its waits."""

    def __init__(self, play: Play, signal_at: int) -> None:
        self.count = 0
        self._play = play
        self._signal_at = signal_at

    def until(self, when: datetime) -> None:
        self.count += 1
        if self.count == self._signal_at:
            self._play._stage.hurried = True


def _play(office: Office) -> Play:
    spec = office.desk.project.pipelines["orders"].spec
    return Play(office.desk, spec, current_window(spec.name, spec.schedules[0], NOW), ["true"])


@pytest.mark.parametrize(("signal_at", "waits"), [(0, 29), (2, 2)])
def test_it_is_tried_to_be_recorded_until_a_signal_and_then_said_with_the_command_that_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signal_at: int, waits: int
) -> None:
    """G3: whoever presses Ctrl-C is not kept by a store that never comes back, and the fact is not lost in silence."""

    def gone(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with an_office(tmp_path / "project") as office:
        play = _play(office)
        pacer = Waits(play, signal_at)
        monkeypatch.setattr(play, "_pacer", pacer)
        monkeypatch.setattr(foreground, "complete", gone)
        play._record(3)
    assert pacer.count == waits
    said = capsys.readouterr().err
    assert "the command ended with 3, and that could not be recorded: the disk is full" in said
    assert "interlock complete orders:daily:2026-03-07:1 --status failed" in said

"""Following the files where no watcher does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.acceptance.cli import PIPELINE, a_project

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import StoreUnavailable
from interlock.runtime.rereading import Rereader
from interlock.runtime.wiring import Interlock


class Place:
    """A project at work, and what was said about its files."""

    def __init__(self, root: Path) -> None:
        self.root = a_project(root)
        self.work = Interlock(load_project(self.root), env={})
        self.said: list[str] = []
        self.rereader = Rereader(self.work, Settings(), self.said.append)

    def write(self, name: str, text: str) -> None:
        (self.root / "pipelines" / f"{name}.yaml").write_text(text)

    def names(self) -> list[str]:
        return sorted(self.work.catalog.specs)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with made.work:
        yield made


def test_files_that_did_not_change_are_not_read(place: Place) -> None:
    before = place.work.catalog.project
    place.rereader.look()
    assert place.work.catalog.project is before
    assert place.said == []


def test_a_new_file_counts_and_nothing_is_planned(place: Place) -> None:
    place.write("returns", PIPELINE.replace("orders", "returns"))
    place.rereader.look()
    assert place.names() == ["orders", "returns"]
    assert place.said == ["reload 2 pipelines"]
    assert place.work.hands.agendas.planned(limit=10) == ()


def test_files_with_errors_change_nothing_and_are_told_when_they_stay_so(place: Place) -> None:
    place.write("returns", "name: returns\narchetype: nobody\n")
    place.rereader.look()
    assert place.said == []  # it may be half written
    place.rereader.look()
    place.rereader.look()
    assert place.names() == ["orders"]
    assert [line for line in place.said if "what was read before counts" in line] == place.said
    assert len(place.said) == 1
    place.write("returns", PIPELINE.replace("orders", "returns"))
    place.rereader.look()
    assert place.names() == ["orders", "returns"]


def test_files_that_change_while_the_store_is_away_count_when_it_is_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write("returns", PIPELINE.replace("orders", "returns"))
    with monkeypatch.context() as patched:

        def away(*_: object) -> NoReturn:
            raise StoreUnavailable("the disk is gone")

        patched.setattr(place.work.registry, "swap", away)
        patched.setattr(place.work.registry, "follow", away)
        place.rereader.look()
        place.rereader.look()
    assert place.said == ["reload the files have changed, and cannot be gone by yet: the disk is gone"]
    place.rereader.look()
    assert place.names() == ["orders", "returns"]


def test_channels_that_change_are_used_from_then_on(place: Place) -> None:
    file = place.root / "interlock.yaml"
    file.write_text(file.read_text().replace("type: console", "{type: file, name: kept, path: alerts.jsonl}"))
    place.rereader.look()
    assert [channel.name for channel in place.work.hands.alerting.channels] == ["kept"]


def test_one_that_is_hurried_looks_at_once_and_one_that_is_stopped_ends(place: Place) -> None:
    thread = threading.Thread(target=place.rereader.run)
    thread.start()
    place.write("returns", PIPELINE.replace("orders", "returns"))
    place.rereader.hurry()
    for _ in range(3_000):
        if len(place.names()) == 2:
            break
        threading.Event().wait(0.01)
    place.rereader.stop()
    thread.join(30)
    assert place.names() == ["orders", "returns"]
    assert not thread.is_alive()

"""One process that does it all: what becomes of it when one of its parts dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_project
from tests.unit.server.listened import PATIENCE, until

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import StoreUnavailable
from interlock.runtime.watchdog import Watchdog
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock
from interlock.server.httpd import HttpServer
from interlock.server.listening import Address, listen
from interlock.server.serving import Ended, Serving, Wanted

pytestmark = pytest.mark.enable_socket


def die(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("a fault that nobody foresaw")


class Process:
    """A server on a thread, as the command would have it on its own."""

    def __init__(self, root: Path, *, grace: timedelta = timedelta(seconds=20)) -> None:
        file = a_project(root, check='echo \'{"status":"FAIL"}\'') / "interlock.yaml"
        file.write_text(file.read_text().replace("type: console", "{type: file, path: alerts.jsonl}"))
        self.root = root
        project = load_project(root)
        sockets = listen(Address("127.0.0.1", 0))
        spec = replace(project.settings.server, port=sockets[0].getsockname()[1])
        self.news: list[str] = []
        self.work = Interlock(project, env={}, measured=True)
        wanted = Wanted(watcher=True, watchdog=True, grace=grace)
        self.serving = Serving(self.work, sockets, spec, wanted, Settings(), news=self.news.append)
        self.ended: Ended | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.ended = self.serving.run()

    def over(self) -> Ended:
        self.thread.join(PATIENCE)
        assert self.ended is not None
        return self.ended

    def alerts(self) -> list[dict[str, str]]:
        file = self.root / "alerts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@contextmanager
def process(root: Path) -> Iterator[Process]:
    made = Process(root)
    with made.work:
        made.thread.start()
        try:
            yield made
        finally:
            made.serving.stop()
            made.thread.join(PATIENCE)
            assert not made.thread.is_alive()


def test_one_that_is_told_to_stop_ends_in_order(tmp_path: Path) -> None:
    with process(tmp_path) as it:
        until(lambda: bool(it.work.hands.members.members("watcher")))
        until(lambda: bool(it.work.hands.members.members("watchdog")))
        it.serving.stop()
        assert it.over() == Ended()
        assert it.work.hands.members.members("watcher") == ()
        assert it.work.hands.members.members("watchdog") == ()


@pytest.mark.parametrize(
    ("kind", "method", "name", "told"),
    [
        (Watching, "watch", "watcher", "watcher_stalled"),
        (Watchdog, "run", "watchdog", "watchdog_stalled"),
        (HttpServer, "run", "api", "watcher_stalled"),
    ],
)
def test_a_part_that_dies_takes_the_process_with_it_and_people_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type, method: str, name: str, told: str
) -> None:
    monkeypatch.setattr(kind, method, die)
    with process(tmp_path) as it:
        assert it.over().died == name
        assert [alert["alertType"] for alert in it.alerts()] == [told]
        assert f"the {name} of interlock serve" in it.alerts()[0]["message"]
        assert "a fault that nobody foresaw" in it.alerts()[0]["message"]


def test_people_are_told_of_a_death_even_where_the_store_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> NoReturn:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(Watching, "watch", die)
    monkeypatch.setattr("interlock.server.serving.raise_alert", gone)
    with process(tmp_path) as it:
        assert it.over().died == "watcher"
        assert [alert["alertType"] for alert in it.alerts()] == ["watcher_stalled"]


def test_the_watchdog_goes_on_while_the_watcher_cannot_do_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(Watching, "watch", lambda self: hangs.wait(PATIENCE))
    with process(tmp_path) as it:
        until(lambda: any(each.progress_at for each in it.work.hands.members.members("watchdog")))
        hangs.set()
        assert it.over().died == "watcher"


def test_one_that_is_hurried_does_not_wait_for_what_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(Watching, "drain", lambda self, grace: hangs.wait(PATIENCE))
    with process(tmp_path) as it:
        until(lambda: bool(it.work.hands.members.members("watchdog")))
        it.serving.stop()
        it.serving.hurry()
        assert it.over() == Ended(drained=False)
        hangs.set()

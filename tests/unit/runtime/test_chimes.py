"""A store that can wake others is rung when something was written, and heard by whoever watches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.runtime.bell import Bell
from interlock.runtime.ringing import RingingKernel
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock
from interlock.stores.kernel import Put, Record
from interlock.stores.marks import MarkingKernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.passing import advice_of
from interlock.testing.conformance.kernel_values import NOON


class ChimingKernel(MemoryKernel):
    """A store in memory with a server behind it, as it were."""

    def __init__(self) -> None:
        super().__init__()
        self.rung = 0
        self.hearers: list[Callable[[], None]] = []
        self.began = threading.Event()

    def ring(self) -> None:
        self.rung += 1
        for heard in self.hearers:
            heard()

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        self.hearers.append(heard)
        self.began.set()
        return lambda: self.hearers.remove(heard)

    def advice(self) -> tuple[str, ...]:
        return ("it forgets",)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> ChimingKernel:
    kernel = ChimingKernel()
    monkeypatch.setattr("interlock.runtime.wiring.open_kernel", lambda *_, **__: kernel)
    return kernel


@pytest.fixture
def work(kernel: ChimingKernel, tmp_path: Path) -> Interlock:
    (tmp_path / "interlock.yaml").write_text("watchdog: {enabled: false}\n")
    return Interlock(load_project(tmp_path, settings=Settings(no_cache=True)))


def test_what_a_store_can_do_is_found_behind_whatever_stands_before_it() -> None:
    kernel = ChimingKernel()
    before = RingingKernel(MarkingKernel(kernel, lambda: NOON))
    assert before.chime is kernel
    assert advice_of(before) == ("it forgets",)
    assert (RingingKernel(MemoryKernel()).chime, advice_of(MemoryKernel())) == (None, ())


def test_the_store_is_rung_once_for_all_that_wants_attention(work: Interlock, kernel: ChimingKernel) -> None:
    with work:
        work.kernel.commit("p", [Put(Record(pk="p", sk="a", version=1, body={}))])
        work.ring()
        assert kernel.rung == 0
        for sk in "bc":
            work.kernel.commit("p", [Put(Record(pk="p", sk=sk, version=1, body={}, wake_at=NOON))])
        work.ring()
        work.ring()
    assert kernel.rung == 1


def test_a_watcher_hears_the_store_while_it_watches_and_not_afterwards(work: Interlock, kernel: ChimingKernel) -> None:
    with work, Bell() as bell:
        watching = Watching(work, bell, Settings(no_cache=True), news=lambda _: None)
        thread = threading.Thread(target=watching.watch)
        thread.start()
        assert kernel.began.wait(30)
        assert kernel.hearers == [bell.poke]
        watching.stop()
        thread.join(30)
        assert kernel.hearers == []
        watching.drain()

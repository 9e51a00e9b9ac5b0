"""The chore that removes what is over: a little at a time, around what cannot be read, and never before the archive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_project

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.config.load import load_project
from interlock.core.events import CancelAsked
from interlock.core.ids import PipelineName, Slot
from interlock.core.runs import RunStatus
from interlock.errors import StoreUnavailable
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.lanes import lanes_of
from interlock.runtime.retention import BUDGET, Retention, Retiring, purge
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock, state_dir
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Page, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, SECOND, Files, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.faults import FaultyKernel

SPEC = a_spec()
DAY = timedelta(days=1)


def _over(kernel: Kernel, days: range) -> list[Slot]:
    store = Repository(kernel)
    slots = [a_slot(f"2026-02-{day:02d}") for day in days]
    for slot in slots:
        run = open_run(slot, SPEC, store, NOON).run
        advance(run.key, CancelAsked(at=NOON, actor="ann", reason="x"), store)
        for wish in store.outstanding(run.key):
            store.settle(run.key, wish.id)
    return slots


def _retention(kernel: Kernel, clock: FakeClock) -> Retention:
    hands = a_hand(Repository(kernel), clock=clock, catalog=Files(SPEC))
    return Retention(kernel, lambda: hands, DAY, marked=False, names=lambda: [SPEC.name])


def _there(kernel: Kernel, slots: list[Slot]) -> list[bool]:
    return [Repository(kernel).latest_run(slot) is not None for slot in slots]


def test_what_is_over_for_the_whole_span_goes_and_not_a_moment_sooner() -> None:
    kernel, clock = MemoryKernel(), FakeClock(NOON)
    slots = _over(kernel, range(1, 4))
    retention = _retention(kernel, clock)
    clock.set(NOON + DAY - SECOND)
    assert retention.turn() == 0
    clock.set(NOON + DAY)
    assert retention.turn() == 3
    assert _there(kernel, slots) == [False] * 3


def test_a_long_past_is_removed_a_while_at_a_time_so_that_nothing_is_held_up() -> None:
    """And goes on where it was."""
    kernel, clock = FaultyKernel(MemoryKernel()), FakeClock(NOON)
    slots = _over(kernel, range(1, 29))
    retention = _retention(kernel, clock)
    clock.set(NOON + 2 * DAY)

    def takes_time(_call: int) -> None:
        clock.advance(BUDGET / 40)

    kernel.after = takes_time
    turns = []
    while any(_there(kernel.real, slots)):
        turns.append(retention.turn())
        assert len(turns) < 100
    assert sum(turns) == 28
    assert len(turns) > 5
    assert max(turns) < 8


def test_a_turn_that_fails_is_begun_anew() -> None:
    kernel, clock = FaultyKernel(MemoryKernel()), FakeClock(NOON)
    slots = _over(kernel, range(1, 4))
    retention = _retention(kernel, clock)
    clock.set(NOON + 2 * DAY)
    kernel.fail_at(12, after=True)
    with pytest.raises(StoreUnavailable):
        retention.turn()
    kernel.heal()
    retention.turn()
    assert _there(kernel, slots) == [False] * 3
    assert kernel.listing(keys.CLEARING_KIND, Page()) == []


def test_a_slot_that_cannot_be_read_stays_and_is_told_of_and_holds_up_no_other() -> None:
    kernel, clock = MemoryKernel(), FakeClock(NOON)
    slots = _over(kernel, range(1, 4))
    pk = keys.slot_pk(slots[0])
    row = kernel.get(pk, keys.run_sk(1))
    assert row is not None
    kernel.commit(pk, [Put(replace(row, version=row.version + 1, body={"key": 7}))])
    before = kernel.rows(pk, "", Page())
    retention = _retention(kernel, clock)
    clock.set(NOON + 2 * DAY)
    assert retention.turn() == 2
    assert pk in retention.unreadable
    assert kernel.rows(pk, "", Page()) == before


def _archiving(tmp_path: Path, *, enabled: bool) -> Path:
    path = a_project(tmp_path)
    with (path / "interlock.yaml").open("a", encoding="utf-8") as file:
        file.write("retention:\n  history: 30d\n")
        if enabled:
            file.write("archiver:\n  enabled: true\n  dsn: postgresql://nobody@localhost:1/none\n")
    return path


@pytest.mark.parametrize("enabled", [False, True])
def test_with_the_archive_on_nothing_is_purged_that_expired_after_what_is_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    """T-52."""
    with Interlock(load_project(_archiving(tmp_path, enabled=enabled))) as work:
        now = work.clock.now()
        slot = a_slot(pipeline="orders")
        work.store.note(slot, now, "told", ())
        monkeypatch.setattr(work, "clock", FakeClock(now + DAY))
        for name, expires_at in (("before", now - DAY), ("after", now + DAY / 2)):
            row = Record(pk="x", sk=name, version=1, body={}, expires_at=expires_at)
            work.kernel.commit("x", [Put(row)])
        assert purge(work, 99) == (1 if enabled else 2)
        assert (work.kernel.get("x", "after") is not None) is enabled


def test_the_chore_says_what_it_removed_and_forgets_what_the_jobs_said(tmp_path: Path) -> None:
    project = load_project(_archiving(tmp_path, enabled=False))
    assert project.settings.history == 30 * DAY
    news: list[str] = []
    with Interlock(project) as work:
        spec = project.pipelines["orders"].spec
        run = open_run(a_slot(pipeline="orders"), spec, work.store, work.clock.now()).run
        driven = Driver(work.hands, SystemPacer(work.clock)).drive(run.key)
        assert driven.run.status is RunStatus.COMPLETED
        for wish in work.store.outstanding(run.key):
            work.store.settle(run.key, wish.id)
        clock = FakeClock(work.clock.now())
        hands = work.hands._replace(clock=clock)
        station = Station(hands, lanes_of(1), poke=lambda: None, news=news.append)
        retiring = Retiring(work, station, 30 * DAY)
        retiring.do()
        assert (news, work.store.run(run.key) is not None) == ([], True)
        clock.advance(31 * DAY)
        retiring.do()
        retiring.do()
        assert news == ["retired 1 slot: their history is over"]
        assert list((state_dir(project) / "jobs").iterdir()) == []
        assert work.store.run(run.key) is None


def test_without_a_span_there_is_no_such_chore(tmp_path: Path) -> None:
    assert load_project(a_project(tmp_path)).settings.history is None


def test_pipelines_that_the_files_no_longer_have_are_tidied_too() -> None:
    """T-61."""
    kernel, clock = MemoryKernel(), FakeClock(NOON)
    _over(kernel, range(1, 3))
    Repository(kernel).note(a_slot("2026-01-01"), NOON, "told", ())
    hands = a_hand(Repository(kernel), clock=clock)
    retention = Retention(kernel, lambda: hands, DAY, marked=False, names=list[PipelineName])
    clock.set(NOON + 2 * DAY)
    retention.turn()
    assert kernel.listing(keys.timeline_kind("example"), Page()) == []

"""Which runs have not ended, how many there were, and what is told beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.arrivals import open_rerun, open_run
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.runs import Cause, Run
from interlock.errors import NotFound, UnreadableRecord
from interlock.ports.stores import Commit
from interlock.stores import keys
from interlock.stores.kernel import MAX_BATCH, Delete, Kernel, Put
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON, a_key, a_run, a_slot, a_spec
from interlock.testing.conformance.kernel_values import at_once

SPEC = a_spec("aa", "bb")
NOTE = EventRecord(kind=EventKind.READINESS_CHECKED, at=NOON)


@pytest.fixture
def store(kernel: Kernel) -> Repository:
    return Repository(kernel)


def _opened(store: Repository, day: int = 7) -> Run:
    return open_run(a_slot(f"2026-03-{day:02d}"), SPEC, store, NOON + day * MINUTE).run


def _ended(store: Repository, run: Run) -> Run:
    return advance(run.key, CancelAsked(at=NOON, actor="ann", reason="enough"), store).run


def test_a_run_is_active_from_its_opening_to_its_end(store: Repository) -> None:
    """T-66, T-117."""
    run = _opened(store)
    assert store.active_runs(limit=9) == (run.key,)
    assert _ended(store, run).ended
    assert store.active_runs(limit=9) == ()
    again = open_rerun(run.key.slot, SPEC, store, NOON).run
    assert store.active_runs(limit=9) == (again.key,) == (RunKey(run.key.slot, 2),)


def test_active_runs_come_oldest_first_and_page_by_page(store: Repository) -> None:
    """BUG-41, BUG-44, T-96."""
    runs = [_opened(store, day) for day in (3, 1, 2, 5, 4)]
    expected = [run.key for run in sorted(runs, key=lambda run: run.opened_at)]
    for limit in (1, 2, 3, 9):
        found: list[RunKey] = []
        while page := store.active_runs(limit=limit, after=found[-1].run_id if found else None):
            found += page
        assert found == expected


def test_the_active_runs_go_on_behind_one_that_has_ended_meanwhile(store: Repository) -> None:
    runs = [_opened(store, day) for day in (1, 2, 3)]
    _ended(store, runs[1])
    assert store.active_runs(limit=9, after=runs[1].key.run_id) == (runs[2].key,)
    assert store.active_runs(limit=9, after=runs[0].key.run_id) == (runs[2].key,)


def test_going_on_from_a_run_that_was_never_opened_is_an_error(store: Repository) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="no run"):
        store.active_runs(limit=9, after=a_key().run_id)
    with pytest.raises(ValueError, match="not a run id"):
        store.active_runs(limit=9, after="nonsense")


def test_a_run_that_cannot_be_read_is_active_and_hides_no_other(store: Repository) -> None:
    """LAT-27, T-118."""
    runs = [_opened(store, day) for day in (1, 2)]
    pk, sk = keys.slot_pk(runs[0].key.slot), keys.run_sk(1)
    row = store.kernel.get(pk, sk)
    assert row is not None
    assert store.kernel.commit(pk, [Put(replace(row, version=row.version + 1, body={}))])
    assert store.active_runs(limit=9) == (runs[0].key, runs[1].key)
    assert store.active_runs(limit=9, after=runs[0].key.run_id) == (runs[1].key,)


def test_a_run_of_an_older_store_ends_like_any_other(store: Repository) -> None:
    """Its index row was never written."""
    run = _opened(store)
    assert store.kernel.commit(keys.slot_pk(run.key.slot), [Delete(keys.active_sk(1), 1)])
    assert store.active_runs(limit=9) == ()
    assert _ended(store, run).ended
    assert store.active_runs(limit=9) == ()


def test_a_run_that_is_opened_ended_is_never_active(store: Repository) -> None:
    run = a_run()
    ended = replace(run, status=_ended(store, _opened(store)).status, key=a_key("2026-03-09"), wake_at=None)
    assert store.commit(Commit(before=None, after=ended))
    assert store.active_runs(limit=9) == ()


def test_the_most_traits_a_pipeline_can_have_fit_in_the_commit_that_opens_a_rerun(store: Repository) -> None:
    """BUG-107: sixty, as the configuration allows."""
    spec = a_spec(*(f"trait-{number:02d}" for number in range(60)))
    first = open_run(a_slot(), spec, store, NOON).run
    assert len(store.outstanding(first.key)) == 60
    _ended(store, first)
    again = open_rerun(first.key.slot, spec, store, NOON).run
    assert len(store.outstanding(again.key)) + 4 <= MAX_BATCH


def test_of_many_who_open_a_slot_at_once_one_run_is_active(store: Repository) -> None:
    """BUG-05, T-04."""
    at_once(8, lambda _: _opened(store))
    assert store.active_runs(limit=9) == (a_key(),)


def test_active_runs_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    run, other = (_opened(Repository(kernel), day) for day in (1, 2))
    _ended(Repository(kernel), other)
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    assert Repository(kernel).active_runs(limit=9) == (run.key,)
    kernel.close()


def test_runs_of_a_slot_are_counted_by_cause(store: Repository) -> None:
    """LAT-29: a budget counts what is stored."""
    run = _opened(store)
    for number in range(2, 6):
        _ended(store, run)
        run = open_rerun(run.key.slot, SPEC, store, NOON).run
        assert run.key.number == number
    slot = run.key.slot
    assert store.count_runs(slot, (Cause.RERUN,)) == 4
    assert store.count_runs(slot, (Cause.MANUAL,)) == 1
    assert store.count_runs(slot, tuple(Cause)) == 5
    assert store.count_runs(slot, ()) == 0
    assert store.count_runs(a_slot("2026-03-08"), tuple(Cause)) == 0


def test_a_run_whose_cause_cannot_be_read_is_not_counted_as_none(store: Repository) -> None:
    """T-118: an unreadable run must not make room in a budget."""
    run = _opened(store)
    pk, sk = keys.slot_pk(run.key.slot), keys.run_sk(1)
    row = store.kernel.get(pk, sk)
    assert row is not None
    assert store.kernel.commit(pk, [Put(replace(row, version=row.version + 1, body={"cause": "whim"}))])
    with pytest.raises(UnreadableRecord, match="RUN#000001"):
        store.count_runs(run.key.slot, (Cause.RERUN,))


def test_a_note_is_told_once_under_its_name(store: Repository) -> None:
    """T-105, LAT-24."""
    for minute in range(3):
        store.note(a_slot(), NOON + minute * MINUTE, "skipped", [NOTE, NOTE])
    store.note(a_slot(), NOON, "other", [NOTE])
    store.note(a_slot("2026-03-08"), NOON, "skipped", [NOTE])
    lines = store.timeline("example", limit=9)
    assert sorted(line.period for line in lines) == ["2026-03-07", "2026-03-07", "2026-03-07", "2026-03-08"]
    assert {(line.schedule, line.run_id, line.record) for line in lines} == {("daily", "", NOTE)}


@pytest.mark.parametrize("name", ["", "#", "%", "a/b", "nul\0", "half \ud800", "x" * 5000, "日本"])
def test_a_note_may_have_any_name(store: Repository, name: str) -> None:
    """T-64, BUG-122."""
    for each in (name, name + "x", name, "#" + name):
        store.note(a_slot(), NOON, each, [NOTE])
    assert len(store.timeline("example", limit=99)) == 3

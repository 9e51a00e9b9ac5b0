from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.unit.app.bench import Bench
from tests.unit.core.cases import FORCED

from interlock.app.arrivals import Opened, Opening, open_rerun, open_run
from interlock.app.callbacks import Report, complete
from interlock.core.ids import RunKey
from interlock.core.runs import Cause, RunStatus
from interlock.errors import NotFound, StoreUnavailable
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_slot, a_spec
from interlock.testing.faults import FaultyKernel

SLOT = a_slot()


def _store() -> Repository:
    return Repository(MemoryKernel())


def test_a_slot_gets_one_run_whoever_asks_and_how_many_at_once() -> None:
    """T-04, T-14, BUG-130, BUG-25."""
    store = _store()
    together = Barrier(8)

    def ask(_: int) -> Opened:
        together.wait()
        return open_run(SLOT, a_spec(), store, NOON)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sorted(each.how.name for each in found) == ["JOINED"] * 7 + ["OPENED"]
    assert {each.run.key for each in found} == {RunKey(SLOT)}
    assert len(store.journal(RunKey(SLOT))) == 1


def test_an_opening_pins_the_spec_it_was_asked_with() -> None:
    """T-23, T-27."""
    store = _store()
    run = open_run(SLOT, a_spec("before"), store, NOON, cause=Cause.SCHEDULE, override=FORCED).run
    open_run(SLOT, a_spec("edited"), store, NOON)
    assert store.run(run.key) == run
    assert store.spec(run.spec_digest) == a_spec("before")
    assert (run.cause, run.override) == (Cause.SCHEDULE, FORCED)


def test_whoever_asks_again_hears_how_the_run_stands() -> None:
    """LAT-16, T-07, BUG-25."""
    bench = Bench()

    def asked() -> Opening:
        return open_run(SLOT, bench.spec, bench.store, NOON).how

    assert asked() is Opening.JOINED
    bench.ready_to_start()
    assert asked() is Opening.RUNNING
    bench.running()
    assert asked() is Opening.RUNNING
    complete(bench.key, Report(succeeded=True), bench.store, NOON)
    assert asked() is Opening.ENDED


def test_a_pipeline_without_a_trigger_completes_when_it_is_ready() -> None:
    """T-90, T-15."""
    bench = Bench(a_spec(trigger=None))
    run = bench.to_the_end()
    assert run.status is RunStatus.COMPLETED
    assert bench.trigger.jobs == {}


def _ended(store: Repository) -> Bench:
    bench = Bench()
    bench.store = store
    open_run(SLOT, bench.spec, store, NOON)
    bench.hands = bench.more_hands()
    return bench.running()


def test_a_rerun_is_a_run_of_its_own_after_the_last_has_ended() -> None:
    """T-16, T-59, T-121, LAT-16."""
    store = _store()
    bench = _ended(store)
    assert open_rerun(SLOT, bench.spec, store, NOON).how is Opening.RUNNING
    complete(bench.key, Report(succeeded=True), store, NOON)
    first = bench.run
    again = open_rerun(SLOT, bench.spec, store, NOON, note="late data")
    assert again.how is Opening.OPENED
    assert (again.run.key, again.run.cause, again.run.note) == (RunKey(SLOT, 2), Cause.RERUN, "late data")
    assert store.run(first.key) == first
    assert store.latest_run(SLOT) == again.run
    assert open_rerun(SLOT, bench.spec, store, NOON).how is Opening.JOINED


def test_many_reruns_at_once_are_one() -> None:
    """BUG-130, LAT-29."""
    store = _store()
    bench = _ended(store)
    complete(bench.key, Report(succeeded=True), store, NOON)
    together = Barrier(8)

    def ask(_: int) -> Opened:
        together.wait()
        return open_rerun(SLOT, bench.spec, store, NOON)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sum(each.how is Opening.OPENED for each in found) == 1
    assert {each.run.key.number for each in found} == {2}


def test_a_slot_that_never_ran_cannot_be_run_again() -> None:
    with pytest.raises(NotFound, match="never ran"):
        open_rerun(SLOT, a_spec(), _store(), NOON)


@pytest.mark.parametrize("opening", [open_run, open_rerun])
def test_two_names_of_one_stretch_of_time_are_one_slot(opening: object) -> None:
    """T-04, BUG-72."""
    store = _store()
    first = open_run(a_slot("2026-03-07T14:00"), a_spec(), store, NOON)
    other = a_slot("2026-03-07T14:00+00:00")
    found = open_run(other, a_spec(), store, NOON) if opening is open_run else open_rerun(other, a_spec(), store, NOON)
    assert found.how is Opening.JOINED
    assert found.run.key == first.run.key


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(4))
def test_an_opening_of_unknown_outcome_is_safe_to_repeat(call: int, *, after: bool) -> None:
    """T-60, T-66."""
    kernel = FaultyKernel(MemoryKernel())
    store = Repository(kernel)
    kernel.fail_at(call, after=after)
    with pytest.raises(StoreUnavailable):
        open_run(SLOT, a_spec(), store, NOON)
    found = open_run(SLOT, a_spec(), store, NOON)
    assert found.run.status is RunStatus.PENDING
    assert found.run.version == 1
    assert len(store.journal(RunKey(SLOT))) == 1
    assert len(store.outstanding(RunKey(SLOT))) == 1


def test_whoever_loses_the_race_for_an_opening_joins_the_winner() -> None:
    """T-11, BUG-05, BUG-130."""
    kernel = FaultyKernel(MemoryKernel())
    store = Repository(kernel)
    store.put_spec(a_spec())

    def other_first(call: int) -> None:
        if kernel.calls[call] == "commit":
            kernel.heal()
            assert open_run(SLOT, a_spec(), Repository(kernel.real), NOON).how is Opening.OPENED

    kernel.before = other_first
    assert open_run(SLOT, a_spec(), store, NOON).how is Opening.JOINED

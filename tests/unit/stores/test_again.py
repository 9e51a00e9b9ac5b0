"""What was run again is found without looking through everything that ran."""

from __future__ import annotations

import pytest

from interlock.app.advance import advance
from interlock.app.arrivals import open_rerun, open_run
from interlock.core.events import CancelAsked
from interlock.core.runs import Cause, Run
from interlock.errors import NotFound
from interlock.stores.kernel import Kernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, a_slot, a_spec

SPEC = a_spec("aa", "bb")


@pytest.fixture
def store(kernel: Kernel) -> Repository:
    return Repository(kernel)


def _again(store: Repository, day: int, cause: Cause) -> Run:
    slot = a_slot(f"2026-03-{day:02d}")
    first = open_run(slot, SPEC, store, NOON).run
    advance(first.key, CancelAsked(at=NOON, actor="ann", reason="enough"), store)
    return open_rerun(slot, SPEC, store, NOON + day * MINUTE, cause=cause).run


def test_reruns_are_listed_newest_first_page_by_page(store: Repository) -> None:
    """T-96."""
    expected = [_again(store, day, Cause.RERUN).key for day in (1, 2, 3, 4, 5)][::-1]
    for limit in (1, 2, 5, 9):
        for pipeline in (None, SPEC.name):
            found: list[Run] = []
            while page := store.reruns(pipeline, limit=limit, before=found[-1].key.run_id if found else None):
                found += page
            assert [run.key for run in found] == expected


@pytest.mark.parametrize("cause", Cause)
def test_only_what_people_or_data_asked_for_again_is_a_rerun(store: Repository, cause: Cause) -> None:
    run = _again(store, 7, cause)
    listed = [each.key for each in store.reruns(None, limit=9)]
    assert listed == ([run.key] if cause in (Cause.RERUN, Cause.REPLAY, Cause.DRIFT, Cause.LATE_DATA) else [])
    assert bool(store.replays(SPEC.name, limit=9)) == (cause is Cause.REPLAY)


def test_the_first_run_of_a_slot_is_no_rerun_but_may_be_a_replay(store: Repository) -> None:
    run = open_run(a_slot(), SPEC, store, NOON, cause=Cause.REPLAY).run
    assert (store.reruns(None, limit=9), store.replays(SPEC.name, limit=9)) == ((), (run,))


def test_a_rerun_is_listed_as_it_stands_now(store: Repository) -> None:
    run = _again(store, 7, Cause.RERUN)
    ended = advance(run.key, CancelAsked(at=NOON, actor="ann", reason="enough"), store).run
    assert store.reruns(SPEC.name, limit=9) == (ended,)


def test_reruns_of_other_pipelines_are_listed_with_all_and_not_with_this_one(store: Repository) -> None:
    run = _again(store, 7, Cause.RERUN)
    assert store.reruns("another", limit=9) == ()
    assert store.reruns(None, limit=9) == (run,)


def test_a_page_that_begins_at_no_rerun_is_refused(store: Repository) -> None:
    first = open_run(a_slot(), SPEC, store, NOON).run
    with pytest.raises(NotFound, match="not listed"):
        store.reruns(None, limit=9, before=first.key.run_id)

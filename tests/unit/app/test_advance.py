from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from msgspec.structs import replace
from tests.unit.app.bench import Bench

from interlock.app import advance as module
from interlock.app.advance import Advanced, advance
from interlock.app.perform import carry_out
from interlock.core.commands import EvaluateTrait, StartJob
from interlock.core.decision import Decision
from interlock.core.events import CancelAsked, EvaluationAsked, Event, TraitEvaluated, Woke
from interlock.core.lifecycle import decide
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run, RunStatus
from interlock.errors import Contention, NotFound, StoreUnavailable, UnsafeDecision
from interlock.ports.stores import Commit
from interlock.testing.builders import NOON, SECOND, a_key, a_result, a_spec
from interlock.testing.world import refolded

PASSED = TraitEvaluated(at=NOON, round=1, result=a_result())


def test_a_fact_changes_the_run_its_journal_and_its_wishes_at_once() -> None:
    """T-66, T-117."""
    bench = Bench()
    asked = bench.wish(EvaluateTrait)
    told = advance(bench.key, PASSED, bench.store, settles=asked.id)
    assert told.changed
    assert told.run == bench.run
    assert bench.run.status is RunStatus.TRIGGERING
    assert bench.store.outstanding(bench.key) == told.commands
    assert [entry.fact for entry in bench.store.journal(bench.key)] == [None, PASSED]
    assert bench.kernel.calls.count("commit") == 3, "the spec, the opening, and one for all of this"


def test_a_fact_that_changes_nothing_only_settles() -> None:
    """T-97."""
    bench = Bench(a_spec("aa", "bb"))
    wish = bench.wish(EvaluateTrait)
    before = bench.run
    stale = replace(PASSED, round=99)
    assert advance(bench.key, stale, bench.store, settles=wish.id) == Advanced(run=before, changed=False)
    assert bench.run == before
    assert [each.id for each in bench.store.outstanding(bench.key)] == [f"{bench.key.run_id}/1/1"]
    assert len(bench.store.journal(bench.key)) == 1
    calls = list(bench.kernel.calls)
    advance(bench.key, stale, bench.store)
    assert "commit" not in bench.kernel.calls[len(calls) :]


def test_a_run_that_is_not_there_is_not_made_by_a_fact_about_it() -> None:
    """LAT-43."""
    bench = Bench()
    with pytest.raises(NotFound, match="no run example:daily:2026-03-08:1"):
        advance(a_key("2026-03-08"), Woke(at=NOON), bench.store)
    assert bench.store.run(a_key("2026-03-08")) is None


def test_of_many_who_tell_the_same_fact_at_once_one_changes_the_run() -> None:
    """T-04, T-57, BUG-130, LAT-29."""
    bench = Bench()
    together = Barrier(8)

    def tell(_: int) -> Advanced:
        together.wait()
        return advance(bench.key, PASSED, bench.store)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(tell, range(8)))
    assert sum(each.changed for each in told) == 1
    assert {each.run for each in told} == {bench.run}
    assert len(bench.store.journal(bench.key)) == 2
    assert len([c for c in bench.store.outstanding(bench.key) if isinstance(c, StartJob)]) == 1


def test_facts_told_at_once_all_arrive() -> None:
    """T-57, BUG-151, LAT-24."""
    names = [f"trait-{n:02d}" for n in range(12)]
    bench = Bench(a_spec(*names))
    together = Barrier(len(names))

    def tell(name: str) -> bool:
        together.wait()
        return advance(bench.key, TraitEvaluated(at=NOON, round=1, result=a_result(name)), bench.store).changed

    with ThreadPoolExecutor(len(names)) as pool:
        assert all(pool.map(tell, names))
    assert bench.run.status is RunStatus.TRIGGERING
    assert [result.trait for result in bench.run.results] == names
    assert refolded(bench.store, bench.spec, bench.key) == bench.run


def test_a_lost_race_is_run_again_on_what_the_winner_wrote() -> None:
    """T-11, BUG-05, BUG-151."""
    bench = Bench()
    commit = bench.store.commit

    def somebody_is_faster(change: Commit) -> bool:
        bench.store.commit = commit  # type: ignore[method-assign]  # once only
        advance(bench.key, CancelAsked(at=NOON, actor="ann", reason="enough"), bench.store)
        return commit(change)

    bench.store.commit = somebody_is_faster  # type: ignore[method-assign]  # the race
    told = advance(bench.key, PASSED, bench.store)
    assert not told.changed
    assert told.run.status is RunStatus.CANCELLED
    assert told.run == bench.run
    assert len(bench.store.journal(bench.key)) == 2


def test_whoever_loses_every_race_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-05, BUG-108."""
    bench = Bench()
    monkeypatch.setattr(bench.store, "commit", lambda _change: False)
    with pytest.raises(Contention, match="try again"):
        advance(bench.key, PASSED, bench.store)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_commit_of_unknown_outcome_is_safe_to_repeat(*, after: bool) -> None:
    """T-06, T-10."""
    bench = Bench()
    wish = bench.wish(EvaluateTrait)
    bench.kernel.fail_at(1, after=after)
    with pytest.raises(StoreUnavailable, match="commit"):
        advance(bench.key, PASSED, bench.store, settles=wish.id)
    told = advance(bench.key, PASSED, bench.store, settles=wish.id)
    assert told.changed is not after
    assert bench.run.version == 2
    assert len(bench.store.journal(bench.key)) == 2
    assert [type(each) for each in bench.store.outstanding(bench.key)] == [StartJob]


def test_an_unsafe_decision_is_refused_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    before = bench.run

    def mad(run: Run, event: Event, spec: PipelineSpec) -> Decision:
        good = decide(run, event, spec)
        return replace(good, run=replace(good.run, wake_at=None), commands=good.commands * 2)

    monkeypatch.setattr(module, "decide", mad)
    calls = len(bench.kernel.calls)
    with pytest.raises(UnsafeDecision, match=r"SC-2 .*SC-8 .*Nothing was written"):
        advance(bench.key, PASSED, bench.store)
    assert bench.run == before
    assert "commit" not in bench.kernel.calls[calls:]


def test_a_run_that_is_asked_afresh_is_judged_by_the_spec_that_was_named() -> None:
    """T-23, T-27."""
    bench = Bench(a_spec("broken"))
    bench.evaluator.script("broken", RuntimeError("no"))
    bench.turn()
    digest = bench.store.put_spec(a_spec("mended"))
    told = advance(bench.key, EvaluationAsked(at=NOON + SECOND, spec_digest=digest), bench.store)
    assert [c.trait for c in told.commands if isinstance(c, EvaluateTrait)] == ["mended"]
    bench.turn()
    assert bench.run.permit is not None
    assert bench.run.permit.spec_digest == digest


def test_the_journal_folds_again_to_the_stored_run() -> None:
    """T-117, BUG-43."""
    bench = Bench(a_spec("aa", "bb"))
    bench.to_the_end()
    assert bench.run.status is RunStatus.COMPLETED
    assert refolded(bench.store, bench.spec, bench.key) == bench.run
    assert [entry.version for entry in bench.store.journal(bench.key)] == list(range(1, bench.run.version + 1))


def test_a_wish_that_is_carried_out_is_settled_in_the_commit_that_tells_of_it() -> None:
    bench = Bench()
    wish = bench.wish(EvaluateTrait)
    calls = len(bench.kernel.calls)
    told = carry_out(bench.key, wish, bench.hands)
    assert told is not None
    assert told.changed
    assert bench.kernel.calls[calls:].count("commit") == 1
    assert wish not in bench.store.outstanding(bench.key)

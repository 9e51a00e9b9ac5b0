from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from interlock.app.advance import advance, change_of
from interlock.app.arrivals import open_rerun, open_run
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.commands import EvaluateTrait
from interlock.core.events import CancelAsked, TraitEvaluated, Woke
from interlock.core.ids import RunKey
from interlock.core.lifecycle import decide, opened
from interlock.core.readiness import ALL_REQUIRED, assess
from interlock.core.runs import Run, RunStatus
from interlock.errors import Contention, NotFound, UnreadableRecord
from interlock.ports.stores import Claim, Commit, Entry, Evaluation
from interlock.stores.kernel import Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_result, a_slot, a_spec, a_trait
from interlock.testing.faults import FaultyKernel

SPEC = a_spec("aa", "bb")


@pytest.fixture
def store() -> Repository:
    return Repository(MemoryKernel())


def _opened(store: Repository, period: str = "2026-03-07", *, pipeline: str = "example", at: datetime = NOON) -> Run:
    spec = replace(SPEC, name=a_slot(pipeline=pipeline).pipeline)
    return open_run(a_slot(period, pipeline=pipeline), spec, store, at).run


def _ended(store: Repository, run: Run) -> Run:
    return advance(run.key, CancelAsked(at=NOON, actor="ann", reason="enough"), store).run


def test_what_is_opened_is_there_with_its_journal_and_its_wishes(store: Repository) -> None:
    """T-66, T-117."""
    run = _opened(store)
    assert store.run(run.key) == run == store.latest_run(run.key.slot)
    assert [(entry.version, entry.fact) for entry in store.journal(run.key)] == [(1, None)]
    wishes = store.outstanding(run.key)
    assert [wish.trait for wish in wishes if isinstance(wish, EvaluateTrait)] == ["aa", "bb"]


def test_of_two_changes_of_one_version_one_happens_wholly_and_the_other_not_at_all(store: Repository) -> None:
    """T-57, BUG-05, BUG-151."""
    run = _opened(store)
    events = [TraitEvaluated(at=NOON, round=1, result=a_result(name)) for name in ("aa", "bb")]
    changes = [change_of(run, event, decide(run, event, SPEC)) for event in events]
    assert [store.commit(change) for change in changes] == [True, False]
    assert store.run(run.key) == changes[0].after
    assert len(store.journal(run.key)) == 2


def test_a_commit_settles_the_wish_it_answers_and_keeps_the_others(store: Repository) -> None:
    run = _opened(store)
    first, second = store.outstanding(run.key)
    store.commit(Commit(before=run, after=run, settles=first.id))
    assert store.outstanding(run.key) == (second,)
    store.settle(run.key, second.id)
    store.settle(run.key, second.id)
    assert store.outstanding(run.key) == ()


def test_wishes_come_back_in_the_order_in_which_they_were_wished(store: Repository) -> None:
    names = [f"trait-{n:02d}" for n in range(12)]
    run = open_run(a_slot(), a_spec(*names), store, NOON).run
    found = [wish.trait for wish in store.outstanding(run.key) if isinstance(wish, EvaluateTrait)]
    assert found == names


def test_a_run_of_a_higher_number_needs_the_one_before_to_have_ended(store: Repository) -> None:
    """LAT-16, BUG-130."""
    first = _opened(store)
    second = opened(RunKey(first.key.slot, 2), SPEC, first.spec_digest, NOON)
    third = opened(RunKey(first.key.slot, 3), SPEC, first.spec_digest, NOON)
    assert not store.commit(change_of(None, None, second))
    assert not store.commit(change_of(None, None, third))
    _ended(store, first)
    assert not store.commit(change_of(None, None, third))
    assert store.commit(change_of(None, None, second))
    assert not store.commit(change_of(None, None, second))
    assert store.latest_run(first.key.slot) == second.run


def test_a_slot_without_runs_has_no_latest_run(store: Repository) -> None:
    _opened(store, "2026-03-07")
    assert store.latest_run(a_slot("2026-03-08")) is None
    assert store.run(a_key("2026-03-08")) is None


def test_names_that_begin_alike_are_kept_apart(store: Repository) -> None:
    """T-64, LAT-30."""
    runs = {name: _opened(store, pipeline=name) for name in ("sales", "sales-eu", "sales.eu")}
    for name, run in runs.items():
        assert store.runs_of(name, limit=9) == (run,)
        assert {line.run_id for line in store.timeline(name, limit=99)} == {run.key.run_id}


def test_a_journal_longer_than_a_page_is_whole(store: Repository) -> None:
    """BUG-41, T-96."""
    run = _opened(store)
    for version in range(2, 522):
        after = replace(run, version=version)
        entry = Entry(version=version, at=NOON, fact=Woke(at=NOON), records=())
        assert store.commit(Commit(before=run, after=after, entry=entry))
        run = after
    journal = store.journal(run.key)
    assert len(journal) == run.version > 500
    assert [entry.version for entry in journal] == list(range(1, run.version + 1))


def test_runs_come_newest_first_and_go_on_from_the_last_one_seen(store: Repository) -> None:
    """BUG-44, BUG-41."""
    opened_at = [NOON + n * MINUTE for n in range(5)]
    runs = [_opened(store, f"2026-03-{day:02d}", at=at) for day, at in enumerate(opened_at, 1)]
    found: list[Run] = []
    while page := store.runs_of("example", limit=2, before=found[-1].key.run_id if found else None):
        found += page
    assert found == runs[::-1]


def test_going_on_from_a_run_that_is_not_there_is_an_error(store: Repository) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="no run"):
        store.runs_of("example", limit=2, before=a_key().run_id)
    with pytest.raises(ValueError, match="not a run id"):
        store.runs_of("example", limit=2, before="nonsense")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 99])
def test_a_timeline_read_page_by_page_is_the_whole_timeline(store: Repository, limit: int) -> None:
    """BUG-41, BUG-44, LAT-24, T-96."""
    run = _opened(store)
    for name in ("aa", "bb"):
        advance(run.key, TraitEvaluated(at=NOON, round=1, result=a_result(name)), store)
    _ended(store, run)
    whole = store.timeline("example", limit=999)
    assert [line.record.kind for line in whole] == [
        EventKind.RUN_OPENED,
        EventKind.TRAIT_EVALUATED,
        EventKind.TRAIT_EVALUATED,
        EventKind.READINESS_CHECKED,
        EventKind.RUN_STATE_CHANGED,
        EventKind.RUN_CANCELLED,
        EventKind.RUN_STATE_CHANGED,
    ]
    assert len({line.cursor for line in whole}) == len(whole)
    read: tuple[object, ...] = ()
    cursor = None
    while page := store.timeline("example", limit=limit, before=cursor):
        assert len(page) <= limit
        read, cursor = (*page, *read), page[0].cursor
    assert read == whole


def test_no_lines_are_asked_for_and_none_are_given(store: Repository) -> None:
    """T-94, T-96."""
    _opened(store)
    assert store.timeline("example", limit=0) == ()
    assert store.timeline("nobody", limit=9) == ()


@pytest.mark.parametrize("cursor", ["", "x", "a|b|c", "a|b|c|x", "a|b|c|-1", "a|b|c|d|1", "a|b|c|٣"])
def test_what_is_no_cursor_is_an_error(store: Repository, cursor: str) -> None:
    """BUG-44."""
    with pytest.raises(ValueError, match="not a cursor"):
        store.timeline("example", limit=9, before=cursor)


def test_a_cursor_whose_line_is_gone_still_marks_its_place(store: Repository) -> None:
    _opened(store, "2026-03-07")
    later = _opened(store, "2026-03-08", at=NOON + MINUTE)
    line = store.timeline("example", limit=1)[0]
    gone = line.cursor.replace(later.key.slot.period, "2026-03-09")
    assert [each.period for each in store.timeline("example", limit=9, before=gone)] == ["2026-03-07", "2026-03-08"]


def test_equal_specs_are_kept_once_and_found_by_their_digest(store: Repository) -> None:
    """T-23, T-27."""
    one, other = store.put_spec(a_spec()), store.put_spec(a_spec("other"))
    assert store.put_spec(a_spec()) == one != other
    assert (store.spec(one), store.spec(other)) == (a_spec(), a_spec("other"))
    with pytest.raises(NotFound, match="no pipeline spec"):
        store.spec("0" * 32)
    later = Repository(store.kernel)
    assert (later.spec(one), later.put_spec(a_spec("other"))) == (a_spec(), other)


def test_a_spec_that_is_known_is_not_read_again_and_the_memory_of_specs_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interlock.stores.repository._SPECS", 100)
    kernel = FaultyKernel(MemoryKernel())
    store = Repository(kernel)
    digests = [store.put_spec(a_spec(tier=tier)) for tier in range(105)]
    calls = len(kernel.calls)
    assert store.spec(digests[-1]) == a_spec(tier=104)
    assert store.put_spec(a_spec(tier=104)) == digests[-1]
    assert len(kernel.calls) == calls
    assert store.spec(digests[0]) == a_spec(tier=0)
    assert len(kernel.calls) == calls + 1


def _evaluation(*, at: datetime = NOON, period: str = "2026-03-07") -> Evaluation:
    results = (a_result(at=at),)
    return Evaluation(
        slot=a_slot(period),
        spec_digest="d" * 32,
        started_at=at,
        ended_at=at,
        results=results,
        readiness=assess((a_trait(),), ALL_REQUIRED, results, at),
    )


NOTE = EventRecord(kind=EventKind.READINESS_CHECKED, at=NOON)


def test_the_last_evaluation_of_each_slot_is_kept_and_every_one_is_told(store: Repository) -> None:
    """T-28, T-107."""
    assert store.latest_evaluation("example") is None
    for seconds, period in ((0, "2026-03-07"), (2, "2026-03-08"), (1, "2026-03-07")):
        store.record_evaluation(_evaluation(at=NOON + seconds * SECOND, period=period), [NOTE])
    latest = store.latest_evaluation("example")
    assert latest is not None
    assert latest.slot.period == "2026-03-08"
    assert [line.period for line in store.timeline("example", limit=9)] == ["2026-03-07", "2026-03-07", "2026-03-08"]


def test_an_evaluation_that_never_gets_its_turn_says_so(store: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.kernel, "commit", lambda _pk, _batch: False)
    with pytest.raises(Contention, match="could not be kept"):
        store.record_evaluation(_evaluation(), [NOTE])


def test_an_evaluation_that_loses_a_race_is_written_after_the_winner() -> None:
    kernel = FaultyKernel(MemoryKernel())
    store = Repository(kernel)

    def other_first(call: int) -> None:
        if kernel.calls[call] == "commit":
            kernel.heal()
            Repository(kernel.real).record_evaluation(_evaluation(), [NOTE])

    kernel.before = other_first
    store.record_evaluation(_evaluation(at=NOON + SECOND), [NOTE])
    latest = store.latest_evaluation("example")
    assert latest is not None
    assert latest.ended_at == NOON + SECOND
    assert len(store.timeline("example", limit=9)) == 2


def test_a_turn_of_a_claim_is_had_by_one_and_needs_the_turn_before(store: Repository) -> None:
    """T-04, BUG-108, LAT-29."""
    first = Claim(run=a_key(), attempt=1, turn=1, at=NOON, until=NOON + timedelta(seconds=40))
    assert store.claim(a_key(), 1) is None
    assert not store.put_claim(replace(first, turn=2))
    assert store.put_claim(first)
    assert not store.put_claim(first)
    assert store.claim(a_key(), 1) == first
    second = replace(first, turn=2, refused=True)
    assert store.put_claim(second)
    assert store.claim(a_key(), 1) == second
    assert store.claim(a_key(), 2) is None


READS: list[Callable[[Repository], object]] = [
    lambda store: store.run(a_key()),
    lambda store: store.latest_run(a_slot()),
    lambda store: store.runs_of("example", limit=9),
]


@pytest.mark.parametrize("read", READS)
def test_a_row_that_cannot_be_read_is_an_error_that_names_it_and_never_missing(
    store: Repository, read: Callable[[Repository], object]
) -> None:
    """T-118, BUG-54, T-08."""
    run = _opened(store)
    old = store.kernel.get("slot/example:daily:2026-03-07", "RUN#000001")
    assert old is not None
    body = {**old.body, "status": "EXPLODED"}
    damaged = replace(old, version=old.version + 1, body=body)
    assert isinstance(damaged, Record)
    assert store.kernel.commit(old.pk, [Put(damaged)])
    with pytest.raises(UnreadableRecord, match=r"RUN#000001.*slot/example:daily:2026-03-07"):
        read(store)
    assert run.status is RunStatus.PENDING


def test_a_rerun_and_the_run_before_have_wishes_journals_and_claims_of_their_own(store: Repository) -> None:
    """T-59."""
    first = _ended(store, _opened(store))
    second = open_rerun(first.key.slot, SPEC, store, NOON).run
    assert len(store.journal(first.key)) == 2
    assert len(store.journal(second.key)) == 1
    assert all(wish.id.startswith(f"{second.key.run_id}/") for wish in store.outstanding(second.key))
    claim = Claim(run=first.key, attempt=1, turn=1, at=NOON, until=NOON)
    assert store.put_claim(claim)
    assert store.claim(second.key, 1) is None

"""Removing what is over: whole slots, and nothing that is not archived, not ended, or has changed meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from interlock.app.advance import advance, change_of
from interlock.app.agendas import put_settled
from interlock.app.arrivals import open_rerun, open_run
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.events import CancelAsked
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import RunKey, Slot
from interlock.core.lifecycle import opened
from interlock.core.runs import Run
from interlock.errors import NotFound, StoreUnavailable, UnreadableRecord
from interlock.ports.stores import Claim
from interlock.stores import keys
from interlock.stores.agendas import AgendaRows
from interlock.stores.kernel import Delete, Kernel, Page, Put, Record
from interlock.stores.marks import MarkingKernel, archive_position, strike
from interlock.stores.repository import Repository
from interlock.stores.retiring import Terms, clear, clearing, retire, retired_pipelines, slots_over
from interlock.testing.builders import DIGEST, MINUTE, NOON, a_hand, a_key, a_slot, a_spec
from interlock.testing.faults import FaultyKernel

SPEC = a_spec()
DAY = timedelta(days=1)
LATER = NOON + 10 * DAY
OVER = Terms(LATER - DAY)
SLOT = a_slot()
PK = keys.slot_pk(SLOT)
LINE = EventRecord(kind=EventKind.READINESS_CHECKED, at=NOON)


def _ended(kernel: Kernel, slot: Slot = SLOT, *, reruns: int = 0) -> Run:
    store = Repository(kernel)
    run = open_run(slot, SPEC, store, NOON).run
    for again in range(reruns + 1):
        if again:
            run = open_rerun(slot, SPEC, store, NOON + again * MINUTE).run
        run = advance(run.key, CancelAsked(at=NOON + again * MINUTE, actor="ann", reason="x"), store).run
        for wish in store.outstanding(run.key):
            store.settle(run.key, wish.id)
    return run


def _expected(slot: Slot = SLOT) -> Expectation:
    return Expectation(slot=slot, spec_digest=DIGEST, opens_at=NOON, closes_at=NOON + DAY, check_at=NOON)


def _left(kernel: Kernel, pk: str = PK) -> list[str]:
    return [row.sk for row in kernel.rows(pk, "", Page())]


def test_everything_of_a_slot_that_is_over_goes_but_its_headstone(kernel: Kernel) -> None:
    """T-56: lists, claims, lines and the runs themselves; none of them stays behind in an index."""
    store, run = Repository(kernel), _ended(kernel, reruns=2)
    agendas = AgendaRows(kernel)
    assert agendas.put_expectation(_expected())
    assert put_settled(_expected(), ExpectationState.WAIVED, "enough", NOON, a_hand(store))
    assert store.put_claim(Claim(run=run.key, attempt=1, turn=1, at=NOON, until=NOON))
    store.note(SLOT, NOON, "told", (LINE,))
    assert retire(kernel, SLOT, OVER) is not None
    assert _left(kernel) == [keys.RETIRED_SK]
    assert store.retired(SLOT) == 3
    for listing in (
        keys.ENDED_KIND,
        keys.runs_kind("example"),
        keys.timeline_kind("example"),
        keys.reruns_kind(None),
        keys.expectations_kind(None),
        keys.CLEARING_KIND,
    ):
        assert kernel.listing(listing, Page()) == []
    assert list(retired_pipelines(kernel)) == ["example"]


def test_the_starts_of_a_slot_that_goes_are_named(kernel: Kernel) -> None:
    _ended(kernel)
    assert retire(kernel, SLOT, OVER) == ()


def test_slots_that_may_be_over_come_oldest_first_and_page_by_page(kernel: Kernel) -> None:
    slots = [a_slot(f"2026-03-0{day}") for day in (3, 1, 2)]
    for place, slot in enumerate(slots):
        run = open_run(slot, SPEC, Repository(kernel), NOON).run
        advance(run.key, CancelAsked(at=NOON + place * DAY, actor="ann", reason="x"), Repository(kernel))
    old = Terms(NOON + DAY)
    first, after = slots_over(kernel, keys.ENDED_KIND, old, limit=1, after=None)
    rest, end = slots_over(kernel, keys.ENDED_KIND, old, limit=9, after=after)
    assert (first, rest, end) == (slots[:1], slots[1:2], None)


@pytest.mark.parametrize("what", ["young", "active", "wished", "rerun", "expected", "told", "nothing"])
def test_a_slot_of_which_anything_is_not_over_stays_as_it_is(kernel: Kernel, what: str) -> None:
    """T-52."""
    store, terms = Repository(kernel), OVER
    if what == "active":
        open_run(SLOT, SPEC, store, NOON)
    elif what != "nothing":
        run = _ended(kernel)
        if what == "young":
            terms = Terms(run.updated_at - timedelta(microseconds=1))
        elif what == "wished":
            row = Record(pk=PK, sk="OUT#000001#00000009#0000", version=1, body={})
            kernel.commit(PK, [Put(row)])
        elif what == "rerun":
            open_rerun(SLOT, SPEC, store, NOON)
        elif what == "expected":
            AgendaRows(kernel).put_expectation(_expected())
        else:
            store.note(SLOT, LATER, "told", (LINE,))
    before = kernel.rows(PK, "", Page())
    assert retire(kernel, SLOT, terms) is None
    assert kernel.rows(PK, "", Page()) == before


def test_a_slot_that_never_ran_leaves_nothing_at_all(kernel: Kernel) -> None:
    agendas, store = AgendaRows(kernel), Repository(kernel)
    assert agendas.put_expectation(_expected())
    assert put_settled(_expected(), ExpectationState.SKIPPED, "nobody was there", NOON, a_hand(store))
    assert retire(kernel, SLOT, OVER) == ()
    assert _left(kernel) == []
    assert agendas.expectations(limit=9) == ()
    assert open_run(SLOT, SPEC, store, LATER).run.key == a_key()


def test_what_is_not_archived_stays_and_goes_when_it_is(kernel: Kernel) -> None:
    """T-52: a fact is removed only after it was copied."""
    marking = MarkingKernel(kernel, lambda: NOON)
    _ended(marking)
    terms = OVER._replace(marked=True)
    assert retire(kernel, SLOT, terms) is None
    assert archive_position(kernel) is not None
    strike(kernel, PK, [row.sk for row in kernel.rows(PK, keys.MARK_PREFIX, Page())])
    assert retire(kernel, SLOT, terms) is not None
    assert _left(kernel) == [keys.RETIRED_SK]


def test_a_line_that_is_told_while_a_slot_is_cleared_waits_until_it_is_archived(kernel: Kernel) -> None:
    """T-52."""
    marking = MarkingKernel(kernel, lambda: NOON)
    _ended(kernel)
    faulty = FaultyKernel(kernel)
    told: list[bool] = []

    def tell(_call: int) -> None:
        if not told and kernel.get(PK, keys.run_sk(1)) is None:
            told.append(True)
            Repository(marking).note(SLOT, NOON, "late", (LINE,))

    faulty.before = tell
    terms = OVER._replace(marked=True)
    assert retire(faulty, SLOT, terms) is not None
    assert told
    assert clearing(kernel, limit=9) == [SLOT]
    assert any(name.startswith(keys.NOTE_PREFIX) for name in _left(kernel))
    strike(kernel, PK, [row.sk for row in kernel.rows(PK, keys.MARK_PREFIX, Page())])
    assert clear(kernel, SLOT, terms)
    assert _left(kernel) == [keys.RETIRED_SK]


def test_without_an_archive_old_marks_go_with_what_they_mark(kernel: Kernel) -> None:
    _ended(MarkingKernel(kernel, lambda: NOON))
    assert retire(kernel, SLOT, OVER) is not None
    assert _left(kernel) == [keys.RETIRED_SK]
    assert archive_position(kernel) is None


def test_a_slot_that_is_touched_in_the_middle_is_whole_or_gone_and_never_half(kernel: Kernel) -> None:
    """T-11: at every call of the store, somebody else runs the slot again."""
    for call in range(40):
        slot = a_slot(f"2026-{1 + call // 28:02d}-{1 + call % 28:02d}")
        _ended(kernel, slot)
        faulty, done = FaultyKernel(kernel), list[RunKey]()
        _at_call(faulty, call, lambda slot=slot, done=done: _rerun_now(kernel, slot, done))
        removed = retire(faulty, slot, OVER) is not None
        store = Repository(kernel)
        if done:
            assert not removed
            assert store.run(RunKey(slot, 1)) is not None
            assert not _without_line(store, RunKey(slot, 1))
        else:
            assert removed
            assert _left(kernel, keys.slot_pk(slot)) == [keys.RETIRED_SK]
        if len(faulty.calls) <= call:
            return
    raise AssertionError("it asks the store without end")


def _at_call(faulty: FaultyKernel, number: int, act: Any) -> None:
    faulty.before = lambda call: act() if call == number else None


def _rerun_now(kernel: Kernel, slot: Slot, done: list[RunKey]) -> None:
    try:
        done.append(open_rerun(slot, SPEC, Repository(kernel), LATER).run.key)
    except NotFound:
        return  # it was gone already


def _without_line(store: Repository, key: RunKey) -> bool:
    run = store.run(key)
    return run is None or [entry.version for entry in store.journal(key)] != list(range(1, run.version + 1))


@pytest.mark.parametrize("after", [False, True])
def test_cut_short_anywhere_it_is_done_at_the_next_time(kernel: Kernel, after: bool) -> None:
    """T-60: and what is half way is no run to anybody."""
    for call in range(60):
        slot = a_slot(f"2026-{1 + call // 28:02d}-{1 + call % 28:02d}")
        _ended(kernel, slot, reruns=1)
        faulty, store = FaultyKernel(kernel), Repository(kernel)
        faulty.fail_at(call, after=after)
        try:
            retire(faulty, slot, OVER)
        except StoreUnavailable:
            gone = [store.run(RunKey(slot, number)) is None for number in (1, 2)]
            assert gone in ([True, True], [False, False])
            assert gone[0] or not any(_without_line(store, RunKey(slot, number)) for number in (1, 2))
        else:
            return
        if retire(kernel, slot, OVER) is None:
            assert all(clear(kernel, each, OVER) for each in clearing(kernel, limit=9))
        assert _left(kernel, keys.slot_pk(slot)) == [keys.RETIRED_SK]
        assert store.retired(slot) == 2
    raise AssertionError("it asks the store without end")


def test_a_slot_run_again_very_often_goes_in_several_commits(kernel: Kernel) -> None:
    _ended(kernel, reruns=60)
    assert retire(kernel, SLOT, OVER) is not None
    assert _left(kernel) == [keys.RETIRED_SK]
    assert Repository(kernel).retired(SLOT) == 61


def test_of_a_slot_run_again_in_the_middle_the_latest_runs_are_whole(kernel: Kernel) -> None:
    """T-52: only the oldest of very many runs may be gone, and no number is used twice."""
    _ended(kernel, reruns=60)
    faulty, done, store = FaultyKernel(kernel), list[RunKey](), Repository(kernel)

    def act(_call: int) -> None:
        if not done and store.run(RunKey(SLOT, 1)) is None:
            _rerun_now(kernel, SLOT, done)

    faulty.before = act
    assert retire(faulty, SLOT, OVER) is None
    assert done == [RunKey(SLOT, 62)]
    there = [number for number in range(1, 63) if store.run(RunKey(SLOT, number)) is not None]
    assert there == list(range(there[0], 63))
    assert not any(_without_line(store, RunKey(SLOT, number)) for number in there)
    clear(kernel, SLOT, OVER)
    assert not any(_without_line(store, RunKey(SLOT, number)) for number in there)


def test_nobody_starts_an_attempt_of_a_run_that_is_gone(kernel: Kernel) -> None:
    """T-09: whoever held the wish for longer than history lasts finds neither the run nor its claim."""
    store = Repository(kernel)
    _ended(kernel)
    retire(kernel, SLOT, OVER)
    claim = Claim(run=a_key(), attempt=1, turn=1, at=NOON, until=NOON)
    assert not store.put_claim(claim)
    again = open_run(SLOT, SPEC, store, LATER).run
    assert not store.put_claim(claim)
    assert store.put_claim(replace(claim, run=again.key))


def test_nobody_opens_a_run_of_a_number_that_was_used(kernel: Kernel) -> None:
    """T-09, T-04: neither the first again, nor the one behind a run that was read before it went."""
    store = Repository(kernel)
    first = _ended(kernel)
    faulty = FaultyKernel(kernel)
    went: list[bool] = []

    def go(_call: int) -> None:
        if not went:
            went.append(True)
            retire(kernel, SLOT, OVER)

    opened = open_run(a_slot("2026-03-08"), SPEC, store, NOON).run
    assert opened.key.number == 1
    faulty.before = go
    with pytest.raises(NotFound):
        open_rerun(SLOT, SPEC, Repository(faulty), LATER)
    assert store.run(first.key) is None
    assert open_run(SLOT, SPEC, store, LATER).run.key.number == 2


def test_what_cannot_be_read_is_never_removed(kernel: Kernel) -> None:
    _ended(kernel)
    row = kernel.get(PK, keys.run_sk(1))
    assert row is not None
    kernel.commit(PK, [Put(replace(row, version=row.version + 1, body={"key": 7}))])
    before = _left(kernel)
    with pytest.raises(UnreadableRecord):
        retire(kernel, SLOT, OVER)
    assert _left(kernel) == before


def test_a_damaged_headstone_opens_nothing(kernel: Kernel) -> None:
    """T-08."""
    _ended(kernel)
    retire(kernel, SLOT, OVER)
    stone = kernel.get(PK, keys.RETIRED_SK)
    assert stone is not None
    kernel.commit(PK, [Put(replace(stone, version=stone.version + 1, body={}))])
    with pytest.raises(UnreadableRecord, match="how many runs"):
        open_run(SLOT, SPEC, Repository(kernel), LATER)
    kernel.commit(PK, [Delete(keys.RETIRED_SK)])


@pytest.mark.parametrize(("number", "possible"), [(1, False), (2, False), (3, True), (4, False)])
def test_runs_are_counted_on_from_those_that_are_gone_and_from_nowhere_else(
    kernel: Kernel, number: int, possible: bool
) -> None:
    """T-09, T-12: also by whoever decided before they went."""
    store = Repository(kernel)
    _ended(kernel, reruns=1)
    retire(kernel, SLOT, OVER)
    decision = opened(RunKey(SLOT, number), SPEC, store.put_spec(SPEC), LATER)
    assert store.commit(change_of(None, None, decision)) is possible
    assert (store.latest_run(SLOT) is not None) is possible


def test_what_is_expected_anew_in_the_middle_is_kept(kernel: Kernel) -> None:
    agendas, hands = AgendaRows(kernel), a_hand(Repository(kernel))
    assert agendas.put_expectation(_expected())
    assert put_settled(_expected(), ExpectationState.WAIVED, "the files no longer define it", NOON, hands)
    faulty = FaultyKernel(kernel)
    anew = replace(_expected(), version=3)

    def act(call: int) -> None:
        if faulty.calls[call] == "commit" and agendas.expectation(SLOT) != anew:
            agendas.put_expectation(anew)

    faulty.before = act
    assert retire(faulty, SLOT, OVER) is None
    assert agendas.unsettled(LATER, 9) == (anew,)


def test_a_run_that_is_written_in_the_middle_is_kept(kernel: Kernel) -> None:
    """T-11."""
    _ended(kernel)
    faulty, sk = FaultyKernel(kernel), keys.run_sk(1)

    def act(call: int) -> None:
        row = kernel.get(PK, sk)
        if faulty.calls[call] == "commit" and row is not None:
            kernel.commit(PK, [Put(replace(row, version=row.version + 1))])

    faulty.before = act
    assert retire(faulty, SLOT, OVER) is None
    assert kernel.get(PK, sk) is not None


def test_a_slot_without_a_past_costs_no_look_at_one(kernel: Kernel) -> None:
    """Every opening and every start would pay for it, in a round trip to the store."""
    counting = FaultyKernel(kernel)
    store, digest = Repository(counting), Repository(kernel).put_spec(SPEC)
    first = opened(a_key(), SPEC, digest, NOON)
    assert store.commit(change_of(None, None, first))
    assert store.put_claim(Claim(run=a_key(), attempt=1, turn=1, at=NOON, until=NOON))
    assert counting.calls == ["commit", "commit"]


def test_a_slot_of_which_only_an_expectation_is_being_cleared_away_can_be_run(kernel: Kernel) -> None:
    """Its headstone counts no run, and is there until everything is cleared."""
    row = Record(pk=PK, sk=keys.RETIRED_SK, version=1, body={"last": 0}, kind=keys.CLEARING_KIND)
    assert kernel.commit(PK, [Put(row)])
    store = Repository(kernel)
    run = open_run(SLOT, SPEC, store, NOON).run
    assert run.key.number == 1
    claim = Claim(run=run.key, attempt=1, turn=1, at=NOON, until=NOON)
    assert store.put_claim(claim)
    assert not store.put_claim(claim)

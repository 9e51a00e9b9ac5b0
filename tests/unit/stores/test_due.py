"""What is due, and what must be tried again later."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from interlock.app.arrivals import open_run
from interlock.core.ids import CommandId, command_id
from interlock.ports.stores import DueKind, DueWork
from interlock.stores import keys
from interlock.stores.due import work_of
from interlock.stores.kernel import Kernel, Place, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot, a_spec
from interlock.testing.conformance.kernel_values import at_once
from interlock.testing.faults import FaultyKernel

SPEC = a_spec("aa", "bb")
DAY = timedelta(days=1)
SLOT_PK = keys.slot_pk(a_slot())


@pytest.fixture
def store(kernel: Kernel) -> Repository:
    return Repository(kernel)


def _wishes(store: Repository) -> tuple[CommandId, ...]:
    key = open_run(a_slot(), SPEC, store, NOON).run.key
    return tuple(wish.id for wish in store.outstanding(key))


def _standing(store: Repository, command: CommandId) -> tuple[datetime, int]:
    """Return when a wish is due, and how often it was postponed."""
    wish = next(wish for wish in store.wishes(a_key()) if wish.command.id == command)
    return wish.due_at, wish.tries


@pytest.mark.parametrize(
    ("pk", "sk", "kind", "subject"),
    [
        (SLOT_PK, keys.run_sk(1), DueKind.RUN, a_key()),
        (SLOT_PK, keys.run_sk(999_999), DueKind.RUN, a_key(number=999_999)),
        (SLOT_PK, keys.outbox_sk(a_key(), command_id(a_key().run_id, 3, 2)), DueKind.WISH, a_key()),
        (keys.slot_pk(a_slot("2026-11-01T01:00-05:00")), "RUN#000002", DueKind.RUN, a_key("2026-11-01T01:00-05:00", number=2)),
        (keys.pipeline_pk("example"), keys.agenda_sk("daily"), DueKind.AGENDA, ("example", "daily")),
        (keys.dispatch_pk("run_failed/a:b:c/1"), keys.DISPATCH_SK, DueKind.DISPATCH, "run_failed/a:b:c/1"),
        (keys.dispatch_pk("DISPATCH"), keys.DISPATCH_SK, DueKind.DISPATCH, "DISPATCH"),
    ],
)  # fmt: skip
def test_a_place_tells_what_is_due_there(pk: str, sk: str, kind: DueKind, subject: object) -> None:
    assert work_of(Place(pk, sk, NOON)) == (kind, subject, NOON)


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("", ""),
        ("slot", "RUN#000001"),
        ("slot/", "RUN#000001"),
        ("slot/example:daily", "RUN#000001"),
        ("slot/example:daily:2026-02-30", "RUN#000001"),
        ("slot/Example:daily:2026-03-07", "RUN#000001"),
        ("slot/example:daily:2026-03-07/x", "RUN#000001"),
        (SLOT_PK, ""),
        (SLOT_PK, "RUN"),
        (SLOT_PK, "RUN#1"),
        (SLOT_PK, "RUN#000000"),
        (SLOT_PK, "RUN#000001#00000001#0001"),
        (SLOT_PK, "RUN#٠٠٠٠٠١"),
        (SLOT_PK, "RUN#" + "9" * 5000),
        (SLOT_PK, "OUT#1#00000001#0001"),
        (SLOT_PK, "OUT#000001"),
        (SLOT_PK, "JOURNAL#000001#00000001"),
        (SLOT_PK, "EXPECTED"),
        ("pipeline/example", "SPEC"),
        ("pipeline/example", "AGENDA#"),
        ("pipeline/example", "AGENDA#Daily"),
        ("pipeline/", "AGENDA#daily"),
        ("dispatch/x", "OTHER"),
        ("dispatch", "DISPATCH"),
        ("other/example", "DISPATCH"),
    ],
)
def test_a_place_that_is_none_of_ours_is_told_as_it_is_and_raises_nothing(pk: str, sk: str) -> None:
    """LAT-27, T-118: a row nobody knows stops no loop."""
    assert work_of(Place(pk, sk, NOON)) == (DueKind.UNKNOWN, f"{pk}/{sk}", NOON)


def test_wishes_are_due_at_once_and_a_run_when_it_wants_to_be(store: Repository) -> None:
    run = open_run(a_slot(), SPEC, store, NOON).run
    assert run.wake_at is not None
    wish = DueWork(DueKind.WISH, run.key, NOON)
    assert store.due(NOON - SECOND, 9) == ()
    assert store.due(NOON, 9) == (wish, wish)
    assert store.due(run.wake_at, 9) == (wish, wish, DueWork(DueKind.RUN, run.key, run.wake_at))
    assert store.due(run.wake_at, 1) == (wish,)


def test_a_row_that_cannot_be_read_is_due_and_hides_nothing(store: Repository) -> None:
    """LAT-27, T-118, BUG-54."""
    other = open_run(a_slot("2026-03-08"), SPEC, store, NOON).run
    pk, sk = keys.slot_pk(a_slot()), keys.run_sk(1)
    poison = Record(pk=pk, sk=sk, version=1, body={"kind": "from the future"}, wake_at=NOON - MINUTE)
    assert store.kernel.commit(pk, [Put(poison)])
    assert store.due(NOON, 9)[0] == DueWork(DueKind.RUN, a_key(), NOON - MINUTE)
    assert {work.subject for work in store.due(NOON, 9)} == {a_key(), other.key}


def test_a_wish_that_is_postponed_is_due_then_and_not_before(store: Repository) -> None:
    """T-86: what must wait does not stand before what is due now."""
    first, _ = _wishes(store)
    key = a_key()
    assert _standing(store, first) == (NOON, 0)
    for tries in (1, 2, 3):
        store.postpone(key, first, NOON + tries * DAY)
        assert _standing(store, first) == (NOON + tries * DAY, tries)
    kinds = [(work.kind, work.wake_at) for work in store.due(NOON + 2 * DAY, 9)]
    assert (DueKind.WISH, NOON) in kinds
    assert (DueKind.WISH, NOON + DAY) not in kinds
    assert store.due(NOON + 3 * DAY, 9)[-1] == DueWork(DueKind.WISH, key, NOON + 3 * DAY)


def test_a_wish_that_is_postponed_is_the_same_wish(store: Repository) -> None:
    """BUG-56."""
    first, _ = _wishes(store)
    before = store.outstanding(a_key())
    store.postpone(a_key(), first, NOON + DAY)
    assert store.outstanding(a_key()) == before


def test_a_wish_that_is_settled_stays_settled(store: Repository) -> None:
    """LAT-43."""
    first, second = _wishes(store)
    store.postpone(a_key(), first, NOON + DAY)
    store.settle(a_key(), first)
    store.postpone(a_key(), first, NOON + DAY)
    assert [wish.id for wish in store.outstanding(a_key())] == [second]


def test_a_wish_that_is_settled_while_it_is_being_postponed_stays_settled() -> None:
    """LAT-43, BUG-151."""
    kernel = FaultyKernel(MemoryKernel())
    store = Repository(kernel)
    first, second = _wishes(store)

    def settled_meanwhile(call: int) -> None:
        if kernel.calls[call] == "commit":
            kernel.heal()
            Repository(kernel.real).settle(a_key(), first)

    kernel.before = settled_meanwhile
    store.postpone(a_key(), first, NOON + DAY)
    assert [wish.id for wish in store.outstanding(a_key())] == [second]


def test_of_many_who_postpone_at_once_every_loss_is_harmless(store: Repository) -> None:
    """LAT-29."""
    first, second = _wishes(store)
    moments: list[datetime] = [NOON + DAY + number * MINUTE for number in range(8)]
    at_once(8, lambda me: store.postpone(a_key(), first, moments[me]))
    assert 1 <= _standing(store, first)[1] <= 8
    assert {wish.id for wish in store.outstanding(a_key())} == {first, second}
    assert _standing(store, first)[0] in moments

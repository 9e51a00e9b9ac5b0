"""What is to be archived is marked in the commit that writes it, and in no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.errors import StoreUnavailable, UnreadableRecord
from interlock.stores.kernel import MAX_BATCH, Check, Delete, Page, Put, Record
from interlock.stores.marks import Mark, MarkingKernel, archive_position, mark_of, strike
from interlock.stores.memory import MemoryKernel
from interlock.testing.conformance.kernel_values import NOON
from interlock.testing.faults import FaultyKernel

RUN = Record(pk="slot/a/daily/d", sk="RUN#000001", version=1, body={"a": 1}, kind="runs/a", rank="2026")
JOURNAL = Record(pk="slot/a/daily/d", sk="JOURNAL#000001#00000001", version=1, body={}, kind="timeline/a", rank="2027")
PLAIN = Record(pk="slot/a/daily/d", sk="OUT#000001#1", version=1, body={})


@pytest.fixture
def real() -> MemoryKernel:
    return MemoryKernel()


@pytest.fixture
def kernel(real: MemoryKernel) -> MarkingKernel:
    return MarkingKernel(real, lambda: NOON)


def waiting(kernel: MemoryKernel | MarkingKernel) -> list[Mark]:
    return [mark_of(record) for record in kernel.listing("archive", Page())]


def test_a_commit_of_facts_leaves_one_mark_that_names_them(kernel: MarkingKernel) -> None:
    """T-51, T-52."""
    assert kernel.commit(RUN.pk, [Put(RUN), Put(JOURNAL), Put(PLAIN)])
    (mark,) = waiting(kernel)
    assert (mark.pk, mark.names) == (RUN.pk, (RUN.sk, JOURNAL.sk))


def test_a_commit_without_facts_leaves_no_mark(kernel: MarkingKernel) -> None:
    assert kernel.commit(PLAIN.pk, [Put(PLAIN), Delete("ENDED#1"), Check("RUN#000001", 0)])
    assert waiting(kernel) == []


def test_a_lost_commit_marks_nothing(kernel: MarkingKernel) -> None:
    assert kernel.commit(RUN.pk, [Put(RUN), Check("x", 3)]) is False
    assert waiting(kernel) == []


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_commit_of_unknown_outcome_has_its_mark_exactly_when_it_happened(real: MemoryKernel, where: str) -> None:
    """T-66: there is no moment between fact and mark."""
    faulty = FaultyKernel(real)

    def fail(_call: object) -> None:
        raise StoreUnavailable("gone")

    setattr(faulty, where, fail)
    with pytest.raises(StoreUnavailable):
        MarkingKernel(faulty, lambda: NOON).commit(RUN.pk, [Put(RUN)])
    assert len(waiting(real)) == (real.get(RUN.pk, RUN.sk) is not None) == (where == "after")


def test_every_version_of_a_fact_has_a_mark_of_its_own(kernel: MarkingKernel) -> None:
    for version in (1, 2, 3):
        row = Record(pk=RUN.pk, sk=RUN.sk, version=version, body={"v": version})
        assert kernel.commit(RUN.pk, [Put(row)])
    assert len({mark.sk for mark in waiting(kernel)}) == 3


def test_an_alert_is_a_fact_and_a_lifecycle_event_on_its_way_is_none(kernel: MarkingKernel) -> None:
    alert = Record(pk="dispatch/alert/x", sk="DISPATCH", version=1, body={}, kind="alerts", rank="2026")
    event = Record(pk="dispatch/event/x", sk="DISPATCH", version=1, body={})
    assert kernel.commit(alert.pk, [Put(alert)])
    assert kernel.commit(event.pk, [Put(event)])
    assert [mark.pk for mark in waiting(kernel)] == [alert.pk]


def test_the_position_is_since_when_the_oldest_mark_waits(real: MemoryKernel) -> None:
    """T-52: what came before is archived."""
    assert archive_position(real) is None
    for later in (2, 1, 3):
        pk = f"slot/a/daily/{later}"
        kernel = MarkingKernel(real, lambda later=later: NOON + timedelta(hours=later))  # type: ignore[misc]
        assert kernel.commit(pk, [Put(Record(pk=pk, sk=RUN.sk, version=1, body={}))])
    assert archive_position(real) == NOON + timedelta(hours=1)
    strike(real, "slot/a/daily/1", [waiting(real)[0].sk])
    assert archive_position(real) == NOON + timedelta(hours=2)


def test_a_struck_mark_is_gone_and_striking_again_is_harmless(kernel: MarkingKernel) -> None:
    kernel.commit(RUN.pk, [Put(RUN)])
    (mark,) = waiting(kernel)
    strike(kernel, mark.pk, [mark.sk])
    strike(kernel, mark.pk, [mark.sk])
    assert waiting(kernel) == []
    assert kernel.get(RUN.pk, RUN.sk) == RUN


def test_a_batch_leaves_room_for_its_mark(kernel: MarkingKernel) -> None:
    """A mistake of the caller, and nothing half done."""
    rows = [Put(RUN), *(Put(Record(pk=RUN.pk, sk=f"x{n}", version=1, body={})) for n in range(MAX_BATCH - 1))]
    with pytest.raises(ValueError, match="one is the mark for the archive"):
        kernel.commit(RUN.pk, rows)
    assert kernel.rows(RUN.pk, "", Page()) == []
    assert kernel.commit(RUN.pk, rows[:-1])


def test_a_damaged_mark_is_named(real: MemoryKernel) -> None:
    """T-55, T-118."""
    real.commit("p", [Put(Record(pk="p", sk="ARCHIVE#x", version=1, body={}, kind="archive"))])
    with pytest.raises(UnreadableRecord, match="'ARCHIVE#x' of 'p'"):
        waiting(real)

"""Knowing whether something was written that wants attention."""

from __future__ import annotations

import pytest

from interlock.runtime.ringing import RingingKernel
from interlock.stores.kernel import Delete, Page, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import NOON


@pytest.mark.parametrize(("wake_at", "wanted"), [(NOON, True), (None, False)])
def test_only_what_wants_attention_is_worth_a_ring(wake_at: object, wanted: bool) -> None:
    kernel = RingingKernel(MemoryKernel())
    row = Record(pk="p", sk="s", version=1, body={}, wake_at=wake_at, kind="k")  # type: ignore[arg-type]
    assert kernel.commit("p", [Put(row)])
    assert kernel.written is wanted


def test_a_commit_that_was_lost_rings_nobody_and_all_else_is_passed_on() -> None:
    kernel = RingingKernel(MemoryKernel())
    row = Record(pk="p", sk="s", version=2, body={}, wake_at=NOON, kind="k", expires_at=NOON)
    assert not kernel.commit("p", [Put(row)])
    assert not kernel.written
    kernel.commit("p", [Put(Record(pk="p", sk="s", version=1, body={}, wake_at=NOON, kind="k", expires_at=NOON))])
    assert kernel.get("p", "s") is not None
    assert [len(kernel.rows("p", "", Page())), len(kernel.due(NOON, 9)), len(kernel.listing("k", Page()))] == [1, 1, 1]
    kernel.ping()
    assert kernel.commit("p", [Delete("s", 1)])
    assert kernel.purge(NOON, 9) == 0
    kernel.close()

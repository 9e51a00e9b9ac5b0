"""The name of a store: given once, whoever asks, and kept by its rows wherever they go."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from tests.unit.stores.lived import checked

from interlock.errors import StoreError, StoreUnavailable, UnreadableRecord
from interlock.runtime.closing import OpenKernel
from interlock.runtime.keyed import StoreName
from interlock.runtime.moving import Plan, move
from interlock.stores import keys
from interlock.stores.identity import name_of
from interlock.stores.integrity import FaultKind
from interlock.stores.kernel import Change, Kernel, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.sqlite.kernel import SqliteKernel

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


def test_a_store_keeps_the_name_that_it_was_given_first() -> None:
    kernel = MemoryKernel()
    name = name_of(kernel)
    assert len(name) == 12
    assert name_of(kernel) == name
    assert name_of(MemoryKernel()) != name


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_all_who_name_a_new_store_at_once_agree(kind: str, tmp_path: Path) -> None:
    """G2: two names would be two keys for one attempt, and two jobs."""
    kernel: Kernel = MemoryKernel() if kind == "memory" else SqliteKernel(tmp_path / "store.db")
    ready = Barrier(8)

    def named(_: int) -> str:
        ready.wait()
        return name_of(kernel)

    try:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(named, range(8)))) == 1
    finally:
        kernel.close()


def test_a_name_goes_with_the_rows_to_another_store() -> None:
    source, target = MemoryKernel(), MemoryKernel()
    name = name_of(source)
    move(source, target, Plan("sqlite", "redis", NOON, lambda: None))
    assert name_of(target) == name


def test_a_store_that_was_moved_is_given_no_name_any_more() -> None:
    source = MemoryKernel()
    now = [0.0]
    opened = OpenKernel(source, clock=lambda: now[0])
    move(source, MemoryKernel(), Plan("sqlite", "redis", NOON, lambda: None))
    now[0] += 60
    with pytest.raises(StoreError):
        name_of(opened)
    assert source.get(keys.NAME_PK, keys.NAME_SK) is None


class Forgetful(MemoryKernel):
    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        return True


def test_a_store_that_does_not_keep_its_name_starts_nothing() -> None:
    with pytest.raises(StoreUnavailable, match="does not keep the name"):
        name_of(Forgetful())


def test_a_damaged_name_is_found_and_no_other_one_is_given() -> None:
    """G2: jobs under way go by the old one."""
    kernel = MemoryKernel()
    kernel.commit(keys.NAME_PK, [Put(Record(pk=keys.NAME_PK, sk=keys.NAME_SK, version=1, body={"nam": "x"}))])
    with pytest.raises(UnreadableRecord):
        name_of(kernel)
    assert [fault.kind for fault in checked(kernel).faults] == [FaultKind.UNREADABLE]


def test_nothing_is_wrong_with_a_store_that_has_a_name() -> None:
    kernel = MemoryKernel()
    name_of(kernel)
    assert checked(kernel).faults == ()


def test_the_name_is_read_once_by_a_process() -> None:
    kernel = MemoryKernel()
    named = StoreName(kernel)
    first = named()
    kernel.close()
    assert named() == first

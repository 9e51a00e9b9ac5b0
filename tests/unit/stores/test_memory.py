"""What is peculiar to the store in memory; what it shares with the others is in tests/contract."""

from __future__ import annotations

import gc
import tracemalloc

from interlock.stores.kernel import Delete, Put, Record
from interlock.stores.memory import MemoryKernel


def test_two_stores_in_memory_share_nothing() -> None:
    one, other = MemoryKernel(), MemoryKernel()
    assert one.commit("p", [Put(Record(pk="p", sk="a", version=1, body={}))])
    assert other.get("p", "a") is None
    other.close()
    one.ping()


def test_looking_at_what_is_not_there_keeps_nothing() -> None:
    kernel = MemoryKernel()
    record = Record(pk="p", sk="a", version=1, body={}, kind="k")
    tracemalloc.start()
    try:
        for number in range(2000):
            assert kernel.commit(f"p{number}", [Delete("a")])
            assert kernel.commit("p", [Put(record)])
            assert kernel.commit("p", [Delete("a", 1)])
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000

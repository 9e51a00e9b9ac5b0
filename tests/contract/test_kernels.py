"""Our stores keep the contract they are written against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.sqlite import SqliteKernel
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract


class TestMemoryKernel(KernelContract):
    @pytest.fixture
    def kernel(self) -> Iterator[Kernel]:
        kernel = MemoryKernel()
        yield kernel
        kernel.close()


class TestSqliteKernel(KernelContract):
    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Iterator[Kernel]:
        kernel = SqliteKernel(tmp_path / "store.db")
        yield kernel
        kernel.close()


class TestDurableSqliteKernel(DurableKernelContract):
    @pytest.fixture
    def open_kernel(self, tmp_path: Path) -> Callable[[], Kernel]:
        return partial(SqliteKernel, tmp_path / "store.db")


@pytest.mark.parametrize(("suite", "fixture"), [(KernelContract, "kernel"), (DurableKernelContract, "open_kernel")])
def test_a_suite_without_its_fixture_says_what_is_missing(suite: type, fixture: str) -> None:
    with pytest.raises(LookupError, match=f"must override the fixture `{fixture}`"):
        getattr(suite, fixture)._get_wrapped_function()(suite())

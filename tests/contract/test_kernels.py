"""Our stores keep the contract they are written against."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.conformance.kernel_damage import Spoil
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract


class TestMemoryKernel(KernelContract):
    @pytest.fixture
    def kernel(self) -> Iterator[Kernel]:
        kernel = MemoryKernel()
        yield kernel
        kernel.close()

    @pytest.fixture
    def spoil(self, kernel: MemoryKernel) -> Spoil:
        def spoiled(pk: str, sk: str) -> None:
            kernel._rows[pk][sk] = kernel._rows[pk][sk]._replace(body=b"{")

        return spoiled


class TestSqliteKernel(KernelContract):
    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Iterator[Kernel]:
        kernel = SqliteKernel(tmp_path / "store.db")
        yield kernel
        kernel.close()

    @pytest.fixture
    def spoil(self, tmp_path: Path) -> Spoil:
        def spoiled(pk: str, sk: str) -> None:
            with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
                db.execute("UPDATE records SET body = '{' WHERE pk = ? AND sk = ?", (pk, sk))

        return spoiled


class TestDurableSqliteKernel(DurableKernelContract):
    @pytest.fixture
    def open_kernel(self, tmp_path: Path) -> Callable[[], Kernel]:
        return partial(SqliteKernel, tmp_path / "store.db")


@pytest.mark.parametrize(
    ("suite", "fixture"),
    [(KernelContract, "kernel"), (KernelContract, "spoil"), (DurableKernelContract, "open_kernel")],
)
def test_a_suite_without_its_fixture_says_what_is_missing(suite: type, fixture: str) -> None:
    with pytest.raises(LookupError, match=f"must override the fixture `{fixture}`"):
        getattr(suite, fixture)._get_wrapped_function()(suite())

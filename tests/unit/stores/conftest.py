"""Every law about what stands above the kernel holds over each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.sqlite.kernel import SqliteKernel


@pytest.fixture(params=["memory", "sqlite"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kernel]:
    kernel = MemoryKernel() if request.param == "memory" else SqliteKernel(tmp_path / "store.db")
    yield kernel
    kernel.close()

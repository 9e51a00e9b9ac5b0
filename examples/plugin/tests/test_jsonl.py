"""The store keeps the whole contract, also between processes and when one of them is killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from interlock.errors import StoreEmpty, StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.kernel import Kernel, Page, StoreContext
from interlock.testing.conformance.kernel_damage import Spoil
from interlock.testing.conformance.kernel_values import a_record, keep
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract
from interlock_example_plugin.jsonl import JsonlConfig, JsonlStore


def opened(root: Path, *, read_only: bool = False) -> Kernel:
    return JsonlStore(JsonlConfig(path="state.jsonl"), StoreContext(root=root)).open(read_only=read_only)


class TestKernel(KernelContract):
    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Iterator[Kernel]:
        with closing(opened(tmp_path)) as kernel:
            yield kernel

    @pytest.fixture
    def spoil(self, tmp_path: Path) -> Spoil:
        def spoiled(pk: str, sk: str) -> None:
            path = tmp_path / "state.jsonl"
            changes = [change for line in path.read_text().splitlines()[1:] for change in json.loads(line)]
            row = next(change for change in reversed(changes) if change[:2] == [pk, sk])
            with path.open("a") as file:
                file.write(json.dumps([[*row[:3], "{", *row[4:]]]) + "\n")

        return spoiled


class TestDurableKernel(DurableKernelContract):
    @pytest.fixture
    def open_kernel(self, tmp_path: Path) -> Callable[[], Kernel]:
        return partial(opened, tmp_path)


def test_what_is_only_looked_at_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreEmpty):
        opened(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_who_looks_sees_what_others_write_and_writes_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as kernel:
        keep(kernel, a_record())
        with closing(opened(tmp_path, read_only=True)) as looking:
            keep(kernel, a_record(version=2))
            assert looking.rows("p", "", Page()) == [a_record(version=2)]
            looking.ping()
            with pytest.raises(StoreError, match="reading only"):
                keep(looking, a_record(version=3))


def test_a_line_that_a_dead_writer_left_unfinished_never_happened(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as kernel:
        keep(kernel, a_record())
        with (tmp_path / "state.jsonl").open("a") as file:
            file.write('[["p","a",2,"{}"')
        assert kernel.get("p", "a") == a_record()
        keep(kernel, a_record(version=2))
    with closing(opened(tmp_path)) as kernel:
        assert kernel.get("p", "a") == a_record(version=2)


def test_a_damaged_line_stops_everybody(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as kernel:
        keep(kernel, a_record())
    with (tmp_path / "state.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(StoreError, match="damaged"):
        opened(tmp_path)


def test_a_file_that_was_replaced_is_not_written(tmp_path: Path) -> None:
    """Two files would be two stores, and each would start the job."""
    with closing(opened(tmp_path)) as kernel:
        keep(kernel, a_record())
        (tmp_path / "state.jsonl").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            keep(kernel, a_record(version=2))


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.jsonl").write_text('{"interlock-jsonl": 2}\n')
    with pytest.raises(StoreTooNew):
        opened(tmp_path)

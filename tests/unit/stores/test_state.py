"""Two versions of Interlock on one store: what the other adds is read past, and what it changes is not touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.app.bench import Bench

from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.config.settings import Settings
from interlock.core.runs import RunStatus
from interlock.errors import StoreTooNew, UnreadableRecord
from interlock.runtime.closing import OpenKernel
from interlock.runtime.stores import open_kernel
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Page, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.state import FORMAT


def later(kernel: Kernel, number: int = FORMAT + 1) -> None:
    row = Record(pk=keys.STORE_PK, sk=keys.FORMAT_SK, version=1, body={"format": number})
    assert kernel.commit(keys.STORE_PK, [Put(row)])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "interlock.yaml").write_text("timezone: UTC\n")
    return load_project(tmp_path, settings=Settings(no_cache=True))


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_a_later_format_is_not_opened(project: Project, read_only: bool) -> None:
    kernel = open_kernel(project)
    later(kernel)
    kernel.close()
    with pytest.raises(StoreTooNew, match="records of format 2, and this version of Interlock knows format 1"):
        open_kernel(project, read_only=read_only)


def test_a_store_of_this_format_is_opened(project: Project) -> None:
    kernel = open_kernel(project)
    later(kernel, FORMAT)
    kernel.close()
    open_kernel(project).close()


def test_who_works_on_a_store_stops_when_a_later_version_has_changed_its_format() -> None:
    """A watcher that was forgotten at an upgrade would go on writing what it half understands."""
    real, now = MemoryKernel(), 0.0
    kernel = OpenKernel(real, clock=lambda: now)
    assert kernel.commit("p", [Put(Record(pk="p", sk="a", version=1, body={}))])
    later(real)
    now = 1.0
    with pytest.raises(StoreTooNew):
        kernel.commit("p", [Put(Record(pk="p", sk="b", version=1, body={}))])
    assert [row.sk for row in real.rows("p", "", Page())] == ["a"]


def test_fields_that_a_later_version_added_are_read_past() -> None:
    """Every row of a run's life, with a field more than this version knows, at every depth that is an object of ours."""
    bench = Bench()
    bench.running()
    pk = keys.slot_pk(bench.key.slot)
    for row in bench.kernel.rows(pk, "", Page()):
        body = {**row.body, "addedLater": {"x": [1]}}
        grown = Record(
            pk=pk, sk=row.sk, version=row.version + 1, body=body, wake_at=row.wake_at, kind=row.kind, rank=row.rank
        )
        assert bench.kernel.commit(pk, [Put(grown)])
    assert bench.run.status is RunStatus.RUNNING
    assert len(bench.store.journal(bench.key)) > 2
    assert bench.store.timeline("example", limit=50)


def test_a_fact_of_an_unknown_kind_is_named_and_not_skipped() -> None:
    """T-118."""
    bench = Bench()
    pk = keys.slot_pk(bench.key.slot)
    (row,) = bench.kernel.rows(pk, keys.journal_prefix(bench.key), Page(limit=1))
    body = {**row.body, "fact": {"type": "job_teleported", "at": "2026-03-07T12:00:00Z"}}
    later_fact = Record(pk=pk, sk=row.sk, version=row.version + 1, body=body, kind=row.kind, rank=row.rank)
    assert bench.kernel.commit(pk, [Put(later_fact)])
    with pytest.raises(UnreadableRecord, match=r"JOURNAL.*or written by a later Interlock"):
        bench.store.journal(bench.key)

"""Telling listeners what was committed: each record once, and only what the store has taken."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import Slot
from interlock.ports.stores import TimelineRecord
from interlock.runtime.ringing import RingingKernel
from interlock.stores.kernel import Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_slot

TOLD = (
    EventRecord(kind=EventKind.RUN_STUCK, at=NOON, message="nothing moves"),
    EventRecord(kind=EventKind.SCHEDULE_MISSED, at=NOON),
)


class Ear:
    def __init__(self) -> None:
        self.heard: list[TimelineRecord] = []

    def __call__(self, records: Sequence[TimelineRecord]) -> None:
        self.heard += records


def _rig() -> tuple[RingingKernel, Repository, Slot]:
    kernel = RingingKernel(MemoryKernel())
    return kernel, Repository(kernel), a_slot()


def test_a_listener_hears_each_record_of_a_commit_as_the_timeline_will_show_it() -> None:
    kernel, store, where = _rig()
    ear = Ear()
    kernel.committed.listen(ear)
    store.note(where, NOON, "first", TOLD)
    assert [each.record for each in ear.heard] == list(TOLD)
    assert tuple(ear.heard) == store.timeline(where.pipeline, limit=10)
    assert (ear.heard[0].schedule, ear.heard[0].period) == (where.schedule, str(where.period))


def test_what_the_store_refused_is_not_told() -> None:
    kernel, store, where = _rig()
    ear = Ear()
    kernel.committed.listen(ear)
    store.note(where, NOON, "same", TOLD)
    store.note(where, NOON, "same", TOLD)
    assert len(ear.heard) == len(TOLD)


def test_rows_that_are_no_lines_of_a_timeline_are_not_told() -> None:
    kernel, _, _ = _rig()
    ear = Ear()
    kernel.committed.listen(ear)
    kernel.commit("p", [Put(Record(pk="p", sk="s", version=1, body={}, kind="runs/p"))])
    assert not ear.heard


def test_a_line_that_cannot_be_read_is_committed_all_the_same_and_hides_no_other() -> None:
    kernel, store, where = _rig()
    ear = Ear()
    kernel.committed.listen(ear)
    broken = Record(pk="p", sk="s", version=1, body={"records": 7}, kind="timeline/p")
    assert kernel.commit("p", [Put(broken)])
    store.note(where, NOON, "later", TOLD)
    assert len(ear.heard) == len(TOLD)


def test_a_listener_that_raises_disturbs_neither_the_commit_nor_the_others(caplog: pytest.LogCaptureFixture) -> None:
    kernel, store, where = _rig()
    ear = Ear()

    def broken(records: Sequence[TimelineRecord]) -> None:
        raise RuntimeError("deaf")

    kernel.committed.listen(broken)
    kernel.committed.listen(ear)
    with caplog.at_level(logging.ERROR):
        store.note(where, NOON, "first", TOLD)
    assert len(ear.heard) == len(TOLD)
    assert "deaf" in caplog.text


def test_who_stopped_listening_hears_no_more_and_one_of_two_leaves_the_other() -> None:
    kernel, store, where = _rig()
    ear = Ear()
    stop = kernel.committed.listen(ear)
    kernel.committed.listen(ear)
    stop()
    stop()
    store.note(where, NOON, "first", TOLD)
    assert len(ear.heard) == len(TOLD)

"""Following the timelines: what this process and what others write, each line once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, Slot
from interlock.core.periods import Period
from interlock.errors import StoreUnavailable
from interlock.ports.stores import TimelineRecord
from interlock.runtime.ringing import RingingKernel
from interlock.runtime.timelines import LATEST, MOST, Timelines, line_of
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, SECOND

ORDERS = "orders"


class Ear:
    """A store that two processes write, and one who listens in the first of them."""

    def __init__(self) -> None:
        real = MemoryKernel()
        ringing = RingingKernel(real)
        self.here = Repository(ringing)
        self.elsewhere = Repository(real)
        self.told: list[str] = []
        self.gaps: list[str] = []
        self.elapsed = 0.0
        self.timelines = Timelines(
            self.here, ringing.committed, self._heard, self.gaps.append, seconds=lambda: self.elapsed
        )

    def _heard(self, records: Sequence[TimelineRecord]) -> None:
        self.told += [each.record.message for each in records]

    def listen(self, *names: str) -> None:
        self.timelines.begin(NOON)
        self.timelines.know(names or (ORDERS,))

    def look(self, *names: str) -> None:
        self.elapsed += 1
        self.timelines.look(names or (ORDERS,), None)


def write(store: Repository, *messages: str, seconds: float = 0, pipeline: str = ORDERS) -> None:
    at = NOON + timedelta(seconds=seconds)
    slot = Slot(PipelineName(pipeline), DEFAULT_SCHEDULE, Period("2026-03-07"))
    records = [EventRecord(kind=EventKind.MARKER_RECEIVED, at=at, message=message) for message in messages]
    store.note(slot, at, messages[0], records)


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_what_was_there_before_is_not_told(ear: Ear) -> None:
    write(ear.elsewhere, "old", seconds=-60)
    write(ear.here, "just before", seconds=1)
    ear.listen()
    ear.look()
    assert ear.told == []


def test_what_this_process_commits_is_told_at_once_and_once(ear: Ear) -> None:
    ear.listen()
    write(ear.here, "one", "two", seconds=1)
    assert ear.told == ["one", "two"]
    ear.look()
    assert ear.told == ["one", "two"]


def test_what_another_process_writes_is_told_by_the_next_look_and_once(ear: Ear) -> None:
    ear.listen()
    write(ear.elsewhere, "one", "two", seconds=1)
    write(ear.elsewhere, "three", seconds=2)
    ear.look()
    ear.look()
    assert ear.told == ["one", "two", "three"]


def test_a_line_whose_writer_has_a_slow_clock_is_told_though_it_stands_in_front_of_others(ear: Ear) -> None:
    write(ear.elsewhere, "old", seconds=-60)
    ear.listen()
    write(ear.elsewhere, "ahead", seconds=30)
    ear.look()
    write(ear.elsewhere, "behind", seconds=-30)
    ear.look()
    assert ear.told == ["ahead", "behind"]


def test_a_pipeline_that_is_new_is_told_from_the_beginning(ear: Ear) -> None:
    ear.listen(ORDERS)
    write(ear.elsewhere, "first", seconds=1, pipeline="returns")
    ear.look(ORDERS, "returns")
    assert ear.told == ["first"]


def test_many_lines_at_once_are_all_told_in_order(ear: Ear) -> None:
    ear.listen()
    wanted = [f"{number:04}" for number in range(5 * LATEST)]
    for number, message in enumerate(wanted):
        write(ear.elsewhere, message, seconds=1 + number / 1000)
    ear.look()
    assert ear.told == wanted
    assert ear.gaps == []


def test_more_lines_than_can_be_told_are_a_gap_and_the_latest_are_told(ear: Ear) -> None:
    ear.listen()
    write(ear.elsewhere, *(f"{number:05}" for number in range(MOST + 500)), seconds=1)
    ear.look()
    assert ear.gaps == [ORDERS]
    assert ear.told[-1] == f"{MOST + 499:05}"
    assert len(ear.told) == MOST


def test_nothing_is_told_twice_however_much_has_been_forgotten_meanwhile(ear: Ear) -> None:
    ear.listen()
    wanted = []
    for number in range(1500):
        wanted.append(f"{number:05}")
        write(ear.here if number % 2 else ear.elsewhere, wanted[-1], seconds=1 + number)
        if number % 7 == 0:
            ear.look()
    ear.look()
    assert sorted(ear.told) == wanted
    assert ear.gaps == []


def test_what_others_write_among_much_of_our_own_is_told(ear: Ear) -> None:
    ear.listen()
    wanted = [f"{number:05}" for number in range(3000)]
    for number, message in enumerate(wanted):
        write(ear.elsewhere if number in (1, 1500) else ear.here, message, seconds=1 + number / 1000)
        if number in (1000, 2000):
            ear.look()
    ear.look()
    assert sorted(ear.told) == wanted
    assert ear.gaps == []


def test_who_looks_at_some_pipelines_reads_no_others(ear: Ear) -> None:
    ear.listen(ORDERS)
    write(ear.elsewhere, "mine", seconds=1)
    write(ear.elsewhere, "not mine", seconds=1, pipeline="returns")
    ear.timelines.look([ORDERS, "returns"], [ORDERS])
    assert ear.told == ["mine"]


def test_a_store_that_cannot_be_read_costs_nothing_but_time(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    ear.listen()
    write(ear.elsewhere, "one", seconds=1)
    with monkeypatch.context() as patched:

        def down(pipeline: str, *, limit: int, before: str | None = None) -> tuple[TimelineRecord, ...]:
            raise StoreUnavailable("gone for a moment")

        patched.setattr(ear.here, "timeline", down)
        with pytest.raises(StoreUnavailable):
            ear.look()
    ear.look()
    assert ear.told == ["one"]


def test_after_the_end_nothing_is_told(ear: Ear) -> None:
    ear.listen()
    ear.timelines.end()
    write(ear.here, "late", seconds=1)
    assert ear.told == []


def test_two_threads_that_find_the_same_tell_it_once(ear: Ear) -> None:
    ear.listen()
    start = threading.Barrier(4)

    def look() -> None:
        start.wait(30)
        for _ in range(20):
            ear.timelines.look([ORDERS], None)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for each in threads:
        each.start()
    start.wait(30)
    wanted = [f"{number:03}" for number in range(200)]
    for number, message in enumerate(wanted):
        write(ear.here, message, seconds=1 + number * SECOND.total_seconds())
    for each in threads:
        each.join(30)
    assert sorted(ear.told) == wanted


def test_the_order_of_lines_is_the_order_of_the_listing() -> None:
    early, late = "20260307T120000.000000Z|slot/a|NOTE#9|0", "20260307T120000.000001Z|slot/a|NOTE#1|12"
    assert line_of(early) < line_of(late)
    assert line_of(late) == line_of(late.replace("|12", "|3"))

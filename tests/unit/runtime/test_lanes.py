"""Lanes: fair between owners, and never blocked by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from interlock.runtime.lanes import ThreadLane, side_by_side

SOON = timedelta(seconds=10)


class Hanging:
    """Tasks that hang until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()

    def __call__(self) -> None:
        self.begun.release()
        self.gate.wait(20)

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=10)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    tasks = Hanging()
    yield tasks
    tasks.gate.set()


def test_every_task_is_done_once() -> None:
    lane, done, lock = ThreadLane("test", 4), list[int](), threading.Lock()

    def task(number: int) -> Callable[[], None]:
        def do() -> None:
            with lock:
                done.append(number)

        return do

    for number in range(200):
        assert lane.submit(f"owner-{number % 7}", task(number))
    assert lane.idle_within(SOON)
    assert sorted(done) == list(range(200))


def test_an_owner_whose_work_hangs_in_every_thread_keeps_nobody_else_waiting(hanging: Hanging) -> None:
    lane, others = ThreadLane("test", 4), threading.Semaphore(0)
    for _ in range(20):
        lane.submit("hung", hanging)
    hanging.wait_for(4)
    for number in range(6):
        lane.submit(f"other-{number}", others.release)
    assert all(others.acquire(timeout=10) for _ in range(6))


def test_an_owner_has_no_more_than_a_quarter_while_others_wait(hanging: Hanging) -> None:
    lane, first = ThreadLane("test", 8), Hanging()
    for _ in range(8):
        lane.submit("blocker", first)
    first.wait_for(8)
    for _ in range(10):
        lane.submit("greedy", hanging)
        lane.submit("modest", hanging)
    running = lane._running
    hanging.wait_for(4)
    assert (running["greedy"], running["modest"]) == (2, 2)
    first.gate.set()


def test_a_lane_never_has_more_threads_than_twice_its_width(hanging: Hanging) -> None:
    lane = ThreadLane("test", 4)
    for number in range(100):
        lane.submit(f"owner-{number % 10}", hanging)
    hanging.wait_for(4)
    assert lane._threads <= 8


def test_alone_an_owner_may_have_the_whole_lane(hanging: Hanging) -> None:
    lane = ThreadLane("test", 8)
    for _ in range(8):
        lane.submit("only", hanging)
    hanging.wait_for(8)


def test_owners_take_turns() -> None:
    lane, order, gate = ThreadLane("test", 1), list[str](), threading.Event()
    lane.submit("blocker", partial(_wait, gate))
    for owner in ("a", "a", "a", "b", "c"):
        lane.submit(owner, lambda owner=owner: order.append(owner))  # type: ignore[misc]
    gate.set()
    assert lane.idle_within(SOON)
    assert order == ["a", "b", "c", "a", "a"]


def test_what_has_not_begun_is_forgotten_and_nothing_more_is_taken(hanging: Hanging) -> None:
    lane, done = ThreadLane("test", 1), list[int]()
    lane.submit("one", hanging)
    hanging.wait_for(1)
    lane.submit("one", lambda: done.append(1))
    lane.forget()
    assert not lane.submit("one", lambda: done.append(2))
    assert not lane.idle_within(timedelta(milliseconds=10))
    hanging.gate.set()
    assert lane.idle_within(SOON)
    assert done == []


def test_threads_of_a_forgotten_lane_end() -> None:
    lane = ThreadLane("ending", 4)
    for _ in range(10):
        lane.submit("one", lambda: None)
    assert lane.idle_within(SOON)
    lane.forget()
    for thread in [each for each in threading.enumerate() if each.name == "interlock-ending"]:
        thread.join(10)
        assert not thread.is_alive()


def test_side_by_side_gives_results_in_order_and_waits_for_all_before_it_raises() -> None:
    assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == (1, 2, 3)
    assert side_by_side([lambda: 1]) == (1,)
    assert side_by_side([]) == ()
    done: list[int] = []

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        side_by_side([fails, lambda: done.append(1)])
    assert done == [1]


def _wait(gate: threading.Event) -> None:
    gate.wait(10)

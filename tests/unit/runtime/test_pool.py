"""Several things at once, within bounds."""

from __future__ import annotations

import signal
import threading

import pytest

from interlock.runtime.pool import Pool


def test_results_come_in_the_order_of_the_tasks() -> None:
    pool = Pool(4)
    try:
        assert pool([lambda n=n: n * n for n in range(20)]) == tuple(n * n for n in range(20))  # type: ignore[misc]
    finally:
        pool.close()


def test_no_more_run_at_once_than_the_pool_is_wide() -> None:
    pool, lock = Pool(3), threading.Lock()
    counts = {"now": 0, "most": 0}
    turn = threading.Barrier(3)

    def work() -> None:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        turn.wait(10)
        with lock:
            counts["now"] -= 1

    try:
        pool([work] * 12)
    finally:
        pool.close()
    assert counts["most"] == 3


def test_an_exception_is_raised_only_after_every_task_has_ended() -> None:
    pool = Pool(2)
    done: list[int] = []

    def fail() -> None:
        raise ValueError("first")

    try:
        with pytest.raises(ValueError, match="first"):
            pool([fail, *(lambda n=n: done.append(n) for n in range(5))])
        assert sorted(done) == list(range(5))
    finally:
        pool.close()


def test_even_one_task_is_kept_off_the_main_thread() -> None:
    pool = Pool(2)
    try:
        assert pool([threading.current_thread]) != (threading.main_thread(),)
    finally:
        pool.close()


def test_closing_waits_for_what_is_under_way_and_leaves_no_thread() -> None:
    before = threading.active_count()
    pool, begun, go, done = Pool(1), threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)
        done.set()

    caller = threading.Thread(target=lambda: pool([work]))
    caller.start()
    assert begun.wait(10)
    threading.Timer(0.05, go.set).start()
    pool.close()
    assert done.is_set()
    caller.join(10)
    assert threading.active_count() <= before + 1, "the timer may still be ending"


def test_a_signal_that_does_not_end_the_wait_is_handled_while_the_task_goes_on() -> None:
    pool = Pool(2)
    handled = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: handled.set())

    def work() -> bool:
        # Taken by this thread, so that nothing wakes the one that waits and alone may handle it.
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        return handled.wait(20)

    try:
        assert pool([work]) == (True,)
    finally:
        signal.signal(signal.SIGUSR1, before)
        pool.close()

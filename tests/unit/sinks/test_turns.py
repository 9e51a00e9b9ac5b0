from __future__ import annotations

import threading

import pytest

from interlock.sinks.turns import Turns


def test_what_the_work_returns_is_returned() -> None:
    assert Turns[int]("t").run(lambda: 7, 5) == 7


def test_what_the_work_raises_is_raised_and_the_next_turn_comes() -> None:
    def fail() -> int:
        raise LookupError("gone")

    turns = Turns[int]("t")
    with pytest.raises(LookupError, match="gone"):
        turns.run(fail, 5)
    assert turns.run(lambda: 7, 5) == 7


def test_work_that_hangs_is_given_up_and_nothing_is_begun_until_it_ends() -> None:
    ended, begun = threading.Event(), list[int]()

    def hang() -> int:
        begun.append(1)
        ended.wait(10)
        return 1

    turns = Turns[int]("t")
    with pytest.raises(TimeoutError, match="did not end"):
        turns.run(hang, 0.05)
    with pytest.raises(TimeoutError, match="earlier"):
        turns.run(hang, 0.05)
    ended.set()
    assert turns.run(lambda: 7, 5) == 7
    assert begun == [1]


def test_without_a_thread_the_turn_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    turns = Turns[int]("t")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TimeoutError, match="no thread"):
            turns.run(lambda: 7, 5)
    assert turns.run(lambda: 7, 5) == 7

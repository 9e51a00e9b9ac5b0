"""Parts of a process: each ends for itself, and its end is noticed."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from functools import partial

import pytest

from interlock.runtime.parts import Part

PATIENCE = timedelta(seconds=30)


def _wait(for_it: threading.Event) -> None:
    assert for_it.wait(30)


def test_a_part_lives_until_its_work_is_over() -> None:
    go, ended = threading.Event(), threading.Event()
    part = Part("worker", partial(_wait, go), ended.set)
    part.start()
    assert not part.over_within(timedelta())
    go.set()
    assert part.over_within(PATIENCE)
    assert ended.is_set()
    assert part.error is None


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3)])
def test_a_part_that_dies_says_of_what(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def die() -> None:
        raise error

    ended = threading.Event()
    part = Part("worker", die, ended.set)
    with caplog.at_level(logging.ERROR):
        part.start()
        assert part.over_within(PATIENCE)
    assert part.error is error
    assert ended.is_set()
    assert "the worker died" in caplog.text


def test_a_part_that_was_never_begun_is_over() -> None:
    assert Part("worker", lambda: None, lambda: None).over_within(PATIENCE)

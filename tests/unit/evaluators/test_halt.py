"""Stopping what is being asked, when Interlock itself is stopping."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import psutil

from interlock.core.traits import FailureCategory, Origin
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question


def test_a_halt_ends_a_running_evaluator_and_its_children_at_once(tmp_path: Path) -> None:
    script = tmp_path / "slow"
    script.write_text("#!/bin/sh\nsleep 61 &\necho $! > child\nsleep 62\n")
    script.chmod(0o755)
    halt = threading.Event()
    answers: list[Answer] = []

    def ask() -> None:
        evaluator = SubprocessEvaluator(tmp_path, halt=halt)
        answers.append(evaluator.evaluate(a_question("./slow"), timeout=timedelta(seconds=60)))

    asking = threading.Thread(target=ask)
    asking.start()
    child = tmp_path / "child"
    deadline = time.monotonic() + 10
    while not (child.exists() and child.read_text().strip()) and time.monotonic() < deadline:
        asking.join(0.01)
    halt.set()
    asking.join(5)
    assert not asking.is_alive()
    assert (answers[0].origin, answers[0].category) == (Origin.RUNNER, FailureCategory.TRANSIENT)
    deadline = time.monotonic() + 5
    while _alive(int(child.read_text())) and time.monotonic() < deadline:
        asking.join(0.01)
    assert not _alive(int(child.read_text()))


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

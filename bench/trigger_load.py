"""Triggers beyond one call at a time: many looks at once, a first call, a thousand looks, a run that is verified."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from interlock.app.arrivals import open_run
from interlock.core.ids import RunKey
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import RunStatus
from interlock.ports.triggers import Job, JobHandle, JobReport, JobState
from interlock.runtime.driver import Driver
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_hand, a_slot, a_spec, a_trait
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger

THREADS: Final = 16
ROUNDS: Final = 4
SECONDS: Final = 1.0
CALLS: Final = 1000
RUNS: Final = 200
FIRST: Final = 9


# ---------------------------------------------------------------- many at once


def at_once(ours: Callable[[], object], bare: Callable[[], object]) -> dict[str, float]:
    """Return how many looks a second sixteen threads get done, by turns; the ratio is that of the middle round."""
    for act in (ours, bare):
        _rate(act, SECONDS / 4)
    rounds = [(_rate(ours, SECONDS), _rate(bare, SECONDS)) for _ in range(ROUNDS)]
    return {
        "per_second": max(mine for mine, _ in rounds),
        "bare_per_second": max(theirs for _, theirs in rounds),
        "ratio": median(mine / theirs for mine, theirs in rounds),
    }


def _rate(act: Callable[[], object], seconds: float) -> float:
    done: list[int] = []
    failed: list[BaseException] = []
    began = perf_counter()

    def work() -> None:
        count = 0
        try:
            while perf_counter() < began + seconds:
                act()
                count += 1
        except BaseException as exc:
            failed.append(exc)
        done.append(count)

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]
    return sum(done) / (perf_counter() - began)


# ---------------------------------------------------------------- the first one


def first_call(endpoint: str) -> dict[str, float]:
    """Return what the first start takes in a process that has imported nothing, against boto3's."""
    taken = [(_child("ours", endpoint), _child("bare", endpoint)) for _ in range(FIRST)]
    return {
        "ms": 1000 * median(mine for mine, _ in taken),
        "bare_ms": 1000 * median(theirs for _, theirs in taken),
        "ratio": median(mine / theirs for mine, theirs in taken),
    }


def _child(whose: str, endpoint: str) -> float:
    # Only what it needs to know: that it starts must not import what is to be measured.
    code = f"from bench.trigger_first import {whose}; print({whose}({endpoint!r}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    return float(done.stdout)


# ---------------------------------------------------------------- a thousand


def grown(act: Callable[[], object]) -> dict[str, float]:
    """Return what a thousand calls leave behind: threads, open files, memory."""
    if not Path("/proc/self").exists():
        return {}
    for _ in range(CALLS // 5):
        act()
    before = _held()
    for _ in range(CALLS):
        act()
    return {name: count - before[name] for name, count in _held().items()}


def _held() -> Mapping[str, float]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "more_threads": float(threading.active_count()),
        "more_files": float(sum(1 for _ in Path("/proc/self/fd").iterdir())),
        "more_mib": pages * os.sysconf("SC_PAGESIZE") / 2**20,
    }


# ---------------------------------------------------------------- a run that is verified


class _Done(FakeTrigger):
    """Jobs that have ended when they are first looked at."""

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        return JobReport(state=JobState.SUCCEEDED)


class _Jumps:
    """Waits by setting the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def until(self, when: datetime) -> None:
        self._clock.set(max(when, self._clock.now()))


def verified() -> dict[str, float]:
    """Return what a run takes in memory, all of it and without waiting, and what one check of its result adds."""
    plain, checked = a_spec(), a_spec(verify=(a_trait("rows"),))
    for spec in (plain, checked):
        _driven(spec, 0)
    taken = [(_driven(checked, number), _driven(plain, number)) for number in range(RUNS)]
    return {
        "ms": 1000 * median(mine for mine, _ in taken),
        "without_ms": 1000 * median(theirs for _, theirs in taken),
        "ratio": median(mine / theirs for mine, theirs in taken),
    }


def _driven(spec: PipelineSpec, number: int) -> float:
    clock, store, evaluator = FakeClock(NOON), Repository(MemoryKernel()), FakeEvaluator()
    hands = a_hand(store, clock=clock, evaluator=evaluator, trigger=_Done())
    slot = a_slot(pipeline=f"pipeline-{number:06d}")
    began = perf_counter()
    open_run(slot, spec, store, NOON)
    run = Driver(hands, _Jumps(clock)).drive(RunKey(slot)).run
    took = perf_counter() - began
    if run.status is not RunStatus.COMPLETED or evaluator.asked("rows") != len(spec.verify):
        raise AssertionError(f"the run must have completed as it was told to: {run.status}")
    return took

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, Trigger
from interlock.testing.conformance.triggers import TIMEOUT, Kind, TriggerBench, TriggerContract, a_job, the_end
from interlock.triggers.command import CommandConfig, CommandTrigger
from interlock.triggers.context import TriggerContext
from interlock.triggers.foreground import ForegroundConfig, ForegroundTrigger, Stage
from interlock.triggers.python import PythonConfig, PythonTrigger

SCRIPT = """
import os, sys, time
with open("starts", "a") as file:
    file.write("x")
if sys.argv[1] == "LINGERS":
    time.sleep(300)
sys.exit(0 if sys.argv[1] == "SUCCEEDS" else 4)
"""
MODULE = """
import time
def job(kind):
    with open("starts", "a") as file:
        file.write("x")
    if kind == "LINGERS":
        time.sleep(300)
    if kind == "FAILS":
        raise OSError("disk on fire")
"""


class ProcessBench:
    can_find = True
    can_cancel = True

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "job.py").write_text(SCRIPT)
        (root / "jobs.py").write_text(MODULE)
        self.context = TriggerContext(state_dir=root / ".interlock", root=root)

    def trigger(self, kind: Kind) -> Trigger:
        config = CommandConfig(command=(sys.executable, "job.py", kind.name), grace=0.2)
        return CommandTrigger(config, self.context)

    def starts(self) -> int:
        counter = self.root / "starts"
        return len(counter.read_text()) if counter.exists() else 0

    def stop(self) -> None:
        for attempt in (1, 2):
            job = a_job(attempt=attempt)
            trigger = self.trigger(Kind.LINGERS)
            handle = trigger.find(job, timeout=TIMEOUT)
            if not isinstance(handle, Absent):
                trigger.cancel(job, handle, timeout=TIMEOUT)
                the_end(trigger, job, handle)


class PythonBench(ProcessBench):
    def trigger(self, kind: Kind) -> Trigger:
        return PythonTrigger(PythonConfig(callable="jobs:job", args={"kind": kind.name}), self.context)


class TestCommandTrigger(TriggerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[TriggerBench]:
        bench = ProcessBench(tmp_path)
        yield bench
        bench.stop()


class TestPythonTrigger(TriggerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[TriggerBench]:
        bench = PythonBench(tmp_path)
        yield bench
        bench.stop()


class ForegroundBench:
    """The one process that has the stage, and looks from it."""

    can_find = False
    can_cancel = True

    def __init__(self, root: Path) -> None:
        (root / "job.py").write_text(SCRIPT.replace('"starts"', repr(str(root / "starts"))))
        self.root = root
        self.stages: dict[tuple[Kind, str], Stage] = {}

    def trigger(self, kind: Kind) -> Trigger:
        context = TriggerContext(state_dir=self.root / ".interlock", root=self.root)
        return _Staged(self, kind, context)

    def stage(self, kind: Kind, job: Job) -> Stage:
        argv = (sys.executable, str(self.root / "job.py"), kind.name)
        return self.stages.setdefault((kind, job.key), Stage(argv))

    def starts(self) -> int:
        counter = self.root / "starts"
        return len(counter.read_text()) if counter.exists() else 0

    def stop(self) -> None:
        for stage in self.stages.values():
            if stage.began:
                stage.pass_on(signal.SIGKILL)
                stage.wait()


class _Staged:
    """A stage runs one command; the bench gives each job its own, as each `interlock exec` would."""

    repeatable = False
    watchable = True

    def __init__(self, bench: ForegroundBench, kind: Kind, context: TriggerContext) -> None:
        self._bench, self._kind, self._context = bench, kind, context

    def _of(self, job: Job) -> ForegroundTrigger:
        return ForegroundTrigger(ForegroundConfig(), self._context, self._bench.stage(self._kind, job))

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        return self._of(job).start(job, timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        return self._of(job).find(job, timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        return self._of(job).poll(job, handle, timeout=timeout)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        self._of(job).cancel(job, handle, timeout=timeout)


class TestForegroundTrigger(TriggerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[TriggerBench]:
        bench = ForegroundBench(tmp_path)
        yield bench
        bench.stop()

    def test_a_started_job_is_found_by_its_key(self, bench: TriggerBench) -> None:
        """Here it is found, by the process that has started it; what others did, nobody knows."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert bench.trigger(Kind.LINGERS).find(a_job(), timeout=TIMEOUT) == handle

"""A place to run real jobs in, and to look at what became of them."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import psutil

from interlock.clients.processes import Launch, SupervisedJobs
from interlock.ports.triggers import JobHandle, JobReport, JobState
from interlock.testing.conformance.triggers import until

TIMEOUT = timedelta(seconds=20)


class Lab:
    """Jobs under one directory; each that calls `mark` adds one letter to a counter."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "jobs"
        self.counter = root / "counter"
        self.jobs = SupervisedJobs(self.directory, root=root)
        self.handles: list[JobHandle] = []

    @property
    def mark(self) -> str:
        return f"printf x >> {self.counter}"

    @property
    def count(self) -> int:
        return len(self.counter.read_text()) if self.counter.exists() else 0

    def launch(
        self, script: str, *, timeout: float = 60, grace: float = 0.3, env: dict[str, str] | None = None
    ) -> Launch:
        return Launch(
            argv=("/bin/sh", "-c", script),
            env={"PATH": os.environ["PATH"], **(env or {})},
            cwd=str(self.root),
            timeout=timedelta(seconds=timeout),
            grace=timedelta(seconds=grace),
        )

    def start(self, script: str, *, key: str = "k", timeout: float = 60, grace: float = 0.3) -> JobHandle:
        handle = self.jobs.start(key, self.launch(script, timeout=timeout, grace=grace), timeout=TIMEOUT)
        self.handles.append(handle)
        return handle

    def end(self, handle: JobHandle, *, secrets: tuple[str, ...] = ()) -> JobReport:
        seen: list[JobReport] = []

        def over() -> bool:
            seen.append(self.jobs.poll(handle, secrets=secrets))
            return seen[-1].state is not JobState.RUNNING

        until(over, "the job's end")
        return seen[-1]

    def run(self, script: str, *, timeout: float = 60, grace: float = 0.3) -> JobReport:
        return self.end(self.start(script, timeout=timeout, grace=grace))

    def wait_for(self, name: str) -> str:
        """Wait for a job to write a whole line into a file, and return it."""
        path = self.root / name
        until(lambda: path.exists() and path.read_text().endswith("\n"), f"the file {name}")
        return path.read_text().strip()

    def pid_in(self, name: str) -> psutil.Process:
        return psutil.Process(int(self.wait_for(name)))

    def place(self, handle: JobHandle) -> Path:
        return self.directory / handle.id

    def close(self) -> None:
        for handle in self.handles:
            if self.jobs.poll(handle).state is JobState.RUNNING:
                self.jobs.cancel(handle)
                self.end(handle)


def gone(process: psutil.Process) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


PYTHON = sys.executable

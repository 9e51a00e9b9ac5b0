"""Forgetting the jobs of old runs."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.cli import a_project

from interlock.app.arrivals import open_run
from interlock.config.load import load_project
from interlock.core.runs import RunStatus
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.tidying import tidy_jobs
from interlock.runtime.wiring import Interlock, state_dir
from interlock.testing.builders import a_slot


def test_the_jobs_of_the_newest_runs_are_kept_and_older_ones_forgotten(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path))
    spec = project.pipelines["orders"].spec
    with Interlock(project) as work:
        for day in range(1, 5):
            slot = a_slot(f"2026-03-0{day}", pipeline="orders")
            run = open_run(slot, spec, work.store, work.clock.now()).run
            driven = Driver(work.hands, SystemPacer(work.clock)).drive(run.key)
            assert driven.run.status is RunStatus.COMPLETED
        jobs = state_dir(project) / "jobs"
        assert len(list(jobs.iterdir())) == 4
        assert tidy_jobs(work, "orders", kept=3) == 1
        assert len(list(jobs.iterdir())) == 3
        assert tidy_jobs(work, "orders", kept=3) == 0


def test_the_job_of_a_run_that_has_not_ended_is_never_forgotten(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path, job="sleep 0.2"))
    spec = project.pipelines["orders"].spec
    with Interlock(project) as work:
        run = open_run(a_slot(pipeline="orders"), spec, work.store, work.clock.now()).run
        Driver(work.hands, SystemPacer(work.clock)).drive(run.key, wait=False)
        assert tidy_jobs(work, "orders", kept=0) == 0


def test_a_store_that_is_made_anew_starts_its_jobs_though_those_of_the_old_one_are_still_there(tmp_path: Path) -> None:
    """An old outcome, found under the same run's name, ended the new run well though nothing was started."""
    root = a_project(tmp_path, job="sh -c 'echo ran >> ran.txt'")
    project = load_project(root)
    spec = project.pipelines["orders"].spec
    for _ in range(2):
        with Interlock(project) as work:
            run = open_run(a_slot(pipeline="orders"), spec, work.store, work.clock.now()).run
            driven = Driver(work.hands, SystemPacer(work.clock)).drive(run.key)
            assert driven.run.status is RunStatus.COMPLETED
        for file in state_dir(project).glob("interlock.db*"):
            file.unlink()
    assert (root / "ran.txt").read_text().splitlines() == ["ran", "ran"]

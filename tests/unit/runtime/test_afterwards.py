"""A job that somebody asked for is looked after until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from tests.unit.operations.office import Office, an_office

from interlock.api.running import Run
from interlock.core.ids import RunKey
from interlock.operations.performing import perform


def _until(true: Callable[[], bool]) -> bool:
    deadline = monotonic() + 30
    while not true() and monotonic() < deadline:
        sleep(0.01)
    return true()


def _status(office: Office, key: RunKey) -> str:
    run = office.store.run(key)
    assert run is not None
    return run.status


def test_the_end_of_a_job_is_noticed_although_nobody_watches(tmp_path: Path) -> None:
    """BUG-96."""
    with an_office(tmp_path / "project", job="while [ ! -e go ]; do sleep 0.01; done") as office:
        key = RunKey(office.slot())
        assert perform(Run(pipeline_id="orders"), office.desk).status == "RUNNING"
        (office.root / "go").touch()
        assert _until(lambda: _status(office, key) == "COMPLETED")


def test_people_are_told_of_a_failure_although_nobody_watches(tmp_path: Path) -> None:
    job = "while [ ! -e go ]; do sleep 0.01; done; exit 2"
    retry = "retry: {maxAttempts: 1}\n"
    with an_office(tmp_path / "project", job=job, pipeline=retry) as office:
        key = RunKey(office.slot())
        perform(Run(pipeline_id="orders"), office.desk)
        (office.root / "go").touch()
        assert _until(lambda: _status(office, key) == "FAILED" and not office.store.outstanding(key))


def test_closing_leaves_no_thread_and_the_job_goes_on(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", job="while [ ! -e go ]; do sleep 0.01; done") as office:
        key = RunKey(office.slot())
        perform(Run(pipeline_id="orders"), office.desk)
        assert any(thread.name == "interlock-afterwards" for thread in threading.enumerate())
        office.work.afterwards.close()
        assert not any(thread.name == "interlock-afterwards" for thread in threading.enumerate())
        office.work.afterwards.look_after(key, 1)  # too late, and no fault
        assert not any(thread.name == "interlock-afterwards" for thread in threading.enumerate())
        assert _status(office, key) == "RUNNING"
        (office.root / "go").touch()

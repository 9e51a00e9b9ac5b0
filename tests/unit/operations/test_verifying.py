"""What those who act meet while the work of a job is being checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_script
from tests.unit.operations.office import Office, an_office

from interlock.api import gating, running
from interlock.api.contract import Request
from interlock.app.advance import advance
from interlock.core.events import JobFinished
from interlock.core.ids import parse_run_id
from interlock.core.runs import Run, RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import Conflict
from interlock.operations import running as verbs
from interlock.operations.performing import perform
from interlock.runtime.leases import Lease

GATE = gating.OpenGate(pipeline_id="orders", holder="etl on node 7", claim="a1")
VERIFY = "verify:\n  - {name: rows-written, evaluator: ./evaluators/rows, timeout: 20}\n"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A project whose check of the job's work cannot tell."""
    root = tmp_path / "project"
    (root / "evaluators").mkdir(parents=True)
    a_script(root / "evaluators" / "rows", "echo asked >> asked; exit 1")
    with an_office(root, pipeline=VERIFY) as found:
        yield found


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _run(office: Office, run_id: str) -> Run:
    key = parse_run_id(run_id)
    run = office.store.run(key)
    assert run is not None
    return run


def _asked(office: Office) -> int:
    file = office.root / "asked"
    return len(file.read_text().split()) if file.exists() else 0


def test_leave_whose_job_has_said_that_it_is_done_is_not_given_again(office: Office) -> None:
    """G2: the question may be repeated by whatever lies between, long after the job has run."""
    gate = _do(office, GATE)
    _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=1))
    assert _run(office, gate.run_id).verifying is not None
    with pytest.raises(Conflict):
        _do(office, GATE)


def test_a_work_is_accepted_for_its_own_attempt_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """G5: between the look and the word another attempt may have begun, which has said nothing."""
    gate = _do(office, GATE)
    _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=1))
    accepted, key = verbs.completed, parse_run_id(gate.run_id)

    def meanwhile(*args: Any) -> Any:
        now = office.work.clock.now()
        failed = JobFinished(at=now, attempt=1, succeeded=False, category=FailureCategory.TRANSIENT)
        run = advance(key, failed, office.store).run
        began = replace(run, status=RunStatus.RUNNING, attempt=2, version=run.version)
        monkeypatch.setattr(office.store, "run", lambda _key: began)
        return accepted(*args)

    monkeypatch.setattr(verbs, "completed", meanwhile)
    with pytest.raises(Conflict):
        _do(office, running.AcceptRun(run_id=gate.run_id, reason="counted by hand"))


def test_nothing_is_accepted_before_the_job_has_said_that_it_is_done(office: Office) -> None:
    gate = _do(office, GATE)
    with pytest.raises(Conflict, match="has not said that its work is done"):
        _do(office, running.AcceptRun(run_id=gate.run_id, reason="it will be fine"))


def test_who_reports_an_end_asks_the_checks_where_nobody_else_does(office: Office) -> None:
    gate = _do(office, GATE)
    _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=1))
    assert _asked(office) == 1


def test_who_reports_an_end_does_not_wait_for_checks_that_a_watcher_asks(office: Office) -> None:
    """A job that waits long for an answer to its report gives up, and reports again."""
    gate = _do(office, GATE)
    Lease(office.work.hands.members).hold(office.work.clock.now())
    _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=1))
    assert (_asked(office), _run(office, gate.run_id).asked) == (0, ("rows-written",))
    assert _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=1)).known is True

"""A question that is asked again because its answer was lost: it does nothing that the first has not done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from msgspec.structs import replace
from tests.acceptance.cli import a_script, starts
from tests.unit.operations.office import NOW, Office, an_office

from interlock.api import gating, running
from interlock.api.contract import Request
from interlock.app.shadow_report import REAL
from interlock.errors import Conflict, NotReady
from interlock.operations.performing import perform

GATE = gating.OpenGate(pipeline_id="orders", holder="etl on node 7", claim="a1")
HOURLY = "schedules: [{name: hourly, every: 1h}]\n"
MORNING = 'schedules: [{name: daily, after: "06:00", closeAt: "10:00"}]\n'
NO = 'echo \'{"status":"FAIL","reason":"3 of 4"}\''
YES = 'echo \'{"status":"PASS"}\''


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _at(hour: int, minute: int = 0, second: int = 0) -> time_machine.travel:
    return time_machine.travel(datetime(2026, 3, 7, hour, minute, second, tzinfo=UTC))


def test_the_same_claim_is_given_the_same_leave_when_the_next_slot_has_begun_meanwhile(tmp_path: Path) -> None:
    """G2: without a date the second question would be about another slot, and the first one's leave lost."""
    with an_office(tmp_path / "project", pipeline=HOURLY) as office:
        with _at(13, 59, 58):
            first = _do(office, GATE)
        with _at(14, 0, 3):
            again = _do(office, GATE)
            other = _do(office, replace(GATE, claim="a2"))
    assert (again.date, again.run_id, again.token) == (first.date, first.run_id, first.token)
    assert other.date == "2026-03-07T14:00" != first.date


def test_a_claim_is_worth_nothing_in_the_mouth_of_another_holder(office: Office) -> None:
    """G2: a word that somebody wrote into a script is the same on every machine."""
    _do(office, GATE)
    with pytest.raises(Conflict, match="RUNNING already"):
        _do(office, replace(GATE, holder="etl on node 8"))


def test_leave_whose_time_is_over_says_so(tmp_path: Path) -> None:
    """SC-4."""
    with an_office(tmp_path / "project") as office:
        assert "may begin" in _do(office, GATE).message
        with time_machine.travel(NOW + timedelta(hours=1)):
            late = _do(office, GATE)
    assert (late.valid_seconds, "may begin" in late.message) == (0, False)


def test_whoever_waits_to_run_a_slot_again_waits_on_after_its_window(tmp_path: Path) -> None:
    """What set the window aside when the run was opened holds for it as long as it waits."""
    with an_office(tmp_path / "project", pipeline=MORNING) as office:
        with _at(7):
            gate = _do(office, GATE)
            _do(office, running.CompleteRun(run_id=gate.run_id, status="failed", attempt=1))
        a_script(office.root / "evaluators/check", NO)
        with pytest.raises(NotReady):
            _do(office, replace(GATE, claim="a2", again=True, reason="disk was full"))
        with pytest.raises(NotReady):
            _do(office, replace(GATE, claim="a2"))
        a_script(office.root / "evaluators/check", YES)
        assert _do(office, replace(GATE, claim="a2")).run_id == "orders:daily:2026-03-07:2"


def test_in_shadow_mode_a_job_is_noted_once(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", pipeline="mode: shadow\n") as office:
        for _ in range(2):
            assert _do(office, GATE).shadow
        told = [line.record.message for line in office.store.timeline("orders", limit=50)]
    assert len([words for words in told if words.startswith(REAL)]) == 1


def test_word_of_a_job_that_ran_elsewhere_starts_no_other_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G1: a ping sets the traits aside for the job that it tells of. If it dies half way, that is worth nothing to another."""
    with an_office(tmp_path / "project", check=NO) as office:
        with monkeypatch.context() as patched:
            patched.setattr("interlock.operations.gating.Driver", _Dying)
            with pytest.raises(_Died):
                _do(office, gating.Ping(pipeline_id="orders", what="start"))
        with time_machine.travel(NOW + timedelta(minutes=10)):
            with pytest.raises(NotReady, match="3 of 4"):
                _do(office, running.Run(pipeline_id="orders"))
            with pytest.raises(NotReady, match="3 of 4"):
                _do(office, GATE)
        assert starts(office.root) == []


class _Died(BaseException):
    """The process that was told has died."""


class _Dying:
    def __init__(self, *_: object) -> None:
        self.catch_up = self.drive

    def drive(self, *_: object, **__: object) -> None:
        raise _Died

"""Leave to run a job oneself: given once, only on a yes, and never to two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import time_machine
from msgspec.structs import replace
from tests.acceptance.cli import a_project, a_script, starts
from tests.unit.operations.office import NOW, Office, an_office

from interlock.api import gating as asked
from interlock.api import running
from interlock.api.contract import Request
from interlock.api.controlling import Pause
from interlock.app.advance import advance
from interlock.app.gate_views import GateView
from interlock.config.load import load_project
from interlock.core.events import JobUnseen
from interlock.core.ids import parse_run_id
from interlock.errors import Conflict, InterlockError, Invalid, NotFound, NotReady, Refused
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.wiring import Interlock

GATE = asked.OpenGate(pipeline_id="orders", holder="etl on node 7")
NO = 'echo \'{"status":"FAIL","reason":"3 of 4"}\''
YES = 'echo \'{"status":"PASS"}\''


@pytest.fixture
def shut(tmp_path: Path) -> Iterator[Office]:
    with an_office(tmp_path / "shut", check=NO) as found:
        yield found


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _mend(office: Office) -> None:
    a_script(office.root / "evaluators/check", YES)


# ---------------------------------------------------------------- leave


def test_leave_that_is_given_is_measured_like_every_other_start(tmp_path: Path) -> None:
    a_project(tmp_path, timezone="UTC")
    with time_machine.travel(NOW), Interlock(load_project(tmp_path), measured=True) as work:
        perform(GATE, WorkDesk(work, "api:anna"))
        assert work.observers.metrics is not None
        shown = work.observers.metrics.render()[1].decode()
    (line,) = [line for line in shown.splitlines() if line.startswith("interlock_trigger_seconds_count")]
    assert all(label in line for label in ('type="gate"', 'action="start"', 'outcome="accepted"'))


def test_leave_is_given_for_one_attempt_and_its_end_ends_the_run(office: Office) -> None:
    """G1: the pipeline's own trigger is left alone; the job is the asker's."""
    gate = _do(office, GATE)
    assert (gate.run_id, gate.attempt, gate.shadow) == ("orders:daily:2026-03-07:1", 1, False)
    assert gate.token == "orders:daily:2026-03-07:1/1"
    assert gate.valid_seconds is not None
    assert gate.valid_seconds > 0
    assert gate.run.status == "RUNNING"
    done = _do(office, running.CompleteRun(run_id=gate.run_id, status="success", attempt=gate.attempt))
    assert done.status == "COMPLETED"
    assert starts(office.root) == []


def test_no_leave_is_given_when_the_traits_say_no(shut: Office) -> None:
    """G2."""
    with pytest.raises(NotReady, match="3 of 4") as caught:
        _do(shut, GATE)
    assert caught.value.details["blocking"] == ["data-check"]
    assert shut.store.runs_of("orders", limit=9)[0].status == "PENDING"


def test_what_waits_for_its_asker_is_let_through_by_nobody_else(shut: Office) -> None:
    """G1, T-14."""
    with pytest.raises(NotReady):
        _do(shut, GATE)
    _mend(shut)
    key = parse_run_id("orders:daily:2026-03-07:1")
    left = Driver(shut.work.hands, SystemPacer(shut.work.clock)).drive(key, wait=False, until=shut.work.clock.now())
    assert left.run.status == "PENDING"
    gate = _do(shut, GATE)
    assert (gate.run_id, gate.run.status) == (str(key), "RUNNING")
    assert starts(shut.root) == []


def test_a_second_asker_gets_no_leave_and_is_told_whether_it_is_done(office: Office) -> None:
    gate = _do(office, GATE)
    with pytest.raises(Conflict, match="RUNNING already") as caught:
        _do(office, GATE)
    assert caught.value.details["done"] is False
    _do(office, running.CompleteRun(run_id=gate.run_id, status="success"))
    with pytest.raises(Conflict, match="a slot runs once") as caught:
        _do(office, GATE)
    assert caught.value.details["done"] is True


def test_a_slot_that_ended_badly_needs_to_be_asked_for_again_with_a_reason(office: Office) -> None:
    """T-121."""
    gate = _do(office, GATE)
    _do(office, running.CompleteRun(run_id=gate.run_id, status="failed"))
    with pytest.raises(Conflict, match="ended FAILED") as caught:
        _do(office, GATE)
    assert caught.value.details["done"] is False
    with pytest.raises(Invalid):
        _do(office, replace(GATE, again=True))
    again = _do(office, replace(GATE, again=True, reason="disk was full"))
    assert (again.run_id, again.run.cause) == ("orders:daily:2026-03-07:2", "rerun")


def test_a_slot_that_is_asked_for_again_and_is_not_ready_may_be_asked_for_until_it_is(office: Office) -> None:
    gate = _do(office, GATE)
    _do(office, running.CompleteRun(run_id=gate.run_id, status="failed"))
    a_script(office.root / "evaluators/check", NO)
    again = replace(GATE, again=True, reason="disk was full", claim="a1")
    for _ in range(2):
        with pytest.raises(NotReady):
            _do(office, again)
    _mend(office)
    assert _do(office, again).run_id == "orders:daily:2026-03-07:2"
    assert len(office.store.runs_of("orders", limit=9)) == 2


def test_many_who_ask_at_once_get_leave_once(office: Office) -> None:
    """T-04, G1: without words of their own, too, nobody takes another's leave for its own."""
    answers: list[object] = []

    def ask(number: int) -> None:
        claim = f"claim {number}" if number % 2 else ""
        try:
            answers.append(_do(office, replace(GATE, claim=claim)))
        except InterlockError as exc:
            answers.append(exc)

    threads = [Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    given = [answer for answer in answers if isinstance(answer, GateView)]
    assert (len(answers), len(given)) == (6, 1), answers
    assert all(isinstance(answer, Conflict | Refused) for answer in answers if answer not in given), answers


def test_the_same_claim_is_given_the_same_leave_again(office: Office) -> None:
    """An answer that was lost on its way must not cost the slot."""
    first = _do(office, replace(GATE, claim="a1"))
    again = _do(office, replace(GATE, claim="a1"))
    assert (first.run_id, first.attempt, first.token) == (again.run_id, again.attempt, again.token)
    with pytest.raises(Conflict):
        _do(office, replace(GATE, claim="a2"))
    _do(office, running.CompleteRun(run_id=first.run_id, status="success"))
    with pytest.raises(Conflict) as caught:
        _do(office, replace(GATE, claim="a1"))
    assert caught.value.details["done"] is True


def test_leave_that_has_run_out_is_worth_nothing(tmp_path: Path) -> None:
    """T-26, SC-4."""
    with an_office(tmp_path / "project", pipeline="") as office:
        file = office.root / "pipelines/orders.yaml"
        file.write_text(file.read_text().replace("    timeout: 20\n", "    timeout: 20\n    ttl: 60\n"))
        from interlock.config.load import load_project
        from interlock.operations.desk import WorkDesk
        from interlock.runtime.wiring import Interlock

        with Interlock(load_project(office.root)) as work:
            desk = WorkDesk(work, "api:anna")
            gate = perform(replace(GATE, claim="a1"), desk)
            assert 0 < (gate.valid_seconds or 0) <= 60
            with time_machine.travel(NOW + timedelta(minutes=2)):
                assert perform(replace(GATE, claim="a1"), desk).valid_seconds == 0


def test_nothing_is_opened_while_the_pipeline_is_paused(office: Office) -> None:
    _do(office, Pause(pipeline_id="orders", length="1h", reason="moving"))
    with pytest.raises(Refused, match="moving"):
        _do(office, GATE)
    assert office.store.runs_of("orders", limit=9) == ()


def test_the_gate_of_a_run_whose_own_trigger_is_at_work_is_shut(tmp_path: Path) -> None:
    job = "while [ ! -e go ]; do sleep 0.05; done"
    with an_office(tmp_path / "project", job=job) as office:
        _do(office, running.Run(pipeline_id="orders"))
        with pytest.raises(Conflict, match="its own trigger is at work"):
            _do(office, GATE)
        (office.root / "go").touch()


def test_the_gate_of_a_past_slot_is_opened_by_its_date(office: Office) -> None:
    assert _do(office, replace(GATE, date="2026-03-01")).run_id == "orders:daily:2026-03-01:1"
    with pytest.raises(Refused, match="opens at"):
        _do(office, replace(GATE, date="2026-03-09"))
    with pytest.raises(NotFound):
        _do(office, replace(GATE, date="2026-03-01T14:00"))


def test_in_shadow_mode_leave_is_given_whatever_the_verdict_is_and_the_verdict_is_noted(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", check=NO, pipeline="mode: shadow\n") as office:
        gate = _do(office, GATE)
        assert (gate.shadow, gate.run, gate.run_id) == (True, None, "")
        assert "held it back" in gate.message
        assert any("etl on node 7 began" in line.record.message for line in office.store.timeline("orders", limit=50))


# ---------------------------------------------------------------- heartbeats


def test_a_holder_that_promised_to_tell_that_it_lives_is_missed_when_it_does_not(office: Office) -> None:
    """BUG-103."""
    gate = _do(office, replace(GATE, heartbeat=True))
    assert gate.heartbeat_seconds == 10
    key = parse_run_id(gate.run_id)
    for look in range(10):
        fact = JobUnseen(at=office.work.clock.now(), attempt=1, look=look, reason="silent")
        advance(key, fact, office.store)
    assert _do(office, running.RunOf(run_id=gate.run_id)).doubt == "silent"
    told = _do(office, asked.KeepGate(run_id=gate.run_id, attempt=1))
    assert (told.doubt, told.status) == ("", "RUNNING")


def test_a_look_at_a_silent_holder_shows_nothing_and_one_that_promised_nothing_is_taken_to_run(office: Office) -> None:
    for heartbeat, looks in ((True, 1), (False, 0)):
        gate = _do(office, replace(GATE, heartbeat=heartbeat, date=f"2026-03-0{1 + heartbeat}"))
        key = parse_run_id(gate.run_id)
        with time_machine.travel(NOW + timedelta(minutes=1)):
            Driver(office.work.hands, SystemPacer(office.work.clock)).catch_up(key)
        run = office.store.run(key)
        assert run is not None
        assert run.looks >= looks
        assert bool(run.looks) == heartbeat


def test_a_holder_whose_run_was_cancelled_learns_of_it(office: Office) -> None:
    gate = _do(office, GATE)
    cancelled = _do(office, running.CancelRun(run_id=gate.run_id, reason="enough"))
    assert (cancelled.status, cancelled.job_stopped) == ("CANCELLED", None)
    with pytest.raises(Conflict, match="nobody has leave") as caught:
        _do(office, asked.KeepGate(run_id=gate.run_id, attempt=1))
    found = caught.value.details["run"]
    assert isinstance(found, dict)
    assert found["status"] == "CANCELLED"


def test_a_heartbeat_of_another_attempt_or_of_no_gate_is_a_conflict(office: Office) -> None:
    gate = _do(office, GATE)
    with pytest.raises(Conflict):
        _do(office, asked.KeepGate(run_id=gate.run_id, attempt=2))
    pinged = _do(office, asked.Ping(pipeline_id="sales", what="start"))
    with pytest.raises(Conflict, match="Interlock's own"):
        _do(office, asked.KeepGate(run_id=pinged.run.run_id, attempt=1))
    with pytest.raises(NotFound):
        _do(office, asked.KeepGate(run_id="orders:daily:2026-03-01:1", attempt=1))


# ---------------------------------------------------------------- pings


def test_a_job_that_runs_elsewhere_is_told_of_from_begin_to_end(shut: Office) -> None:
    begun = _do(shut, asked.Ping(pipeline_id="orders", what="start")).run
    assert (begun.status, begun.cause) == ("RUNNING", "external")
    assert _do(shut, asked.Ping(pipeline_id="orders", what="start")).run == begun
    ended = _do(shut, asked.Ping(pipeline_id="orders", what="success")).run
    assert ended.status == "COMPLETED"
    assert _do(shut, asked.Ping(pipeline_id="orders", what="success")).run == ended
    with pytest.raises(Conflict, match="COMPLETED"):
        _do(shut, asked.Ping(pipeline_id="orders", what="fail"))
    with pytest.raises(Conflict, match="a slot runs once"):
        _do(shut, asked.Ping(pipeline_id="orders", what="start"))


def test_a_ping_in_shadow_mode_is_only_noted(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", pipeline="mode: shadow\n") as office:
        view = _do(office, asked.Ping(pipeline_id="orders", what="success", reason="fine"))
        assert (view.shadow, view.run, view.date) == (True, None, "2026-03-07")
        assert office.store.runs_of("orders", limit=9) == ()


# ---------------------------------------------------------------- what may die in the middle


def test_leave_that_died_on_its_way_into_the_store_is_given_to_the_next_who_asks(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-01: the claim was written, the answer was not, so that nobody can have begun."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr("interlock.app.triggering._accepted", dies)
        with pytest.raises(KeyboardInterrupt):
            _do(office, GATE)
    assert office.store.runs_of("orders", limit=1)[0].status == "TRIGGERING"
    gate = _do(office, replace(GATE, claim="a2"))
    assert (gate.attempt, gate.run.status) == (1, "RUNNING")

"""The page of a run's job, wherever the run is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.cli.terminal import Terminal, a_result, now

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.views import run_view
from interlock.cli.exits import Leave
from interlock.cli.following import Followed, show
from interlock.codec.documents import document
from interlock.core import dispatching
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.deliveries import Pace, Target
from interlock.core.events import TraitEvaluated, TriggerAccepted
from interlock.core.runs import Run, RunStatus
from interlock.runtime.driver import Stop
from interlock.stores.dispatches import DispatchRows

TOLD = "https://anna:hunter2@jobs.example/17?token=hunter2&a=1"
PAGE = "https://jobs.example/17?a=1"


def _running(terminal: Terminal, page: object = TOLD) -> Run:
    at = now()
    with terminal.kept() as store:
        run = open_run(terminal.slot(at), terminal.spec(), store, at).run
        result = a_result(at=at, lasts=timedelta(hours=1))
        run = advance(run.key, TraitEvaluated(at=at, round=run.round, result=result), store).run
        begun = TriggerAccepted(at=at, attempt=run.attempt, job_id="17", details=document({"url": page}))
        return advance(run.key, begun, store).run


@pytest.mark.parametrize("verb", ["status", "why", "events"])
def test_a_run_is_shown_with_a_link_to_its_job(terminal: Terminal, verb: str) -> None:
    """T-76: and the link has no secrets in it."""
    assert _running(terminal).status is RunStatus.RUNNING
    out = terminal(verb, "orders").out
    assert PAGE in out
    assert "hunter2" not in out


@pytest.mark.parametrize("verb", ["status", "why", "events", "history"])
def test_what_is_no_address_of_a_page_is_never_a_link(terminal: Terminal, verb: str) -> None:
    """G7."""
    _running(terminal, page="javascript:alert(1)//\x1b[2J")
    said = terminal(verb, "orders")
    assert said.code == 0
    assert "javascript" not in said.out


def test_programs_get_the_link_as_well(terminal: Terminal) -> None:
    run = _running(terminal)
    assert terminal("status", "orders", "--json").document["run"]["jobUrl"] == PAGE
    assert terminal("history", "orders", "--json").document["items"][0]["jobUrl"] == PAGE
    assert terminal("why", "orders", "--json").document["jobUrl"] == PAGE
    assert run_view(run).job_id == "17"


def test_a_run_without_a_page_says_nothing_of_one(terminal: Terminal) -> None:
    assert terminal("run", "orders").code == 0
    assert terminal("status", "orders", "--json").document["run"]["jobUrl"] == ""
    for verb in ("status", "why"):
        assert "its job:" not in terminal(verb, "orders").out


def test_whoever_started_a_run_is_shown_where_its_job_can_be_seen(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    view = run_view(_running(terminal))
    with pytest.raises(Leave):
        show(Followed(view, Stop.DETACHED), as_json=False)
    assert f"its job: {PAGE}" in capsys.readouterr().out.splitlines()


def test_whoever_does_not_wait_is_not_asked_to_report_what_a_watcher_sees(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Leave):
        show(Followed(run_view(_running(terminal)), Stop.DETACHED), as_json=False)
    assert "A watcher sees its end" in capsys.readouterr().out


def test_an_alert_is_shown_with_a_link_to_the_job_that_it_is_about(terminal: Terminal) -> None:
    alert = Alert(
        alert_id="run_failed/orders:daily:1",
        alert_type=AlertType.RUN_FAILED,
        level=AlertLevel.ERROR,
        at=now(),
        message="the job failed",
        slot=terminal.slot(now()),
        details=document({"jobUrl": TOLD}),
    )
    with terminal.kept() as store:
        record = dispatching.opened(alert, (Target(name="console"),), Pace(), alert.at)
        assert DispatchRows(store.kernel).commit(None, record)
    out = terminal("alerts", "show", alert.alert_id).out
    assert f"  its job: {PAGE}" in out.splitlines()
    assert "hunter2" not in out

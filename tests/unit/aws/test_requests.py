"""Whoever only takes requests leaves to the state machine what that does, and waits for it no longer than there is time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import a_script, starts
from tests.unit.aws.urls import Call, Reply, an_event
from tests.unit.operations.office import Office, an_office

from interlock.api.running import CancelRun
from interlock.app.advance import advance
from interlock.app.perform import carry_out
from interlock.aws.api import answer
from interlock.aws.requests import at_the_counter, within
from interlock.core.commands import CancelJob, CheckJob, EvaluateTrait, StartJob
from interlock.core.events import Woke
from interlock.core.runs import RunStatus
from interlock.errors import ServerUnavailable
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.clock import SystemPacer

ORDERS = "/api/pipelines/orders"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with an_office(tmp_path / "project", "sales") as found:
        yield found


@pytest.fixture
def others(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions of the state machine work whenever somebody waits."""

    def work(_pacer: SystemPacer, _when: object) -> None:
        for key in office.store.active_runs(limit=50):
            turn(office, key)
        for run in office.store.runs_of("orders", limit=50):
            turn(office, run.key)

    monkeypatch.setattr(SystemPacer, "until", work)


def turn(office: Office, key: Any) -> None:
    for wish in office.store.outstanding(key):
        carry_out(key, wish, office.work.hands)


def ask(office: Office, method: str, target: str, body: object = None, *, left: float = 30.0) -> Reply:
    work = at_the_counter(office.work)
    found = answer(an_event(method, target, body), Call(left), lambda: work, "")
    return Reply(found["statusCode"], found["headers"], found["body"])


def test_traits_are_asked_and_jobs_started_by_those_whose_work_it_is(office: Office) -> None:
    reply = ask(office, "POST", f"{ORDERS}/run", {}, left=2.4)
    assert reply.status == 503
    assert "a run that was opened goes on without it" in reply.document["detail"]
    (run,) = office.store.runs_of("orders", limit=9)
    assert (run.status, run.results) == (RunStatus.PENDING, ())
    (wish,) = office.store.outstanding(run.key)
    assert isinstance(wish, EvaluateTrait)
    turn(office, run.key)
    (permit,) = office.store.outstanding(run.key)
    assert isinstance(permit, StartJob)
    ask(office, "POST", f"{ORDERS}/run", {}, left=2.4)
    assert office.store.outstanding(run.key) == (permit,)
    assert starts(office.root) == []


@pytest.mark.usefixtures("others")
def test_who_waits_long_enough_is_answered_as_anywhere(office: Office) -> None:
    reply = ask(office, "POST", f"{ORDERS}/run", {})
    assert (reply.status, reply.document["status"]) == (202, "RUNNING")
    again = ask(office, "POST", f"{ORDERS}/run", {})
    assert again.status == 409
    assert len(office.store.runs_of("orders", limit=9)) == 1


@pytest.mark.usefixtures("others")
def test_what_is_not_ready_says_so(office: Office) -> None:
    a_script(office.root / "evaluators" / "check", 'echo \'{"status":"FAIL","reason":"3 of 4"}\'')
    reply = ask(office, "POST", f"{ORDERS}/run", {})
    assert reply.status == 412
    assert "3 of 4" in reply.document["detail"]


@pytest.mark.usefixtures("others")
def test_leave_is_given_here_and_starts_nothing_anywhere(office: Office) -> None:
    reply = ask(office, "POST", "/api/pipelines/orders/gate", {"holder": "me", "claim": "mine"})
    assert (reply.status, reply.document["attempt"]) == (200, 1)
    assert starts(office.root) == []


@pytest.mark.usefixtures("others")
def test_a_job_is_stopped_by_those_whose_work_it_is(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    a_script(office.root / "job", "sleep 60")
    assert ask(office, "POST", f"{ORDERS}/run", {}).status == 202
    (run,) = office.store.runs_of("orders", limit=9)
    counter = at_the_counter(office.work)
    usual, seen = SystemPacer.until, []

    def watched(pacer: SystemPacer, when: datetime) -> None:
        seen.append((office.store.outstanding(run.key), counter.hands.store.outstanding(run.key)))
        usual(pacer, when)

    monkeypatch.setattr(SystemPacer, "until", watched)
    view = perform(CancelRun(run_id=run.key.run_id, reason="a story"), WorkDesk(counter, "iam:anna"))
    assert (view.status, view.job_stopped) == (RunStatus.CANCELLED, True)
    wished, mine = seen[0]
    assert [type(wish) for wish in wished] == [CancelJob]
    assert mine == ()


@pytest.mark.usefixtures("others")
def test_a_job_is_looked_at_by_those_whose_work_it_is(office: Office) -> None:
    a_script(office.root / "job", "sleep 60")
    assert ask(office, "POST", f"{ORDERS}/run", {}).status == 202
    (run,) = office.store.runs_of("orders", limit=9)
    assert run.wake_at is not None
    advance(run.key, Woke(at=run.wake_at), office.store)
    assert [type(wish) for wish in office.store.outstanding(run.key)] == [CheckJob]
    assert at_the_counter(office.work).hands.store.outstanding(run.key) == ()
    ask(office, "POST", f"/api/runs/{run.key.run_id}/cancel", {"reason": "a story"})


@pytest.mark.usefixtures("others")
def test_nobody_looks_after_a_job_between_two_requests(office: Office) -> None:
    assert ask(office, "POST", f"{ORDERS}/run", {}).status == 202
    assert "interlock-afterwards" not in {thread.name for thread in threading.enumerate()}


def test_everything_else_of_the_project_is_its_own(office: Office) -> None:
    counter = at_the_counter(office.work)
    assert counter.kernel is office.work.kernel
    assert counter.store is office.work.store
    assert counter.hands.catalog is office.work.hands.catalog
    with pytest.raises(AttributeError):
        counter.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_off_the_main_thread_nothing_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("an alarm was set by a thread that cannot take it away")

    monkeypatch.setattr(signal, "setitimer", never)
    done = []

    def work() -> None:
        with within(Call(30)):
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_when_the_time_is_over_nothing_is_begun() -> None:
    with pytest.raises(ServerUnavailable, match="nothing was done"), within(Call(2.0)):
        raise AssertionError("it was begun")

"""Whoever is told that a job was started for him is the only one who is told so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import starts
from tests.unit.operations.office import Office, an_office

from interlock.api import gating, rerunning, running
from interlock.api.contract import Request
from interlock.app.rerun_views import RerunView
from interlock.app.views import RunView
from interlock.codec import wire
from interlock.config.load import load_project
from interlock.core.ids import parse_run_id
from interlock.errors import Conflict, InterlockError, NotReady
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.wiring import Interlock

RUN = running.Run(pipeline_id="orders")
GATE = gating.OpenGate(pipeline_id="orders", holder="etl on node 7")
AGAIN = rerunning.Rerun(pipeline_id="orders", original_date="2026-03-07", reason="the source was mended")
ONCE = "retry: {maxAttempts: 1}\n"
SLOW_YES = 'sleep 0.3; echo \'{"status":"PASS"}\''
ALL = 5


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Office]:
    """A project whose check takes a while, and whose job goes on until it is told to end."""
    job = "while [ ! -e go ]; do sleep 0.05; done; touch over"
    with an_office(tmp_path / "slow", check=SLOW_YES, job=job, pipeline=ONCE) as found:
        yield found
        (found.root / "go").touch()


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _until(done: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not done() and monotonic() < deadline:
        sleep(0.01)
    assert done()


def _at_once(*asks: Callable[[], Any]) -> list[object]:
    answers: list[object] = []

    def ask(one: Callable[[], Any]) -> None:
        try:
            answers.append(one())
        except InterlockError as exc:
            answers.append(exc)

    threads = [Thread(target=ask, args=(one,)) for one in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(asks)
    return answers


def test_of_many_who_run_a_slot_at_once_one_is_told_that_it_was_started(slow: Office) -> None:
    """T-14: the others are told that it runs already, and which run it is."""
    answers = _at_once(*[lambda: _do(slow, RUN)] * ALL)
    started = [answer for answer in answers if isinstance(answer, RunView)]
    assert [answer.status for answer in started] == ["RUNNING"]
    for answer in answers:
        if answer is not started[0]:
            assert isinstance(answer, Conflict), answer
            assert wire.from_builtins(answer.details["run"], RunView).run_id == started[0].run_id
    _until(lambda: starts(slow.root) == ["1"])


def test_of_two_servers_of_one_store_one_says_that_it_was_started(slow: Office) -> None:
    """T-14, T-04."""
    with Interlock(load_project(slow.root)) as other:
        answers = _at_once(lambda: _do(slow, RUN), lambda: perform(RUN, WorkDesk(other, "api:ben")))
        assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True], answers


def test_of_many_who_run_a_slot_again_at_once_one_is_told_that_it_was_started(slow: Office) -> None:
    """T-14: however the first of them had it opened."""
    run_id = _do(slow, RUN).run_id
    _do(slow, running.CompleteRun(run_id=run_id, status="failed", attempt=1))
    answers = _at_once(*[lambda: _do(slow, AGAIN)] * ALL)
    assert len([answer for answer in answers if isinstance(answer, RerunView)]) == 1, answers
    assert all(isinstance(answer, RerunView | Conflict) for answer in answers), answers


def test_a_job_that_is_just_ending_was_not_started_by_who_asks_then(
    slow: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-14: the look that it takes to say so may find the end; that end is no answer to the wish for a start."""
    monkeypatch.setattr(slow.work.afterwards, "look_after", lambda _key, _attempt: None)
    run_id = _do(slow, RUN).run_id
    (slow.root / "go").touch()
    _until((slow.root / "over").exists)
    _until(lambda: _refused(slow).details["done"] is True)
    assert slow.store.run(parse_run_id(run_id)).status == "COMPLETED"  # type: ignore[union-attr]
    assert starts(slow.root) == ["1"]


def _refused(office: Office) -> Conflict:
    with pytest.raises(Conflict) as caught:
        _do(office, RUN)
    return caught.value


def test_leave_that_was_given_to_somebody_is_not_a_start_for_somebody_else(slow: Office) -> None:
    """G2: who asked for leave runs the job; `Run` that came while the traits were asked has started nothing."""

    def run() -> Any:
        _until(lambda: any(run.asked for run in slow.store.runs_of("orders", limit=1)))
        return _do(slow, RUN)

    answers = _at_once(lambda: _do(slow, GATE), run)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "GateView"], answers
    assert starts(slow.root) == []


def test_a_run_that_waits_for_its_next_try_is_not_started_by_who_asks_before_it(slow: Office) -> None:
    """T-116: nothing is started, so nothing is answered as if it were."""
    file = slow.root / "pipelines/orders.yaml"
    file.write_text(file.read_text().replace(ONCE, "retry: {maxAttempts: 3, backoffSeconds: 3600}\n"))
    with Interlock(load_project(slow.root)) as work:
        desk = WorkDesk(work, "api:anna")
        run_id = perform(RUN, desk).run_id
        perform(running.CompleteRun(run_id=run_id, status="failed", attempt=1), desk)
        with pytest.raises(Conflict, match="the next begins no earlier than"):
            perform(RUN, desk)


def test_the_same_claim_that_comes_twice_at_once_is_given_the_one_leave_twice(
    slow: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may be lost before it was written: the second question overtakes the first one's."""
    first = _do(slow, replace(GATE, claim="a1"))
    looked: list[bool] = []
    plain = type(slow.store).latest_run

    def blind(store: Any, slot: Any) -> Any:
        looked.append(True)
        return None if len(looked) == 1 else plain(store, slot)

    monkeypatch.setattr(type(slow.store), "latest_run", blind)
    again = _do(slow, replace(GATE, claim="a1"))
    assert (again.run_id, again.token) == (first.run_id, first.token)


def test_what_nobody_follows_is_followed_to_its_end_all_the_same(slow: Office) -> None:
    """G5."""
    run = _do(slow, RUN)
    (slow.root / "go").touch()
    driver = Driver(slow.work.hands, SystemPacer(slow.work.clock))
    assert driver.drive(parse_run_id(run.run_id)).run.status == "COMPLETED"


def test_a_no_says_that_the_job_may_still_be_started_later_and_how_to_prevent_it(tmp_path: Path) -> None:
    check = 'echo \'{"status":"FAIL","reason":"3 of 4"}\''
    with an_office(tmp_path / "shut", check=check) as shut:
        with pytest.raises(
            NotReady, match=r"a watcher starts its job by itself.* orders:daily:2026-03-07:1 is cancelled"
        ):
            _do(shut, RUN)
        with pytest.raises(NotReady, match="only when somebody asks for leave"):
            _do(shut, GATE)

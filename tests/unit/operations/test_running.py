"""Running the current slot, telling how it ended, and looking at what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_script, starts
from tests.unit.operations.office import Office, an_office

from interlock.api import running as asked
from interlock.api.contract import Request, arrived
from interlock.api.controlling import Pause
from interlock.app.advance import advance
from interlock.app.arrivals import open_rerun, open_run
from interlock.app.views import RunView
from interlock.codec import wire
from interlock.codec.documents import mapping
from interlock.config.load import load_project
from interlock.core.events import CancelAsked
from interlock.core.ids import parse_run_id
from interlock.core.schedules import current_window
from interlock.errors import Conflict, InterlockError, Invalid, NotFound, NotReady, Refused
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.runtime.wiring import Interlock

OUTSIDE = "retry: {maxAttempts: 1}\n"
RUN = asked.Run(pipeline_id="orders")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Office]:
    """A project whose job goes on until it is told to end."""
    with an_office(tmp_path / "slow", job="while [ ! -e go ]; do sleep 0.05; done", pipeline=OUTSIDE) as found:
        yield found
        (found.root / "go").touch()


@pytest.fixture
def shut(tmp_path: Path) -> Iterator[Office]:
    """A project whose trait says no."""
    check = 'echo \'{"status":"FAIL","reason":"3 of 4"}\''
    with an_office(tmp_path / "shut", check=check) as found:
        yield found


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _ended(office: Office, run_id: str) -> RunView:
    """Wait until a run has ended, as a watcher would see to."""
    Driver(office.work.hands, SystemPacer(office.work.clock)).drive(parse_run_id(run_id))
    found: RunView = _do(office, asked.RunOf(run_id=run_id))
    return found


# ---------------------------------------------------------------- run


def test_run_really_starts_the_job_and_answers_with_the_run(slow: Office) -> None:
    """T-15, BUG-96."""
    run = _do(slow, RUN)
    assert (run.status, run.attempt, run.cause) == ("RUNNING", 1, "manual")
    deadline = monotonic() + 30
    while starts(slow.root) != ["1"] and monotonic() < deadline:
        sleep(0.01)
    assert starts(slow.root) == ["1"]
    (slow.root / "go").touch()
    assert _ended(slow, run.run_id).status == "COMPLETED"


def test_run_is_recorded_with_who_asked(slow: Office) -> None:
    _do(slow, RUN)
    told = slow.store.timeline("orders", limit=50)
    assert any("api:anna" in line.record.message for line in told if line.record.kind == "RUN_OPENED")


def test_a_second_run_of_the_slot_is_a_conflict_that_shows_the_run(slow: Office) -> None:
    """T-14, LAT-16."""
    run = _do(slow, RUN)
    with pytest.raises(Conflict, match="RUNNING already") as caught:
        _do(slow, RUN)
    assert caught.value.details["done"] is False
    assert wire.from_builtins(caught.value.details["run"], RunView).run_id == run.run_id
    (slow.root / "go").touch()
    _ended(slow, run.run_id)
    with pytest.raises(Conflict, match="a slot runs once") as caught:
        _do(slow, RUN)
    assert caught.value.details["done"] is True
    assert starts(slow.root) == ["1"]


def test_many_who_run_a_slot_at_once_start_it_once(slow: Office) -> None:
    """T-04, T-14, BUG-108."""
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(_do(slow, RUN).run_id)
        except InterlockError as exc:
            answers.append(exc)

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 6
    runs = {answer for answer in answers if isinstance(answer, str)}
    assert runs == {"orders:daily:2026-03-07:1"}
    assert all(isinstance(answer, Conflict) for answer in answers if not isinstance(answer, str)), answers
    (slow.root / "go").touch()
    assert _ended(slow, "orders:daily:2026-03-07:1").status == "COMPLETED"
    assert starts(slow.root) == ["1"]


def test_a_run_that_is_not_ready_says_what_blocks_it_and_waits(shut: Office) -> None:
    """BUG-20."""
    with pytest.raises(NotReady, match=r"blocked by data-check \(3 of 4\)") as caught:
        _do(shut, RUN)
    details = caught.value.details
    assert (details["status"], details["blocking"], details["undecided"]) == ("NOT_READY", ["data-check"], False)
    waiting = wire.from_builtins(details["run"], RunView)
    assert (waiting.status, waiting.rests) == ("PENDING", "NOT_READY")
    assert [(one.trait_type, one.status, one.reason) for one in waiting.blockers] == [("data-check", "FAIL", "3 of 4")]
    assert starts(shut.root) == []


def test_a_broken_check_is_undecided_and_no_plain_no(tmp_path: Path) -> None:
    """T-112."""
    with an_office(tmp_path / "project", check="exit 7") as office, pytest.raises(NotReady) as caught:
        _do(office, RUN)
    assert caught.value.details["undecided"] is True


def test_asking_again_while_it_waits_judges_again(shut: Office) -> None:
    with pytest.raises(NotReady):
        _do(shut, RUN)
    a_script(shut.root / "evaluators/check", 'echo \'{"status":"PASS"}\'')
    run = _do(shut, RUN)
    assert run.run_id == "orders:daily:2026-03-07:1"
    assert _ended(shut, run.run_id).status == "COMPLETED"


def test_a_pipeline_without_a_trigger_is_done_as_soon_as_it_is_ready(tmp_path: Path) -> None:
    """T-90."""
    with an_office(tmp_path / "project") as office:
        file = office.root / "pipelines/orders.yaml"
        file.write_text(file.read_text().partition("trigger:")[0])
        with Interlock(load_project(office.root)) as work:
            assert perform(RUN, WorkDesk(work, "api:anna")).status == "COMPLETED"


def test_what_is_paused_is_refused_and_names_its_constraint(office: Office) -> None:
    _do(office, Pause(pipeline_id="orders", length="1h", reason="moving"))
    with pytest.raises(Refused, match="moving") as caught:
        _do(office, RUN)
    assert caught.value.details["constraints"] == ["paused"]
    assert starts(office.root) == []


def test_force_goes_past_a_pause_and_is_recorded(slow: Office) -> None:
    _do(slow, Pause(pipeline_id="orders", length="1h", reason="moving"))
    run = _do(slow, replace(RUN, force=True, reason="the board waits"))
    assert run.override == "api:anna: the board waits"


@pytest.mark.parametrize("more", [{"force": True}, {"force": True, "reason": "  "}, {"reason": "why not"}])
def test_force_and_reason_go_together(office: Office, more: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        _do(office, replace(RUN, **more))
    assert office.store.runs_of("orders", limit=1) == ()


def test_an_unknown_pipeline_and_an_unknown_schedule_are_not_found(office: Office) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="did you mean orders"):
        _do(office, asked.Run(pipeline_id="ordres"))
    with pytest.raises(NotFound, match="daily"):
        _do(office, replace(RUN, schedule="dayly"))


def test_a_start_that_is_tried_again_later_is_not_waited_for(tmp_path: Path) -> None:
    """T-116."""
    with an_office(tmp_path / "project") as office:
        file = office.root / "pipelines/orders.yaml"
        before, _, _ = file.read_text().partition("trigger:")
        nobody = "trigger: {type: http, url: 'http://127.0.0.1:9/'}\nretry: {maxAttempts: 3, backoffSeconds: 3600}\n"
        file.write_text(before + nobody)
        main = office.root / "interlock.yaml"
        main.write_text(main.read_text() + "network: {allow: [loopback]}\n")
        with Interlock(load_project(office.root)) as work:
            run = perform(RUN, WorkDesk(work, "api:anna"))
        assert (run.status, run.attempt, len(run.attempts)) == ("PENDING", 1, 1)
        assert run.not_before is not None


# ---------------------------------------------------------------- complete


def test_the_same_report_twice_is_taken_once_and_another_is_a_conflict(slow: Office) -> None:
    """T-119, T-05."""
    run_id = _do(slow, RUN).run_id
    told = asked.CompleteRun(run_id=run_id, status="success")
    first, second = _do(slow, told), _do(slow, told)
    assert (first.status, first.known, second.status, second.known) == ("COMPLETED", False, "COMPLETED", True)
    assert first.version == second.version
    with pytest.raises(Conflict, match="the run is COMPLETED"):
        _do(slow, replace(told, status="failed"))


def test_a_failure_is_told_with_its_category_and_reason(slow: Office) -> None:
    run_id = _do(slow, RUN).run_id
    told = asked.CompleteRun(run_id=run_id, status="failed", category="PERMANENT", reason="schema")  # type: ignore[arg-type]
    run = _do(slow, told)
    assert (run.status, run.failure_category, run.failure_message) == ("FAILED", "PERMANENT", "schema")
    assert _do(slow, told).known is True
    with pytest.raises(Conflict):
        _do(slow, asked.CompleteRun(run_id=run_id, status="success"))


def test_a_report_about_a_run_that_waits_is_a_conflict(shut: Office) -> None:
    with pytest.raises(NotReady):
        _do(shut, RUN)
    run_id = "orders:daily:2026-03-07:1"
    for status in ("success", "failed"):
        with pytest.raises(Conflict, match="the run is PENDING"):
            _do(shut, asked.CompleteRun(run_id=run_id, status=status))


def test_a_report_about_a_cancelled_run_is_a_conflict(slow: Office) -> None:
    run_id = _do(slow, RUN).run_id
    assert _do(slow, asked.CancelRun(run_id=run_id, reason="enough")).job_stopped is True
    for status in ("success", "failed"):
        with pytest.raises(Conflict, match="the run is CANCELLED"):
            _do(slow, asked.CompleteRun(run_id=run_id, status=status))


def test_a_report_about_another_attempt_is_a_conflict(slow: Office) -> None:
    """LAT-15."""
    run_id = _do(slow, RUN).run_id
    with pytest.raises(Conflict, match="RUNNING"):
        _do(slow, asked.CompleteRun(run_id=run_id, status="success", attempt=2))
    assert _do(slow, asked.RunOf(run_id=run_id)).status == "RUNNING"


def test_metadata_too_large_for_every_list_of_runs_is_refused_with_its_size(slow: Office) -> None:
    run = _do(slow, asked.Run(pipeline_id="orders"))
    with pytest.raises(Invalid, match="metadata: it has 70008 bytes"):
        _do(slow, asked.CompleteRun(run_id=run.run_id, status="success", metadata={"a": "x" * 70_000}))


@pytest.mark.parametrize("status", ["success", "failed"])
def test_metadata_is_added_to_what_is_known_and_erases_nothing(slow: Office, status: str) -> None:
    run = _do(slow, RUN)
    before = mapping(run.metadata)
    assert {"scheduleId": "daily", "date": "2026-03-07"}.items() <= before.items()
    said = {"rows": 3, "scheduleId": "nightly", "date": "1999-01-01", "more": {"deep": [1, None]}}
    told = asked.CompleteRun(run_id=run.run_id, status=status, metadata=said)  # type: ignore[arg-type]
    after = mapping(_do(slow, told).metadata)
    assert after == before | {"rows": 3, "more": {"deep": [1, None]}}


@pytest.mark.parametrize(
    "run_id", ["orders:daily:2026-03-07:9", "x", "", "orders:daily:yesterday:1", "a" * 1024, "é:\0"]
)
def test_what_names_no_run_is_not_found(office: Office, run_id: str) -> None:
    """T-93."""
    for request in (
        asked.RunOf(run_id=run_id),
        asked.CompleteRun(run_id=run_id, status="success"),
        asked.CancelRun(run_id=run_id, reason="x"),
    ):
        with pytest.raises(NotFound):
            _do(office, request)


def test_a_success_has_no_category(slow: Office) -> None:
    run_id = _do(slow, RUN).run_id
    with pytest.raises(Invalid, match="category"):
        _do(slow, asked.CompleteRun(run_id=run_id, status="success", category="TIMEOUT"))  # type: ignore[arg-type]
    assert _do(slow, asked.RunOf(run_id=run_id)).status == "RUNNING"


# ---------------------------------------------------------------- cancel


def test_the_one_run_that_has_not_ended_is_cancelled_and_its_job_stopped(slow: Office) -> None:
    """T-121."""
    _do(slow, RUN)
    view = _do(slow, asked.Cancel(pipeline_id="orders", reason="by mistake"))
    assert (view.status, view.job_stopped, view.job_message) == ("CANCELLED", True, "its job has stopped")
    with pytest.raises(Conflict, match="no run of orders"):
        _do(slow, asked.Cancel(pipeline_id="orders", reason="by mistake"))
    with pytest.raises(Conflict, match="had ended already"):
        _do(slow, asked.Cancel(pipeline_id="orders", date="2026-03-07", reason="by mistake"))
    with pytest.raises(Invalid, match="reason"):
        _do(slow, asked.Cancel(pipeline_id="orders", reason=" "))


# ---------------------------------------------------------------- looking


def _history(office: Office, days: int) -> list[str]:
    spec, now = office.spec(), office.work.clock.now()
    ids: list[str] = []
    for back in reversed(range(days)):
        slot = current_window(spec.name, spec.schedules[0], now - timedelta(days=back)).slot
        run = open_run(slot, spec, office.store, now - timedelta(days=back)).run
        advance(run.key, CancelAsked(at=now, actor="ann", reason="x"), office.store)
        run = open_rerun(slot, spec, office.store, now - timedelta(days=back, hours=-1)).run
        ids.append(run.key.run_id)
    return ids[::-1]


def test_runs_are_listed_newest_first_and_page_by_page(office: Office) -> None:
    """T-96."""
    latest = _history(office, 3)
    everything = _do(office, asked.Runs(pipeline_id="orders", limit=10_000))
    assert (len(everything.items), everything.next) == (6, None)
    assert everything.items[0].run_id == latest[0]
    found: list[RunView] = []
    cursor = None
    while True:
        page = _do(office, asked.Runs(pipeline_id="orders", limit=4, cursor=cursor))
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert tuple(found) == everything.items


def test_each_slot_has_one_line_in_the_run_log_page_by_page(office: Office) -> None:
    """T-117, T-96."""
    latest = _history(office, 5)
    found: list[str] = []
    cursor = None
    while True:
        page = _do(office, asked.RunLogs(pipeline_id="orders", limit=2, cursor=cursor))
        assert len(page.items) <= 2
        found += (item.run_id for item in page.items)
        cursor = page.next
        if cursor is None:
            break
    assert found == latest


@pytest.mark.parametrize("kind", [asked.Runs, asked.RunLogs])
@pytest.mark.parametrize("cursor", ["nonsense", "sales:daily:2026-03-07:1"])
def test_a_cursor_of_another_list_is_refused(office: Office, kind: Any, cursor: str) -> None:
    _history(office, 1)
    with pytest.raises(Invalid, match="cursor"):
        _do(office, kind(pipeline_id="orders", cursor=cursor))


def test_a_run_log_tells_of_every_attempt(slow: Office) -> None:
    run_id = _do(slow, RUN).run_id
    told = asked.CompleteRun(run_id=run_id, status="failed", category="PERMANENT", reason="schema")  # type: ignore[arg-type]
    _do(slow, told)
    log = _do(slow, asked.RunLog(pipeline_id="orders", date="2026-03-07"))
    assert (log.status, log.attempt_number, log.run_id, log.schedule_id) == ("FAILED", 1, run_id, "daily")
    assert (log.failure_message, log.failure_category, log.alert_sent) == ("schema", "PERMANENT", True)
    (only,) = log.retry_history
    assert (only.attempt, only.status, only.run_id, only.failure_message) == (1, "FAILED", run_id, "schema")


def test_a_run_log_without_a_run_is_not_found_and_one_of_no_date_is_refused(office: Office) -> None:
    with pytest.raises(NotFound, match="has no run"):
        _do(office, asked.RunLog(pipeline_id="orders", date="2026-03-01"))
    with pytest.raises(Invalid, match="date"):
        _do(office, asked.RunLog(pipeline_id="orders", date="soon"))


def test_a_slot_is_ready_while_its_verdict_is_fresh_or_its_job_runs(slow: Office) -> None:
    before = _do(slow, asked.SlotOf(pipeline_id="orders"))
    assert (before.ready, before.asked, before.run, before.date) == (False, False, None, "2026-03-07")
    _do(slow, RUN)
    after = _do(slow, asked.SlotOf(pipeline_id="orders"))
    assert (after.ready, after.run.status) == (True, "RUNNING")


def test_a_slot_that_is_not_ready_says_what_blocks_it(office: Office) -> None:
    office.held_back()
    seen = _do(office, asked.SlotOf(pipeline_id="orders"))
    assert (seen.ready, seen.asked, seen.blocking) == (False, True, ("data-check",))


def test_a_status_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="did you mean success"):
        arrived(asked.CompleteRun, {"runId": "x"}, {}, {"status": "sucess"})

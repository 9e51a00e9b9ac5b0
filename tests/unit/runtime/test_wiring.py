"""A project becomes working hands."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_project

from interlock.app.arrivals import open_run
from interlock.app.evaluating import evaluate_pipeline
from interlock.clients.http import HttpUnreachable
from interlock.config.load import load_project
from interlock.core.alerts import Alert, AlertLevel, AlertType, Notice
from interlock.core.pipelines import Mode
from interlock.core.runs import RunStatus
from interlock.errors import ConfigError, StoreError
from interlock.runtime.bell import Bell, place_of
from interlock.runtime.upstream import UpstreamRuns
from interlock.runtime.wiring import Interlock, LazyHttp, allowed_addresses, state_dir
from interlock.testing.builders import NOON, a_slot


def test_a_project_opens_evaluates_and_closes_without_leaving_anything_open(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path))
    threads = threading.active_count()
    process = psutil.Process()
    before, children = process.num_fds(), process.children()  # servers of other tests may be among them
    with Interlock(project) as work:
        spec = project.pipelines["orders"].spec
        evaluation = evaluate_pipeline(spec, a_slot(pipeline="orders"), work.hands)
        assert evaluation.readiness.ready, evaluation.results
    assert threading.active_count() <= threads
    assert process.num_fds() <= before
    assert process.children() == children


def test_a_store_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / ".interlock").mkdir()
    (root / ".interlock" / "interlock.db").write_text("this is no database, but it is long enough to look at" * 40)
    project = load_project(root)
    before = psutil.Process().num_fds()
    with pytest.raises(StoreError, match=r"interlock\.db"):
        Interlock(project)
    assert psutil.Process().num_fds() <= before


def test_trouble_at_the_opening_is_told_every_time(tmp_path: Path) -> None:
    """BUG-08."""
    root = a_project(tmp_path)
    (root / ".interlock" / "interlock.db").mkdir(parents=True)
    said = []
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            Interlock(load_project(root))
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "interlock.db" in said[0]


def test_a_sink_may_take_its_secret_from_an_allowed_variable(tmp_path: Path) -> None:
    """BUG-177: nothing secret has to stand in a file."""
    root = a_project(tmp_path)
    alerts = "alerts: [{type: file, path: 'alerts-${env:TEAM}.jsonl'}]\nenv: {allow: [TEAM]}\n"
    (root / "interlock.yaml").write_text(alerts)
    with Interlock(load_project(root), env={"TEAM": "blue"}) as work:
        work.hands.alerting.channels[0].sink.deliver(a_notice(), timeout=timedelta(seconds=1))
    assert (root / "alerts-blue.jsonl").exists()
    with pytest.raises(ConfigError, match="TEAM"):
        Interlock(load_project(root), env={})


def a_notice() -> Notice:
    alert = Alert(
        alert_id="a",
        alert_type=AlertType.RUN_FAILED,
        level=AlertLevel.ERROR,
        slot=a_slot(pipeline="orders"),
        at=NOON,
        message="it failed",
    )
    return Notice(alert=alert, at=NOON)


def test_alerts_reach_the_sinks_that_the_project_lists(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Interlock(load_project(a_project(tmp_path)), stream=stream) as work:
        for channel in work.hands.alerting.channels:
            channel.sink.deliver(a_notice(), timeout=timedelta(seconds=1))
    assert "it failed" in stream.getvalue()


def test_loopback_is_reachable_by_default_and_nothing_else_private(tmp_path: Path) -> None:
    """T-74, BUG-193."""
    assert allowed_addresses(load_project(a_project(tmp_path))) == ("127.0.0.0/8", "::1/128")


def test_builtin_checks_see_other_pipelines_runs(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path))
    with Interlock(project) as work:
        slot = a_slot(pipeline="orders")
        seen = UpstreamRuns(work.store, work.catalog, work.clock)
        assert seen.latest(slot) is None
        open_run(slot, project.pipelines["orders"].spec, work.store, NOON)
        found = seen.latest(slot)
    assert found is not None
    assert (found.status, found.shadow) == (RunStatus.PENDING, False)


def test_builtin_checks_see_by_the_run_itself_whether_it_is_in_shadow_mode(tmp_path: Path) -> None:
    """A pipeline that went live at noon has done nothing of what it decided in the morning."""
    project = load_project(a_project(tmp_path))
    with Interlock(project) as work:
        slot = a_slot(pipeline="orders")
        open_run(slot, replace(project.pipelines["orders"].spec, mode=Mode.SHADOW), work.store, NOON)
        found = UpstreamRuns(work.store, work.catalog, work.clock).latest(slot)
    assert found is not None
    assert found.shadow


def test_a_client_made_after_the_closing_sends_nothing() -> None:
    http = LazyHttp(("127.0.0.0/8",))
    http.close()
    with pytest.raises(HttpUnreachable, match="closed"):
        http.send("GET", "http://127.0.0.1:1/", timeout=timedelta(seconds=1))


def test_a_placeholder_of_a_job_in_a_sink_says_what_may_stand_there(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / "interlock.yaml").write_text("alerts: [{type: file, path: 'alerts-{{date}}.jsonl'}]\n")
    with pytest.raises(ConfigError, match=r"'date' means nothing here.*env:NAME"):
        Interlock(load_project(root))


def test_watchers_are_woken_when_something_was_written_and_only_then(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path))
    with Bell(place_of(state_dir(project))) as bell:
        with Interlock(project):
            pass
        assert not bell.wait(timedelta())
        with Interlock(project) as work:
            open_run(a_slot(pipeline="orders"), project.pipelines["orders"].spec, work.store, work.clock.now())
            assert not bell.wait(timedelta())
            work.ring()
            assert bell.wait(timedelta(seconds=5))
            work.ring()
            assert not bell.wait(timedelta())
            open_run(a_slot("2026-03-08", pipeline="orders"), project.pipelines["orders"].spec, work.store, NOON)
        assert bell.wait(timedelta(seconds=5))


def test_questions_that_are_broken_off_get_an_answer_and_starts_go_on(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path, check="sleep 19"))
    with Interlock(project) as work:
        work.break_off()
        evaluation = evaluate_pipeline(project.pipelines["orders"].spec, a_slot(pipeline="orders"), work.hands)
        assert not evaluation.readiness.ready
        work.break_off()

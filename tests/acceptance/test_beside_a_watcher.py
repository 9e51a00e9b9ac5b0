"""What people and crontabs do while a watcher is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from tests.acceptance.cli import a_project, a_script, begin, interlock, starts

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''
PASS = 'echo \'{"status":"PASS"}\''
BY_CRON = "watch: {interval: 1s, enabled: false}\n"


@contextmanager
def a_watcher(project: Path) -> Iterator[subprocess.Popen[str]]:
    process = begin("watch", cwd=project)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def until(found: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


def run_of(project: Path) -> str:
    run = interlock("status", "orders", "--json", cwd=project).document["run"]
    return "" if run is None else str(run["status"])


def verdict_of(project: Path) -> str:
    return str(interlock("status", "orders", "--json", cwd=project).document["readiness"])


def events(project: Path) -> str:
    return interlock("events", "orders", "--limit", "500", cwd=project).out


def test_a_watcher_judges_what_exec_left_waiting_and_never_starts_it(tmp_path: Path) -> None:
    """T-14: two ways in, one start."""
    project = a_project(tmp_path, check=FAIL, pipeline=BY_CRON)
    with a_watcher(project):
        assert interlock("exec", "orders", "--", "touch", "ran", cwd=project).code == 1
        a_script(project / "evaluators" / "check", PASS)
        until(lambda: verdict_of(project) == "READY", "the watcher's verdict")
        assert (run_of(project), (project / "ran").exists(), starts(project)) == ("PENDING", False, [])
        assert interlock("exec", "orders", "--", "touch", "ran", cwd=project).code == 0
    assert (run_of(project), (project / "ran").exists(), starts(project)) == ("COMPLETED", True, [])
    assert "START_UNKNOWN" not in events(project)


def test_a_watcher_takes_a_command_that_runs_for_what_it_is_and_tells_of_one_that_is_lost(tmp_path: Path) -> None:
    fast = "trigger: {type: command, command: 'true', pollInterval: 1s}\n"
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().partition("trigger:")[0] + fast + BY_CRON)
    with a_watcher(project):
        process = begin("exec", "orders", "--", "sh", "-c", "echo $$ > up; exec sleep 300 >/dev/null 2>&1", cwd=project)
        until(lambda: (project / "up").exists() and run_of(project) == "RUNNING", "the command")
        time.sleep(3)
        assert "JOB_LOST" not in events(project)
        process.kill()
        process.communicate()
        os.kill(int((project / "up").read_text()), signal.SIGKILL)
        until(lambda: "JOB_LOST" in events(project), "the news that it is lost")
    assert run_of(project) == "RUNNING", "in doubt, and not started again"


def test_a_backfill_that_is_left_to_a_watcher_is_done_by_it(tmp_path: Path) -> None:
    project = a_project(tmp_path, job='echo "$INTERLOCK_DATE" >> days')
    today = date.fromisoformat(interlock("status", "orders", "--json", cwd=project).document["slots"][0]["date"])
    days = [str(today - timedelta(days=back)) for back in (3, 2, 1)]
    opened = interlock("backfill", "orders", "--from", days[0], "--to", days[2], "--no-wait", cwd=project)
    assert (opened.code, starts(project)) == (0, [])
    said = interlock("watch", "--until-idle", cwd=project)
    assert said.code == 0, said.err
    assert set(days) <= set((project / "days").read_text().split())
    assert (
        interlock("backfill", "orders", "--from", days[0], "--to", days[2], cwd=project).out
        == "there is nothing to do\n"
    )


def test_wait_sees_what_a_watcher_does_and_a_push_lets_it_go(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("./evaluators/check", "push").replace("    timeout: 20\n", ""))
    with a_watcher(project):
        waiting = begin("wait", "orders", "--for", "completed", "--timeout", "40s", "--interval", "200ms", cwd=project)
        until(lambda: run_of(project) == "PENDING", "the slot's opening")
        began = time.monotonic()
        interlock("traits", "push", "orders", "data-check", "--status", "PASS", "--ttl", "1h", cwd=project)
        waiting.communicate(timeout=50)
        took = time.monotonic() - began
    assert waiting.returncode == 0
    assert took < 20, "the push woke the watcher; nobody waited for an interval"
    assert starts(project) == ["1"]


def test_a_pause_holds_what_a_watcher_would_start_and_resume_lets_it_go(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("pause", "orders", "--for", "1h", "--reason", "moving", cwd=project).code == 0
    with a_watcher(project):
        time.sleep(3)
        assert starts(project) == []
        interlock("resume", "orders", cwd=project)
        until(lambda: run_of(project) == "COMPLETED", "the slot")
    assert starts(project) == ["1"]


def test_an_outside_job_is_left_alone_by_a_watcher(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL, pipeline="watch: {interval: 1s}\n")
    with a_watcher(project):
        until(lambda: run_of(project) == "PENDING", "the slot's opening")
        assert interlock("ping", "orders", "start", cwd=project).code == 0
        assert run_of(project) == "RUNNING"
        time.sleep(2)
        assert interlock("ping", "orders", "success", cwd=project).code == 0
    assert (run_of(project), starts(project)) == ("COMPLETED", [])


def test_a_cancelled_run_of_a_watcher_stays_cancelled(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="sleep 300")
    with a_watcher(project):
        until(lambda: run_of(project) == "RUNNING", "the job")
        said = interlock("cancel", "orders", "--reason", "by mistake", cwd=project)
        assert (said.code, "its job has stopped" in said.out) == (0, True), said
        time.sleep(2)
    assert (run_of(project), starts(project)) == ("CANCELLED", ["1"])

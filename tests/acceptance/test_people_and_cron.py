"""`wait`, `cancel`, `ping`, `pause`, `marker`, `shadow`, as people and crontabs use them."""

from __future__ import annotations

import signal
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.acceptance.cli import Said, a_project, a_script, begin, interlock, starts

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''
PASS = 'echo \'{"status":"PASS"}\''


def _today(project: Path) -> date:
    """Return the day of the current slot, as the project's zone has it."""
    said = interlock("status", "orders", "--json", cwd=project)
    return date.fromisoformat(said.document["slots"][0]["date"])


def _events(project: Path) -> str:
    return interlock("events", "orders", cwd=project).out


# ---------------------------------------------------------------- run and rerun


def test_a_paused_pipeline_starts_nothing_and_says_by_whom_and_why(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("pause", "orders", "--for", "2h", "--reason", "warehouse moves", cwd=project).code == 0
    said = interlock("run", "orders", cwd=project)
    assert (said.code, starts(project)) == (9, [])
    assert "warehouse moves" in said.err


def test_a_forced_run_of_a_paused_pipeline_starts_and_names_what_it_overrode(tmp_path: Path) -> None:
    """The actuator refuses while a pipeline is paused, unless the run's own override says otherwise."""
    project = a_project(tmp_path)
    interlock("pause", "orders", "--for", "2h", "--reason", "warehouse moves", cwd=project)
    said = interlock("run", "orders", "--force", "--reason", "the board waits", cwd=project)
    assert (said.code, starts(project)) == (0, ["1"]), said.err
    assert "past paused, readiness: the board waits" in _events(project)


def test_a_waiting_run_that_is_held_by_a_pause_is_forced_too(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    assert interlock("run", "orders", cwd=project).code == 1
    interlock("pause", "orders", "--for", "2h", "--reason", "warehouse moves", cwd=project)
    assert interlock("run", "orders", cwd=project).code == 9
    said = interlock("run", "orders", "--force", "--reason", "the board waits", cwd=project)
    assert (said.code, starts(project)) == (0, ["1"]), said.err


def test_a_slot_that_is_closed_starts_nothing_unless_forced(tmp_path: Path) -> None:
    # In the zone of these projects it is always between 12 and 13.
    schedules = "schedules:\n  - {name: early, closeAt: '11:00'}\n"
    project = a_project(tmp_path, pipeline=schedules)
    said = interlock("run", "orders", cwd=project)
    assert (said.code, "closed" in said.err) == (9, True)
    forced = interlock("run", "orders", "--force", "--reason", "late but needed", cwd=project)
    assert (forced.code, "past closed, readiness" in _events(project)) == (0, True), forced.err


def test_a_slot_does_not_overlap_an_earlier_one_that_may_not(tmp_path: Path) -> None:
    schedules = "schedules:\n  - {name: daily, overlap: skip}\n"
    project = a_project(tmp_path, pipeline=schedules, job="sleep 30")
    yesterday = _today(project) - timedelta(days=1)
    interlock("replay", "orders", "--date", str(yesterday), "--reason", "x", "--no-wait", cwd=project)
    said = interlock("run", "orders", cwd=project)
    assert (said.code, "overlap policy is skip" in said.err) == (9, True)
    interlock("cancel", "orders", "--reason", "test is over", cwd=project)


def test_a_pipeline_without_a_trigger_is_done_when_it_is_ready(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().partition("trigger:")[0])
    said = interlock("run", "orders", cwd=project)
    assert (said.code, "COMPLETED" in said.out) == (0, True), said.err


def test_a_run_that_is_watched_for_drift_counts_as_done(tmp_path: Path) -> None:
    project = a_project(tmp_path, pipeline="watch: {monitoring: {enabled: true, duration: 1h}}\n")
    said = interlock("run", "orders", cwd=project)
    assert (said.code, "watched for drift until" in said.out) == (0, True), said.err
    assert interlock("run", "orders", cwd=project).code == 7
    over = interlock("cancel", "orders", "--reason", "seen enough", cwd=project)
    assert (over.code, "no longer watched" in over.out) == (0, True), over.err


def test_the_budget_of_reruns_holds_until_somebody_forces_it(tmp_path: Path) -> None:
    project = a_project(tmp_path, pipeline="reruns: {manual: 1}\n")
    interlock("run", "orders", cwd=project)
    assert interlock("rerun", "orders", "--reason", "one", cwd=project).code == 0
    said = interlock("rerun", "orders", "--reason", "two", cwd=project)
    assert (said.code, "1 of 1" in said.err) == (9, True)
    assert interlock("rerun", "orders", "--reason", "three", "--force", cwd=project).code == 0
    assert "past budget, readiness: three" in _events(project)
    assert len(starts(project)) == 3


# ---------------------------------------------------------------- cancel, wait, ping


def test_cancel_ends_the_run_and_its_job(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="sleep 300")
    interlock("run", "orders", "--no-wait", cwd=project)
    said = interlock("cancel", "orders", "--reason", "by mistake", cwd=project)
    assert (said.code, "its job has stopped" in said.out) == (0, True), said.err
    again = interlock("cancel", "orders", "--reason", "by mistake", cwd=project)
    assert again.code == 7
    run_id = interlock("history", "orders", "--json", cwd=project).document["items"][0]["runId"]
    assert interlock("cancel", run_id, "--reason", "again", cwd=project).code == 7
    assert interlock("cancel", run_id[:-1] + "9", "--reason", "again", cwd=project).code == 8


def test_whoever_follows_a_cancelled_run_leaves_with_9(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="echo up > up; sleep 300")
    process = begin("run", "orders", cwd=project)
    waiting = begin("wait", "orders", "--for", "completed", "--interval", "200ms", cwd=project)
    _until_started(project)
    assert interlock("cancel", "orders", "--reason", "x", cwd=project).code == 0
    process.communicate(timeout=30)
    waiting.communicate(timeout=30)
    assert (process.returncode, waiting.returncode) == (9, 9)


def _until_started(project: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        run = interlock("status", "orders", "--json", cwd=project).document["run"]
        if run is not None and run["status"] == "RUNNING":
            return
    raise AssertionError("it was never started")


def test_wait_is_over_when_the_slot_is_done_or_failed(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="sleep 1; exit $(cat code)")
    (project / "code").write_text("0")
    process = begin("wait", "orders", "--timeout", "40s", "--interval", "200ms", cwd=project)
    assert interlock("run", "orders", cwd=project).code == 0
    out, _ = process.communicate(timeout=40)
    assert (process.returncode, "COMPLETED" in out) == (0, True)
    (project / "code").write_text("2")
    interlock("rerun", "orders", "--reason", "x", cwd=project)
    assert interlock("wait", "orders", cwd=project).code == 4


def test_wait_for_ready_believes_what_was_judged_while_it_is_fresh(tmp_path: Path) -> None:
    ttl = "traits: {data-check: {evaluator: ./evaluators/check, ttl: 3600}}\n"
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text("name: orders\narchetype: one-check\n" + ttl)
    assert interlock("wait", "orders", "--for", "ready", "--timeout", "0s", cwd=project).code == 6
    interlock("evaluate", "orders", cwd=project)
    assert interlock("wait", "orders", "--for", "ready", "--timeout", "0s", cwd=project).code == 0
    a_script(project / "evaluators" / "check", FAIL)
    interlock("evaluate", "orders", cwd=project)
    said = interlock("wait", "orders", "--for", "ready", "--timeout", "0s", cwd=project)
    assert (said.code, "data-check" in said.err) == (6, True)


def test_an_outside_job_tells_of_itself_once_or_more_often(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    words = ("start", "start", "success", "success", "fail", "start")
    said = [interlock("ping", "orders", word, cwd=project) for word in words]
    assert [one.code for one in said] == [0, 0, 0, 0, 7, 7]
    assert starts(project) == [], "nothing was started from here"
    events = _events(project)
    assert "external" in events
    assert "started outside of Interlock" in events
    assert "FAIL" in events, "the traits were asked, and what they say is on record"


def test_a_failure_told_alone_stands_for_its_start_too_and_tells_people(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    said = interlock("ping", "orders", "fail", "--reason", "out of disk", cwd=project)
    assert (said.code, "FAILED" in said.out) == (0, True)
    assert "out of disk" in said.err, "the console sink tells it"


def test_an_outside_word_about_a_job_of_interlocks_own_is_a_conflict(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    interlock("run", "orders", cwd=project)
    assert interlock("ping", "orders", "fail", cwd=project).code == 7


# ---------------------------------------------------------------- markers, pushes, pauses, shadow


def test_an_unknown_marker_is_recorded_and_answered(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    said = interlock("marker", "ordres", "--source", "a file", cwd=project)
    assert (said.code, "did you mean orders" in said.err) == (8, True)
    assert "MARKER_RECEIVED" in interlock("events", "ordres", cwd=project).out


def test_a_marker_opens_its_slot_and_has_a_waiting_run_ask_again(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    opened = interlock("marker", "orders", "--source", "one", "--json", cwd=project)
    assert (opened.code, opened.document["outcome"]) == (0, "opened")
    interlock("run", "orders", cwd=project)
    assert interlock("marker", "orders", "--source", "two", "--json", cwd=project).document["outcome"] == "woke"


def test_a_push_wakes_the_run_that_waits_for_it(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("./evaluators/check", "push").replace("    timeout: 20\n", ""))
    assert interlock("run", "orders", cwd=project).code == 1
    push = ("traits", "push", "orders", "data-check", "--status", "PASS", "--ttl", "1h")
    assert interlock(*push, cwd=project).code == 0
    assert "push: data-check" in _events(project)


def test_a_pause_needs_an_end_and_a_reason_and_is_listed_until_it_is_over(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("pause", "orders", "--reason", "x", cwd=project).code == 2
    assert interlock("pause", "orders", "--for", "2h", cwd=project).code == 2
    assert interlock("pause", "orders", "--for", "0s", "--reason", "x", cwd=project).code == 2
    assert interlock("pause", "orders", "--until", "soon", "--reason", "x", cwd=project).code == 2
    assert interlock("pause", "orders", "--until", "18:00", "--reason", "x", cwd=project).code == 0
    listed = interlock("pause", "--list", "--json", cwd=project).document["items"]
    assert [(one["pipelineId"], one["reason"]) for one in listed] == [("orders", "x")]
    assert interlock("resume", "orders", cwd=project).out == "orders goes on\n"
    assert interlock("resume", "orders", cwd=project).out == "orders was not paused\n"
    assert interlock("resume", "--list", cwd=project).out == "nothing is paused\n"
    assert interlock("run", "orders", cwd=project).code == 0


def test_shadow_mode_starts_nothing_and_reports_what_it_would_have_done(tmp_path: Path) -> None:
    project = a_project(tmp_path, pipeline="mode: shadow\n")
    assert interlock("run", "orders", cwd=project).code == 0
    assert starts(project) == []
    said = interlock("wait", "orders", cwd=project)
    assert (said.code, "nothing of it was done" in said.out) == (9, True), "who waits for data must not go on"
    assert interlock("wait", "orders", "--for", "ready", cwd=project).code == 0
    assert interlock("ping", "orders", "start", cwd=project).code == 0
    report = interlock("shadow", "report", "--json", cwd=project).document
    (item,) = report["items"]
    assert item["starts"] == 1
    assert item["wouldStartAt"] is not None
    assert any(one.startswith("ping start") for one in item["really"])


@pytest.mark.parametrize(
    "words",
    [
        ("cancel", "orders"),
        ("replay", "orders", "--date", "2026-03-07"),
        ("cancel", "orders", "--reason", "  "),
        ("backfill", "orders", "--from", "2026-03-07", "--to", "2026-03-01"),
        ("backfill", "orders", "--from", "yesterday", "--to", "2026-03-01"),
        ("wait", "orders", "--timeout", "-5m"),
        ("ping", "orders", "begin"),
        ("exec", "orders"),
        ("marker", "orders"),
        ("marker", "Not A Name", "--source", "x"),
        ("pause", "--for", "2h"),
        ("status", "--watch"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_used_leaves_with_2_and_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    said: Said = interlock(*words, cwd=a_project(tmp_path))
    assert said.code == 2, said
    assert "internal fault" not in said.err


@pytest.mark.parametrize("verb", ["exec", "wait", "ping", "pause", "replay", "backfill", "rerun"])
def test_an_unknown_pipeline_is_8_whatever_is_wished_of_it(tmp_path: Path, verb: str) -> None:
    rest = {
        "exec": ("--", "true"),
        "ping": ("start",),
        "pause": ("--for", "1h", "--reason", "x"),
        "replay": ("--date", "2026-03-07", "--reason", "x"),
        "backfill": ("--from", "2026-03-07", "--to", "2026-03-07"),
        "rerun": ("--reason", "x"),
    }
    said = interlock(verb, "ordres", *rest.get(verb, ()), cwd=a_project(tmp_path))
    assert (said.code, "did you mean orders" in said.err) == (8, True)


def test_an_outside_word_while_the_own_job_waits_to_be_tried_again_starts_nothing(tmp_path: Path) -> None:
    """Whoever tells of another job must not let this one go on."""
    project = a_project(tmp_path, job="exit 3", pipeline="retry: {backoffSeconds: 600}\n")
    assert interlock("run", "orders", "--timeout", "2s", cwd=project).code == 6
    said = interlock("ping", "orders", "start", cwd=project)
    assert (said.code, starts(project)) == (7, ["1"]), said


def test_status_is_what_it_was_for_whoever_looks_once(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("status", "--interval", "5s", cwd=project).code == 0


@pytest.mark.parametrize("verb", [("run", "orders"), ("exec", "orders", "--", "touch", "ran")], ids=["run", "exec"])
def test_an_excluded_day_starts_nothing(tmp_path: Path, verb: tuple[str, ...]) -> None:
    project = a_project(tmp_path)
    today = str(_today(project))
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + f"exclusions: {{dates: ['{today}']}}\n")
    said = interlock(*verb, cwd=project)
    assert (said.code, "excluded" in said.err) == (9, True)
    assert starts(project) == []
    assert not (project / "ran").exists()


def test_a_budget_and_a_pause_hold_for_exec_too(tmp_path: Path) -> None:
    project = a_project(tmp_path, pipeline="reruns: {manual: 1}\n")
    again = ("exec", "orders", "--again", "--reason", "x", "--", "true")
    assert interlock("exec", "orders", "--", "false", cwd=project).code == 1
    assert interlock("pause", "orders", "--for", "1h", "--reason", "moving", cwd=project).code == 0
    assert interlock(*again, cwd=project).code == 9
    interlock("resume", "orders", cwd=project)
    assert interlock(*again, cwd=project).code == 0
    assert interlock(*again, cwd=project).code == 9


def test_whoever_waits_can_be_interrupted(tmp_path: Path) -> None:
    process = begin("wait", "orders", "--interval", "200ms", cwd=a_project(tmp_path))
    assert process.stderr is not None
    assert "it has no run yet" in process.stderr.readline(), "and after a second it says what it waits for"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130

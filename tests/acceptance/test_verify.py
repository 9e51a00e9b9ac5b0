"""What follows a job that says that its work is done: its checks, and whoever accepts it without them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.cli import a_project, a_script, interlock, starts

VERIFY = "verify:\n  - {name: rows-written, evaluator: ./evaluators/rows, timeout: 20}\n"
NO = 'echo \'{"status":"FAIL","reason":"0 rows"}\''


def _project(at: Path, check: str, more: str = "") -> Path:
    project = a_project(at, pipeline=VERIFY + more)
    a_script(project / "evaluators" / "rows", check)
    return project


def _kinds(project: Path) -> list[str]:
    return [each["kind"] for each in interlock("events", "orders", "--json", cwd=project).document["items"]]


def test_a_job_whose_work_is_there_completes_its_run(tmp_path: Path) -> None:
    check = 'test -e started && echo \'{"status":"PASS"}\' || echo \'{"status":"FAIL"}\''
    project = _project(tmp_path, check)
    ran = interlock("run", "orders", cwd=project)
    assert (ran.code, "COMPLETED" in ran.out) == (0, True), ran.err
    assert "VERIFICATION_STARTED" in _kinds(project)


def test_a_job_that_says_success_and_left_nothing_behind_has_failed(tmp_path: Path) -> None:
    """LAT-21: a success that nobody looked at is none."""
    project = _project(tmp_path, NO)
    ran = interlock("run", "orders", "--json", cwd=project)
    assert ran.code == 4
    run = ran.document
    assert run["status"] == "FAILED"
    assert run["attempts"][-1]["failureCategory"] == "PERMANENT"
    assert (
        run["attempts"][-1]["failureMessage"]
        == "the job said success, and its verification says no: rows-written: 0 rows"
    )
    assert starts(project) == ["1"]
    alerts = interlock("alerts", "list", "--json", cwd=project).document["items"]
    assert [each["alertType"] for each in alerts] == ["run_failed"]


def test_a_check_that_allows_it_has_the_job_tried_again(tmp_path: Path) -> None:
    again = (
        'if [ "$(wc -l < started)" -ge 2 ]; then echo \'{"status":"PASS"}\'; '
        'else echo \'{"status":"FAIL","reason":"half of it","failureCategory":"TRANSIENT"}\'; fi'
    )
    project = _project(tmp_path, again, "retry: {maxAttempts: 3, backoffSeconds: 0}\n")
    ran = interlock("run", "orders", cwd=project)
    assert (ran.code, starts(project)) == (0, ["1", "2"]), ran.err


def test_what_cannot_be_verified_is_told_and_a_person_may_accept_it(tmp_path: Path) -> None:
    project = _project(tmp_path, "exit 2")
    ran = interlock("run", "orders", cwd=project)
    assert (ran.code, "cannot be told yet: rows-written" in ran.out) == (3, True), ran.out
    run_id = json.loads(interlock("history", "orders", "--json", cwd=project).out)["items"][0]["runId"]
    alerts = interlock("alerts", "list", "--json", cwd=project).document["items"]
    assert [each["alertType"] for each in alerts] == ["verification_trouble"]
    assert f"interlock accept {run_id}" in alerts[0]["message"]
    accepted = interlock("accept", run_id, "--reason", "counted by hand", cwd=project)
    assert (accepted.code, "accepted" in accepted.out) == (0, True), accepted.err
    assert interlock("accept", run_id, "--reason", "twice", cwd=project).code == 0
    assert json.loads(interlock("history", "orders", "--json", cwd=project).out)["items"][0]["status"] == "COMPLETED"
    assert starts(project) == ["1"]


def test_what_has_not_said_that_it_is_done_cannot_be_accepted(tmp_path: Path) -> None:
    project = _project(tmp_path, NO)
    assert interlock("run", "orders", cwd=project).code == 4
    run_id = json.loads(interlock("history", "orders", "--json", cwd=project).out)["items"][0]["runId"]
    refused = interlock("accept", run_id, "--reason", "it is fine", cwd=project)
    assert refused.code == 7
    assert interlock("accept", "orders:daily:2020-01-01:1", "--reason", "x", cwd=project).code == 8


def test_everybody_who_asks_is_shown_that_the_work_is_being_checked(tmp_path: Path) -> None:
    project = _project(tmp_path, "exit 2")
    interlock("run", "orders", cwd=project)
    run = interlock("history", "orders", "--json", cwd=project).document["items"][0]
    assert (run["status"], run["rests"], run["verifying"]["tries"]) == ("RUNNING", "UNVERIFIED", 1)
    assert [one["traitType"] for one in run["verifying"]["unsure"]] == ["rows-written"]
    assert (
        "its work is being checked, and cannot be told yet: rows-written"
        in interlock("status", "orders", cwd=project).out
    )
    why = interlock("why", "orders", cwd=project).out
    assert "says that its work is done, which is being checked" in why
    assert f"interlock accept {run['runId']}" in why

"""What really happened, told afterwards: `status`, `why` and `history` about real runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.acceptance.cli import a_project, a_script, interlock

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''
RETRY = "retry: {maxAttempts: 2, backoffSeconds: 0, retryableFailures: [TRANSIENT]}\n"


def _where_it_is_noon() -> str:
    """Return a zone in which no midnight is near, whatever the hour."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}"


def test_a_job_that_failed_twice_is_told_with_both_attempts(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="echo the table is locked >&2; exit 1", pipeline=RETRY)
    assert interlock("run", "orders", cwd=project).code == 4
    out = interlock("history", "orders", cwd=project).out.splitlines()
    assert "FAILED" in out[0]
    assert [line.split()[:3] for line in out[1:]] == [["attempt", "1", "failed"], ["attempt", "2", "failed"]]
    why = interlock("why", "orders", cwd=project).out
    assert "let through, but the job failed" in why
    assert "next: nothing: this run has ended" in why
    (run,) = interlock("history", "orders", "--json", cwd=project).document["items"]
    assert [attempt["status"] for attempt in run["attempts"]] == ["failed", "failed"]


def test_a_forced_start_says_who_set_aside_what_and_why(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    assert interlock("run", "orders", "--force", "--reason", "confirmed by phone", cwd=project).code == 0
    why = interlock("why", "orders", cwd=project).out
    assert "confirmed by phone" in why
    assert "set aside: data-check" in why
    assert "FAIL data-check" in why
    assert "forced by" in interlock("history", "orders", cwd=project).out


def test_status_tells_the_slot_its_deadlines_and_its_run(tmp_path: Path) -> None:
    project = a_project(tmp_path, pipeline="sla: {evaluationDeadline: 30h, completionDeadline: 31h}\n")
    assert interlock("run", "orders", cwd=project).code == 0
    out = interlock("status", "orders", cwd=project).out
    assert "to be let through by" in out
    assert ", due " in out
    assert "COMPLETED" in out
    assert interlock("status", "--check", cwd=project).code == 0


def test_a_completed_run_meets_its_deadline_and_one_that_is_held_back_misses_it(tmp_path: Path) -> None:
    project = a_project(
        tmp_path, check=FAIL, pipeline=f"sla: {{evaluationDeadline: 1s, timezone: {_where_it_is_noon()}}}\n"
    )
    assert interlock("run", "orders", cwd=project).code == 1
    held = interlock("status", "--check", cwd=project)
    assert (held.code, "evaluation deadline" in held.out) == (10, True)
    a_script(project / "evaluators" / "check", 'echo \'{"status":"PASS"}\'')
    assert interlock("run", "orders", cwd=project).code == 0
    assert interlock("status", "--check", cwd=project).code == 0

"""`replay` and `backfill`: slots whose time has passed."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

from tests.acceptance.cli import a_project, interlock, starts


def _today(project: Path) -> date:
    """Return the day of the current slot, as the project's zone has it."""
    said = interlock("status", "orders", "--json", cwd=project)
    return date.fromisoformat(said.document["slots"][0]["date"])


def test_replay_runs_a_slot_that_never_ran_and_then_its_next(tmp_path: Path) -> None:
    project = a_project(tmp_path, job='echo "$INTERLOCK_DATE" >> days')
    day = str(_today(project) - timedelta(days=3))
    first = interlock("replay", "orders", "--date", day, "--reason", "was down", "--json", cwd=project)
    second = interlock("replay", "orders", "--date", day, "--reason", "again", "--json", cwd=project)
    assert [said.document["cause"] for said in (first, second)] == ["replay", "replay"]
    assert [said.document["runId"] for said in (first, second)] == [f"orders:daily:{day}:1", f"orders:daily:{day}:2"]
    assert (project / "days").read_text().split() == [day, day]


def test_replay_refuses_what_is_still_to_come_and_what_is_no_slot(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    tomorrow = str(_today(project) + timedelta(days=1))
    assert interlock("replay", "orders", "--date", tomorrow, "--reason", "x", cwd=project).code == 9
    assert interlock("replay", "orders", "--date", f"{tomorrow}T14:00", "--reason", "x", cwd=project).code == 8
    assert interlock("replay", "orders", "--date", "2026-02-30", "--reason", "x", cwd=project).code == 2
    assert starts(project) == []


def _range(project: Path, days: int) -> tuple[str, ...]:
    today = _today(project)
    return "--from", str(today - timedelta(days=days)), "--to", str(today - timedelta(days=1))


def test_a_backfill_is_looked_at_first_and_then_carried_out_as_it_was_seen(tmp_path: Path) -> None:
    project = a_project(tmp_path, job='echo "$INTERLOCK_DATE" >> days')
    span = _range(project, 3)
    plan = interlock("backfill", "orders", *span, "--dry-run", cwd=project)
    assert (plan.code, starts(project)) == (0, [])
    name = re.search(r"plan (\w+): 3 of 3", plan.out)
    assert name is not None, plan.out
    interlock("replay", "orders", "--date", span[1], "--reason", "in between", cwd=project)
    changed = interlock("backfill", "orders", *span, "--plan", name[1], cwd=project)
    assert (changed.code, len(starts(project))) == (7, 1)
    done = interlock("backfill", "orders", *span, "--reason", "new column", "--json", cwd=project)
    assert done.code == 0
    assert [item["action"] for item in done.document["items"]] == ["done", "run", "run"]
    days = (project / "days").read_text().split()
    assert days == sorted(days), "oldest first"
    assert len(set(days)) == 3
    assert interlock("backfill", "orders", *span, cwd=project).out == "there is nothing to do\n"


def test_a_slot_that_fails_ends_a_backfill_unless_it_keeps_going(tmp_path: Path) -> None:
    project = a_project(tmp_path, job="exit 2")
    span = _range(project, 3)
    stopped = interlock("backfill", "orders", *span, cwd=project)
    assert (stopped.code, len(starts(project))) == (4, 1)
    assert "2 more were not begun" in stopped.err
    went_on = interlock("backfill", "orders", *span, "--keep-going", cwd=project)
    assert (went_on.code, len(starts(project))) == (4, 4)


def test_excluded_days_are_listed_and_left_out(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    span = _range(project, 2)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + f"exclusions: {{dates: ['{span[1]}']}}\n")
    said = interlock("backfill", "orders", *span, cwd=project)
    assert (said.code, len(starts(project))) == (0, 1)
    assert "excluded" in interlock("backfill", "orders", *span, "--dry-run", cwd=project).out


def test_a_backfill_can_be_left_to_a_watcher(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    said = interlock("backfill", "orders", *_range(project, 3), "--no-wait", "--max", "2", "--json", cwd=project)
    assert said.code == 0
    assert [(item["action"], item["status"]) for item in said.document["items"]] == [
        ("run", "PENDING"),
        ("run", "PENDING"),
        ("left", None),
    ]
    assert starts(project) == []


def test_a_paused_pipeline_is_not_backfilled_and_its_plan_can_be_looked_at(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    span = _range(project, 2)
    interlock("pause", "orders", "--for", "1h", "--reason", "moving", cwd=project)
    assert interlock("backfill", "orders", *span, "--dry-run", cwd=project).code == 0
    said = interlock("backfill", "orders", *span, cwd=project)
    assert (said.code, "interlock resume orders" in said.err, starts(project)) == (9, True, [])


def test_a_slot_that_is_not_ready_ends_a_backfill_and_waits(tmp_path: Path) -> None:
    project = a_project(tmp_path, check='echo \'{"status":"FAIL"}\'')
    span = _range(project, 2)
    assert interlock("backfill", "orders", *span, cwd=project).code == 1
    plan = interlock("backfill", "orders", *span, "--dry-run", "--json", cwd=project).document
    assert [item["action"] for item in plan["items"]] == ["go-on", "run"]

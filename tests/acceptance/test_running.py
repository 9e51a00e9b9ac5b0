"""`evaluate`, `run`, `rerun`, `complete` and `traits push`, as a person uses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, a_script, interlock, starts

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''


def test_the_quick_start_works_without_any_server(tmp_path: Path) -> None:
    """T-13, T-88: init, evaluate, run, status; each leaves with 0, and the run is COMPLETED."""
    assert interlock("init", "my-project", cwd=tmp_path).code == 0
    project = tmp_path / "my-project"
    evaluated = interlock("evaluate", "example", cwd=project)
    assert (evaluated.code, "READY" in evaluated.out) == (0, True), evaluated.err
    ran = interlock("run", "example", cwd=project)
    assert (ran.code, "COMPLETED" in ran.out) == (0, True), ran.err
    status = interlock("status", cwd=project)
    assert (status.code, "COMPLETED" in status.out) == (0, True), status.err


def test_evaluate_leaves_with_1_and_names_what_blocks(tmp_path: Path) -> None:
    """T-89."""
    said = interlock("evaluate", "orders", cwd=a_project(tmp_path, check=FAIL))
    assert said.code == 1
    assert "blocked by: data-check" in said.out
    assert "3 of 4 files" in said.out


def test_evaluate_leaves_with_3_when_the_check_could_not_tell(tmp_path: Path) -> None:
    """BUG-10: a broken check and missing data are two things."""
    said = interlock("evaluate", "orders", "--json", cwd=a_project(tmp_path, check="exit 1"))
    assert said.code == 3
    assert said.document["errors"] == ["data-check"]
    assert said.document["traits"][0]["failureCategory"] == "TRANSIENT"


def test_evaluate_never_starts_anything(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("evaluate", "orders", cwd=project).code == 0
    assert starts(project) == []


def test_a_run_that_is_not_ready_starts_nothing_and_the_next_one_goes_on_with_it(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    held = interlock("run", "orders", cwd=project)
    assert (held.code, starts(project)) == (1, [])
    a_script(project / "evaluators" / "check", 'echo \'{"status":"PASS"}\'')
    assert interlock("run", "orders", cwd=project).code == 0
    assert starts(project) == ["1"]


def test_a_mended_configuration_counts_for_the_run_that_waits(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    assert interlock("run", "orders", cwd=project).code == 1
    file = project / "pipelines" / "orders.yaml"
    a_script(project / "evaluators" / "other", 'echo \'{"status":"PASS"}\'')
    file.write_text(file.read_text().replace("./evaluators/check", "./evaluators/other"))
    assert interlock("run", "orders", cwd=project).code == 0


def test_a_slot_runs_once_and_says_how_to_run_it_again(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("run", "orders", cwd=project).code == 0
    again = interlock("run", "orders", cwd=project)
    assert (again.code, starts(project)) == (7, ["1"])
    assert "interlock rerun orders" in again.err


def test_a_rerun_is_a_new_run_with_its_reason_on_record(tmp_path: Path) -> None:
    """T-16, T-121."""
    project = a_project(tmp_path)
    interlock("run", "orders", cwd=project)
    said = interlock("rerun", "orders", "--reason", "source corrected", "--json", cwd=project)
    assert (said.code, said.document["runId"].endswith(":2"), len(starts(project))) == (0, True, 2), said.err
    assert "source corrected" in interlock("events", "orders", cwd=project).out


def test_a_rerun_while_the_run_is_under_way_starts_nothing(tmp_path: Path) -> None:
    """LAT-16."""
    project = a_project(tmp_path, job="sleep 20")
    assert interlock("run", "orders", "--no-wait", cwd=project).code == 0
    assert interlock("rerun", "orders", "--reason", "impatience", cwd=project).code == 7
    assert starts(project) == ["1"]


def test_a_rerun_of_what_never_ran_is_not_found(tmp_path: Path) -> None:
    said = interlock("rerun", "orders", "--reason", "x", cwd=a_project(tmp_path))
    assert (said.code, "never ran" in said.err) == (8, True)


def test_a_failed_job_leaves_with_4_and_tells_people(tmp_path: Path) -> None:
    """BUG-105: a permanent failure is not tried again."""
    project = a_project(tmp_path, job="echo no table >&2; exit 2")
    said = interlock("run", "orders", cwd=project)
    assert (said.code, starts(project)) == (4, ["1"])
    assert "PERMANENT" in said.out
    assert "no table" in said.out
    assert "ERROR" in said.err, "the console sink tells it"


def test_a_transient_failure_is_tried_again_after_its_backoff(tmp_path: Path) -> None:
    """T-18: a retry policy with one key keeps the other defaults."""
    retry = "retry: {backoffSeconds: 1}\n"
    project = a_project(tmp_path, job='test "$INTERLOCK_ATTEMPT" = 2', pipeline=retry)
    said = interlock("run", "orders", "--json", cwd=project)
    assert (said.code, starts(project)) == (0, ["1", "2"])
    first, second = said.document["attempts"]
    waited = datetime.fromisoformat(second["startedAt"]) - datetime.fromisoformat(first["completedAt"])
    assert waited >= timedelta(seconds=1)


def test_an_exit_status_of_4_is_not_taken_for_a_permanent_failure(tmp_path: Path) -> None:
    """T-19, BUG-126: neither by its number nor by what it prints."""
    project = a_project(
        tmp_path,
        job="echo 'status 4: deadline exceeded, PERMANENT' >&2; exit 4",
        pipeline="retry: {maxAttempts: 2, backoffSeconds: 0}\n",
    )
    said = interlock("run", "orders", "--json", cwd=project)
    assert (said.code, starts(project)) == (4, ["1", "2"])
    assert said.document["failureCategory"] == "TRANSIENT"


def test_an_excluded_day_is_refused_and_a_forced_start_is_on_record(tmp_path: Path) -> None:
    near = ", ".join(f"{datetime.now(UTC) + timedelta(days=ahead):%A}" for ahead in (-1, 0, 1))
    project = a_project(tmp_path, check=FAIL, pipeline=f"exclusions: {{days: [{near}]}}\n")
    refused = interlock("run", "orders", cwd=project)
    assert (refused.code, starts(project)) == (9, [])
    assert "excluded" in refused.err
    assert interlock("run", "orders", "--force", cwd=project).code == 2, "a reason is needed"
    forced = interlock("run", "orders", "--force", "--reason", "checked by phone", cwd=project)
    assert (forced.code, starts(project)) == (0, ["1"]), forced.err
    told = interlock("events", "orders", cwd=project).out
    assert "READINESS_OVERRIDDEN" in told
    assert "checked by phone" in told
    assert "exclusion" in told


def test_before_its_window_a_run_is_refused(tmp_path: Path) -> None:
    # A zone in which it is now between 5 and 6 in the morning, at whatever hour the test runs.
    offset = (5 - datetime.now(UTC).hour + 12) % 24 - 12
    zone = f"Etc/GMT{'-' if offset >= 0 else '+'}{abs(offset)}" if offset else "UTC"
    project = a_project(tmp_path, pipeline=f'schedules: [{{name: noon, after: "12:00", timezone: {zone}}}]\n')
    said = interlock("run", "orders", cwd=project)
    assert (said.code, starts(project), "opens at" in said.err) == (9, [], True)


def test_a_job_reports_its_own_end_and_may_repeat_it(tmp_path: Path) -> None:
    """T-119."""
    project = a_project(tmp_path, job="sleep 30")
    started = interlock("run", "orders", "--no-wait", "--json", cwd=project)
    run_id = started.document["runId"]
    assert (started.code, started.document["status"]) == (0, "RUNNING")
    for _ in range(2):
        assert interlock("complete", run_id, "--status", "success", cwd=project).code == 0
    conflict = interlock("complete", run_id, "--status", "failed", cwd=project)
    assert conflict.code == 7


def test_an_unknown_run_is_not_found_and_a_malformed_one_is_a_usage_error(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert interlock("complete", "orders:daily:2026-03-07:1", "--status", "success", cwd=project).code == 8
    assert interlock("complete", "nonsense", "--status", "success", cwd=project).code == 2


def test_a_pushed_result_opens_the_gate_while_it_lasts(tmp_path: Path) -> None:
    """T-120."""
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("./evaluators/check", "push"))
    assert interlock("run", "orders", cwd=project).code == 1
    pushed = interlock("traits", "push", "orders", "data-check", "--status", "PASS", "--ttl", "10m", cwd=project)
    assert pushed.code == 0, pushed.err
    assert interlock("run", "orders", cwd=project).code == 0


def test_a_push_without_an_end_is_refused(tmp_path: Path) -> None:
    """T-78."""
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("./evaluators/check", "push"))
    said = interlock("traits", "push", "orders", "data-check", "--status", "PASS", cwd=project)
    assert (said.code, "a ttl is needed" in said.err) == (2, True)


def test_a_push_to_a_trait_that_something_else_checks_is_refused(tmp_path: Path) -> None:
    """T-78: a push never outranks an evaluator."""
    said = interlock("traits", "push", "orders", "data-check", "--status", "PASS", cwd=a_project(tmp_path))
    assert (said.code, "evaluator: push" in said.err) == (7, True)


@pytest.mark.parametrize("verb", ["evaluate", "run", "status", "why", "history", "events"])
def test_an_unknown_pipeline_is_not_found_with_the_nearest_name(verb: str, tmp_path: Path) -> None:
    """T-93."""
    said = interlock(verb, "order", cwd=a_project(tmp_path))
    assert (said.code, "did you mean orders" in said.err) == (8, True), said


@pytest.mark.parametrize("verb", ["evaluate", "run"])
def test_a_typo_in_any_file_starts_nothing_and_is_named_with_its_line(verb: str, tmp_path: Path) -> None:
    """T-24, T-91."""
    project = a_project(tmp_path, pipeline="retires: {maxAttempts: 2}\n")
    said = interlock(verb, "orders", cwd=project)
    assert (said.code, starts(project)) == (2, [])
    assert "pipelines/orders.yaml:10:1" in said.err
    assert "retry" in said.err
    assert not (project / ".interlock" / "interlock.db").exists(), "nothing is written"


def test_one_broken_file_does_not_stop_the_other_pipelines(tmp_path: Path) -> None:
    """LAT-27."""
    project = a_project(tmp_path)
    (project / "pipelines" / "broken.yaml").write_text("name: broken\narchetype: nowhere\n")
    said = interlock("run", "orders", cwd=project)
    assert (said.code, starts(project)) == (0, ["1"])
    assert "these cannot be used: broken" in said.err
    broken = interlock("run", "broken", cwd=project)
    assert (broken.code, "nowhere" in broken.err) == (2, True)


def test_two_pipelines_of_one_name_start_nothing_under_that_name(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    (project / "pipelines" / "other.yaml").write_text((project / "pipelines" / "orders.yaml").read_text())
    said = interlock("run", "orders", cwd=project)
    assert (said.code, starts(project)) == (2, [])
    assert "pipelines/other.yaml" in said.err


def test_codes_can_be_mapped_for_callers_with_their_own(tmp_path: Path) -> None:
    project = a_project(tmp_path, check=FAIL)
    assert interlock("--exit-map", "not_ready=99", "evaluate", "orders", cwd=project).code == 99
    assert interlock("--exit-map", "not_ready=0", "evaluate", "orders", cwd=project).code == 2


def test_a_check_that_could_not_tell_leaves_its_trace_in_the_timeline(tmp_path: Path) -> None:
    """T-123."""
    project = a_project(tmp_path, check="exit 1")
    interlock("evaluate", "orders", cwd=project)
    said = interlock("events", "orders", "--json", cwd=project).document["items"]
    assert [(line["kind"], line["status"]) for line in said] == [
        ("TRAIT_EVALUATED", "FAIL"),
        ("READINESS_CHECKED", "NOT_READY"),
    ]
    assert "exited with 1" in said[0]["message"]


def test_a_secret_is_named_in_the_files_and_kept_nowhere(tmp_path: Path) -> None:
    """T-81, T-76."""
    project = a_project(tmp_path, job='test -n "$1"; exit 3', pipeline="retry: {maxAttempts: 1}\n")
    (project / "interlock.yaml").write_text("provider: sqlite\nenv: {allow: [TOKEN]}\n")
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("command: ./job", 'command: ["./job", "${env:TOKEN}"]'))
    said = interlock("run", "orders", cwd=project, env={"TOKEN": "hunter2-hunter2"})
    assert (said.code, starts(project)) == (4, ["1"])
    shown = [interlock(verb, "orders", "--json", cwd=project).out for verb in ("why", "history", "events", "status")]
    kept = [path.read_bytes() for path in (project / ".interlock").rglob("*") if path.is_file()]
    assert not any("hunter2" in text for text in (*shown, said.out, said.err))
    assert not any(b"hunter2" in content for content in kept)


def test_the_longest_name_there_may_be_works_everywhere(tmp_path: Path) -> None:
    """BUG-122, LAT-17: nothing derived from a name has a shorter limit."""
    name = "a" * 255
    project = a_project(tmp_path)
    file = project / "pipelines" / "orders.yaml"
    file.write_text(file.read_text().replace("name: orders", f"name: {name}"))
    assert interlock("run", name, cwd=project).code == 0
    assert interlock("why", name, cwd=project).code == 0
    assert starts(project) == ["1"]

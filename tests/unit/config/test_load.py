from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from tests.unit.config.projects import (
    DATA,
    FRESH,
    good_project,
    loaded,
    problems_of,
    small_project,
    write_pipeline,
)

from interlock.codec.documents import mapping
from interlock.config.load import load_project
from interlock.config.source import MAX_BYTES
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline
from interlock.core.schedules import exclusion
from interlock.core.traits import FailureCategory
from interlock.errors import ConfigError


def test_every_key_of_a_pipeline_reaches_its_spec(tmp_path: Path) -> None:
    """BUG-185, T-87."""
    spec = loaded(good_project(tmp_path)).pipelines["everything"].spec
    assert [trait.name for trait in spec.traits] == ["source-freshness", "schema-contract"]
    fresh, contract = spec.traits
    assert fresh.evaluator == ("check-sales-freshness", "--strict")
    assert mapping(fresh.config) == {
        "maxLagSeconds": 300,
        "source": "a",
        "nothing": None,
        "deep": {"list": [1, 2.5, True]},
    }
    assert (fresh.ttl, fresh.timeout, fresh.required) == (timedelta(), timedelta(seconds=90), True)
    assert (contract.required, contract.timeout) == (False, timedelta(seconds=30))
    assert spec.tier == 1
    assert spec.trigger is not None
    assert spec.trigger.type == "http"
    assert set(mapping(spec.trigger.config)) == {"url", "headers"}
    assert spec.trigger.poll_interval == timedelta(seconds=10)
    assert spec.trigger.poll_budget == 5
    assert spec.trigger.start_timeout == timedelta(seconds=20)
    assert (spec.retry.max_attempts, spec.retry.backoff, spec.retry.multiplier) == (5, timedelta(minutes=1), 1.5)
    assert spec.retry.retryable == (FailureCategory.TRANSIENT,)
    assert spec.sla.evaluation == Deadline(wall=time(9))
    assert spec.sla.completion == Deadline(span=timedelta(hours=4))
    assert spec.sla.validation_timeout == Deadline(span=timedelta(minutes=45))
    assert (spec.watch.interval, spec.watch.enabled, spec.watch.monitoring) == (
        timedelta(seconds=30),
        True,
        timedelta(hours=2),
    )


def test_a_named_calendar_counts_among_the_exclusions(tmp_path: Path) -> None:
    """LAT-11."""
    exclusions = loaded(good_project(tmp_path)).pipelines["everything"].spec.exclusions
    assert exclusions.weekdays == (5,)
    assert exclusions.dates == (date(2025, 12, 25), date(2026, 1, 1))
    (calendar,) = exclusions.calendars
    assert calendar.name == "us-holidays"
    assert calendar.contains(date(2026, 7, 3))
    assert "us-holidays" in exclusion(exclusions, Period.parse("2026-07-03"))


def test_unquoted_times_and_dates_stay_what_they_look_like(tmp_path: Path) -> None:
    """T-109."""
    spec = loaded(good_project(tmp_path)).pipelines["everything"].spec
    assert [(s.after, s.deadline) for s in spec.schedules] == [(time(6), time(9)), (time(18), time(21))]


def test_a_zone_comes_from_the_schedule_then_the_sla_then_the_project(tmp_path: Path) -> None:
    """T-40."""
    pipelines = loaded(good_project(tmp_path)).pipelines
    assert [s.timezone for s in pipelines["everything"].spec.schedules] == ["America/Chicago", "America/New_York"]
    assert pipelines["everything"].spec.sla.timezone == "America/New_York"
    (daily,) = pipelines["daily-sales-rollup"].spec.schedules
    assert (daily.name, daily.timezone) == ("daily", "Europe/Berlin")
    root = small_project(tmp_path / "other")
    (root / "interlock.yaml").write_text("{}\n")
    write_pipeline(root, "plain-one")
    assert loaded(root).pipelines["plain-one"].spec.schedules[0].timezone == "UTC"


def test_the_sample_of_the_readme_loads_with_the_archetype_merged_in(tmp_path: Path) -> None:
    spec = loaded(good_project(tmp_path)).pipelines["daily-sales-rollup"].spec
    (trait,) = spec.traits
    assert mapping(trait.config) == {"maxLagSeconds": 60, "source": "sales_events"}
    assert (trait.ttl, trait.timeout) == (timedelta(minutes=2), timedelta(seconds=15))
    assert spec.tier == 2
    assert spec.watch.interval == timedelta(seconds=45), "watcher.defaultInterval"
    assert spec.trigger is not None
    assert mapping(spec.trigger.config) == {"command": "python scripts/run_pipeline.py"}


def test_a_partial_retry_policy_keeps_the_other_defaults(tmp_path: Path) -> None:
    """T-18."""
    root = small_project(tmp_path)
    write_pipeline(root, "patient", "retry: {backoffSeconds: 60}\n")
    retry = loaded(root).pipelines["patient"].spec.retry
    assert (retry.max_attempts, retry.multiplier, retry.backoff) == (3, 2.0, timedelta(minutes=1))
    assert retry.retryable == (FailureCategory.TIMEOUT, FailureCategory.TRANSIENT)


@pytest.mark.parametrize("trigger", ["{type: command, command: run it}", "{type: command, command: {command: run it}}"])
def test_a_trigger_may_be_flat_or_nested(tmp_path: Path, trigger: str) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "triggered", f"trigger: {trigger}\n")
    spec = loaded(root).pipelines["triggered"].spec
    assert spec.trigger is not None
    assert mapping(spec.trigger.config) == {"command": "run it"}


def test_an_explicit_zero_is_not_the_same_as_nothing(tmp_path: Path) -> None:
    """BUG-167."""
    root = small_project(tmp_path)
    for name, more in (("zero", "    ttl: 0\n"), ("unsaid", "")):
        write_pipeline(root, name, more)
    pipelines = loaded(root).pipelines
    assert pipelines["zero"].spec.traits[0].ttl == timedelta()
    assert pipelines["unsaid"].spec.traits[0].ttl == timedelta(seconds=300)


def test_a_loaded_project_cannot_be_changed(tmp_path: Path) -> None:
    """BUG-118."""
    project = loaded(good_project(tmp_path))
    with pytest.raises(TypeError):
        project.pipelines["new"] = project.pipelines["everything"]  # type: ignore[index]  # which is the point
    with pytest.raises(AttributeError):
        project.pipelines["everything"].spec.tier = 3  # type: ignore[misc]  # which is the point


def test_another_provider_is_an_error_that_says_which_there_are(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    path = root / "interlock.yaml"
    path.write_text(path.read_text().replace("provider: sqlite", "provider: sqlight"))
    (problem,) = problems_of(root)
    assert (problem.file, problem.line, problem.column) == ("interlock.yaml", 1, 11)
    assert "sqlite, redis, postgres, dynamodb" in problem.message
    assert problem.hint == "did you mean sqlite?"


def test_every_problem_of_every_file_is_said_at_once(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "first", "retry: {maxAttempts: 0}\nteir: 1\n")
    (root / "pipelines" / "second.yaml").write_text("name: [\n")
    (root / "calendars" / "third.yaml").write_text("name: third\ndays: [Caturday]\n")
    (root / "archetypes" / "fourth.yaml").write_text("name: fourth\nrequiredTraits: []\n")
    with (root / "interlock.yaml").open("a") as file:
        file.write("watchdgo: {}\n")
    problems = problems_of(root)
    assert {problem.file for problem in problems} == {
        "pipelines/first.yaml",
        "pipelines/second.yaml",
        "calendars/third.yaml",
        "archetypes/fourth.yaml",
        "interlock.yaml",
    }
    assert len(problems) == 6
    assert list(problems) == sorted(problems)


def test_a_broken_project_file_still_lets_the_others_speak(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text("a: b: c\n")
    (root / "pipelines" / "second.yaml").write_text("name: [\n")
    assert [problem.file for problem in problems_of(root)] == ["interlock.yaml", "pipelines/second.yaml"]


def test_two_pipelines_of_one_name_are_an_error_at_both(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    text = write_pipeline(root, "same").read_text()
    (root / "pipelines" / "copy.yaml").write_text(text)
    problems = problems_of(root)
    assert [(p.file, p.line, p.column) for p in problems] == [
        ("pipelines/copy.yaml", 1, 7),
        ("pipelines/same.yaml", 1, 7),
    ]
    assert "pipelines/same.yaml" in problems[0].message


def test_nine_pipelines_work_beside_a_broken_one(tmp_path: Path) -> None:
    """LAT-27."""
    root = small_project(tmp_path)
    for number in range(9):
        write_pipeline(root, f"good-{number}")
    write_pipeline(root, "broken", "tier: ten\n")
    project, problems = load_project(root, settings=FRESH, tolerant=True)
    assert len(project.pipelines) == 9
    assert [problem.file for problem in problems] == ["pipelines/broken.yaml"]
    assert project.broken == {"broken": problems}
    with pytest.raises(ConfigError):
        load_project(root, settings=FRESH)


def test_a_broken_archetype_is_one_fact_and_takes_its_pipelines_along(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "follower")
    path = root / "archetypes" / "batch-ingestion.yaml"
    path.write_text(path.read_text() + "oops: 1\n")
    (only,) = problems_of(root)
    assert only.file == "archetypes/batch-ingestion.yaml"
    project, problems = load_project(root, settings=FRESH, tolerant=True)
    assert dict(project.pipelines) == {}
    assert list(project.broken) == ["follower"]
    assert [p.rule for p in problems] == ["unknown-key", "blocked"]


def test_a_pipeline_whose_calendar_is_broken_does_not_run_on_holidays(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "rested", "exclusions: {calendar: us-holidays}\n")
    path = root / "calendars" / "us-holidays.yaml"
    path.write_text(path.read_text() + "oops: 1\n")
    project, _ = load_project(root, settings=FRESH, tolerant=True)
    assert list(project.broken) == ["rested"]


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    with (root / "pipelines" / "huge.yaml").open("wb") as file:
        file.truncate(10 * MAX_BYTES)
    (problem,) = problems_of(root)
    assert "expected at most 1048576" in problem.message
    assert problem.line == 0


def test_whatever_cannot_be_read_is_one_problem_each(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    pipelines = root / "pipelines"
    (pipelines / "dangling.yaml").symlink_to("nowhere.yaml")
    (pipelines / "loop.yaml").symlink_to("loop.yaml")
    (pipelines / "folder.yaml").mkdir()
    os.mkfifo(pipelines / "pipe.yaml")
    said = {problem.file: problem.message for problem in problems_of(root)}
    assert said == {
        "pipelines/dangling.yaml": "is a symbolic link to a file that does not exist",
        "pipelines/loop.yaml": "is a symbolic link that leads to itself",
        "pipelines/folder.yaml": "is a directory, expected a YAML file",
        "pipelines/pipe.yaml": "is not a regular file, expected a YAML file",
    }


def test_a_file_that_may_not_be_read_is_said_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = small_project(Path(folder))
        write_pipeline(root, "secret").chmod(0)
        with ordinary_user():
            (problem,) = problems_of(root)
    assert "permission denied" in problem.message


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read everything, so for a moment nobody in particular looks."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_more_traits_than_a_store_batch_takes_are_refused(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    traits = "".join(f"  - type: trait-{n}\n" for n in range(61))
    (root / "archetypes" / "wide.yaml").write_text(f"name: wide-one\nrequiredTraits:\n{traits}")
    (problem,) = problems_of(root)
    assert "more than 60 traits" in problem.message


def test_the_files_beside_the_tests_are_the_ones_that_ship(tmp_path: Path) -> None:
    assert sorted(loaded(good_project(tmp_path)).pipelines) == sorted(
        path.stem for path in (DATA / "good" / "pipelines").iterdir()
    )


def test_a_directory_name_longer_than_any_can_be_is_a_problem_at_its_line(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text(f"pipelineDirs:\n  - {'a' * 5000}\n")
    (problem,) = problems_of(root)
    assert (problem.line, "does not exist" in problem.message) == (2, True)

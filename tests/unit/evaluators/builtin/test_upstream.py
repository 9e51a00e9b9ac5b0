"""Laws of `builtin:upstream-check`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.evaluators.worlds import NOON, World

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.context import UpstreamRun
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question


def run(status: str = "COMPLETED", run_id: str = "silver-1") -> UpstreamRun:
    ended = NOON if status not in ("RUNNING", "PENDING") else None
    return UpstreamRun(run_id=run_id, status=status, ended_at=ended)


def ask(runs: dict[str, UpstreamRun], *, schedule: str = "daily", date: str = "2026-03-07", **config: Any) -> Answer:
    config.setdefault("upstreamPipeline", "silver")
    return World(Path("/"), runs=runs).ask("builtin:upstream-check", schedule=schedule, date=date, config=config)


@pytest.mark.parametrize("name", ["upstream-check", "upstream-job-log"])
def test_a_completed_upstream_passes_under_both_names(name: str) -> None:
    world = World(Path("/"), runs={"silver:daily:2026-03-07": run()})
    answer = world.ask(f"builtin:{name}", config={"upstreamPipeline": "silver"})
    assert answer.status is TraitStatus.PASS
    assert answer.value is not None
    assert mapping(answer.value) == {"upstreamRunID": "silver-1", "completedAt": "2026-03-07T12:00:00+00:00"}


def test_an_upstream_that_is_watched_for_drift_has_done_what_it_is_for() -> None:
    assert ask({"silver:daily:2026-03-07": run("COMPLETED_MONITORING")}).status is TraitStatus.PASS


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_an_upstream_that_ended_badly_cannot_complete_any_more_by_itself(status: str) -> None:
    answer = ask({"silver:daily:2026-03-07": run(status)})
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)
    assert answer.category is FailureCategory.PERMANENT
    assert status in answer.reason


def test_an_upstream_that_will_not_run_is_told_at_once() -> None:
    world = World(Path("/"))
    world.nevers = {"silver:daily:2026-03-07": "silver does not run: 2026-03-07 is a Saturday, which is excluded"}
    answer = world.ask("builtin:upstream-check", config={"upstreamPipeline": "silver"})
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.PERMANENT)
    assert "Saturday" in answer.reason


def test_an_upstream_that_may_still_run_in_another_of_the_slots_asked_about_is_waited_for() -> None:
    world = World(Path("/"))
    world.nevers = {"silver:h13:2026-03-07": "silver has no slot h13 2026-03-07"}
    answer = world.ask("builtin:upstream-check", schedule="h13", config={"upstreamPipeline": "silver"})
    assert (answer.status, answer.category) == (TraitStatus.FAIL, None)


@pytest.mark.parametrize("status", ["PENDING", "TRIGGERING", "RUNNING", "UNKNOWN"])
def test_any_other_status_is_a_plain_fail_that_names_it(status: str) -> None:
    answer = ask({"silver:daily:2026-03-07": run(status)})
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.EVALUATOR, None)
    assert status in answer.reason
    assert "silver-1" in answer.reason


@pytest.mark.parametrize("status", ["PENDING", "COMPLETED", "COMPLETED_MONITORING"])
def test_a_run_in_shadow_says_nothing_of_any_data_to_one_that_really_starts_a_job(status: str) -> None:
    world = World(Path("/"), runs={"silver:daily:2026-03-07": replace(run(status), shadow=True)})
    answer = world.ask("builtin:upstream-check", config={"upstreamPipeline": "silver"})
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)
    assert answer.category is FailureCategory.PERMANENT
    assert "shadow mode" in answer.reason
    assert answer.value is not None
    assert mapping(answer.value)["upstreamRunID"] == "silver-1"


def test_in_shadow_a_run_in_shadow_counts_as_it_would() -> None:
    world = World(Path("/"), runs={"silver:daily:2026-03-07": replace(run(), shadow=True)})
    question = replace(a_question("builtin:upstream-check", config={"upstreamPipeline": "silver"}), shadow=True)
    assert world.router.evaluate(question, timeout=timedelta(seconds=5)).status is TraitStatus.PASS


def test_no_run_is_a_plain_fail() -> None:
    answer = ask({})
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.EVALUATOR, None)


def test_the_callers_own_schedule_is_asked_for_first() -> None:
    """BUG-22."""
    runs = {"silver:h13:2026-03-07": run("RUNNING"), "silver:daily:2026-03-07": run()}
    assert ask(runs, schedule="h13").status is TraitStatus.FAIL


def test_daily_counts_only_when_the_upstream_has_no_run_in_the_callers_schedule() -> None:
    """BUG-22."""
    runs = {"silver:daily:2026-03-07": run()}
    assert ask(runs, schedule="h13").status is TraitStatus.PASS
    assert ask(runs, schedule="h13", date="2026-03-07T13:00").status is TraitStatus.PASS


def test_an_explicit_schedule_wins_and_has_no_fallback() -> None:
    """BUG-22."""
    runs = {"silver:h13:2026-03-07": run(), "silver:daily:2026-03-07": run()}
    assert ask(runs, schedule="h13", upstreamSchedule="h14").status is TraitStatus.FAIL
    assert ask(runs, schedule="h12", upstreamSchedule="h13").status is TraitStatus.PASS


def test_the_date_is_the_callers_own_unless_given() -> None:
    runs = {"silver:daily:2026-03-06": run()}
    assert ask(runs).status is TraitStatus.FAIL
    assert ask(runs, date="2026-03-06").status is TraitStatus.PASS
    world = World(Path("/"), runs=runs)
    config = {"upstreamPipeline": "silver", "date": "2026-03-06"}
    assert world.ask("builtin:upstream-check", config=config).status is TraitStatus.PASS


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "upstreamPipeline"),
        ({"upstreamPipeline": "Silver!"}, "upstreamPipeline"),
        ({"upstreamPipeline": "silver", "upstreamSchedule": "a:b"}, "upstreamSchedule"),
        ({"upstreamPipeline": "silver", "date": "yesterday"}, "date"),
        ({"upstreamPipeline": "silver", "pipeline": "x"}, "pipeline"),
    ],
)
def test_a_config_that_cannot_be_used_is_permanent_and_names_the_key(config: dict[str, Any], key: str) -> None:
    answer = World(Path("/")).ask("builtin:upstream-check", config=config)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert key in answer.reason


def test_a_store_that_does_not_answer_is_could_not_tell() -> None:
    world = World(Path("/"))
    world.broken_store = True
    answer = world.ask("builtin:upstream-check", config={"upstreamPipeline": "silver"})
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
    assert answer.category is FailureCategory.TRANSIENT

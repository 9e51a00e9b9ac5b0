"""Laws of `builtin:file-freshness` and `builtin:disk-space`."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.worlds import NOON, World

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer


def a_file(root: Path, name: str, *, age: timedelta = timedelta(), size: int = 10) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = (NOON - age).timestamp()
    os.utime(path, (when, when))
    return path


def ask(root: Path, date: str = "2026-03-07", **config: Any) -> Answer:
    return World(root).ask("builtin:file-freshness", date=date, config=config)


def value(answer: Answer) -> dict[str, Any]:
    assert answer.value is not None
    return mapping(answer.value)


def test_a_young_file_passes_with_what_was_seen(tmp_path: Path) -> None:
    path = a_file(tmp_path, "data/a.csv", age=timedelta(minutes=5), size=7)
    a_file(tmp_path, "data/b.csv", age=timedelta(minutes=9), size=5)
    answer = ask(tmp_path, path="data/*.csv", maxAge="15m")
    assert answer.status is TraitStatus.PASS, answer.reason
    assert value(answer) == {"count": 2, "totalBytes": 12, "newestAgeSeconds": 300, "newestPath": str(path)}


@pytest.mark.parametrize(
    ("limit", "status"), [("5m", TraitStatus.PASS), (299, TraitStatus.FAIL), ("299s", TraitStatus.FAIL)]
)
def test_a_file_may_be_exactly_as_old_as_allowed(tmp_path: Path, limit: object, status: TraitStatus) -> None:
    a_file(tmp_path, "a", age=timedelta(minutes=5))
    assert ask(tmp_path, path="a", maxAge=limit).status is status


def test_without_a_limit_on_age_presence_is_enough(tmp_path: Path) -> None:
    a_file(tmp_path, "_SUCCESS", age=timedelta(days=999), size=0)
    assert ask(tmp_path, path="_SUCCESS").status is TraitStatus.PASS


def test_no_file_is_a_plain_fail(tmp_path: Path) -> None:
    answer = ask(tmp_path, path="data/*.csv")
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.EVALUATOR, None)
    assert "no file fits data/*.csv" in answer.reason


def test_each_file_must_be_large_and_young_enough_to_count(tmp_path: Path) -> None:
    a_file(tmp_path, "d/young-small", size=1)
    a_file(tmp_path, "d/old-large", size=100, age=timedelta(hours=1))
    answer = ask(tmp_path, path="d/*", maxAge="15m", minBytes=50)
    assert answer.status is TraitStatus.FAIL
    assert "1 smaller than 50 bytes; 1 older than 15m" in answer.reason
    a_file(tmp_path, "d/young-large", size=100)
    assert ask(tmp_path, path="d/*", maxAge="15m", minBytes=50).status is TraitStatus.PASS
    assert ask(tmp_path, path="d/*", maxAge="15m", minBytes=50, minCount=2).status is TraitStatus.FAIL


@pytest.mark.parametrize("path", ["in/{{date}}/{{hour}}/{{ pipeline }}.csv", "in/${date}/${hour}/${pipeline}.csv"])
def test_a_path_may_name_the_slot(tmp_path: Path, path: str) -> None:
    a_file(tmp_path, "in/2026-03-07/14/example.csv")
    assert ask(tmp_path, date="2026-03-07T14:00", path=path).status is TraitStatus.PASS
    assert ask(tmp_path, date="2026-03-07T15:00", path=path).status is TraitStatus.FAIL


def test_an_unknown_variable_is_a_permanent_failure(tmp_path: Path) -> None:
    answer = ask(tmp_path, path="in/{{day}}")
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert "{{day}}" in answer.reason


def test_directories_do_not_count_and_patterns_reach_into_them(tmp_path: Path) -> None:
    a_file(tmp_path, "d/deep/er/a.csv")
    assert ask(tmp_path, path="d/*").status is TraitStatus.FAIL
    assert ask(tmp_path, path="d/**/*.csv").status is TraitStatus.PASS


def test_a_project_whose_name_looks_like_a_pattern_is_found(tmp_path: Path) -> None:
    root = tmp_path / "weird[1]*"
    a_file(root, "a.csv")
    assert ask(root, path="*.csv").status is TraitStatus.PASS


def test_an_absolute_path_is_used_as_it_is(tmp_path: Path) -> None:
    path = a_file(tmp_path, "a.csv")
    assert ask(Path("/"), path=str(path)).status is TraitStatus.PASS


def test_a_date_in_the_future_is_an_error_and_not_fresh(tmp_path: Path) -> None:
    """LAT-13."""
    a_file(tmp_path, "a", age=-timedelta(seconds=59))
    within = ask(tmp_path, path="a", maxAge="15m")
    assert (within.status, value(within)["newestAgeSeconds"]) == (TraitStatus.PASS, 0)
    a_file(tmp_path, "b", age=-timedelta(hours=2))
    beyond = ask(tmp_path, path="[ab]", maxAge="15m")
    assert (beyond.status, beyond.category) == (TraitStatus.ERROR, FailureCategory.PERMANENT)
    assert "2h in the future" in beyond.reason


def test_a_link_to_nowhere_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "gone")
    assert ask(tmp_path, path="a").status is TraitStatus.FAIL


def test_a_file_name_that_is_not_utf8_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.csv")).write_bytes(b"x")
    answer = ask(tmp_path, path="*.csv")
    assert answer.status is TraitStatus.PASS, answer.reason


def test_an_endless_search_ends_at_the_deadline(tmp_path: Path) -> None:
    a_file(tmp_path, "a")
    answer = World(tmp_path).ask("builtin:file-freshness", config={"path": "*"}, timeout=-1.0)
    assert answer.category is FailureCategory.TIMEOUT


def disk(root: Path, **config: Any) -> Answer:
    return World(root).ask("builtin:disk-space", config=config)


def test_free_space_passes_by_bytes_and_by_percent(tmp_path: Path) -> None:
    answer = disk(tmp_path, minFreeBytes=1, minFreePercent=0)
    assert answer.status is TraitStatus.PASS
    assert value(answer)["freeBytes"] > 0


@pytest.mark.parametrize("rule", [{"minFreeBytes": 2**62}, {"minFreePercent": 100}])
def test_too_little_space_is_a_plain_fail(tmp_path: Path, rule: dict[str, int]) -> None:
    answer = disk(tmp_path, **rule)
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)
    assert "wanted" in answer.reason


@pytest.mark.parametrize(
    "config", [{}, {"minFreePercent": 101}, {"minFreeBytes": -1}, {"path": "gone", "minFreeBytes": 1}]
)
def test_a_disk_check_that_cannot_be_made_is_permanent(tmp_path: Path, config: dict[str, Any]) -> None:
    answer = disk(tmp_path, **config)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)

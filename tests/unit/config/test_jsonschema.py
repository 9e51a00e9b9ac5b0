from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.config.projects import DATA

from interlock.config.cache import KINDS
from interlock.config.jsonschema import json_schema
from interlock.config.yaml12 import plain

SAMPLES = [
    ("project", "interlock.yaml"),
    *[("calendar", f"calendars/{name}.yaml") for name in ("us-holidays", "us-closing", "trading-days")],
    *[("archetype", f"archetypes/{name}.yaml") for name in ("batch-ingestion", "two-of-three")],
    *[("pipeline", f"pipelines/{name}.yaml") for name in ("daily-sales-rollup", "everything", "living", "quorum")],
]


def sample(path: str) -> Any:
    return plain((DATA / "good" / path).read_bytes())


def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(json_schema(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_each_schema_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))


@pytest.mark.parametrize(("kind", "path"), SAMPLES)
def test_the_sample_files_are_valid(kind: str, path: str) -> None:
    assert [error.message for error in validator(kind).iter_errors(sample(path))] == []


@pytest.mark.parametrize(("kind", "path"), SAMPLES)
def test_a_typo_is_not(kind: str, path: str) -> None:
    assert not validator(kind).is_valid({**sample(path), "nmae": "x"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trigger", {"type": "command"}),
        ("trigger", {"type": "comand", "command": "x"}),
        ("trigger", {"type": "command", "command": "x", "url": "http://x"}),
        ("trigger", {"type": "http", "command": "x"}),
        ("trigger", {"type": "command", "command": "x", "pollInterval": "soon"}),
        ("trigger", {"command": "x"}),
        ("tier", 10),
        ("name", "Not A Name"),
        ("retry", {"maxAttempts": 0}),
        ("retry", {"retryableFailures": ["SOMETIMES"]}),
        ("schedules", [{"after": "06:00"}]),
        ("schedules", [{"name": "early", "after": "6 o'clock"}]),
        ("exclusions", {"dates": ["tomorrow"]}),
        ("watch", {"enabled": "on"}),
        ("watch", {"monitoring": {"onDrift": "repeat"}}),
        ("schedules", [{"name": "early", "overlap": "qeue"}]),
        ("schedules", [{"name": "early", "missed": "most"}]),
        ("schedules", [{"name": "early", "maxCatchUp": 0}]),
        ("schedules", [{"name": "early", "every": "often"}]),
        ("schedules", [{"name": "early", "evaluation": {"width": "1h"}}]),
        ("include", {"calendar": "Not A Name"}),
        ("exclusions", {"calendar": ["fine", 3]}),
        ("mode", "dark"),
        ("reruns", {"drift": 101}),
        ("lateData", {"action": "shrug"}),
        ("watchdog", {"enabled": True}),
    ],
)
def test_what_loading_refuses_the_schema_refuses(key: str, value: object) -> None:
    """BUG-50, T-122."""
    assert not validator("pipeline").is_valid({**sample("pipelines/daily-sales-rollup.yaml"), key: value})


@pytest.mark.parametrize(
    "trigger",
    [
        {"type": "command", "command": ["a", "b"], "pollInterval": 10, "startTimeout": "20s"},
        {"type": "command", "command": {"command": "a"}},
        {"type": "http", "url": "https://example.com/", "pollBudget": 3},
        {"type": "http", "http": {"url": "https://example.com/"}},
    ],
)
def test_a_trigger_is_valid_flat_and_nested(trigger: dict[str, object]) -> None:
    assert validator("pipeline").is_valid({**sample("pipelines/daily-sales-rollup.yaml"), "trigger": trigger})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "dark"),
        ("alerts", [{"type": "console", "level": "warn"}]),
        ("alerts", [{"type": "console", "match": {"team": "x"}}]),
        ("alerts", [{"type": "console", "match": {"type": "stuckrun"}}]),
        ("alerts", [{"type": "console", "groupBy": ["team"]}]),
        ("alerts", [{"type": "console", "url": "http://x"}]),
        ("lifecycle", [{"type": "console"}]),
        ("lifecycle", [{"type": "file", "path": "x", "level": "error"}]),
        ("alerting", {"renotify": "often"}),
        ("watcher", {"workers": 0}),
    ],
)
def test_what_a_project_may_not_say_the_schema_refuses(key: str, value: object) -> None:
    """BUG-50, T-122."""
    assert not validator("project").is_valid({**sample("interlock.yaml"), key: value})


@pytest.mark.parametrize("rule", ["most", {"type": "most"}, {"type": "at-least", "threshold": 2}])
def test_a_readiness_rule_is_one_of_a_few(rule: object) -> None:
    assert not validator("archetype").is_valid({**sample("archetypes/two-of-three.yaml"), "readinessRule": rule})


def test_an_unknown_kind_of_file_has_no_schema() -> None:
    with pytest.raises(ValueError, match="project, archetype, calendar, pipeline"):
        json_schema("recipe")


def test_the_samples_here_are_all_there_are() -> None:
    there = {str(path.relative_to(DATA / "good")) for path in Path(DATA / "good").rglob("*.yaml")}
    assert there == {path for _, path in SAMPLES}

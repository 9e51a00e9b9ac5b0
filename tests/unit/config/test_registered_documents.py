"""Documents that are registered: what they may hold, how large they may be, and that they mean what files mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.config.projects import loaded
from tests.unit.config.registering import SOUND, a_registry, built, checked_by, refused

from interlock.clients.redaction import MASK
from interlock.config.project import Project
from interlock.config.registered import MAX_BYTES, MAX_DEPTH, MAX_VALUES, named
from interlock.core.pipelines import PipelineSpec
from interlock.core.traits import CONFINED
from interlock.errors import Unregistrable


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_registry(tmp_path_factory.mktemp("registered"))


@pytest.fixture(scope="module")
def project(root: Path) -> Project:
    return loaded(root)


# ---------------------------------------------------------------- secrets and sizes


@pytest.mark.parametrize("spelling", ["${env:AWS_SECRET_ACCESS_KEY}", "x ${ env:HOME }"])
def test_no_variable_leaves_that_the_project_does_not_allow(project: Project, spelling: str) -> None:
    """T-73."""
    trigger = {"type": "http", "url": "https://a.example", "headers": {"X": spelling}}
    assert "not allowed" in refused(project, SOUND | {"trigger": trigger})
    config = {"url": f"https://a.example/{spelling}", "path": "rows", "equals": 1}
    assert "not allowed" in refused(project, checked_by("builtin:http-json", config=config))


def test_an_allowed_variable_may_be_named(project: Project) -> None:
    trigger = {"type": "http", "url": "https://a.example", "headers": {"X": "${env:API_TOKEN}"}}
    assert built(project, SOUND | {"trigger": trigger}).spec is not None


def test_a_document_that_was_shown_is_not_taken_with_its_secrets_blotted_out(project: Project) -> None:
    """T-76: or a secret would be replaced by the word that hides it."""
    trigger = {"type": "http", "url": "https://a.example", "headers": {"X": MASK}}
    said = refused(project, SOUND | {"trigger": trigger})
    assert "trigger.headers.X" in said
    assert "blotted out" in said


def nested(levels: int) -> dict[str, Any]:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return SOUND | {"watch": {"interval": found}}


@pytest.mark.parametrize(
    "document",
    [
        nested(MAX_DEPTH),
        nested(100_000),
        SOUND | {"owner": "x" * (MAX_BYTES + 1)},
        SOUND | {"traits": {"x": {"config": {"list": [0] * (MAX_VALUES + 1)}}}},
        SOUND | {"owner": "\ud800"},
    ],
    ids=["deep", "very deep", "long", "wide", "no text"],
)
def test_a_document_beyond_all_measure_is_refused_before_it_is_looked_into(document: dict[str, Any]) -> None:
    """T-79."""
    with pytest.raises(Unregistrable):
        named(document)


def test_a_document_as_deep_as_allowed_is_looked_into(project: Project) -> None:
    assert "watch.interval" in refused(project, nested(MAX_DEPTH - 3))


def test_a_number_of_many_digits_is_refused_like_any_other(project: Project) -> None:
    assert "tier" in refused(project, SOUND | {"tier": 10**300})


def test_whatever_somebody_sends_there_is_a_spec_or_there_are_problems(project: Project) -> None:
    keys = [
        "name",
        "archetype",
        "tier",
        "traits",
        "trigger",
        "schedules",
        "sla",
        "watch",
        "rules",
        "type",
        "evaluator",
        "x",
    ]
    scalars = st.sampled_from(
        [None, True, 0, -1, 10**30, 1.5, "", "x", "06:00", "builtin:sql", "${x}", "\0", "push", "http"]
    )
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=4)
    )

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.sampled_from(keys), values, max_size=6))
    def check(found: dict[str, Any]) -> None:
        document = SOUND | found | {"name": "orders"}
        assert (built(project, document).spec is None) is bool(built(project, document).problems)

    check()


# ---------------------------------------------------------------- the same pipelines as from files

SPANS = st.sampled_from([60, "90s", "1h30m", "+45m"])
EVALUATORS = st.sampled_from(["push", "check-rows", "https://checks.example.com/rows", ["check-rows"]])
TRAIT = st.fixed_dictionaries(
    {"evaluator": EVALUATORS},
    optional={
        "config": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([1, "x", None, [1, {"c": 2.5}]])),
        "ttl": SPANS,
        "timeout": st.sampled_from([5, "20s"]),
        "drift": st.just({"field": "rows", "threshold": 0.5, "relative": True}),
    },
)
TRIGGERS = st.sampled_from(
    [
        {"type": "external"},
        {"type": "http", "url": "https://jobs.example.com/{{date}}", "body": {"day": "${date}"}, "pollBudget": 4},
        {"type": "http", "http": {"url": "https://jobs.example.com", "headers": {"X": "${env:API_TOKEN}"}}},
    ]
)
SCHEDULES = st.sampled_from(
    [
        [{"name": "morning", "after": "06:00", "deadline": "09:00", "timezone": "America/Chicago"}],
        [{"name": "quarters", "every": "15m", "overlap": "skip"}, {"name": "weekdays", "cron": "30 6 * * 1-5"}],
        [{"name": "nightly", "after": "22:00", "closeAt": "+3h", "evaluation": {"window": "2h"}, "missed": "all"}],
    ]
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "name": st.just("orders"),
        "archetype": st.just("batch-ingestion"),
        "traits": st.fixed_dictionaries({"source-freshness": TRAIT}, optional={"schema-contract": TRAIT}),
    },
    optional={
        "tier": st.integers(0, 9),
        "owner": st.sampled_from(["", "data-platform", "on", "1e3", "~"]),
        "mode": st.sampled_from(["live", "shadow"]),
        "trigger": TRIGGERS,
        "schedules": SCHEDULES,
        "retry": st.sampled_from([{"maxAttempts": 5}, {"backoffSeconds": "1m", "retryableFailures": ["TRANSIENT"]}]),
        "sla": st.sampled_from(
            [{"evaluationDeadline": "09:00"}, {"completionDeadline": "+4h", "timezone": "Asia/Tokyo"}]
        ),
        "watch": st.sampled_from([{"interval": "10s"}, {"enabled": False}, {"monitoring": {"duration": "2h"}}]),
        "exclusions": st.sampled_from([{"days": ["Sat"]}, {"dates": ["2026-01-01"], "calendar": "us-holidays"}]),
        "include": st.sampled_from([{"days": ["Mon"]}, {"calendar": ["us-closing", "trading-days"]}]),
        "rules": st.just([{"sensor": "orders", "field": "rows", "check": "gte", "value": 3}]),
        "cascade": st.just({"delayBetween": "5s"}),
        "reruns": st.just({"drift": 2, "manual": 0}),
        "lateData": st.just({"action": "rerun", "window": "6h"}),
        "watchdog": st.just({"stuckRunThreshold": "2h"}),
    },
)


def _as_from_a_file(spec: PipelineSpec) -> PipelineSpec:
    traits = tuple(
        replace(trait, evaluator=tuple(word.removeprefix(CONFINED) for word in trait.evaluator))
        for trait in spec.traits
    )
    return replace(spec, traits=traits)


def test_a_document_means_the_same_as_a_file_and_as_a_registration(tmp_path: Path) -> None:
    """But for where its programs are looked for."""
    root = a_registry(tmp_path)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DOCUMENTS)
    def check(document: dict[str, Any]) -> None:
        path = root / "pipelines" / "orders.yaml"
        path.write_text(json.dumps(document))  # which is YAML, too
        project = loaded(root)
        found = built(project, document)
        assert found.problems == ()
        assert found.spec is not None
        assert _as_from_a_file(found.spec) == project.pipelines["orders"].spec

    check()

"""A resolved pipeline, written as its file might say it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.config.projects import good_project, loaded

from interlock.clients.redaction import MASK
from interlock.config.shown import archetype_shown, file_form, pipeline_shown

PIPELINES = ["daily-sales-rollup", "everything", "living", "quorum"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = good_project(tmp_path_factory.mktemp("shown"))
    (root / "pipelines" / "ruled.yaml").write_text(
        "name: ruled\narchetype: batch-ingestion\nmode: shadow\n"
        "traits:\n  source-freshness: {evaluator: push, ttl: 90s}\n"
        "rules:\n  - {sensor: orders, field: rowCount, check: gte, value: 3}\n  - {key: landing, check: exists}\n"
        "schedules:\n  - {name: at-midnight, after: 00:00, deadline: 00:30}\n"
        "watch: {monitoring: {enabled: false, onDrift: alert}}\n"
    )
    return root


@pytest.mark.parametrize("name", [*PIPELINES, "ruled"])
def test_read_back_it_is_the_same_pipeline(root: Path, name: str) -> None:
    """Nothing that counts is left out: the configuration that is shown is the one that is gone by."""
    project = loaded(root)
    found = project.pipelines[name]
    form = file_form(found.spec, project.archetypes[found.spec.archetype])
    path = root / found.source
    before = path.read_text()
    try:
        path.write_text(yaml.safe_dump(form))
        assert loaded(root).pipelines[name].spec == found.spec
    finally:
        path.write_text(before)


def test_every_pipeline_of_the_sample_project_is_looked_at(root: Path) -> None:
    assert set(loaded(root).pipelines) >= {*PIPELINES, "ruled"}


def test_it_has_the_keys_of_a_file(root: Path) -> None:
    project = loaded(root)
    shown = pipeline_shown(project.pipelines["everything"].spec, project.archetypes["batch-ingestion"])
    assert (shown["name"], shown["tier"], shown["trigger"]["type"]) == ("everything", 1, "http")
    assert shown["traits"]["source-freshness"]["timeout"] == 90
    assert shown["schedules"][1] | {"after": "18:00", "deadline": "21:00"} == shown["schedules"][1]
    assert shown["exclusions"] == {
        "days": ["Saturday"],
        "dates": ["2025-12-25", "2026-01-01"],
        "calendar": ["us-holidays"],
    }


def test_the_headers_of_a_trigger_are_not_shown_but_references_are(root: Path) -> None:
    """T-76."""
    text = (root / "pipelines/everything.yaml").read_text()
    (root / "pipelines/second.yaml").write_text(
        text.replace("name: everything", "name: second").replace("Bearer ${env:API_TOKEN}", "Bearer hunter2-hunter2")
    )
    project = loaded(root)
    archetype = project.archetypes["batch-ingestion"]
    first = pipeline_shown(project.pipelines["everything"].spec, archetype)
    second = pipeline_shown(project.pipelines["second"].spec, archetype)
    assert first["trigger"]["headers"] == {"Authorization": "Bearer ${env:API_TOKEN}"}
    assert second["trigger"]["headers"] == {"Authorization": MASK}
    assert "hunter2" not in str(second)


def test_a_trait_whose_name_sounds_secret_hides_nothing_but_secrets(root: Path) -> None:
    (root / "archetypes/tokens.yaml").write_text(
        "name: tokens\nrequiredTraits: [{type: token-check, defaultConfig: {password: x}}]\n"
    )
    (root / "pipelines/tokens.yaml").write_text(
        "name: tokens\narchetype: tokens\ntraits: {token-check: {evaluator: push, config: {rows: 3}, ttl: 60}}\n"
    )
    project = loaded(root)
    shown = pipeline_shown(project.pipelines["tokens"].spec, project.archetypes["tokens"])
    assert shown["traits"]["token-check"]["evaluator"] == "push"
    assert shown["traits"]["token-check"]["config"] == {"rows": 3, "password": MASK}
    assert archetype_shown(project.archetypes["tokens"])["requiredTraits"][0]["defaultConfig"] == {"password": MASK}

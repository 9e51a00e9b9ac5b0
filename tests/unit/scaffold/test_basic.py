"""What `interlock init` writes: every part of it works by itself."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.plugins import available
from interlock.scaffold.writing import write_scaffold

Answer = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_scaffold(tmp_path / "my-project", template="basic")
    return tmp_path / "my-project"


def _ask(project: Path, evaluator: str, config: Answer) -> Answer:
    question = {**config, "pipelineId": "example", "pipelineID": "example", "traitType": "any", "config": config}
    done = subprocess.run(
        [project / "evaluators" / evaluator],
        input=json.dumps(question, separators=(",", ":")).encode(),
        capture_output=True,
        check=True,
        cwd=project,
        timeout=30,
    )
    answer: Answer = json.loads(done.stdout)
    return answer


def test_the_example_configures_every_required_trait_of_its_archetype(project: Path) -> None:
    """T-88."""
    archetype = yaml.safe_load((project / "archetypes/batch-ingestion.yaml").read_text())
    pipeline = yaml.safe_load((project / "pipelines/example.yaml").read_text())
    assert pipeline["archetype"] == archetype["name"]
    assert set(pipeline["traits"]) == {trait["type"] for trait in archetype["requiredTraits"]}
    for trait in pipeline["traits"].values():
        kind, _, name = trait["evaluator"].partition(":")
        assert name in available("evaluator") if kind == "builtin" else (project / trait["evaluator"]).is_file()


def test_the_three_archetypes_require_what_they_are_known_for(project: Path) -> None:
    required = {}
    for path in sorted((project / "archetypes").iterdir()):
        archetype = yaml.safe_load(path.read_text())
        assert path.stem == archetype["name"]
        assert archetype["readinessRule"] == {"type": "all-required-pass"}
        assert all(trait["description"] for trait in (*archetype["requiredTraits"], *archetype["optionalTraits"]))
        required[archetype["name"]] = [
            (t["type"], t["defaultTtl"], t["defaultTimeout"], t.get("defaultConfig"))
            for t in archetype["requiredTraits"]
        ]
    assert required == {
        "batch-ingestion": [
            ("source-freshness", 300, 30, {"maxLagSeconds": 300}),
            ("upstream-dependency", 600, 60, None),
            ("resource-availability", 120, 10, None),
        ],
        "ml-feature-pipeline": [
            ("source-freshness", 3600, 60, {"maxLagSeconds": 3600}),
            ("upstream-dependency", 3600, 120, None),
            ("resource-availability", 300, 15, None),
            ("model-registry", 600, 30, None),
        ],
        "streaming-enrichment": [
            ("source-freshness", 60, 10, {"maxLagSeconds": 60}),
            ("enrichment-source", 300, 30, None),
            ("resource-availability", 60, 10, None),
        ],
    }


@pytest.mark.parametrize(("limit", "status"), [(300, "PASS"), (45, "PASS"), (44, "FAIL")])
def test_the_freshness_check_compares_with_the_configured_limit(project: Path, limit: int, status: str) -> None:
    answer = _ask(project, "check-source-freshness", {"source": "example_table", "maxLagSeconds": limit})
    assert answer["status"] == status
    assert answer["value"] == {"lagSeconds": 45, "threshold": limit}


def test_the_upstream_check_passes_while_the_marker_is_there_and_fails_without_it(project: Path) -> None:
    config = {"marker": "data/upstream/_SUCCESS"}
    assert _ask(project, "check-upstream", config)["status"] == "PASS"
    (project / "data/upstream/_SUCCESS").unlink()
    answer = _ask(project, "check-upstream", config)
    assert answer["status"] == "FAIL"
    assert "data/upstream/_SUCCESS" in answer["reason"]


def test_the_job_writes_what_it_was_started_for(project: Path) -> None:
    subprocess.run(
        ["python3", "scripts/run_pipeline.py", "--date", "2026-03-07", "--run-id", "example:daily:2026-03-07:1"],
        check=True,
        capture_output=True,
        cwd=project,
        timeout=30,
    )
    assert (project / "output/2026-03-07.txt").read_text() == "example:daily:2026-03-07:1\n"


def _weekday(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (number - 1))


def _observed(day: date) -> date:
    return day + timedelta({5: -1, 6: 1}.get(day.weekday(), 0))


def _holidays(year: int) -> list[date]:
    return [
        _observed(date(year, 1, 1)),
        _weekday(year, 1, 0, 3),
        _weekday(year, 2, 0, 3),
        _weekday(year, 6, 0, 1) - timedelta(7),
        _observed(date(year, 6, 19)),
        _observed(date(year, 7, 4)),
        _weekday(year, 9, 0, 1),
        _weekday(year, 10, 0, 2),
        _observed(date(year, 11, 11)),
        _weekday(year, 11, 3, 4),
        _observed(date(year, 12, 25)),
    ]


def test_the_calendar_holds_the_federal_holidays_as_they_are_observed(project: Path) -> None:
    calendar = yaml.safe_load((project / "calendars/us-holidays.yaml").read_text())
    expected = [*_holidays(2026), *_holidays(2027), _observed(date(2028, 1, 1))]
    assert calendar == {"name": "us-holidays", "dates": expected}

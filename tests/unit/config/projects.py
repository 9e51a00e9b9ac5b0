"""Projects on disk for the tests of configuration."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.config.settings import Settings
from interlock.errors import ConfigError, Problem

DATA: Final = Path(__file__).parents[2] / "data" / "config"
FRESH: Final = Settings(no_cache=True)

PIPELINE: Final = """\
name: {name}
archetype: batch-ingestion
traits:
  source-freshness:
    evaluator: ./evaluators/check-sales-freshness
"""


def good_project(at: Path) -> Path:
    """Copy the sample project, in which everything is right."""
    root = at / "project"
    shutil.copytree(DATA / "good", root)
    (root / "evaluators" / "check-sales-freshness").chmod(0o755)
    return root


def small_project(at: Path) -> Path:
    """Make a project with one archetype, one evaluator and no pipeline."""
    root = good_project(at)
    for path in (root / "pipelines").iterdir():
        path.unlink()
    return root


def write_pipeline(root: Path, name: str, more: str = "") -> Path:
    """Write a sound pipeline, with more lines at its end."""
    path = root / "pipelines" / f"{name}.yaml"
    path.write_text(PIPELINE.format(name=name) + more)
    return path


def loaded(root: Path) -> Project:
    """Load without a cache."""
    return load_project(root, settings=FRESH)


def problems_of(root: Path) -> tuple[Problem, ...]:
    """Return every problem of a project; none is a failure of the test that asks."""
    with pytest.raises(ConfigError) as caught:
        load_project(root, settings=FRESH)
    assert caught.value.problems
    return caught.value.problems

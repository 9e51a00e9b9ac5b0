"""Documents to register, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.acceptance.cli import a_script
from tests.unit.config.projects import small_project

from interlock.config.project import Project
from interlock.config.registered import Builder, Built, named

BARE = {"name": "orders", "archetype": "batch-ingestion"}
SOUND = BARE | {"traits": {"source-freshness": {"evaluator": "push"}}}


def a_registry(at: Path) -> Path:
    """Make a project with one program that may be named."""
    root = small_project(at)
    a_script(root / "evaluators" / "check-rows", "true")
    return root


def checked_by(evaluator: Any, **more: Any) -> dict[str, Any]:
    """Return a document whose optional trait is checked by something."""
    traits = {"source-freshness": {"evaluator": "push"}, "schema-contract": {"evaluator": evaluator, **more}}
    return BARE | {"traits": traits}


def built(project: Project, document: dict[str, Any]) -> Built:
    """Build a document."""
    return Builder(project).build(named(document), document)


def refused(project: Project, document: dict[str, Any]) -> str:
    """Insist that a document is refused, and return why."""
    found = built(project, document)
    assert found.spec is None
    assert found.problems
    assert {problem.file for problem in found.problems} == {f"api:{document['name']}"}
    return "\n".join(map(str, found.problems))

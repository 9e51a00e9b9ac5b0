"""A project that functions can carry out, and what is changed about it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.config.settings import Settings

PROJECT: Final = """\
provider: sqlite
timezone: Europe/Berlin
evaluatorBaseUrl: https://checks.example.org
env: {allow: [STAGE]}
secrets:
  hook: {awsSecret: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hook"}
  local: {env: HOOK}
alerts:
  - type: console
  - {type: webhook, url: "${secret:hook}", level: error}
retention: {history: 90d}
"""

ARCHETYPE: Final = """\
name: one-check
requiredTraits:
  - type: data-check
readinessRule: {type: all-required-pass}
"""

ORDERS: Final = """\
name: orders
archetype: one-check
traits:
  data-check:
    evaluator: checks/rows
    timeout: 90
trigger:
  type: lambda
  functionName: orders
"""

SALES: Final = """\
name: sales
archetype: one-check
traits:
  data-check:
    evaluator: builtin:upstream-check
    config: {upstreamPipeline: orders}
trigger: {type: external}
"""


def portable_project(root: Path, *, project: str = PROJECT, **pipelines: str) -> Path:
    """Write a project of the pipelines `orders` and `sales`, and of others, or with others in their place."""
    for folder in ("archetypes", "pipelines"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "interlock.yaml").write_text(project)
    (root / "archetypes" / "one-check.yaml").write_text(ARCHETYPE)
    for name, text in {"orders": ORDERS, "sales": SALES, **pipelines}.items():
        (root / "pipelines" / f"{name}.yaml").write_text(text)
    return root


def loaded(root: Path) -> Project:
    return load_project(root, settings=Settings(no_cache=True))

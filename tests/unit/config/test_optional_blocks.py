"""Every block of a pipeline file may be there or not, in every combination."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project

from interlock.config.load import load_project

BLOCKS = (
    "tier: 2",
    "retry: {backoffSeconds: 5}",
    'sla: {evaluationDeadline: "09:00"}',
    "watch: {interval: 1m}",
    'schedules: [{name: morning, after: "06:00"}]',
    "exclusions: {days: [Sunday]}",
)


@pytest.mark.parametrize(
    "chosen", list(chain.from_iterable(combinations(BLOCKS, size) for size in range(len(BLOCKS) + 1))), ids=len
)
def test_no_optional_block_needs_another(chosen: tuple[str, ...], tmp_path: Path) -> None:
    """BUG-68, BUG-71, LAT-01."""
    project = load_project(a_project(tmp_path, pipeline="".join(f"{block}\n" for block in chosen)))
    assert list(project.pipelines) == ["orders"]


@pytest.mark.parametrize(
    "keys", list(chain.from_iterable(combinations(range(4), size) for size in range(1, 5))), ids=str
)
def test_no_key_of_a_deadline_needs_another(keys: tuple[int, ...], tmp_path: Path) -> None:
    """LAT-01."""
    lines = ('evaluationDeadline: "09:00"', "completionDeadline: 4h", "timezone: Asia/Tokyo", "validationTimeout: +45m")
    block = "sla: {" + ", ".join(lines[key] for key in keys) + "}\n"
    assert load_project(a_project(tmp_path, pipeline=block)).pipelines["orders"].spec.sla is not None

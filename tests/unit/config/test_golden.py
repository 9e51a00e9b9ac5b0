"""Bad files, and word for word what is said about them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.unit.config.projects import DATA, problems_of, small_project

from interlock.config.report import RULES, render

BAD = sorted((DATA / "bad").glob("*.yaml"))
PLACES = {
    "pipeline": "pipelines/bad.yaml",
    "archetype": "archetypes/bad.yaml",
    "calendar": "calendars/bad.yaml",
    "project": "interlock.yaml",
}


def report_on(bad: Path, at: Path) -> str:
    root = small_project(at)
    shutil.copyfile(bad, root / PLACES[bad.stem.partition("-")[0]])
    (at / "outside").touch()
    return render(problems_of(root), "text")


@pytest.mark.parametrize("bad", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_reported_as_written_down_beside_it(bad: Path, tmp_path: Path) -> None:
    """T-91, T-109, T-122, T-41, T-101, BUG-47, BUG-50, BUG-107, BUG-123, BUG-139, LAT-11, LAT-23, LAT-36."""
    report = report_on(bad, tmp_path)
    expected = bad.with_suffix(".txt")
    if os.environ.get("INTERLOCK_WRITE_GOLDEN"):
        expected.write_text(report)
    assert report == expected.read_text()


@pytest.mark.parametrize("bad", BAD, ids=lambda path: path.stem)
def test_every_reported_place_is_inside_the_file(bad: Path, tmp_path: Path) -> None:
    root = small_project(tmp_path)
    place = root / PLACES[bad.stem.partition("-")[0]]
    shutil.copyfile(bad, place)
    (tmp_path / "outside").touch()
    lines = place.read_bytes().decode("latin-1").split("\n")
    for problem in problems_of(root):
        assert root / problem.file == place
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.rule in RULES

"""Programs of registered pipelines lie in the evaluator directories, whatever links say by the time they are asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_script

from interlock.core.traits import CONFINED, FailureCategory, TraitStatus
from interlock.evaluators.confined import confined_path
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Answer, Question
from interlock.testing.builders import a_slot, a_trait

PASSES = 'echo \'{"status":"PASS"}\''


def ask(root: Path, name: str) -> Answer:
    trait = replace(a_trait(), evaluator=(CONFINED + name,))
    programs = SubprocessEvaluator(root, (Path("evaluators"),))
    return programs.evaluate(Question(trait=trait, slot=a_slot()), timeout=timedelta(seconds=20))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "evaluators").mkdir(parents=True)
    a_script(root / "evaluators" / "check", PASSES)
    return root


def test_a_program_in_the_directory_is_asked(root: Path) -> None:
    assert ask(root, "check").status is TraitStatus.PASS


def test_a_program_of_that_name_in_the_project_is_not_what_is_meant(root: Path) -> None:
    """T-72: a name alone would mean the project's own file first."""
    a_script(root / "check", "touch ran; " + PASSES)
    a_script(root / "elsewhere", "touch ran; " + PASSES)
    assert ask(root, "check").status is TraitStatus.PASS
    answer = ask(root, "elsewhere")
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.PERMANENT)
    assert "in evaluatorDirs" in answer.reason
    assert not (root / "ran").exists()


def test_a_link_that_was_changed_since_is_refused_when_it_is_asked(root: Path, tmp_path: Path) -> None:
    """T-72: what was checked when it was registered is checked again at every evaluation."""
    outside = a_script(tmp_path / "outside", f"touch {tmp_path}/ran; {PASSES}")
    (root / "evaluators" / "check").unlink()
    (root / "evaluators" / "check").symlink_to(outside)
    assert ask(root, "check").status is TraitStatus.FAIL
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../check", "/bin/sh", "..", ".", "", "a/../check", "check\0"])
def test_only_a_name_is_a_name(root: Path, name: str) -> None:
    """T-72."""
    a_script(root / "check", PASSES)
    assert confined_path(name, [str(root / "evaluators")]) is None


def test_a_link_within_the_directory_means_the_file_itself(root: Path) -> None:
    (root / "evaluators" / "other").symlink_to("check")
    assert confined_path("other", [str(root / "evaluators")]) == str((root / "evaluators" / "check").resolve())
    assert ask(root, "other").status is TraitStatus.PASS


def test_the_first_directory_that_has_it_is_meant(root: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    a_script(second / "check", PASSES)
    a_script(second / "more", PASSES)
    places = [str(root / "evaluators"), str(second)]
    assert confined_path("check", places) == str((root / "evaluators" / "check").resolve())
    assert confined_path("more", places) == str((second / "more").resolve())

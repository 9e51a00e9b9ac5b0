"""The size check counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.check_sizes import LONGEST_FILE, LONGEST_FUNCTION, check, faults_of, main


def _function(lines: int, *, header: str = "def long() -> None:", indent: str = "") -> str:
    """Build a function of exactly so many lines, its header included."""
    return "\n".join([indent + header, *[f"{indent}    x = {n}" for n in range(lines - 1)]]) + "\n"


def test_a_function_of_the_longest_allowed_length_passes_and_one_line_more_does_not() -> None:
    assert list(faults_of("a.py", _function(LONGEST_FUNCTION))) == []
    (fault,) = faults_of("a.py", _function(LONGEST_FUNCTION + 1))
    assert fault == f"a.py:1: long has {LONGEST_FUNCTION + 1} lines, at most {LONGEST_FUNCTION}"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("@decorated(\n" + "    1,\n" * 50 + ")\n" + _function(LONGEST_FUNCTION), id="decorator"),
        pytest.param(
            _function(LONGEST_FUNCTION).replace(
                "None:\n", 'None:\n    """Say.\n' + "\n    more" * 50 + '\n    """\n', 1
            ),
            id="docstring",
        ),
    ],
)
def test_decorators_and_the_docstring_are_not_counted(source: str) -> None:
    assert list(faults_of("a.py", source)) == []


def test_a_string_that_is_not_the_docstring_is_counted() -> None:
    source = _function(2) + '    text = """' + "\n" * LONGEST_FUNCTION + '    """\n'
    assert len(list(faults_of("a.py", source))) == 1


@pytest.mark.parametrize("header", ["async def long() -> None:", "def long() -> None:"])
def test_methods_and_coroutines_are_counted_like_functions(header: str) -> None:
    source = "class A:\n" + _function(LONGEST_FUNCTION + 1, header=header, indent="    ")
    (fault,) = faults_of("a.py", source)
    assert fault.startswith("a.py:2: long has")


def test_what_is_nested_in_a_function_counts_as_part_of_it() -> None:
    source = "def outer() -> None:\n" + _function(LONGEST_FUNCTION, header="def inner() -> None:", indent="    ")
    (fault,) = faults_of("a.py", source)
    assert "outer" in fault


def test_a_file_of_the_longest_allowed_length_passes_and_one_line_more_does_not() -> None:
    assert list(faults_of("a.py", "x = 1\n" * LONGEST_FILE)) == []
    (fault,) = faults_of("a.py", "x = 1\n" * (LONGEST_FILE + 1))
    assert fault.startswith(f"a.py: {LONGEST_FILE + 1} lines")


def test_shell_scripts_are_measured_too_and_never_parsed() -> None:
    assert len(list(faults_of("a.sh", "if then\n" * (LONGEST_FILE + 1)))) == 1


def test_the_checked_folders_are_searched_through_and_others_are_not(tmp_path: Path) -> None:
    for folder in ("src/deep/er", "tests", "bench", "scripts", "docs", "src/__pycache__"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "long.py").write_text("x = 1\n" * (LONGEST_FILE + 1))
    assert [fault.split(":")[0] for fault in check(tmp_path)] == [
        "bench/long.py",
        "scripts/long.py",
        "src/deep/er/long.py",
        "tests/long.py",
    ]


def test_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "src").mkdir()
    (tmp_path / "src/long.py").write_text("x = 1\n" * (LONGEST_FILE + 1))
    assert main([str(tmp_path)]) == 1
    assert "src/long.py" in capsys.readouterr().out

"""Where output goes, and what happens when nobody takes it: the real command, real pipes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.acceptance.cli import INTERLOCK, a_project, a_script, environment, interlock

FAIL = 'echo \'{"status":"FAIL","reason":"3 of 4 files"}\''


def _shell(line: str, project: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `interlock` is ours."""
    script = f'interlock() {{ "{INTERLOCK[0]}" {" ".join(INTERLOCK[1:])} "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", script], cwd=project, env=environment(), capture_output=True, text=True, timeout=50, check=False
    )


@pytest.fixture
def held_back(tmp_path: Path) -> Path:
    project = a_project(tmp_path, check=FAIL)
    assert interlock("run", "orders", cwd=project).code == 1
    return project


def test_a_reader_that_goes_away_early_causes_no_complaint(held_back: Path) -> None:
    done = _shell("interlock events orders --limit 500 --json | head -1", held_back)
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.parametrize("verb", ["evaluate orders", "status --check", "why orders", "history orders", "validate"])
def test_an_answer_that_nobody_reads_keeps_its_exit_code(held_back: Path, verb: str) -> None:
    """T-89: `evaluate | head` must not look like READY."""
    expected = interlock(*verb.split(), cwd=held_back).code
    assert expected == (1 if verb.startswith("evaluate") else 0)
    done = _shell(f"interlock {verb} | (exec <&-; sleep 0); exit ${{PIPESTATUS[0]}}", held_back)
    assert (done.returncode, done.stderr) == (expected, "")


@pytest.mark.parametrize(("verb", "code"), [("evaluate orders", 1), ("status", 0), ("why orders --json", 0)])
def test_a_closed_stdout_changes_nothing_but_that_nobody_reads(held_back: Path, verb: str, code: int) -> None:
    done = _shell(f"interlock {verb} >&-", held_back)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_answer_that_cannot_be_written_is_no_answer(held_back: Path) -> None:
    done = _shell("interlock status > /dev/full", held_back)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_document_stands_alone_on_stdout_even_when_the_answer_is_no(held_back: Path) -> None:
    said = interlock("evaluate", "orders", "--json", cwd=held_back)
    assert (said.code, said.document["status"]) == (1, "NOT_READY")


@pytest.mark.parametrize(
    "argv", [("status",), ("status", "orders"), ("why", "orders"), ("events", "orders"), ("doctor",)]
)
def test_what_is_no_terminal_gets_no_escape_codes(held_back: Path, argv: tuple[str, ...]) -> None:
    said = interlock(*argv, cwd=held_back, env={"TERM": "xterm-256color"})
    assert said.code == 0
    assert "\x1b" not in said.out + said.err


def test_a_terminal_that_knows_ascii_only_gets_its_answer(held_back: Path) -> None:
    said = interlock("why", "orders", cwd=held_back, env={"PYTHONIOENCODING": "ascii"})
    assert said.code == 0
    assert "held back" in said.out


def test_a_callers_own_codes_reach_the_caller(held_back: Path) -> None:
    assert interlock("--exit-map", "not_ready=99", "evaluate", "orders", cwd=held_back).code == 99
    assert interlock("--exit-map", "not_ready=99", "status", "nobody", cwd=held_back).code == 8


def test_reading_works_while_somebody_else_writes(held_back: Path) -> None:
    a_script(held_back / "evaluators" / "check", 'sleep 2; echo \'{"status":"PASS"}\'')
    writer = subprocess.Popen([*INTERLOCK, "run", "orders"], cwd=held_back, env=environment(), stderr=subprocess.PIPE)
    try:
        said = interlock("status", "--json", cwd=held_back)
        assert said.code == 0
        assert said.document["items"][0]["run"]["status"] == "PENDING"
    finally:
        writer.communicate(timeout=50)
    assert writer.returncode == 0


def test_status_imports_nothing_that_it_does_not_need(held_back: Path) -> None:
    code = (
        "import sys; from interlock.cli.main import run_cli; run_cli(['status']);"
        "print(sorted({'rich', 'httpx2', 'ssl', 'asyncio', 'interlock.runtime.wiring',"
        " 'interlock.evaluators.router', 'interlock.app.triggering'} & set(sys.modules)))"
    )
    python = Path(INTERLOCK[0]).with_name("python")
    done = subprocess.run(
        [python, "-c", code], cwd=held_back, env=environment(), capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"

"""`interlock validate`: all problems of all files, in four forms."""

from __future__ import annotations

import json

import pytest
from tests.unit.cli.terminal import Terminal

BROKEN = "name: sales\narchetipe: one-check\ntier: much\n"


def test_a_sound_project_is_counted_and_leaves_with_0(terminal: Terminal) -> None:
    said = terminal("validate")
    assert (said.code, said.out, said.err) == (0, "3 files, no problems\n", "")


def test_all_problems_of_all_files_are_told_at_once(terminal: Terminal) -> None:
    """T-91."""
    (terminal.root / "pipelines/sales.yaml").write_text(BROKEN)
    (terminal.root / "archetypes/other.yaml").write_text("name: other\n")
    said = terminal("validate")
    assert (said.code, said.out) == (2, "")
    assert "pipelines/sales.yaml:2:1: unknown key 'archetipe' (did you mean 'archetype'?)" in said.err
    assert "pipelines/sales.yaml:3" in said.err
    assert "archetypes/other.yaml" in said.err
    assert "problems in 2 files" in said.err


def test_no_store_is_opened_and_no_cache_believed(terminal: Terminal) -> None:
    terminal.store.parent.mkdir()
    terminal.store.write_text("this is no store")
    assert terminal("validate").code == 0
    assert not (terminal.root / ".interlock/cache").exists()


@pytest.mark.parametrize("argv", [("--json",), ("--format", "json")])
def test_programs_get_the_problems_on_stdout_and_nothing_else(terminal: Terminal, argv: tuple[str, ...]) -> None:
    assert terminal("validate", *argv).document == {
        "apiVersion": "interlock/v1",
        "kind": "Validation",
        "ok": True,
        "problems": [],
    }
    (terminal.root / "pipelines/sales.yaml").write_text(BROKEN)
    said = terminal("validate", *argv)
    assert (said.code, said.err, said.document["ok"]) == (2, "", False)
    assert {problem["line"] for problem in said.document["problems"]} >= {2, 3}


def test_code_hosts_get_paths_from_where_the_job_stands(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    (terminal.root / "pipelines/sales.yaml").write_text(BROKEN)
    monkeypatch.chdir(terminal.root.parent)
    said = terminal("--project", "project", "validate", "--format", "github")
    assert said.code == 2
    assert all(line.startswith("::error file=project/pipelines/sales.yaml,line=") for line in said.out.splitlines())
    sarif = json.loads(terminal("--project", "project", "validate", "--format", "sarif").out)
    places = [one["locations"][0]["physicalLocation"] for one in sarif["runs"][0]["results"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {"project/pipelines/sales.yaml"}


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(terminal: Terminal) -> None:
    (terminal.root / "pipelines/sales.yaml").write_bytes(b"name: \xff\xfe\n")
    (terminal.root / "pipelines/gone.yaml").symlink_to("nowhere.yaml")
    said = terminal("validate")
    assert said.code == 2
    assert "pipelines/sales.yaml" in said.err
    assert "pipelines/gone.yaml" in said.err

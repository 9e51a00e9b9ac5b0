"""`interlock compile`: a project as one document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.terminal import Terminal
from tests.unit.config.compiling import ORDERS, SALES, portable_project


@pytest.fixture
def portable(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in a project that functions can carry out."""
    monkeypatch.chdir(portable_project(tmp_path / "portable"))
    return terminal


def test_the_bundle_goes_to_stdout_alone(portable: Terminal) -> None:
    said = portable("compile")
    assert (said.code, said.err) == (0, "")
    assert (said.document["format"], sorted(said.document["pipelines"])) == ("interlock-bundle/1", ["orders", "sales"])


def test_a_bundle_is_written_whole_and_compared(portable: Terminal) -> None:
    said = portable("compile", "--out", "bundle.json")
    digest = json.loads(Path("bundle.json").read_text())["digest"]
    assert (said.code, said.out, said.err) == (0, "", f"bundle.json: 2 pipelines, digest {digest}\n")
    assert portable("compile").out == Path("bundle.json").read_text()
    assert [path.name for path in Path().iterdir() if "bundle" in path.name] == ["bundle.json"]
    said = portable("compile", "--check", "bundle.json")
    assert (said.code, said.out) == (0, "bundle.json is what the project says\n")


def test_a_bundle_that_differs_leaves_with_1(portable: Terminal) -> None:
    portable("compile", "--out", "bundle.json")
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tier: 3\n")
    said = portable("compile", "--check", "bundle.json")
    assert (said.code, "not what the project says" in said.out) == (1, True)
    said = portable("compile", "--check", "bundle.json", "--json")
    assert (said.code, said.document["same"], said.document["pipelines"]) == (1, False, 2)


def test_nothing_of_the_environment_is_in_a_bundle(portable: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = portable("compile").out
    monkeypatch.setenv("EVALUATOR_BASE_URL", "https://mine.example.org")
    assert portable("compile").out == before


def test_everything_that_is_wrong_is_told_at_once(portable: Terminal) -> None:
    """What no project can say, beside what functions cannot do; what follows from the first is not told besides."""
    Path("pipelines/orders.yaml").write_text(f"{ORDERS}tear: 3\n")
    shell = SALES.replace("{type: external}", "{type: command, command: echo}")
    Path("pipelines/sales.yaml").write_text(shell)
    said = portable("compile", "--out", "bundle.json")
    assert (said.code, said.out, Path("bundle.json").exists()) == (2, "", False)
    assert "pipelines/orders.yaml:10:1: unknown key 'tear'" in said.err
    assert "pipelines/sales.yaml:7:17: a trigger of the type 'command' cannot be used on AWS" in said.err
    assert "2 problems" in said.err


def test_a_broken_archetype_is_one_fact(portable: Terminal) -> None:
    Path("archetypes/one-check.yaml").write_text("name: one-check\n")
    said = portable("compile")
    assert (said.code, "pipelines/" in said.err) == (2, False)


def test_files_that_cannot_be_used_are_refused(portable: Terminal) -> None:
    assert "cannot be read: No such file" in portable("compile", "--check", "absent.json").err
    assert "cannot be written: " in portable("compile", "--out", "absent/bundle.json").err
    Path("other.json").write_text("{}")
    said = portable("compile", "--check", "other.json")
    assert (said.code, "other.json: is no bundle" in said.err) == (2, True)
    assert portable("compile", "--check", "a", "--out", "b").code == 2


def test_a_bundle_in_short_is_for_programs(portable: Terminal) -> None:
    said = portable("compile", "--out", "bundle.json", "--json")
    digest = json.loads(Path("bundle.json").read_text())["digest"]
    assert said.document == {
        "apiVersion": "interlock/v1",
        "kind": "Bundle",
        "digest": digest,
        "pipelines": 2,
        "file": "bundle.json",
        "same": None,
    }

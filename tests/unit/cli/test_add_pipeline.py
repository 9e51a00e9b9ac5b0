"""`interlock add-pipeline`: a sound file in its place, or nothing at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.terminal import Terminal

from interlock.cli.drafting import Draft, scalar
from interlock.config.yaml12 import Tree

EVALUATOR = ("--evaluator", "data-check=./evaluators/check")
OURS = ("--archetype", "one-check")


def _files(terminal: Terminal) -> set[str]:
    return {path.name for path in (terminal.root / "pipelines").iterdir()}


def test_the_new_pipeline_is_valid_and_says_what_was_asked_for(terminal: Terminal) -> None:
    said = terminal(
        "add-pipeline",
        "--name",
        "daily-sales",
        *OURS,
        *EVALUATOR,
        "--tier",
        "1",
        "--trigger-command",
        "./job --x '{{date}}'",
    )
    assert (said.code, said.err) == (0, "")
    assert "wrote pipelines/daily-sales.yaml" in said.out
    assert terminal("validate").code == 0
    spec = terminal.spec("daily-sales")
    assert (spec.tier, spec.archetype, spec.traits[0].evaluator) == (1, "one-check", ("./evaluators/check",))
    assert spec.trigger is not None
    assert spec.trigger.config.get("command") == "\"./job --x '{{date}}'\""
    assert _files(terminal) == {"orders.yaml", "daily-sales.yaml"}


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/x", "a/b", "UPPER", "x", "", ".hidden", "a b", "a\n", "a" * 256, "-x-"]
)
def test_a_name_that_is_none_writes_nothing_anywhere(terminal: Terminal, name: str) -> None:
    """T-82."""
    before = set(terminal.root.parent.rglob("*.yaml"))
    assert terminal("add-pipeline", f"--name={name}", *OURS, *EVALUATOR).code == 2
    assert set(terminal.root.parent.rglob("*.yaml")) == before


def test_a_taken_name_is_a_conflict_whatever_its_file_is_called(terminal: Terminal) -> None:
    (terminal.root / "pipelines/orders.yaml").rename(terminal.root / "pipelines/other.yaml")
    said = terminal("add-pipeline", "--name", "orders", *OURS, *EVALUATOR)
    assert said.code == 7
    assert "pipelines/other.yaml" in said.err
    assert _files(terminal) == {"other.yaml"}


def test_a_file_in_the_way_is_never_overwritten(terminal: Terminal) -> None:
    there = terminal.root / "pipelines/sales.yaml"
    there.write_text((terminal.root / "pipelines/orders.yaml").read_text().replace("name: orders", "name: else"))
    before = there.read_text()
    assert terminal("add-pipeline", "--name", "sales", *OURS, *EVALUATOR).code == 7
    assert there.read_text() == before
    assert _files(terminal) == {"orders.yaml", "sales.yaml"}


def test_missing_evaluators_are_listed_and_nothing_is_written(terminal: Terminal) -> None:
    said = terminal("add-pipeline", "--name", "sales", *OURS)
    assert said.code == 2
    assert "the required trait 'data-check' has no evaluator" in said.err
    assert "--push" in said.err
    assert _files(terminal) == {"orders.yaml"}


def test_push_gives_only_what_is_left_an_evaluator(terminal: Terminal) -> None:
    assert terminal("add-pipeline", "--name", "pushed", *OURS, "--push").code == 0
    assert terminal.spec("pushed").traits[0].evaluator == ("push",)
    assert terminal("add-pipeline", "--name", "asked", *OURS, "--push", *EVALUATOR).code == 0
    assert terminal.spec("asked").traits[0].evaluator == ("./evaluators/check",)


@pytest.mark.parametrize(
    "argv",
    [
        ("--archetype", "one-chek", "--push"),
        (*OURS, "--push", "--evaluator", "data-chek=push"),
        (*OURS, "--evaluator", "data-check=./evaluators/none"),
        (*OURS, "--evaluator", "data-check=builtin:none"),
        (*OURS, "--evaluator", "data-check"),
        (*OURS, *EVALUATOR, *EVALUATOR),
        (*OURS, "--push", "--tier", "11"),
        (*OURS, "--push", "--trigger-type", "http"),
        (*OURS, "--push", "--trigger-type", "http", "--trigger-command", "x"),
        (*OURS, "--push", "--trigger-command", "x", "--trigger-url", "http://127.0.0.1/"),
        (*OURS, "--push", "--trigger-command", "an 'open quotation"),
        (*OURS, "--push", "--trigger-command", "x {{nothing}}"),
        (*OURS, "--push", "--trigger-callable", "no function"),
    ],
)
def test_what_would_not_be_valid_is_refused_and_leaves_nothing_behind(
    terminal: Terminal, argv: tuple[str, ...]
) -> None:
    """T-91, T-24."""
    said = terminal("add-pipeline", "--name", "sales", *argv)
    assert (said.code, said.out) == (2, "")
    assert _files(terminal) == {"orders.yaml"}


def test_a_project_with_problems_gets_no_new_file(terminal: Terminal) -> None:
    (terminal.root / "pipelines/orders.yaml").write_text("name: orders\n")
    assert terminal("add-pipeline", "--name", "sales", *OURS, *EVALUATOR).code == 2
    assert _files(terminal) == {"orders.yaml"}


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    draft = Draft(name="sales", archetype="a", tier=1, evaluators={}, trigger=None)
    with pytest.raises(OSError, match="No space"):
        draft.write(tmp_path / "sales.yaml")
    assert list(tmp_path.iterdir()) == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    [
        "on",
        "No",
        "null",
        "~",
        "1e3",
        "0o17",
        "12:00",
        "2026-03-07",
        "# x",
        "a: b",
        "a #b",
        "- x",
        "{{date}}",
        "'",
        '"',
        "",
        " ",
    ]
)


@given(TEXTS)
def test_every_text_reads_back_as_the_same_text(text: str) -> None:
    """T-109, T-82."""
    read = Tree(f"key: {scalar(text)}\nother: 1\n".encode())
    assert (read.data, read.findings) == ({"key": text, "other": 1}, [])

"""`interlock schema` and `interlock completion`."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from tests.unit.cli.terminal import Terminal

from interlock.cli.completion import SHELLS
from interlock.cli.schema import KINDS
from interlock.config.cache import KINDS as LOADED


def test_there_is_a_schema_for_every_kind_of_file() -> None:
    assert set(KINDS) == set(LOADED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_printed_alone(terminal: Terminal, kind: str) -> None:
    said = terminal("schema", kind)
    assert (said.code, said.err) == (0, "")
    jsonschema.Draft202012Validator.check_schema(said.document)


def test_a_schema_accepts_what_loading_accepts_and_refuses_an_unknown_key(terminal: Terminal) -> None:
    """T-91."""
    checker = jsonschema.Draft202012Validator(terminal("schema", "pipeline").document)
    sound = yaml.safe_load((terminal.root / "pipelines/orders.yaml").read_text())
    checker.validate(sound)
    with pytest.raises(jsonschema.ValidationError):
        checker.validate({**sound, "archetipe": "x"})


def test_output_writes_the_same_text_and_makes_the_directory(terminal: Terminal) -> None:
    printed = terminal("schema", "project").out
    place = terminal.root / "deep/down/project.json"
    said = terminal("schema", "project", "--output", str(place))
    assert (said.code, said.out) == (0, "")
    assert place.read_text() == printed
    assert terminal("schema", "project", "--output", str(place)).code == 0


def test_an_output_that_cannot_be_written_is_a_usage_error(terminal: Terminal) -> None:
    said = terminal("schema", "project", "--output", "interlock.yaml/x.json")
    assert said.code == 2
    assert "cannot be written" in said.err


def test_an_unknown_kind_lists_the_known_ones(terminal: Terminal) -> None:
    said = terminal("schema", "pipelines")
    assert said.code == 2
    assert all(kind in said.err for kind in KINDS)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script_that_calls_interlock(terminal: Terminal, shell: str) -> None:
    said = terminal("completion", shell)
    assert said.code == 0
    assert f"_INTERLOCK_COMPLETE={shell}_complete" in said.out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("interlock stat", {"status"}),
        ("interlock status or", {"orders"}),
        ("interlock why ", {"orders"}),
        ("interlock --project ../project why ", {"orders"}),
        ("interlock exec ", {"orders"}),
        ("interlock cancel or", {"orders"}),
        ("interlock pause or", {"orders"}),
        ("interlock shadow report ", {"orders"}),
        ("interlock ping orders s", {"start", "success"}),
        ("interlock schema c", {"calendar"}),
        ("interlock validate --for", {"--format"}),
    ],
)
def test_a_shell_completes_commands_options_and_pipelines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: str, found: set[str]
) -> None:
    monkeypatch.setenv("_INTERLOCK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    said = terminal()
    assert {line.partition(",")[2] for line in said.out.splitlines()} == found


def test_completion_outside_of_a_project_offers_nothing_and_says_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(terminal.root.parent)
    monkeypatch.setenv("_INTERLOCK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "interlock status ")
    monkeypatch.setenv("COMP_CWORD", "2")
    said = terminal()
    assert (said.out.strip(), said.err) == ("", "")

"""The frame: verbs, help, colours, codes and the last door."""

from __future__ import annotations

import importlib
import re

import click
import pytest
from tests.unit.cli.terminal import Terminal, a_result, now

from interlock.cli import pipelines
from interlock.cli.main import VERBS
from interlock.version import __version__


def _commands(name: str) -> list[click.Command]:
    found: click.Command = importlib.import_module(f"interlock.cli.{name.replace('-', '_')}").command
    return list(found.commands.values()) if isinstance(found, click.Group) else [found]


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_shows_examples_that_begin_with_its_own_name(verb: str) -> None:
    for command in _commands(verb):
        assert "\b\n" in (command.help or "")
        examples = (command.help or "").partition("Examples:")[2]
        assert f"interlock {verb}" in examples


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_explains_itself(verb: str, terminal: Terminal) -> None:
    said = terminal(verb, "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: interlock {verb}")


def test_the_list_of_commands_is_whole(terminal: Terminal) -> None:
    said = terminal("--help")
    assert [verb for verb in VERBS if not re.search(rf"^  {verb} ", said.out, re.MULTILINE)] == []


def test_the_version_is_said(terminal: Terminal) -> None:
    assert terminal("--version").out == f"interlock {__version__}\n"


def test_a_misspelt_command_is_told_which_one_was_meant(terminal: Terminal) -> None:
    """T-91."""
    said = terminal("stauts")
    assert said.code == 2
    assert "did you mean status?" in said.err


def test_an_unknown_option_is_an_error(terminal: Terminal) -> None:
    """T-91."""
    assert terminal("status", "--jsn").code == 2


def test_the_callers_own_codes_hold_for_errors_too(terminal: Terminal) -> None:
    assert terminal("status", "nobody").code == 8
    assert terminal("--exit-map", "not_found=42", "status", "nobody").code == 42


def test_a_bad_exit_map_is_a_usage_error(terminal: Terminal) -> None:
    said = terminal("--exit-map", "not_ready=0", "status")
    assert said.code == 2
    assert "READY" in said.err


def test_a_fault_of_ours_is_undecided_and_asks_to_be_reported(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ctx: click.Context, request: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(pipelines, "ask", broken)
    said = terminal("pipelines")
    assert (said.code, said.out) == (3, "")
    assert "bug in Interlock" in said.err
    assert "Traceback" not in said.err
    monkeypatch.setenv("INTERLOCK_DEBUG", "1")
    assert "Traceback" in terminal("pipelines").err


def test_colours_are_for_terminals_and_for_those_who_ask(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.judged(a_result(at=now()), at=now())
    assert "\x1b[" not in terminal("status").out
    assert "\x1b[" in terminal("--color", "status").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in terminal("status").out


def test_a_project_is_found_from_below_and_by_name(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    below = terminal.root / "some" / "where"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert "orders" in terminal("pipelines").out
    monkeypatch.chdir(terminal.root.parent)
    assert "orders" in terminal("--project", "project", "pipelines").out
    monkeypatch.setenv("INTERLOCK_PROJECT", str(terminal.root / "interlock.yaml"))
    assert "orders" in terminal("pipelines").out


@pytest.mark.parametrize("argv", [("status",), ("validate",), ("pipelines",), ("why", "x"), ("events", "x")])
def test_without_a_project_every_command_says_how_to_make_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]
) -> None:
    monkeypatch.chdir(terminal.root.parent)
    said = terminal(*argv)
    assert (said.code, said.out) == (2, "")
    assert "interlock init" in said.err

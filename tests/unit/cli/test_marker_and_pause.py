"""`interlock marker`, `pause` and `resume`: what they print, and how they leave."""

from __future__ import annotations

import pytest
from tests.unit.cli.terminal import Terminal

from interlock.cli.exits import Exit

WHY = ("--reason", "the warehouse moves")


def test_a_marker_for_a_pipeline_nobody_has_defined_is_shown_as_recorded_and_leaves_with_not_found(
    terminal: Terminal,
) -> None:
    said = terminal("marker", "order", "--source", "landing\x1b[2J", "--json")
    assert said.code == Exit.NOT_FOUND
    assert said.document["outcome"] == "unknown"
    assert "the marker is recorded" in said.err
    said = terminal("marker", "order", "--source", "landing\x1b[2J")
    assert said.code == Exit.NOT_FOUND
    assert "it is recorded, and no pipeline of that name is defined" in said.out
    assert "\x1b" not in said.out
    assert len(terminal("events", "order", "--json").document["items"]) == 2


def test_bytes_that_are_no_text_are_refused_and_are_no_fault_of_interlock(terminal: Terminal) -> None:
    said = terminal("marker", "orders", "--source", "landing\udcff")
    assert said.code == Exit.USAGE
    assert "is no text" in said.err
    assert not terminal.store.exists()


def test_a_pause_is_begun_shown_and_ended(terminal: Terminal) -> None:
    begun = terminal("pause", "orders", "--until", "18:00", *WHY, "--json").document
    assert begun["until"] == "2026-03-07T18:00:00Z"
    (listed,) = terminal("pause", "--list", "--json").document["items"]
    assert listed.items() <= begun.items()
    assert "the warehouse moves" in terminal("resume", "--list").out
    assert "goes on" in terminal("resume", "orders").out
    assert "was not paused" in terminal("resume", "orders").out
    assert "nothing is paused" in terminal("pause").out


@pytest.mark.parametrize(
    "argv",
    [
        ("pause", "orders", *WHY),
        ("pause", "orders", "--for", "2h", "--until", "18:00", *WHY),
        ("pause", "orders", "--for", "2h"),
        ("pause", "orders", "--for", "soon", *WHY),
        ("pause", "orders", "--for", "", *WHY),
        ("pause", "orders", "--until", "2020-01-01", *WHY),
        ("pause", "--for", "2h"),
        ("resume", "orders", "--list"),
        ("resume", "orders", "--json"),
        ("marker", "orders", "--source", " "),
        ("marker", "no/name", "--source", "x"),
        ("marker", "orders", "--source", "x", "--date", "yesterday"),
    ],
)
def test_what_makes_no_sense_leaves_with_2_and_writes_nothing(terminal: Terminal, argv: tuple[str, ...]) -> None:
    said = terminal(*argv)
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert said.err
    assert not terminal.store.exists() or terminal("pause", "--list", "--json").document["items"] == []


def test_looking_at_pauses_makes_no_store(terminal: Terminal) -> None:
    """T-97."""
    assert terminal("pause", "--list").code == Exit.DONE
    assert not terminal.store.exists()

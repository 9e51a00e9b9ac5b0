from __future__ import annotations

import pytest
from tests.unit.cli.terminal import Terminal

from interlock.cli.exits import Exit

SURE = ("--reason", "database move", "--everything")


def _added(terminal: Terminal, *argv: str) -> str:
    said = terminal("silence", "add", *argv, "--json")
    assert said.code == 0, said.err
    name: str = said.document["silenceId"]
    return name


def test_a_silence_is_added_listed_and_ended(terminal: Terminal) -> None:
    name = _added(
        terminal, "--for", "2h", "--reason", "move", "--pipeline", "sales-*", "--tier", "1", "--type", "late_data"
    )
    (item,) = terminal("silence", "list", "--json").document["items"]
    assert (item["silenceId"], item["active"]) == (name, True)
    assert item["until"].startswith("2026-03-07T14:00")
    assert (item["pipeline"], item["tier"], item["owner"], item["alertType"]) == ("sales-*", 1, None, "late_data")
    assert "pipeline sales-*, tier 1, type late_data" in terminal("silence", "list").out
    assert "over; 0 alerts" in terminal("silence", "end", name).out
    assert terminal("silence", "list", "--json").document["items"] == []
    assert terminal("silence", "end", name).code == Exit.NOT_FOUND


def test_nothing_is_silenced_at_first(terminal: Terminal) -> None:
    assert "nothing is silenced" in terminal("silence", "list").err


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("2026-03-07T18:00", "2026-03-07T18:00:00Z"),
        ("2026-03-07T18:00+02:00", "2026-03-07T16:00:00Z"),
        ("2026-03-08", "2026-03-08T00:00:00Z"),
    ],
)
def test_the_end_may_be_an_instant(terminal: Terminal, until: str, instant: str) -> None:
    assert terminal("silence", "add", "--until", until, *SURE, "--json").document["until"] == instant


@pytest.mark.parametrize(
    "argv",
    [
        ("--for", "2h", "--reason", "x"),
        ("--for", "2h", *SURE, "--tier", "1"),
        ("--for", "2h", "--until", "2026-03-08", *SURE),
        SURE,
        ("--for", "2h", "--everything"),
        ("--for", "2h", "--everything", "--reason", " "),
        ("--for", "soon", *SURE),
        ("--until", "soon", *SURE),
        ("--until", "2020-01-01", *SURE),
        ("--until", "0001-01-01T00:00+14:00", *SURE),
        ("--for", "0s", *SURE),
        ("--for", "2h", "--reason", "x", "--type", "nonsense"),
    ],
)
def test_a_silence_without_end_reason_or_aim_is_refused(terminal: Terminal, argv: tuple[str, ...]) -> None:
    said = terminal("silence", "add", *argv)
    assert said.code == Exit.USAGE
    assert "Traceback" not in said.err
    assert terminal("silence", "list", "--json").document["items"] == []


def test_a_silence_over_everything_says_so(terminal: Terminal) -> None:
    said = terminal("silence", "add", "--for", "1h", *SURE)
    assert "everything quiet until" in said.out
    assert "interlock silence end" in said.err

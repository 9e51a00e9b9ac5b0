"""`interlock sensor`."""

from __future__ import annotations

import io

import pytest
from tests.unit.cli.terminal import Terminal

from interlock.cli.exits import Exit

PUT = ("sensor", "put", "orders", "landing")


def test_a_sensor_is_put_changed_and_shown(terminal: Terminal) -> None:
    said = terminal(*PUT, "--set", "rows=120", "--set", "state=open", "--set", 'deep={"a": [1]}')
    assert said.code == 0, said.err
    assert said.out == 'orders landing  version 1  {"deep":{"a":[1]},"rows":120,"state":"open"}\n'
    terminal("sensor", "merge", "orders", "landing", "--set", "deep=null", "--data", '{"state": "done"}')
    terminal("sensor", "increment", "orders", "landing", "rows", "--by", "-20")
    terminal("sensor", "increment", "orders", "landing", "rows", "--by", "+0.5")
    said = terminal("sensor", "add", "orders", "landing", "windows", "13", "00", "13")
    assert '"windows":["00","13"]' in said.out
    terminal("sensor", "add", "orders", "landing", "hours", "13", "0", "--numbers")
    assert terminal("sensor", "get", "orders", "landing", "--json").document["data"] == {
        "rows": 100.5, "state": "done", "windows": ["00", "13"], "hours": [0, 13],
    }  # fmt: skip
    out = terminal("sensor", "get", "orders", "landing").out
    assert "version 6" in out
    assert "  rows: 100.5\n" in out


def test_data_may_come_from_stdin(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"rows": 5}'))
    assert terminal(*PUT, "--data", "-", "--json").document["sensor"]["data"] == {"rows": 5}


def test_a_repeated_delivery_says_so_and_leaves_with_nothing_wrong(terminal: Terminal) -> None:
    first = terminal("sensor", "increment", "orders", "landing", "n", "--delivery-id", "a")
    again = terminal("sensor", "increment", "orders", "landing", "n", "--delivery-id", "a")
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
    assert "applied before" in again.err
    document = terminal("sensor", "increment", "orders", "landing", "n", "--delivery-id", "a", "--json").document
    assert (document["kind"], document["applied"], document["sensor"]["data"]) == ("SensorWritten", False, {"n": 1})


def test_sensors_are_listed_with_their_periods_and_a_list_goes_on(terminal: Terminal) -> None:
    """BUG-55."""
    assert "nobody has written a sensor" in terminal("sensor", "list", "orders").err
    assert terminal("sensor", "list", "orders", "--json").document["items"] == []
    terminal(*PUT, "--set", "n=1")
    terminal(*PUT, "--set", "n=2", "--date", "2026-03-07")
    said = terminal("sensor", "list", "orders", "--limit", "1")
    assert "--after 'landing#*'" in said.err
    rest = terminal("sensor", "list", "orders", "--after", "landing#*", "--json").document
    assert [each["date"] for each in rest["items"]] == ["2026-03-07"]
    assert rest["next"] is None


def test_a_write_has_the_waiting_run_judged(terminal: Terminal) -> None:
    (terminal.root / "evaluators" / "check").write_text('#!/bin/sh\necho \'{"status":"FAIL"}\'\n')
    assert terminal("run", "orders").code == Exit.NOT_READY
    said = terminal(*PUT, "--set", "n=1")
    assert "one waiting run asks again" in said.err
    assert terminal(*PUT, "--set", "n=1", "--date", "2020-01-01", "--json").document["woken"] == 0


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (PUT, Exit.USAGE),
        ((*PUT, "--set", "rows"), Exit.USAGE),
        ((*PUT, "--set", "=1"), Exit.USAGE),
        ((*PUT, "--data", "[1]"), Exit.USAGE),
        ((*PUT, "--data", "{"), Exit.USAGE),
        ((*PUT, "--data", "[" * 100_000), Exit.USAGE),
        (("sensor", "increment", "orders", "landing", "n", "--by", "x"), Exit.USAGE),
        (("sensor", "increment", "orders", "landing", "n", "--by", "true"), Exit.USAGE),
        (("sensor", "add", "orders", "landing", "n"), Exit.USAGE),
        (("sensor", "add", "orders", "landing", "n", "x", "--numbers"), Exit.USAGE),
        (("sensor", "put", "order", "landing", "--set", "n=1"), Exit.NOT_FOUND),
        (("sensor", "get", "orders", "nothing"), Exit.NOT_FOUND),
        (("sensor", "list", "order"), Exit.NOT_FOUND),
    ],
)
def test_what_cannot_be_done_has_its_exit_code_and_a_word(
    terminal: Terminal, argv: tuple[str, ...], code: Exit
) -> None:
    said = terminal(*argv)
    assert (said.code, said.out) == (code, "")
    assert said.err


@pytest.mark.parametrize(
    "argv", [(*PUT, "--set", "n=1", "--date", "x"), ("sensor", "put", "orders", "a#b", "--set", "n=1")]
)
def test_a_wrong_date_or_key_is_named(terminal: Terminal, argv: tuple[str, ...]) -> None:
    said = terminal(*argv)
    assert said.code not in (0, Exit.UNDECIDED)
    assert "date" in said.err or "key of a sensor" in said.err

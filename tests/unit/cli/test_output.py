"""What is written for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.app.views import View
from interlock.cli.output import emit_json, moment, plain, say, span, strong, styled, table, tame, tell


class Thing(View, frozen=True, kw_only=True, rename="camel"):
    some_name: str
    seen_at: datetime | None = None


@given(st.text())
def test_a_text_from_elsewhere_becomes_one_line_that_no_terminal_obeys(text: str) -> None:
    assert plain(text).isprintable()


def test_colours_of_others_do_not_reach_the_terminal() -> None:
    assert plain("\x1b[31mred\x1b[0m\nand more") == "\\x1b[31mred\\x1b[0m and more"


EVIL = "a\x1b]0;title\x07\x9b31m\u202e\rb\U000e0001\x7f"


def test_whatever_is_said_no_terminal_obeys_it_but_for_lines_and_colours(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\n{EVIL}")
    tell(EVIL)
    assert tame("\x1b[31m\x1b[1mred\x1b[0m\tü") == "\x1b[31m\x1b[1mred\x1b[0m\tü"
    out, err = capsys.readouterr()
    assert out.replace("\n", "").isprintable()
    assert err.replace("\n", "").isprintable()


@given(st.text())
def test_a_document_is_the_same_and_harmless_whatever_it_holds(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(click, "echo", said.append)
        emit_json("Thing", Thing(some_name=text + EVIL))
    assert said[0].replace("\n", "").isprintable()
    assert json.loads(said[0])["someName"] == text + EVIL


def test_a_cell_stays_in_its_line() -> None:
    assert table(("A",), [("x\r\nforged",)]).split("\n")[1:] == ["x forged"]


def test_a_document_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json("Thing", Thing(some_name="ü", seen_at=datetime(2026, 3, 7, tzinfo=UTC)))
    assert json.loads(capsys.readouterr().out) == {
        "apiVersion": "interlock/v1",
        "kind": "Thing",
        "someName": "ü",
        "seenAt": "2026-03-07T00:00:00Z",
    }


def test_columns_line_up_whatever_their_colours() -> None:
    with click.Context(click.Command("x"), color=True):
        lines = table(("A", "B"), [(styled("READY"), "1"), ("-", "2")]).split("\n")
    assert [click.unstyle(line) for line in lines] == ["A      B", "READY  1", "-      2"]


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in table(("A", "B"), [("x", ""), ("long", "")]).split("\n"))


def test_what_is_no_terminal_gets_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    assert (styled("READY"), strong("x")) == ("READY", "x")


@pytest.mark.parametrize(
    ("length", "text"),
    [(0.0123, "12ms"), (timedelta(seconds=61.4), "1m1s"), (timedelta(days=2), "2d"), (0, "0s")],
)
def test_lengths_of_time_are_short(length: float | timedelta, text: str) -> None:
    assert span(length) == text


def test_an_instant_is_written_in_utc() -> None:
    assert moment(datetime(2026, 3, 7, 14, tzinfo=UTC)) == "2026-03-07 14:00:00Z"

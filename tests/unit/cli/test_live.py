"""A page that is drawn in its place."""

from __future__ import annotations

import click
import pytest

from interlock.cli.live import HOME, TO_END, TO_LINE_END, framed, require_terminal


def shown(page: str, columns: int, lines: int) -> list[str]:
    drawn = framed(page, columns, lines)
    assert drawn.startswith(HOME)
    assert drawn.endswith(TO_END)
    return drawn.removeprefix(HOME).removesuffix(TO_END).replace(TO_LINE_END, "").split("\n")


def test_a_page_that_fits_is_drawn_as_it_is() -> None:
    assert shown("one\n\nthree", 80, 24) == ["one", "", "three"]


def test_a_page_too_long_is_cut_so_that_nothing_scrolls_and_the_last_line_stays() -> None:
    rows = shown("\n".join(map(str, range(100))), 80, 24)
    assert len(rows) == 24
    assert rows[-1] == "99"
    assert rows[-2] == "and 77 lines more"
    assert int(rows[-3]) + 77 + 1 == 99


def test_a_line_too_long_is_cut_without_half_a_colour() -> None:
    red = click.style("x" * 100, fg="red")
    (row,) = shown(red, 40, 24)
    assert row == "x" * 38 + "…"
    assert shown(click.style("short", fg="red"), 40, 24) == [click.style("short", fg="red")]


def test_it_draws_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.UsageError, match="status --json"):
        require_terminal()
    assert capsys.readouterr().out == ""

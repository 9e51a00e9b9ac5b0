"""`interlock calendar build` and `show`, on 2026-03-07."""

from __future__ import annotations

import pytest
from tests.unit.cli.terminal import Terminal


@pytest.fixture
def dated(terminal: Terminal) -> Terminal:
    """A terminal in a project with calendars."""
    place = terminal.root / "calendars"
    place.mkdir(exist_ok=True)
    (place / "off.yaml").write_text("name: off\ndates: [2026-03-06, 2026-04-03, 2026-12-25]\n")
    (place / "ends.yaml").write_text("name: ends\nbusinessDays: {last: true, holidays: off}\n")
    return terminal


def test_a_built_file_is_a_calendar_that_loads(terminal: Terminal) -> None:
    """LAT-11."""
    said = terminal(
        "calendar", "build", "us-holidays", "--holidays", "US", "--years", "2026-2027", "-o", "calendars/us.yaml"
    )
    assert (said.code, said.out) == (0, "")
    assert "wrote calendars/us.yaml" in said.err
    assert terminal("validate").code == 0
    shown = terminal("calendar", "show", "us-holidays", "--next", "3")
    assert shown.out.splitlines()[1:] == ["2026-05-25  Monday", "2026-06-19  Friday", "2026-07-03  Friday"]


def test_without_a_file_it_is_printed_for_this_year_and_the_next(terminal: Terminal) -> None:
    said = terminal("calendar", "build", "us-holidays", "--holidays", "us")
    assert (said.code, said.err) == (0, "")
    assert "# The holidays of US in 2026 to 2027, by version" in said.out
    assert '  - "2026-07-04"  # Independence Day' in said.out
    assert '  - "2027-01-01"  # New Year\'s Day' in said.out
    assert "2028" not in said.out


def test_a_subdivision_and_a_market_have_days_of_their_own(terminal: Terminal) -> None:
    whole = terminal("calendar", "build", "one", "--holidays", "US", "--years", "2026").out
    part = terminal("calendar", "build", "one", "--holidays", "US", "--subdiv", "CA", "--years", "2026").out
    market = terminal("calendar", "build", "one", "--holidays", "XNYS", "--years", "2026").out
    assert "Cesar Chavez Day" in part
    assert "Cesar Chavez Day" not in whole
    assert "Good Friday" in market


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("one", "--holidays", "UX"), "no country or market is known as 'UX'"),
        (("one", "--holidays", "US", "--subdiv", "Kalifornia"), "US has no subdivision 'Kalifornia'"),
        (("one", "--holidays", "XNYS", "--subdiv", "NY"), "XNYS has no subdivision 'NY'"),
        (("one", "--holidays", "US", "--years", "2026-2025"), "out of range"),
        (("one", "--holidays", "US", "--years", "1900-2999"), "at most 50 years"),
        (("one", "--holidays", "US", "--years", "2000-2050"), "at most 50 years"),
        (("one", "--holidays", "US", "--years", "next"), "neither a year nor two"),
        (("one", "--holidays", "US", "--years", "2150"), "knows no holidays of US in 2150"),
        (("one", "--holidays", "XECB", "--years", "1997-2001"), "of XECB in 1997 to 1998, of 1997 to 2001"),
        (("Not A Name", "--holidays", "US"), "cannot be a name"),
        (("one",), "Missing option '--holidays'"),
        (("one", "--holidays", "US", "-o", "interlock.yaml/x"), "cannot be written"),
    ],
)
def test_what_cannot_be_built_is_a_usage_error(terminal: Terminal, arguments: tuple[str, ...], words: str) -> None:
    said = terminal("calendar", "build", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in " ".join(said.err.split())


def test_without_the_package_the_extra_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "holidays", None)
    said = terminal("calendar", "build", "one", "--holidays", "US")
    assert said.code == 2
    assert "pip install 'interlock[calendars]'" in said.err


def test_a_calendar_is_shown_with_everything_it_is_made_of(dated: Terminal) -> None:
    said = dated("calendar", "show", "ends", "--next", "2", "--from", "2026-12-01", "--json")
    assert said.document == {
        "apiVersion": "interlock/v1",
        "kind": "Calendar",
        "name": "ends",
        "days": ["2026-12-31", "2027-01-29"],
    }


def test_a_calendar_that_comes_to_an_end_says_so(dated: Terminal) -> None:
    said = dated("calendar", "show", "off")
    assert said.out.splitlines()[1:] == ["2026-04-03  Friday", "2026-12-25  Friday"]
    assert "the last is 2026-12-25" in said.err
    assert dated("calendar", "show", "off", "--next", "2").err == ""
    empty = dated("calendar", "show", "off", "--from", "2027-01-01")
    assert (empty.code, empty.out) == (0, "")
    assert "there is none" in empty.err


def test_the_end_of_time_is_reached_without_a_fall(dated: Terminal) -> None:
    assert dated("calendar", "show", "ends", "--from", "9999-12-01").code == 0


def test_an_unknown_calendar_is_not_found(dated: Terminal) -> None:
    said = dated("calendar", "show", "of")
    assert said.code == 8
    assert "did you mean 'off'?" in said.err

"""Calendars made of calendars."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.unit.config.projects import FRESH, loaded, problems_of, small_project, write_pipeline

from interlock.config.load import load_project
from interlock.core.calendars import DaySet
from interlock.errors import Problem


def _root(tmp_path: Path, **calendars: str) -> Path:
    root = small_project(tmp_path)
    for path in (root / "calendars").iterdir():
        path.unlink()
    for name, body in calendars.items():
        named = name.replace("_", "-")
        (root / "calendars" / f"{named}.yaml").write_text(f"name: {named}\n{body}\n")
    return root


def _calendar(tmp_path: Path, name: str, **calendars: str) -> DaySet:
    return loaded(_root(tmp_path, **calendars)).calendars[name]


def _problems(tmp_path: Path, **calendars: str) -> list[tuple[str, str]]:
    return [(problem.file, problem.message) for problem in problems_of(_root(tmp_path, **calendars))]


def test_a_calendar_may_be_made_of_others(tmp_path: Path) -> None:
    found = _calendar(
        tmp_path,
        "off",
        off="union: [holidays, weekends]\nexcept: [worked]\ndates: [2026-12-24]",
        holidays="dates: [2026-12-25, 2026-12-26]",
        weekends="days: [Sat, Sun]",
        worked="dates: [2026-12-26]",
    )
    assert [day for day in range(20, 32) if found.contains(date(2026, 12, day))] == [20, 24, 25, 27]


def test_business_days_are_counted_without_the_holidays_of_a_calendar(tmp_path: Path) -> None:
    found = _calendar(
        tmp_path,
        "closing",
        closing="businessDays: {first: true, nth: [4], last: true, holidays: holidays}",
        holidays="dates: [2026-01-01]",
    )
    assert [day for day in range(1, 32) if found.contains(date(2026, 1, day))] == [2, 7, 30]


def test_a_circle_is_told_at_each_of_its_files_with_its_path(tmp_path: Path) -> None:
    assert _problems(
        tmp_path, aa="union: [bb]", bb="except: [cc]\ndays: [Mon]", cc="union: [aa]", dd="union: [aa]"
    ) == [
        ("calendars/aa.yaml", "calendars that are made of each other: aa -> bb -> cc -> aa"),
        ("calendars/bb.yaml", "calendars that are made of each other: bb -> cc -> aa -> bb"),
        ("calendars/cc.yaml", "calendars that are made of each other: cc -> aa -> bb -> cc"),
    ]


def test_a_circle_that_is_entered_from_outside_is_told_at_its_own_files_only(tmp_path: Path) -> None:
    found = _problems(tmp_path, aa="union: [bb]", bb="union: [cc]", cc="union: [bb]")
    assert [file for file, _ in found] == ["calendars/bb.yaml", "calendars/cc.yaml"]


def test_a_calendar_that_is_made_of_itself_is_a_circle(tmp_path: Path) -> None:
    assert _problems(tmp_path, aa="businessDays: {last: true, holidays: aa}") == [
        ("calendars/aa.yaml", "calendars that are made of each other: aa -> aa")
    ]


def test_calendars_within_calendars_end_somewhere(tmp_path: Path) -> None:
    chain = {f"c{n:02}": f"union: [c{n + 1:02}]" for n in range(40)}
    found = _problems(tmp_path, **chain, c40="days: [Mon]")
    assert all("more than 16 deep" in message for _, message in found)
    assert found


def test_calendars_that_multiply_are_refused(tmp_path: Path) -> None:
    doubling = {f"c{n}": f"union: [c{n + 1}, c{n + 1}]" for n in range(9)}
    found = _problems(tmp_path, **doubling, c9="days: [Mon]")
    assert found == [("calendars/c2.yaml", "made of more than 200 calendars, those within calendars counted each time")]


def test_a_pipeline_never_runs_on_a_part_of_its_calendar(tmp_path: Path) -> None:
    """Fail closed: what a broken calendar would have excluded is not known."""
    root = _root(tmp_path, off="union: [holidays]", holidays="dates: [tomorrow]", fine="days: [Sun]")
    write_pipeline(root, "excluded", "exclusions: {calendar: [fine, off]}\n")
    write_pipeline(root, "included", "include: {calendar: off}\n")
    write_pipeline(root, "sound", "exclusions: {calendar: fine}\n")
    project, problems = load_project(root, settings=FRESH, tolerant=True)
    assert sorted(project.pipelines) == ["sound"]
    assert sorted(project.calendars) == ["fine"]
    assert [_said(problem) for problem in problems] == [
        ("calendars/holidays.yaml", "not a date: 'tomorrow' (expected such as 2025-12-25)"),
        ("pipelines/excluded.yaml", "its calendar 'off' cannot be used"),
        ("pipelines/included.yaml", "its calendar 'off' cannot be used"),
    ]


def _said(problem: Problem) -> tuple[str, str]:
    return problem.file, problem.message


@pytest.mark.parametrize("key", ["exclusions", "include"])
def test_an_unknown_calendar_is_an_error_and_not_an_empty_one(tmp_path: Path, key: str) -> None:
    """LAT-11."""
    root = _root(tmp_path, holidays="dates: [2026-12-25]")
    write_pipeline(root, "one", f"{key}: {{calendar: [holidays, holyday]}}\n")
    (problem,) = problems_of(root)
    assert str(problem) == (
        "pipelines/one.yaml:6:" + ("35" if key == "exclusions" else "32") + ": no calendar is named 'holyday' "
        "(did you mean 'holidays'?)"
    )

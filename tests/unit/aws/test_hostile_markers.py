"""Marker items in clumsy hands: other calendars, other types, other places."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.aws.test_routing import Stream, a_marker


def text(value: str) -> dict[str, str]:
    return {"S": value}


def routed(**attributes: Any) -> Stream:
    stream = Stream()
    stream.router.route(a_marker(**attributes))
    return stream


@pytest.mark.parametrize("date", ["2569-03-07", "2062-03-07", "2026-04-08"])
def test_a_date_that_nobody_can_have_meant_is_kept_and_not_waited_for(date: str) -> None:
    """A Buddhist year, or two digits that changed places: the slot that was meant would silently get no marker."""
    stream = routed(date=text(date))
    ((reason, _),) = stream.failures.kept
    assert (date in reason, "more than 31 days after" in reason) == (True, True)
    assert len(stream.store.runs_of("example", limit=10)) == 1


def test_data_may_arrive_before_its_day_begins() -> None:
    assert routed(date=text("2026-04-07")).failures.kept == []


@pytest.mark.parametrize("date", ["1447-09-18", "1405-12-16", "٢٠٢٦-٠٣-٠٧", "20260307", "03/07/2026", "9999-12-31"])
def test_a_date_of_another_calendar_or_spelling_is_kept(date: str) -> None:
    stream = routed(date=text(date))
    assert len(stream.failures.kept) == 1
    assert len(stream.store.runs_of("example", limit=10)) == 1


@pytest.mark.parametrize(
    "value", [{"N": "20260307"}, {"M": {}}, {"L": []}, {"B": "AAA="}, {"SS": ["a"]}, {"NULL": True}, {"BOOL": True}]
)
@pytest.mark.parametrize("name", ["date", "source", "scheduleID"])
def test_an_attribute_of_another_type_is_kept_and_never_guessed(name: str, value: dict[str, Any]) -> None:
    stream = routed(**{name: value})
    ((reason, _),) = stream.failures.kept
    assert reason.startswith(f"{name}: expected text")


@pytest.mark.parametrize("source", ["x" * 1025, "x" * 390_000])
def test_a_source_that_is_a_document_is_kept(source: str) -> None:
    ((reason, _),) = routed(source=text(source)).failures.kept
    assert reason.startswith("source: expected 1 to 1024 characters")

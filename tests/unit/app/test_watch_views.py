"""Read models of what is expected: as it stands now, as far back as is asked for, whatever is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import DAILY, HOUR, MORNING, Yard

from interlock.app import watch_views
from interlock.app.watch_views import ExpectationList, ExpectationView, expectation_list, is_wrong
from interlock.core.agenda import expected
from interlock.core.schedules import windows


def days(yard: Yard, count: int, *, digest: str = "") -> None:
    """Write down what is expected of so many days."""
    kept = digest or yard.world.store.put_spec(DAILY)
    for window in windows(DAILY.name, DAILY.schedules[0], MORNING, MORNING + timedelta(days=count)):
        assert yard.world.agendas.put_expectation(expected(DAILY, window, kept, MORNING))


def shown(yard: Yard, *, limit: int = 1000, wrong: bool = False) -> ExpectationList:
    wanted = is_wrong if wrong else _everything
    return expectation_list(
        yard.world.agendas, yard.world.store, yard.clock.now(), limit=limit, pipeline="example", wanted=wanted
    )


def _everything(_view: ExpectationView) -> bool:
    return True


def test_what_is_asked_for_is_searched_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_views, "_PAGE", 4)
    yard = Yard()
    days(yard, 10)
    assert [view.date for view in shown(yard).items] == [f"2026-03-{day:02}" for day in range(16, 6, -1)]
    assert len(shown(yard, limit=7).items) == 7
    yard.go_to(MORNING + 5 * HOUR)
    assert [view.date for view in shown(yard, wrong=True).items] == ["2026-03-07"]


def test_the_search_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_views, "_PAGE", 2)
    monkeypatch.setattr(watch_views, "LOOKED_AT", 6)
    yard = Yard()
    days(yard, 10)
    assert len(shown(yard).items) == 6


def test_an_expectation_whose_spec_is_gone_is_shown_as_it_was_written_down() -> None:
    yard = Yard()
    days(yard, 1, digest="0" * 32)
    yard.go_to(MORNING + timedelta(days=30))
    (view,) = shown(yard).items
    assert (view.state, view.overdue) == ("expected", True)


def test_a_run_under_way_is_named_and_its_slot_not_overdue() -> None:
    yard = Yard()
    days(yard, 1)
    run = yard.run(replace(DAILY))
    yard.go_to(MORNING + 9 * HOUR)
    (view,) = shown(yard).items
    assert (view.state, view.overdue, view.run_id) == ("expected", False, run.key.run_id)

"""What is expected of each slot, over every kernel."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.expectations import Expectation, ExpectationState
from interlock.errors import NotFound
from interlock.stores.agendas import AgendaRows
from interlock.stores.kernel import Kernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot
from interlock.testing.conformance.kernel_values import at_once

DAY = timedelta(days=1)
TOLD = EventRecord(kind=EventKind.EXPECTATION_SETTLED, at=NOON)


@pytest.fixture
def rows(kernel: Kernel) -> AgendaRows:
    return AgendaRows(kernel)


def _expected(
    day: int = 7, *, pipeline: str = "example", opens_at: datetime | None = None, check_at: datetime | None = NOON
) -> Expectation:
    opens_at = NOON + day * DAY if opens_at is None else opens_at
    return Expectation(
        slot=a_slot(f"2026-03-{day:02d}", pipeline=pipeline),
        spec_digest="d" * 32,
        opens_at=opens_at,
        closes_at=opens_at + DAY,
        check_at=check_at,
    )


def _settled(expectation: Expectation) -> Expectation:
    return replace(
        expectation, version=expectation.version + 1, state=ExpectationState.MET, check_at=None, settled_at=NOON
    )


def test_an_expectation_comes_back_as_it_was_put(rows: AgendaRows) -> None:
    expectation = _expected()
    assert rows.expectation(expectation.slot) is None
    assert rows.put_expectation(expectation)
    assert rows.expectation(expectation.slot) == expectation
    assert rows.expectation(a_slot("2026-03-08")) is None


@pytest.mark.parametrize("version", [1, 3])
def test_an_expectation_of_a_wrong_version_changes_and_tells_nothing(
    kernel: Kernel, rows: AgendaRows, version: int
) -> None:
    """BUG-05, BUG-151, T-42."""
    expectation = _expected()
    assert rows.put_expectation(expectation)
    assert not rows.put_expectation(replace(_settled(expectation), version=version), [TOLD])
    assert rows.expectation(expectation.slot) == expectation
    assert rows.unsettled(NOON, 9) == rows.expectations(limit=9) == (expectation,)
    assert Repository(kernel).timeline("example", limit=9) == ()


def test_what_is_to_be_looked_at_comes_earliest_first_until_it_is_settled(rows: AgendaRows) -> None:
    """T-42: what is settled is not looked at again."""
    late, early, later = (_expected(day, check_at=NOON + minute * MINUTE) for day, minute in ((1, 2), (2, 1), (3, 9)))
    for expectation in (late, early, later):
        assert rows.put_expectation(expectation)
    assert rows.unsettled(NOON + MINUTE - SECOND, 9) == ()
    assert rows.unsettled(NOON + 2 * MINUTE, 9) == (early, late)
    assert rows.unsettled(NOON + 2 * MINUTE, 1) == (early,)
    assert rows.put_expectation(_settled(early))
    assert rows.unsettled(NOON + 2 * MINUTE, 9) == (late,)
    again = replace(late, version=2, check_at=NOON + 30 * MINUTE, alerted=True)
    assert rows.put_expectation(again)
    assert rows.unsettled(NOON + DAY, 9) == (later, again)


def test_the_lines_of_an_expectation_are_told_with_it(kernel: Kernel, rows: AgendaRows) -> None:
    """T-66, LAT-24: two versions of one moment tell two lines."""
    expectation = _expected()
    assert rows.put_expectation(expectation, [TOLD])
    assert rows.put_expectation(_settled(expectation), [TOLD, replace(TOLD, message="again")])
    lines = Repository(kernel).timeline("example", limit=9)
    assert [line.record.message for line in lines] == ["", "", "again"]
    assert {(line.schedule, line.period) for line in lines} == {("daily", "2026-03-07")}


@pytest.mark.parametrize("pipeline", [None, "example"])
@pytest.mark.parametrize("limit", [1, 2, 99])
def test_histories_are_read_page_by_page_latest_opening_first(
    rows: AgendaRows, pipeline: str | None, limit: int
) -> None:
    """BUG-41, BUG-44, T-96: the settled ones too."""
    every = [_expected(day) for day in (3, 1, 5, 2, 4)]
    for number, expectation in enumerate(every):
        assert rows.put_expectation(expectation)
        if number % 2:
            assert rows.put_expectation(_settled(expectation))
    found: list[Expectation] = []
    while page := rows.expectations(limit=limit, pipeline=pipeline, before=str(found[-1].slot) if found else None):
        found += page
    assert [expectation.slot.period for expectation in found] == [f"2026-03-0{day}" for day in (5, 4, 3, 2, 1)]


def test_the_history_of_a_pipeline_is_its_own(rows: AgendaRows) -> None:
    """T-64, LAT-30."""
    for name in ("sales", "sales-eu", "all"):
        assert rows.put_expectation(_expected(pipeline=name))
    assert len(rows.expectations(limit=9)) == 3
    for name in ("sales", "sales-eu", "all"):
        assert rows.expectations(limit=9, pipeline=name) == (_expected(pipeline=name),)
    assert rows.expectations(limit=9, pipeline="nobody") == ()


def test_a_slot_that_opens_at_another_time_than_planned_moves_in_the_histories(rows: AgendaRows) -> None:
    """BUG-43."""
    one, two = _expected(1), _expected(2)
    assert rows.put_expectation(one)
    assert rows.put_expectation(two)
    moved = replace(one, version=2, opens_at=two.opens_at + DAY)
    back = replace(one, version=3)
    for now, order in ((moved, (moved, two)), (back, (two, back))):
        assert rows.put_expectation(now)
        assert rows.expectations(limit=9) == rows.expectations(limit=9, pipeline="example") == order


def test_going_on_from_a_slot_of_which_nothing_was_expected_is_an_error(rows: AgendaRows) -> None:
    """T-93."""
    assert rows.put_expectation(_expected())
    assert rows.put_expectation(_expected(pipeline="other"))
    with pytest.raises(NotFound, match="nothing was ever expected"):
        rows.expectations(limit=9, before="example:daily:2026-03-08")
    with pytest.raises(NotFound, match="nothing was ever expected"):
        rows.expectations(limit=9, pipeline="other", before="example:daily:2026-03-07")
    for nonsense in ("", "example", "example:daily:2026-02-30", "example:daily:2026-03-07:1"):
        with pytest.raises(ValueError, match="not a slot"):
            rows.expectations(limit=9, before=nonsense)


def test_of_many_who_settle_an_expectation_at_once_one_does_and_it_is_told_once(
    kernel: Kernel, rows: AgendaRows
) -> None:
    """BUG-05, T-105."""
    expectation = _expected()
    assert at_once(8, lambda _: rows.put_expectation(expectation)).count(True) == 1
    assert at_once(8, lambda _: rows.put_expectation(_settled(expectation), [TOLD])).count(True) == 1
    assert len(Repository(kernel).timeline("example", limit=9)) == 1
    assert rows.unsettled(NOON + DAY, 9) == ()


def test_expectations_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    assert AgendaRows(kernel).put_expectation(_expected())
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    rows = AgendaRows(kernel)
    assert rows.unsettled(NOON, 9) == rows.expectations(limit=9, pipeline="example") == (_expected(),)
    kernel.close()

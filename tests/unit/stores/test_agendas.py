"""What opens when, over every kernel."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.core.ids import PipelineName, ScheduleName
from interlock.errors import Contention, UnreadableRecord
from interlock.ports.agendas import Agenda
from interlock.ports.stores import DueKind, DueWork
from interlock.stores import keys
from interlock.stores.agendas import AgendaRows
from interlock.stores.kernel import Kernel, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON, SECOND
from interlock.testing.conformance.kernel_values import at_once
from interlock.testing.faults import FaultyKernel

DAY = timedelta(days=1)


@pytest.fixture
def rows(kernel: Kernel) -> AgendaRows:
    return AgendaRows(kernel)


def _agenda(
    pipeline: str = "example", schedule: str = "daily", *, next_at: datetime | None = NOON + DAY, version: int = 1
) -> Agenda:
    return Agenda(
        pipeline=PipelineName(pipeline),
        schedule=ScheduleName(schedule),
        spec_digest="d" * 32,
        opened_to=NOON,
        next_at=next_at,
        version=version,
    )


def _planned(rows: AgendaRows) -> list[str]:
    return list(rows.planned(limit=99))


def test_an_agenda_comes_back_as_it_was_put(rows: AgendaRows) -> None:
    agenda = _agenda()
    assert rows.agenda(agenda.pipeline, agenda.schedule) is None
    assert rows.put_agenda(agenda)
    assert rows.agenda(agenda.pipeline, agenda.schedule) == agenda
    assert rows.agenda(agenda.pipeline, ScheduleName("hourly")) is None


@pytest.mark.parametrize("version", [1, 3, 9])
def test_an_agenda_of_a_wrong_version_changes_nothing(rows: AgendaRows, version: int) -> None:
    """BUG-05, BUG-151."""
    agenda = _agenda()
    assert rows.put_agenda(agenda)
    assert not rows.put_agenda(replace(agenda, version=version, retired=True, next_at=NOON))
    assert rows.agendas_of(agenda.pipeline) == (agenda,)
    assert _planned(rows) == ["example"]
    assert rows.put_agenda(replace(agenda, version=2, next_at=None))


def test_an_agenda_that_was_never_put_cannot_be_replaced(rows: AgendaRows) -> None:
    """LAT-43."""
    assert not rows.put_agenda(_agenda(version=2))
    assert (rows.agendas_of(PipelineName("example")), _planned(rows)) == ((), [])


def test_an_agenda_is_due_when_its_next_window_opens(kernel: Kernel, rows: AgendaRows) -> None:
    agenda = _agenda(next_at=NOON)
    assert rows.put_agenda(agenda)
    store = Repository(kernel)
    assert store.due(NOON - SECOND, 9) == ()
    assert store.due(NOON, 9) == (DueWork(DueKind.AGENDA, (agenda.pipeline, agenda.schedule), NOON),)
    assert rows.put_agenda(replace(agenda, version=2, opened_to=NOON, next_at=None))
    assert store.due(NOON + 99 * DAY, 9) == ()


def test_what_is_overdue_comes_earliest_first(rows: AgendaRows) -> None:
    late = [_agenda(name, next_at=NOON + minute * MINUTE) for name, minute in (("cc", 1), ("aa", 3), ("bb", 2))]
    for agenda in [*late, _agenda("never", next_at=None), _agenda("far", next_at=NOON + 900 * DAY)]:
        assert rows.put_agenda(agenda)
    assert rows.overdue(NOON, 9) == ()
    assert rows.overdue(NOON + 3 * MINUTE, 9) == (late[0], late[2], late[1])
    assert rows.overdue(NOON + 3 * MINUTE, 2) == (late[0], late[2])
    assert rows.overdue(NOON + 2 * MINUTE, 9) == (late[0], late[2])


def test_a_retired_agenda_is_neither_due_nor_overdue_and_can_come_back(kernel: Kernel, rows: AgendaRows) -> None:
    """T-61: a pipeline that is gone opens nothing."""
    agenda = _agenda(next_at=NOON)
    assert rows.put_agenda(agenda)
    assert rows.put_agenda(replace(agenda, version=2, retired=True))
    assert (rows.overdue(NOON, 9), Repository(kernel).due(NOON, 9), _planned(rows)) == ((), (), [])
    assert rows.agendas_of(agenda.pipeline) == (replace(agenda, version=2, retired=True),)
    assert rows.put_agenda(replace(agenda, version=3))
    assert (len(rows.overdue(NOON, 9)), _planned(rows)) == (1, ["example"])


def test_agendas_of_pipelines_that_begin_alike_are_kept_apart(rows: AgendaRows) -> None:
    """T-64, LAT-30."""
    names = ("sales", "sales-eu", "sales.eu")
    for name in names:
        for schedule in ("daily", "daily-2"):
            assert rows.put_agenda(_agenda(name, schedule))
    for name in names:
        assert rows.agendas_of(PipelineName(name)) == (_agenda(name, "daily"), _agenda(name, "daily-2"))
    assert _planned(rows) == sorted(names)


def test_a_pipeline_is_planned_once_while_any_of_its_schedules_is_left(rows: AgendaRows) -> None:
    """T-66."""
    one, other = _agenda(schedule="daily"), _agenda(schedule="hourly")
    assert rows.put_agenda(one)
    assert rows.put_agenda(other)
    assert _planned(rows) == ["example"]
    assert rows.put_agenda(replace(one, version=2, retired=True))
    assert _planned(rows) == ["example"]
    assert rows.put_agenda(replace(other, version=2, retired=True))
    assert _planned(rows) == []
    assert rows.put_agenda(replace(one, version=3))
    assert _planned(rows) == ["example"]


def test_planned_pipelines_are_read_page_by_page_also_behind_a_name_that_is_none(rows: AgendaRows) -> None:
    """BUG-41, BUG-44."""
    names = [f"pipeline-{number}" for number in (2, 10, 1, 3)]
    for name in names:
        assert rows.put_agenda(_agenda(name))
    found: list[PipelineName] = []
    while page := rows.planned(limit=2, after=found[-1] if found else None):
        found += page
    assert found == sorted(names)
    assert rows.planned(limit=1, after="pipeline-11") == ("pipeline-2",)
    assert rows.planned(limit=9, after="zz") == ()


def test_many_agendas_of_a_pipeline_are_all_there(rows: AgendaRows) -> None:
    """BUG-41."""
    for number in range(501):
        assert rows.put_agenda(_agenda(schedule=f"every-{number:03d}", next_at=None))
    assert len(rows.agendas_of(PipelineName("example"))) == 501


def test_of_many_who_change_an_agenda_at_once_one_wins(rows: AgendaRows) -> None:
    """BUG-05, BUG-130."""
    assert rows.put_agenda(_agenda())
    won = at_once(8, lambda me: rows.put_agenda(_agenda(version=2, next_at=NOON + me * DAY)))
    assert won.count(True) == 1
    kept = rows.agenda(PipelineName("example"), ScheduleName("daily"))
    assert kept is not None
    assert kept.next_at == NOON + won.index(True) * DAY


def test_schedules_that_come_and_go_at_once_leave_the_pipeline_planned_exactly_while_one_is_left(
    rows: AgendaRows,
) -> None:
    """BUG-151: each sees the others' changes, or its own is judged again."""
    schedules = [f"every-{number}" for number in range(6)]
    assert all(at_once(6, lambda me: rows.put_agenda(_agenda(schedule=schedules[me]))))
    assert _planned(rows) == ["example"]
    retired = [replace(_agenda(schedule=schedule, version=2), retired=True) for schedule in schedules]
    assert all(at_once(6, lambda me: rows.put_agenda(retired[me])))
    assert _planned(rows) == []


def test_an_agenda_whose_pipeline_never_stops_changing_says_so() -> None:
    kernel = FaultyKernel(MemoryKernel())
    calls = 0

    def other_first(call: int) -> None:
        nonlocal calls
        if kernel.calls[call] == "commit":
            calls += 1
            assert AgendaRows(kernel.real).put_agenda(_agenda(schedule=f"every-{calls}"))

    kernel.before = other_first
    with pytest.raises(Contention, match="Nothing was written; try again"):
        AgendaRows(kernel).put_agenda(_agenda())
    assert AgendaRows(kernel.real).agenda(PipelineName("example"), ScheduleName("daily")) is None


def test_an_agenda_that_cannot_be_read_is_an_error_that_names_it(kernel: Kernel, rows: AgendaRows) -> None:
    """T-118, BUG-54."""
    pk = keys.pipeline_pk("example")
    assert kernel.commit(pk, [Put(Record(pk=pk, sk=keys.agenda_sk("daily"), version=1, body={"pipeline": 7}))])
    with pytest.raises(UnreadableRecord, match=r"AGENDA#daily.*pipeline/example"):
        rows.agenda(PipelineName("example"), ScheduleName("daily"))


def test_agendas_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    assert AgendaRows(kernel).put_agenda(_agenda(next_at=NOON))
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    rows = AgendaRows(kernel)
    assert rows.overdue(NOON, 9) == rows.agendas_of(PipelineName("example")) == (_agenda(next_at=NOON),)
    assert _planned(rows) == ["example"]
    kernel.close()

"""Sensors, over every kernel."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.stores.sensor_writing import DAY, LANDING, NOON, ORDERS, held, put, told

from interlock.codec.documents import document, mapping
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.errors import Contention, Invalid, StoreUnavailable, UnreadableRecord
from interlock.ports.sensors import (
    AddToSet,
    Increment,
    MergeData,
    PutData,
    Sensor,
    SensorChange,
    SensorId,
    place_of,
)
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.sensors import REMEMBERED, SensorRows
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.conformance.kernel_values import at_once


@pytest.fixture
def rows(kernel: Kernel) -> SensorRows:
    return SensorRows(kernel)


# ---------------------------------------------------------------- what writes do


def test_a_sensor_holds_what_was_put_last_and_who_put_it_when(rows: SensorRows) -> None:
    assert rows.sensor(LANDING) is None
    put(rows, {"rows": 1, "gone": True})
    written = rows.write(LANDING, PutData(document({"rows": 2})), told("ben", later=5))
    assert rows.sensor(LANDING) == written.sensor
    assert written.applied
    assert mapping(written.sensor.data) == {"rows": 2}
    assert (written.sensor.version, written.sensor.updated_by) == (2, "ben")
    assert written.sensor.updated_at == NOON + timedelta(seconds=5)


def test_a_merge_replaces_field_by_field_and_a_null_removes_one(rows: SensorRows) -> None:
    """BUG-56."""
    put(rows, {"rows": 1, "state": "open", "deep": {"a": 1}})
    rows.write(LANDING, MergeData(document({"rows": 5, "state": None, "deep": {"b": 2}, "new": False})), told())
    assert held(rows) == {"rows": 5, "deep": {"b": 2}, "new": False}


def test_an_increment_begins_at_zero_and_adds_whole_numbers_and_fractions(rows: SensorRows) -> None:
    for by in (3, 4, -2, 0.5):
        rows.write(LANDING, Increment("files", by), told())
    assert held(rows) == {"files": 5.5}


def test_a_set_is_sorted_and_holds_nothing_twice(rows: SensorRows) -> None:
    put(rows, {"windows": ["14", 3, "14"], "other": 1})
    rows.write(LANDING, AddToSet("windows", ("13", 20, "14", 3)), told())
    assert held(rows) == {"windows": [3, 20, "13", "14"], "other": 1}


def test_sensors_of_two_periods_stand_beside_each_other_and_beside_the_one_of_none(rows: SensorRows) -> None:
    """BUG-78, BUG-79."""
    other = SensorId(ORDERS, "landing", Period("2026-03-08"))
    hour = SensorId(ORDERS, "landing", Period("2026-03-07T14:00"))
    for number, which in enumerate((LANDING, DAY, other, hour)):
        put(rows, {"rows": number}, which)
    assert [held(rows, which) for which in (LANDING, DAY, other, hour)] == [{"rows": number} for number in range(4)]


def test_each_write_is_a_line_in_the_timeline_that_says_what_was_told(kernel: Kernel, rows: SensorRows) -> None:
    put(rows, {"rows": 1})
    rows.write(LANDING, Increment("rows", 4), told())
    rows.write(DAY, AddToSet("windows", ("13",)), told(""))
    rows.write(LANDING, MergeData(document({"state": None})), told())
    lines = [line.record for line in Repository(kernel).timeline("orders", limit=10)]
    assert {line.kind for line in lines} == {"SENSOR_UPDATED"}
    assert sorted(line.message for line in lines) == [
        "landing of 2026-03-07: 1 told for the set windows",
        "landing: merged by anna",
        "landing: put by anna",
        "landing: rows +4, now 5 by anna",
    ]
    details = {line.message: mapping(line.details) for line in lines}
    assert details["landing: rows +4, now 5 by anna"] == {"rows": 5}
    assert details["landing of 2026-03-07: 1 told for the set windows"] == {"windows": ["13"]}
    assert details["landing: merged by anna"] == {"state": None}


# ---------------------------------------------------------------- once


@pytest.mark.parametrize(
    "change",
    [PutData(document({"n": 9})), MergeData(document({"n": 9})), Increment("n", 9), AddToSet("s", ("x",))],
)
def test_a_repeated_delivery_changes_nothing_and_answers_with_what_is(
    kernel: Kernel, rows: SensorRows, change: SensorChange
) -> None:
    first = rows.write(LANDING, change, told(delivery_id="one"))
    put(rows, {"n": 1}, delivery_id="two")
    again = rows.write(LANDING, change, told("somebody else", "one", later=60))
    assert (first.applied, again.applied) == (True, False)
    assert again.sensor == rows.sensor(LANDING)
    assert held(rows) == {"n": 1}
    assert len(Repository(kernel).timeline("orders", limit=10)) == 2


def test_delivery_ids_are_each_sensors_own(rows: SensorRows) -> None:
    for which in (LANDING, DAY, SensorId(ORDERS, "other"), SensorId(PipelineName("sales"), "landing")):
        assert rows.write(which, Increment("n"), told(delivery_id="one")).applied


def test_the_latest_deliveries_are_remembered_and_no_more(kernel: Kernel, rows: SensorRows) -> None:
    for number in range(REMEMBERED + 1):
        rows.write(LANDING, Increment("n"), told(delivery_id=f"d{number}"))
    assert not rows.write(LANDING, Increment("n"), told(delivery_id="d1")).applied
    assert rows.write(LANDING, Increment("n"), told(delivery_id="d0")).applied, "the oldest is forgotten"
    record = kernel.get(keys.pipeline_pk("orders"), keys.sensor_sk("landing", ""))
    assert record is not None
    assert len(record.body["deliveries"]) == REMEMBERED


def test_without_an_id_every_telling_counts_and_displaces_no_remembered_one(rows: SensorRows) -> None:
    rows.write(LANDING, Increment("n"), told(delivery_id="one"))
    for _ in range(REMEMBERED + 5):
        rows.write(LANDING, Increment("n"), told())
    assert not rows.write(LANDING, Increment("n"), told(delivery_id="one")).applied
    assert held(rows) == {"n": REMEMBERED + 6}


_CHANGES = st.one_of(
    st.builds(Increment, st.sampled_from("ab"), st.integers(-100, 100)),
    st.builds(AddToSet, st.just("s"), st.lists(st.integers(0, 5) | st.sampled_from("xyz"), min_size=1).map(tuple)),
)


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(_CHANGES, min_size=1, max_size=6), data=st.data())
def test_however_often_and_in_whatever_order_deliveries_arrive_the_end_is_the_same(
    changes: list[SensorChange], data: st.DataObject
) -> None:
    numbered = list(enumerate(changes))
    straight = SensorRows(MemoryKernel())
    for number, change in numbered:
        straight.write(LANDING, change, told(delivery_id=str(number)))
    repeats = data.draw(st.lists(st.sampled_from(numbered), max_size=10))
    mixed = SensorRows(MemoryKernel())
    for number, change in data.draw(st.permutations(numbered + repeats)):
        mixed.write(LANDING, change, told(delivery_id=str(number)))
    assert held(mixed) == held(straight)


_ANY = st.one_of(
    _CHANGES,
    st.builds(PutData, st.dictionaries(st.sampled_from("ab"), st.integers(0, 9)).map(document)),
    st.builds(MergeData, st.dictionaries(st.sampled_from("ab"), st.integers(0, 9) | st.none()).map(document)),
)


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(_ANY, min_size=1, max_size=6), data=st.data())
def test_a_repeat_never_brings_back_what_came_before(changes: list[SensorChange], data: st.DataObject) -> None:
    straight, repeated = SensorRows(MemoryKernel()), SensorRows(MemoryKernel())
    for number, change in enumerate(changes):
        straight.write(LANDING, change, told(delivery_id=str(number)))
        repeated.write(LANDING, change, told(delivery_id=str(number)))
        again = data.draw(st.integers(0, number))
        assert not repeated.write(LANDING, changes[again], told(delivery_id=str(again))).applied
    assert held(repeated) == held(straight)


# ---------------------------------------------------------------- at once


def test_increments_of_many_threads_lose_nothing(rows: SensorRows) -> None:
    """BUG-05, BUG-151."""

    def work(me: int) -> None:
        for number in range(20):
            rows.write(LANDING, Increment("n"), told(delivery_id=f"{me}-{number}"))
            rows.write(LANDING, Increment("n"), told(delivery_id=f"{me}-{number}"))
            rows.write(LANDING, AddToSet("s", (me,)), told())

    at_once(8, work)
    assert held(rows) == {"n": 160, "s": list(range(8))}


def test_increments_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    """BUG-05, BUG-151."""
    kernels = [SqliteKernel(tmp_path / "store.db") for _ in range(3)]

    def work(me: int) -> None:
        rows = SensorRows(kernels[me % 3])
        for _ in range(15):
            rows.write(LANDING, Increment("n"), told())

    at_once(6, work)
    assert held(SensorRows(kernels[0])) == {"n": 90}
    for kernel in kernels:
        kernel.close()


class Unlucky(MemoryKernel):
    """Somebody else is always faster, or the store fails just after it has written."""

    fails = False

    def commit(self, pk: str, batch: Any) -> bool:
        if not self.fails:
            return False
        assert super().commit(pk, batch)
        raise StoreUnavailable("the line went dead")


def test_whoever_loses_every_race_is_told_and_has_written_nothing() -> None:
    rows = SensorRows(Unlucky())
    with pytest.raises(Contention, match="orders:landing"):
        put(rows, {"n": 1})
    assert rows.sensor(LANDING) is None


def test_a_write_of_unknown_outcome_may_be_told_again_under_its_id() -> None:
    kernel = Unlucky()
    kernel.fails = True
    rows = SensorRows(kernel)
    with pytest.raises(StoreUnavailable):
        rows.write(LANDING, Increment("n"), told(delivery_id="one"))
    assert not rows.write(LANDING, Increment("n"), told(delivery_id="one")).applied
    assert held(rows) == {"n": 1}


# ---------------------------------------------------------------- lists and damage


def test_a_list_goes_on_behind_its_first_page(rows: SensorRows) -> None:
    """BUG-55, BUG-41, BUG-44."""
    names = ["a", "a-b", "a.b", "ab", "b"]
    for name in names:
        for period in (None, Period("2026-03-07"), Period("2026-03-07T14:00")):
            put(rows, {}, SensorId(ORDERS, name, period))
    put(rows, {}, SensorId(PipelineName("orders2"), "a"))
    everything = rows.sensors(ORDERS, limit=100)
    assert {sensor.id.key for sensor in everything} == set(names)
    assert len(everything) == 15
    paged: list[Sensor] = []
    after = None
    while page := rows.sensors(ORDERS, limit=2, after=after):
        paged += page
        after = place_of(page[-1].id)
    assert tuple(paged) == everything


@pytest.mark.parametrize("after", ["", "a", "a\0b#*", "a#", "#*", "x/y#*", "a#*\n"])
def test_a_place_that_is_none_is_refused(rows: SensorRows, after: str) -> None:
    with pytest.raises(Invalid, match="no place in a list of sensors"):
        rows.sensors(ORDERS, limit=2, after=after)


@pytest.mark.parametrize("body", [{}, {"key": "landing", "data": 7, "updated_at": "2026-03-07T12:00:00Z"}])
def test_a_sensor_that_cannot_be_read_is_an_error_that_names_it_and_is_not_overwritten(
    kernel: Kernel, rows: SensorRows, body: dict[str, object]
) -> None:
    """BUG-54, T-118."""
    pk, sk = keys.pipeline_pk("orders"), keys.sensor_sk("landing", "")
    assert kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=1, body=body))])
    for act in (
        lambda: rows.sensor(LANDING),
        lambda: rows.sensors(ORDERS, limit=5),
        lambda: put(rows, {"n": 1}),
    ):
        with pytest.raises(UnreadableRecord, match="SENSOR#landing"):
            act()
    assert kernel.get(pk, sk) == Record(pk=pk, sk=sk, version=1, body=body)


def test_sensors_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    put(SensorRows(kernel), {"rows": 1, "text": "é\U0001f600", "number": 0.1}, DAY, "one")
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    rows = SensorRows(kernel)
    assert held(rows, DAY) == {"rows": 1, "text": "é\U0001f600", "number": 0.1}
    assert not put(rows, {}, DAY, "one").applied
    kernel.close()

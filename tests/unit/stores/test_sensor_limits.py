"""How large, deep and precise sensors may be, and what their keys may be."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.stores.sensor_writing import LANDING, ORDERS, held, put, told

from interlock.codec.documents import document
from interlock.errors import Conflict, Invalid
from interlock.ports.sensors import (
    AddToSet,
    Increment,
    MergeData,
    PutData,
    SensorChange,
    SensorId,
)
from interlock.stores.kernel import Kernel
from interlock.stores.sensors import SensorRows


@pytest.fixture
def rows(kernel: Kernel) -> SensorRows:
    return SensorRows(kernel)


@pytest.mark.parametrize("key", ["", "a#b", "a/b", "a b", "-a", "a-", "x" * 129, "é", "a\n", "*", "a\0b", "a:b"])
def test_a_key_that_could_mean_something_else_is_none(key: str) -> None:
    """BUG-122, LAT-17, LAT-30."""
    with pytest.raises(Invalid, match="cannot be the key of a sensor"):
        SensorId(ORDERS, key)


def test_keys_that_begin_alike_are_different_sensors(rows: SensorRows) -> None:
    """LAT-30, T-64."""
    names = ["a", "A", "aa", "a.b", "a-b", "a_b", "a.b.c", "x" * 128]
    for number, name in enumerate(names):
        put(rows, {"n": number}, SensorId(ORDERS, name))
    assert [held(rows, SensorId(ORDERS, name)) for name in names] == [{"n": number} for number in range(len(names))]


@pytest.mark.parametrize(
    ("held_before", "change", "words"),
    [
        ({"n": "text"}, Increment("n"), "holds a text"),
        ({"n": True}, Increment("n"), "holds a truth value"),
        ({"n": None}, Increment("n"), "holds null"),
        ({"n": [1]}, Increment("n"), "holds a list"),
        ({"s": 5}, AddToSet("s", ("x",)), "holds a number"),
        ({"s": {"a": 1}}, AddToSet("s", ("x",)), "holds an object"),
        ({"s": [1.5]}, AddToSet("s", ("x",)), "a list of other things"),
        ({"s": [True]}, AddToSet("s", (1,)), "a list of other things"),
    ],
)
def test_a_field_of_another_kind_is_a_conflict_and_stays(
    rows: SensorRows, held_before: dict[str, Any], change: SensorChange, words: str
) -> None:
    put(rows, held_before)
    with pytest.raises(Conflict, match=words):
        rows.write(LANDING, change, told(delivery_id="one"))
    assert held(rows) == held_before
    put(rows, {"n": 1, "s": []})
    assert rows.write(LANDING, change, told(delivery_id="one")).applied, "what failed was not remembered as done"


def _nested(depth: int) -> Any:
    return [] if depth == 0 else [_nested(depth - 1)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (PutData(document({"x": "y" * 65_530})), "65,?5"),
        (PutData(document({"x": _nested(40)})), "nested"),
        (PutData(document({"": 1})), "1 to 200 characters"),
        (PutData(document({"x" * 201: 1})), "1 to 200 characters"),
        (PutData(document({"x": [2**63]})), "beyond 64 bits"),
        (MergeData(document({"x": {"y": -(2**64)}})), "beyond 64 bits"),
        (Increment("", 1), "1 to 200 characters"),
        (Increment("n", float("nan")), "not a finite number"),
        (Increment("n", float("inf")), "not a finite number"),
        (Increment("n", True), "not a finite number"),
        (Increment("n", 2**63), "not a finite number"),
        (AddToSet("s", ()), "at least one"),
        (AddToSet("s", (True,)), "neither a text nor a whole number"),
        (AddToSet("s", (1.5,)), "neither a text nor a whole number"),  # type: ignore[arg-type]
        (AddToSet("s", tuple(range(10_001))), "at most 10000"),
        (AddToSet("s", ("\ud800",)), "cannot be set"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(rows: SensorRows, change: SensorChange, words: str) -> None:
    """BUG-107."""
    with pytest.raises(Invalid, match=words):
        rows.write(LANDING, change, told())
    assert rows.sensor(LANDING) is None


def test_limits_hold_for_what_would_come_of_a_change(rows: SensorRows) -> None:
    put(rows, {"n": 2**63 - 1, "big": "x" * 60_000, "f": 1.7e308})
    for change in (
        Increment("n"),
        Increment("f", 1.7e308),
        MergeData(document({"more": "x" * 6_000})),
        AddToSet("s", tuple("x" * 50 + str(n) for n in range(500))),
    ):
        with pytest.raises(Invalid):
            rows.write(LANDING, change, told())
    sensor = rows.sensor(LANDING)
    assert sensor is not None
    assert sensor.version == 1


def test_a_set_of_ten_thousand_members_is_kept(rows: SensorRows) -> None:
    rows.write(LANDING, AddToSet("s", tuple(range(10_000))), told())
    rows.write(LANDING, AddToSet("s", tuple(range(5_000))), told())
    with pytest.raises(Invalid, match="10001 members"):
        rows.write(LANDING, AddToSet("s", (10_000,)), told())


@pytest.mark.parametrize("delivery_id", ["x" * 129, "a\nb", "\ud800"])
def test_a_delivery_id_that_no_store_could_keep_is_refused(rows: SensorRows, delivery_id: str) -> None:
    with pytest.raises(Invalid, match="delivery id"):
        rows.write(LANDING, Increment("n"), told(delivery_id=delivery_id))

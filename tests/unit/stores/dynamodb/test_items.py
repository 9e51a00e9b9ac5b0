"""Rows as items of a DynamoDB table."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.errors import StoreError, UnreadableRecord
from interlock.stores.dynamodb.items import (
    MAX_ITEM,
    is_ours,
    item_of,
    record_in,
    refuse_heavy,
    refuse_large,
    write_of,
)
from interlock.stores.kernel import Check, Delete, Put, Record
from interlock.stores.rows import row_of, steps_of
from interlock.testing.conformance.kernel_values import HOUR, NOON, TICK, a_record

FULL = a_record(
    "slot/sales:daily:2026-03-07", "RUN#000001", 7, wake_at=NOON, expires_at=NOON + TICK, kind="runs/sales", rank="r"
)


def _item(record: Record) -> dict[str, Any]:
    return item_of(row_of(record), 4)


def test_an_item_has_an_attribute_for_all_that_is_compared_or_sorted_by() -> None:
    assert _item(FULL) == {
        "PK": {"S": "SLOT#sales:daily:2026-03-07"},
        "SK": {"S": "RUN#000001"},
        "version": {"N": "7"},
        "body": {"S": '{"n":7}'},
        "rank": {"S": "r"},
        "wakeAt": {"N": "4928558400000000"},
        "expiresAt": {"N": "4928558400000001"},
        "ttl": {"N": str(4928558401 + 3600)},
        "GSI1PK": {"S": "TYPE#runs/sales"},
        "GSI1SK": {"S": "r\1\1slot/sales:daily:2026-03-07\1\1RUN#000001"},
        "GSI2PK": {"S": "DUE#0"},
        "GSI2SK": {"S": "2126-03-07T12:00:00.000000Zslot/sales:daily:2026-03-07\1\1RUN#000001"},
        "GSI3PK": {"S": "EXPIRY#0"},
        "GSI3SK": {"S": "2126-03-07T12:00:00.000001Zslot/sales:daily:2026-03-07\1\1RUN#000001"},
    }


def test_a_row_that_is_in_no_list_has_no_place_in_any_index() -> None:
    """Sparse indexes cost nothing for it, and none of its attributes is empty, which keys cannot be."""
    item = _item(a_record("", "", body={}))
    assert sorted(item) == ["PK", "SK", "body", "version"]
    assert all(value != {"S": ""} for value in item.values())


@pytest.mark.parametrize(
    "record",
    [
        FULL,
        a_record("", ""),
        a_record(kind=""),
        a_record(rank="only a rank"),
        a_record(wake_at=NOON.replace(year=1)),
        a_record(expires_at=NOON.replace(year=9999)),
    ],
)
def test_a_record_comes_back(record: Record) -> None:
    assert record_in(_item(record)) == record


def test_time_to_live_lies_behind_expiry_by_an_hour_and_never_before_it() -> None:
    """T-48, T-50: the clock of AWS is not ours, and purge comes first."""
    for expires_at, ttl in ((NOON, 4928558400), (NOON + TICK, 4928558401), (NOON + HOUR, 4928562000)):
        assert _item(a_record(expires_at=expires_at))["ttl"] == {"N": str(ttl + 3600)}


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("version", {"S": "1"}),
        ("version", {"N": "1.5"}),
        ("body", {"B": b"{}"}),
        ("body", {"S": "{"}),
        ("body", {"S": "[]"}),
        ("body", None),
        ("wakeAt", {"S": "soon"}),
        ("wakeAt", {"N": "9" * 30}),
        ("GSI1PK", {"S": "KIND#x"}),
        ("rank", {"N": "1"}),
    ],
)
def test_an_item_with_a_damaged_attribute_is_named_and_not_skipped(
    attribute: str, value: dict[str, Any] | None
) -> None:
    """T-118: whoever changes a row by hand makes it unreadable, and not invisible."""
    item = _item(FULL)
    if value is None:
        del item[attribute]
    else:
        item[attribute] = value
    assert is_ours(item)
    with pytest.raises(UnreadableRecord, match="the row 'RUN#000001' of 'slot/sales:daily:2026-03-07' cannot be read"):
        record_in(item)


def test_what_has_no_version_is_not_ours() -> None:
    item = _item(FULL)
    del item["version"]
    assert not is_ours(item)
    assert not is_ours({**_item(FULL), "PK": {"S": "pipeline/sales"}})


@pytest.mark.parametrize(
    ("change", "verb", "condition", "values"),
    [
        (Put(a_record()), "Put", "attribute_not_exists(PK)", None),
        (Put(a_record(version=8)), "Put", "#version = :expected", {":expected": {"N": "7"}}),
        (Delete("a", 3), "Delete", "#version = :expected", {":expected": {"N": "3"}}),
        (Delete("a", 0), "Delete", "attribute_not_exists(PK)", None),
        (Delete("a"), "Delete", "attribute_not_exists(PK) OR attribute_exists(#version)", None),
        (Check("a", 0), "ConditionCheck", "attribute_not_exists(PK)", None),
        (Check("a", 2), "ConditionCheck", "#version = :expected", {":expected": {"N": "2"}}),
    ],
)
def test_every_write_has_a_condition(change: Any, verb: str, condition: str, values: Any) -> None:
    """T-57, BUG-05: nothing is ever written blindly."""
    (step,) = steps_of("p", [change])
    write = write_of("table", "p", step, 4)
    assert (write.verb, write.request["ConditionExpression"]) == (verb, condition)
    assert write.request.get("ExpressionAttributeValues") == values
    assert write.request["TableName"] == "table"


def test_sizes_are_those_of_utf_8_and_never_underestimated() -> None:
    fits = MAX_ITEM - refuse_large("p", "a", _item(a_record(body={"x": ""})))
    assert refuse_large("p", "a", _item(a_record(body={"x": "é" * (fits // 2)}))) >= MAX_ITEM - 1
    with pytest.raises(StoreError, match=r"the row 'a' of 'p' has 400,001 bytes"):
        refuse_large("p", "a", _item(a_record(body={"x": "é" * (fits // 2) + "x" * (1 + fits % 2)})))


def test_a_batch_is_weighed_as_a_whole() -> None:
    steps = steps_of("p", [Put(a_record(sk=str(number), body={"x": "x" * 363_000})) for number in range(12)])
    writes = [write_of("table", "p", step, 4) for step in steps]
    refuse_heavy("p", writes[:11])
    with pytest.raises(StoreError, match="a commit of 12 rows of 'p' has 4,3"):
        refuse_heavy("p", writes)

"""Indexes of DynamoDB lag behind: what they tell is looked at again, and never believed. No emulator lags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from tests.unit.stores.dynamodb.test_calls import THROTTLED, said
from tests.unit.stores.dynamodb.test_table import LAYOUT_ITEM, _described

from interlock.errors import StoreUnavailable
from interlock.stores.dynamodb import kernel as module
from interlock.stores.dynamodb.items import item_of
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.kernel import Page, Record
from interlock.stores.rows import row_of
from interlock.testing.conformance.kernel_values import HOUR, NOON, a_record, names

KEYS = ("PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", "GSI3PK", "GSI3SK")


class Behind:
    """A table whose indexes still show `indexed`, while its rows are `there`."""

    def __init__(self, indexed: list[Record], there: list[Record]) -> None:
        self.entries = [{key: item[key] for key in KEYS if key in item} for item in map(_item, indexed)]
        self.items = {(item["PK"]["S"], item["SK"]["S"]): item for item in map(_item, there)}
        self.meta = mock.Mock(region_name="here")
        self.most = 100
        self.asked: list[str] = []
        self.deleted: list[dict[str, Any]] = []

    def describe_table(self, **_: Any) -> dict[str, Any]:
        return _described()

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": LAYOUT_ITEM}

    def query(self, IndexName: str, ExclusiveStartKey: int = 0, **request: Any) -> dict[str, Any]:  # noqa: N803
        self.asked.append("query")
        part = next(iter(request["ExpressionAttributeValues"].values()))
        found = [entry for entry in self.entries if entry.get(f"{IndexName}PK") == part]
        found.sort(key=lambda entry: entry[f"{IndexName}SK"]["S"])
        page = found[ExclusiveStartKey : ExclusiveStartKey + 2]  # the pages of AWS end where they like
        last = ExclusiveStartKey + 2
        return {"Items": page, **({"LastEvaluatedKey": last} if last < len(found) else {})}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.asked.append("batch_get_item")
        ((table, wanted),) = RequestItems.items()
        assert wanted["ConsistentRead"] is True
        now, later = wanted["Keys"][: self.most], wanted["Keys"][self.most :]
        found = [
            self.items[key["PK"]["S"], key["SK"]["S"]] for key in now if (key["PK"]["S"], key["SK"]["S"]) in self.items
        ]
        left = {table: {**wanted, "Keys": later}} if later else {}
        return {"Responses": {table: found[::-1]}, "UnprocessedKeys": left}

    def delete_item(self, Key: dict[str, Any], **request: Any) -> dict[str, Any]:  # noqa: N803
        item = self.items.get((Key["PK"]["S"], Key["SK"]["S"]))
        until = int(request["ExpressionAttributeValues"][":until"]["N"])
        if item is None or "expiresAt" not in item or int(item["expiresAt"]["N"]) > until:
            raise said("ConditionalCheckFailedException")
        self.deleted.append(Key)
        return {}


def _item(record: Record) -> dict[str, Any]:
    return item_of(row_of(record), 4)


@pytest.fixture
def opened() -> Callable[[Behind], DynamoKernel]:
    def opened(client: Behind) -> DynamoKernel:
        with mock.patch.object(module, "make_client", return_value=client):
            return DynamoKernel(DynamoOptions(table_name="t"))

    return opened


def _rows(*names_: str, **fields: Any) -> list[Record]:
    return [a_record(sk=name, kind="k", rank=name, wake_at=NOON, **fields) for name in names_]


def test_a_listing_shows_rows_as_they_are_and_not_as_the_index_has_them(
    opened: Callable[[Behind], DynamoKernel],
) -> None:
    """Decisions are not made on old pictures."""
    changed = a_record(sk="b", version=2, kind="k", rank="b", body={"status": "done"})
    kernel = opened(Behind(_rows("a", "b", "c"), [*_rows("a"), changed, *_rows("c")]))
    assert kernel.listing("k", Page()) == [*_rows("a"), changed, *_rows("c")]


def test_what_has_gone_or_moved_is_not_listed_where_it_was(opened: Callable[[Behind], DynamoKernel]) -> None:
    """Gone, of another rank, of another kind, of none."""
    there = [
        a_record(sk="b", version=2, kind="k", rank="z"),
        a_record(sk="c", version=2, kind="other", rank="c"),
        a_record(sk="d", version=2),
        *_rows("e"),
    ]
    kernel = opened(Behind(_rows("a", "b", "c", "d", "e"), there))
    assert names(kernel.listing("k", Page())) == ["e"]


def test_a_page_is_filled_up_behind_what_has_gone(opened: Callable[[Behind], DynamoKernel]) -> None:
    """LAT-30: whoever asks for two and gets one takes it for the end."""
    kernel = opened(Behind(_rows(*"abcdefgh"), _rows(*"cfgh")))
    assert names(kernel.listing("k", Page(limit=2))) == ["c", "f"]
    assert names(kernel.listing("k", Page(limit=4))) == ["c", "f", "g", "h"]


def test_keys_that_were_not_looked_up_are_asked_for_again(opened: Callable[[Behind], DynamoKernel]) -> None:
    client = Behind(_rows(*"abcdefgh"), _rows(*"abcdefgh"))
    client.most = 3
    assert names(opened(client).listing("k", Page())) == list("abcdefgh")
    assert client.asked.count("batch_get_item") == 3


def test_a_row_that_expires_later_by_now_is_not_purged(opened: Callable[[Behind], DynamoKernel]) -> None:
    """What counts is the row, at the very moment it is removed."""
    indexed = [a_record(sk=name, expires_at=NOON) for name in "abcd"]
    there = [a_record(sk="b", version=2, expires_at=NOON + HOUR), a_record(sk="c", version=2), *indexed[3:]]
    client = Behind(indexed, there)
    assert opened(client).purge(NOON, 10) == 1
    assert [key["SK"]["S"] for key in client.deleted] == ["d"]


def test_due_rows_of_all_parts_and_pages_come_in_one_order(opened: Callable[[Behind], DynamoKernel]) -> None:
    rows = [a_record(f"p{number % 9}", str(number), wake_at=NOON + number * HOUR) for number in range(30)]
    kernel = opened(Behind(rows[::-1], []))
    assert [place.sk for place in kernel.due(NOON + 1000 * HOUR, 100)] == [row.sk for row in rows]
    assert [place.sk for place in kernel.due(NOON + 1000 * HOUR, 7)] == [row.sk for row in rows[:7]]


def test_a_table_that_looks_nothing_up_is_given_up(opened: Callable[[Behind], DynamoKernel]) -> None:
    client = Behind(_rows("a"), _rows("a"))
    client.most = 0
    kernel = opened(client)
    kernel._calls.timeout = 0.2
    with pytest.raises(StoreUnavailable, match="is throttled"):
        kernel.listing("k", Page())


def test_an_index_that_is_throttled_for_long_is_no_empty_list(opened: Callable[[Behind], DynamoKernel]) -> None:
    """Nothing due and nobody knows what is due are two things."""
    client = Behind([], [])
    kernel = opened(client)
    kernel._calls.timeout = 0.2
    with mock.patch.object(client, "query", side_effect=THROTTLED), pytest.raises(StoreUnavailable, match="throttled"):
        kernel.due(NOON, 10)

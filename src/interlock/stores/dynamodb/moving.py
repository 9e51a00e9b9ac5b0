"""Walking through a whole DynamoDB table, and filling one: for moving a store, and for nothing that decides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from interlock.errors import StoreError, UnreadableRecord
from interlock.stores.dynamodb.calls import Calls
from interlock.stores.dynamodb.items import Item, is_ours, item_of, key_of, place_of, record_in, refuse_large
from interlock.stores.kernel import Damaged, Record, Walk
from interlock.stores.rows import Row

_MOST_GOT: Final = 100  # keys in one BatchGetItem
_MOST_PUT: Final = 25  # items in one BatchWriteItem


class Mover:
    """What reads and writes many items at once."""

    def __init__(self, calls: Calls, table: str) -> None:
        self._calls = calls
        self._table = table

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return the rows of one page behind a cursor, which are those of one partition after another.

        Raises:
            ValueError: the cursor is none of ours.
        """
        request: dict[str, Any] = {"Limit": max(limit, 1), "ConsistentRead": True}
        if after is not None:
            request["ExclusiveStartKey"] = _key_in(after)
        answer = self._calls.read("scan", TableName=self._table, **request)
        found = tuple(_told(item) for item in answer["Items"] if is_ours(item))
        last = answer.get("LastEvaluatedKey")
        return Walk(found, json.dumps([last["PK"]["S"], last["SK"]["S"]]) if last else None)

    def restore(self, rows: Sequence[Row], shards: int) -> None:
        """Write rows wherever there is none.

        Raises:
            StoreError: one is too large, or somebody else's item has its place. Nothing was written.
        """
        items = {(row.pk, row.sk): item_of(row, shards) for row in reversed(rows)}  # of two on one place the first
        for (pk, sk), item in items.items():
            refuse_large(pk, sk, item)
        there = self._there(list(items))
        missing = iter([item for place, item in items.items() if place not in there])
        while batch := list(islice(missing, _MOST_PUT)):
            self._put(batch)

    def got(self, keys: list[Item], **request: Any) -> Iterator[Item]:
        """Return the items of some keys as they are now, in no order. Keys without one are left out."""
        for start in range(0, len(keys), _MOST_GOT):
            wanted = {self._table: {"Keys": keys[start : start + _MOST_GOT], "ConsistentRead": True, **request}}
            turns = self._calls.turns()
            while wanted:
                answer = self._calls.read("batch_get_item", RequestItems=wanted)
                there = [item for items in answer["Responses"].values() for item in items]
                yield from there
                wanted = answer.get("UnprocessedKeys") or {}
                if wanted and not there:
                    next(turns)

    def _there(self, places: list[tuple[str, str]]) -> set[tuple[str, str] | None]:
        keys = [key_of(pk, sk) for pk, sk in places]
        found = list(
            self.got(keys, ProjectionExpression="PK, SK, #version", ExpressionAttributeNames={"#version": "version"})
        )
        for item in found:
            if not is_ours(item):
                raise StoreError(
                    f"cannot write to {self._calls.address}: an item that Interlock did not write has the place of a row "
                    f"(PK={item['PK']['S']!r}, SK={item['SK']['S']!r}). Nothing was written. Move that item elsewhere"
                )
        return {place_of(item) for item in found}

    def _put(self, items: list[Item]) -> None:
        wanted = {self._table: [{"PutRequest": {"Item": item}} for item in items]}
        turns = self._calls.turns()
        while wanted:
            # The same items at the same places: doing it twice does it once.
            left = self._calls.repeat("batch_write_item", RequestItems=wanted).get("UnprocessedItems") or {}
            if left and len(left[self._table]) == len(wanted[self._table]):
                next(turns)
            wanted = left


def _told(item: Item) -> Record | Damaged:
    try:
        return record_in(item)
    except UnreadableRecord as exc:
        pk, sk = place_of(item) or ("", "")
        return Damaged(pk, sk, str(exc))


def _key_in(cursor: str) -> Item:
    try:
        pk, sk = json.loads(cursor)
    except (ValueError, TypeError) as exc:
        raise ValueError(f"{cursor!r} is not a cursor of a walk: take it from the step before") from exc
    if not (isinstance(pk, str) and isinstance(sk, str)):
        raise ValueError(f"{cursor!r} is not a cursor of a walk: take it from the step before")  # noqa: TRY004
    return {"PK": {"S": pk}, "SK": {"S": sk}}

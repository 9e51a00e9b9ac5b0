"""What the shards' indexes hold is put together in one order, also while rows move."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pytest

from interlock.stores.kernel import Page, Record
from interlock.stores.redis.calls import Call, Calls
from interlock.stores.redis.index import Span, members, page_of
from interlock.stores.redis.layout import SHARDS, field_of, keys_of, member_of, packed, shard_of
from interlock.stores.rows import row_of
from interlock.testing.conformance.kernel_values import a_record

KEYS = [keys_of("t:", shard) for shard in range(SHARDS)]
LISTED = 5


class Shards(Calls):
    """What a server answers, from dictionaries; `between` happens after each round of questions."""

    def __init__(self, rows: Sequence[Record], between: Callable[[Shards], None] = lambda _: None) -> None:
        self.values: dict[bytes, bytes] = {}
        self.listed: dict[bytes, bytes] = {}
        self.between = between
        self.rounds = 0
        for row in rows:
            self.keep(row)

    def keep(self, row: Record) -> None:
        field = field_of(row.pk, row.sk)
        self.forget(row.pk, row.sk)
        self.values[field] = packed(row_of(row))
        if row.kind is not None:
            self.listed[field] = member_of((row.rank, row.pk, row.sk), row.kind)

    def forget(self, pk: str, sk: str) -> None:
        field = field_of(pk, sk)
        self.values.pop(field, None)
        self.listed.pop(field, None)

    def read_all(self, calls: Sequence[Call], doing: str = "read") -> list[Any]:
        answers = [self._answer(call) for call in calls]
        self.rounds += 1
        self.between(self)
        return answers

    def _answer(self, call: Call) -> list[Any]:
        words: Any = call.words
        if words[0] == "HMGET":
            return [self.values.get(field) for field in words[2:]]
        command, _, start, end, _, _, limit = words
        low, high = (end, start) if command == "ZREVRANGEBYLEX" else (start, end)
        there = sorted(
            each for field, each in self.listed.items() if shard_of(field.decode().split("\0")[0]) == call.shard
        )
        first = bisect_left(there, low[1:]) if low[:1] == b"[" else bisect_right(there, low[1:])
        last = bisect_left(there, high[1:])
        found = there[first:last]
        return found[::-1][:limit] if command == "ZREVRANGEBYLEX" else found[:limit]


def _rows(count: int, pk: Callable[[int], str] = "p{}".format) -> list[Record]:
    return [a_record(pk(number), "a", kind="k", rank=f"{number:04}") for number in range(count)]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("pk", ["p{}".format, lambda _: "one", lambda n: "one" if n < 150 else f"p{n}"])
@pytest.mark.parametrize("expected", [1, 40, 1000])
def test_members_come_in_order_however_they_lie(pk: Callable[[int], str], expected: int, backwards: bool) -> None:
    """Also when one shard has nearly all of them, and is asked again while the others have no more."""
    rows = [a_record(pk(number), f"{number:04}", kind="k", rank=f"{number:04}") for number in range(300)]
    shards = Shards(rows)
    bounds = (b"(0001k\xff", b"[0001k") if backwards else (b"[0001k", b"(0001k\xff")
    span = Span(LISTED, *bounds, backwards)
    found = list(members(shards, KEYS, span, expected))
    assert found == sorted(shards.listed.values(), reverse=backwards)


def test_a_page_costs_two_rounds_when_rows_are_spread_evenly() -> None:
    """One for where they stand, one for what they hold."""
    shards = Shards(_rows(2000))
    assert len(page_of(shards, KEYS, "k", Page(limit=100))) == 100
    assert shards.rounds == 2


def test_members_are_asked_for_no_further_than_they_are_taken() -> None:
    """A store of a million rows is not read for the first ten."""
    shards = Shards(_rows(2000))
    assert len(list(islice(members(shards, KEYS, Span(LISTED, b"[0001k", b"(0001k\xff"), 10), 10))) == 10
    assert shards.rounds == 1


@pytest.mark.parametrize("gone", [lambda n: n % 2 == 0, lambda n: n < 30, lambda n: n != 39])
def test_a_page_is_short_only_at_the_end_although_rows_go_meanwhile(gone: Callable[[int], bool]) -> None:
    """Who pages ends at a short page, and would miss the rest."""

    def vanish(shards: Shards) -> None:
        if shards.rounds == 1:
            for number in filter(gone, range(40)):
                shards.forget(f"p{number}", "a")

    rows = _rows(60)
    shards = Shards(rows, vanish)
    expected = [row for number, row in enumerate(rows) if number >= 40 or not gone(number)]
    assert page_of(shards, KEYS, "k", Page(limit=20)) == expected[:20]


def test_a_row_that_moved_is_told_at_its_new_place_or_not_at_all() -> None:
    """Not at the old one, which it has left; nor twice."""
    rows = _rows(6)
    moved = a_record("p1", "a", 2, kind="k", rank="0004x")
    away = a_record("p2", "a", 2, kind="other", rank="0002")
    plain = a_record("p3", "a", 2)

    def move(shards: Shards) -> None:
        if shards.rounds == 1:
            for row in (moved, away, plain):
                shards.keep(row)

    shards = Shards(rows, move)
    found = page_of(shards, KEYS, "k", Page(limit=6))
    assert found == [rows[0], rows[4], rows[5]]
    assert page_of(shards, KEYS, "k", Page(limit=6)) == [rows[0], rows[4], moved, rows[5]]

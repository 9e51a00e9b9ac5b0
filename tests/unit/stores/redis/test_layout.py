"""How rows lie in Redis: what is kept of them, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Record
from interlock.stores.redis.layout import (
    SHARDS,
    due_at,
    field_in,
    field_of,
    instant_of,
    keys_of,
    listed_at,
    member_of,
    packed,
    shard_of,
    split,
    stem_of,
    unpacked,
)
from interlock.stores.rows import micros, row_of

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\0"), max_size=5)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))
RECORDS = st.builds(
    Record,
    pk=NAMES,
    sk=NAMES,
    version=st.integers(1, 2**60),
    body=st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=2),
    wake_at=TIMES,
    expires_at=TIMES,
    kind=st.none() | TEXTS,
    rank=TEXTS,
)


@given(RECORDS)
def test_a_row_comes_back_as_it_was_packed(record: Record) -> None:
    """T-64: also with NUL in kind and rank, and digits and spaces anywhere."""
    assert unpacked(field_of(record.pk, record.sk), packed(row_of(record))) == record


@given(st.lists(st.tuples(TEXTS, NAMES, NAMES), max_size=8), TEXTS)
def test_places_of_a_listing_are_in_the_order_of_their_texts(standings: list[tuple[str, str, str]], kind: str) -> None:
    """Rank, then partition, then name, by code point: bytes stand in for texts."""
    assert sorted(standings, key=lambda each: member_of(each, kind)) == sorted(standings)
    for rank, pk, sk in standings:
        assert split(field_in(member_of((rank, pk, sk), kind))) == (pk, sk)


@given(TEXTS, TEXTS, TEXTS, NAMES, NAMES)
def test_no_kind_begins_like_another(kind: str, other: str, rank: str, pk: str, sk: str) -> None:
    """T-64: a listing is found by the beginning of its members."""
    assert member_of((rank, pk, sk), other).startswith(stem_of(kind)) == (kind == other)


@given(st.lists(st.datetimes(timezones=st.just(UTC)), max_size=8))
def test_instants_are_in_order_as_bytes(moments: list[datetime]) -> None:
    """Before 1970 too, and all of one length."""
    written = [instant_of(micros(moment)) for moment in moments]
    assert sorted(written) == [instant_of(micros(moment)) for moment in sorted(moments)]
    assert {len(each) for each in written} <= {18}


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_first_and_the_last_instant_can_be_due(moment: datetime) -> None:
    """What is one microsecond behind the last is still no longer than the others."""
    place = due_at(instant_of(micros(moment)) + b"\0p\0a")
    assert (place.pk, place.sk, place.wake_at) == ("p", "a", moment)
    assert len(instant_of(micros(moment) + 1)) == 18


@given(RECORDS, RECORDS)
def test_a_row_is_listed_where_it_says_and_nowhere_else(record: Record, moved: Record) -> None:
    """Between two looks at the server a row may have moved."""
    if record.kind is not None:
        member = member_of((record.rank, record.pk, record.sk), record.kind)
        assert listed_at(member, packed(row_of(record)))
        stays = (moved.kind, moved.rank) == (record.kind, record.rank)
        assert listed_at(member, packed(row_of(moved))) == stays


@pytest.mark.parametrize(
    "value",
    [None, b"", b"nonsense", b"1 2 3", b"x    0 {}", b"1    0 {", b"1   1 0 \xff{}", b"1   9 9 {}", b"1    0 []"],
)
def test_what_is_no_row_is_named(value: bytes | None) -> None:
    """T-118: it is never taken for another, nor for none."""
    with pytest.raises(UnreadableRecord, match="the row 'a' of 'p'"):
        unpacked(field_of("p", "a"), value)


@given(TEXTS, TEXTS, st.integers(0, SHARDS - 1), st.integers(0, SHARDS - 1))
def test_no_two_prefixes_share_a_key(prefix: str, other: str, shard: int, second: int) -> None:
    """T-64: a prefix may look like the beginning of another's keys."""
    ours, theirs = set(keys_of(prefix, shard)), set(keys_of(other, second))
    assert len(ours) == 6
    assert bool(ours & theirs) == ((prefix, shard) == (other, second))


@pytest.mark.parametrize("prefix", ["interlock:", "", "a}b", "a{b", "{team}:", "ä{"])
def test_the_keys_of_a_shard_are_in_one_slot_of_a_cluster(prefix: str) -> None:
    """A script may touch keys of one slot only."""
    for shard in range(SHARDS):
        assert len({key_slot(key) for key in keys_of(prefix, shard)}) == 1


def test_where_a_partition_lies_never_changes() -> None:
    """What is stored would not be found again."""
    assert [shard_of(pk) for pk in ("p", "q", "slot/orders/daily/2026-03-07", "日本")] == [1, 7, 0, 12]
    assert {shard_of(f"slot/{number}") for number in range(200)} == set(range(SHARDS))

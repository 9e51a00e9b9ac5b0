"""What the shards' indexes hold, put together in one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from interlock.stores.kernel import Page, Record
from interlock.stores.redis.calls import Call, Calls
from interlock.stores.redis.layout import (
    SHARDS,
    ShardKeys,
    field_in,
    listed_at,
    member_of,
    shard_of,
    split,
    stem_of,
    unpacked,
)
from interlock.stores.rows import standing_of

_SPARE: Final = 8
_LISTED: Final = ShardKeys._fields.index("listed")


class Span(NamedTuple):
    """A stretch of an index: bounds as ZRANGEBYLEX takes them, from the one to begin at to the one to end at."""

    which: int  # of `ShardKeys`
    start: bytes
    end: bytes
    backwards: bool = False


def members(calls: Calls, keys: Sequence[ShardKeys], span: Span, expected: int) -> Iterator[bytes]:
    """Yield what lies in a span, over all shards, in order. `expected` is about how many will be taken."""
    command = "ZREVRANGEBYLEX" if span.backwards else "ZRANGEBYLEX"
    start, step = span.start, expected // SHARDS * 2 + _SPARE
    while True:
        parts: list[list[bytes]] = calls.read_all(
            [
                Call(shard, (command, keys[shard][span.which], start, span.end, "LIMIT", 0, step))
                for shard in range(SHARDS)
            ]
        )
        found = sorted(chain.from_iterable(parts), reverse=span.backwards)
        # Behind the end of a part that was cut off, that shard may have more than it was asked for.
        ends = [part[-1] for part in parts if len(part) == step]
        if not ends:
            yield from found
            return
        edge = max(ends) if span.backwards else min(ends)
        yield from (each for each in found if (each >= edge if span.backwards else each <= edge))
        start, step = b"(" + edge, 2 * step


def page_of(calls: Calls, keys: Sequence[ShardKeys], kind: str, page: Page) -> list[Record]:
    """Return a page of a listing. It is short only at the end, also when rows go or move between two looks."""
    stem = stem_of(kind)
    start, end = b"[" + stem, b"(" + stem + b"\xff"
    if page.backwards:
        start, end = end, start
    if page.after is not None:
        start = b"(" + member_of(standing_of(page.after), kind)
    found = members(calls, keys, Span(_LISTED, start, end, page.backwards), page.limit)
    records: list[Record] = []
    while len(records) < page.limit:
        places = list(islice(found, page.limit - len(records)))
        if not places:
            break
        records += _records_at(calls, keys, places)
    return records


def _records_at(calls: Calls, keys: Sequence[ShardKeys], places: Sequence[bytes]) -> list[Record]:
    """Read the rows that members of the listing stand for. What has moved since is left out: it stands elsewhere.

    Raises:
        UnreadableRecord: one of them cannot be read.
    """
    fields = [field_in(place) for place in places]
    parts: dict[int, list[int]] = {}
    for number, field in enumerate(fields):
        parts.setdefault(shard_of(split(field)[0]), []).append(number)
    answers: list[list[bytes | None]] = calls.read_all(
        [Call(shard, ("HMGET", keys[shard].rows, *(fields[n] for n in numbers))) for shard, numbers in parts.items()]
    )
    values: list[bytes | None] = [None] * len(places)
    for numbers, answer in zip(parts.values(), answers, strict=True):
        for number, value in zip(numbers, answer, strict=True):
            values[number] = value
    return [
        unpacked(field, value)
        for place, field, value in zip(places, fields, values, strict=True)
        if value is not None and listed_at(place, value)
    ]

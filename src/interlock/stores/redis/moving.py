"""Walking a store from one end to the other, and writing what was found into another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Damaged, Record, Walk
from interlock.stores.redis.calls import Call, Calls
from interlock.stores.redis.layout import SHARDS, ShardKeys, field_of, packed, shard_of, split, unpacked
from interlock.stores.redis.scripts import Script
from interlock.stores.rows import Row

# What a commit does to a row: its name, the version it must be at (None: any), and what becomes of it.
Written: TypeAlias = tuple[bytes, int | None, bytes]

_AT_ONCE: Final = 100


def walked(calls: Calls, keys: Sequence[ShardKeys], rows: Script, place: tuple[str, str] | None, limit: int) -> Walk:
    """Return rows behind a place: shard by shard, in each by partition, then by name."""
    shard, start = (0, b"-") if place is None else (shard_of(place[0]), b"(" + field_of(*place))
    found: list[Record | Damaged] = []
    while shard < SHARDS and len(found) < max(limit, 1):
        asked = max(limit, 1) - len(found)
        words = (2, keys[shard].rows, keys[shard].names, start, b"+", asked, 0)
        fields, values = calls.read_by(rows, shard, words)
        found += map(_told, fields, values)
        if len(fields) < asked:
            shard, start = shard + 1, b"-"
    return Walk(tuple(found), f"{found[-1].pk}\0{found[-1].sk}" if shard < SHARDS else None)


def restoring(calls: Calls, keys: Sequence[ShardKeys], rows: Sequence[Row]) -> Iterator[tuple[int, list[Written]]]:
    """Yield what has to be written into which shard, so that every row is there that was not."""
    parts: defaultdict[int, dict[bytes, Row]] = defaultdict(dict)
    for row in rows:
        parts[shard_of(row.pk)].setdefault(field_of(row.pk, row.sk), row)
    for shard, part in sorted(parts.items()):
        fields = list(part)
        for start in range(0, len(fields), _AT_ONCE):
            some = fields[start : start + _AT_ONCE]
            there = calls.read_all([Call(shard, ("HEXISTS", keys[shard].rows, field)) for field in some])
            missing = [(field, 0, packed(part[field])) for field, found in zip(some, there, strict=True) if not found]
            if missing:
                yield shard, list(missing)


def _told(field: bytes, value: bytes | None) -> Record | Damaged:
    try:
        return unpacked(field, value)
    except UnreadableRecord as exc:
        return Damaged(*split(field), str(exc))

"""How rows lie in Redis: the names of the keys, what the indexes hold, and a row as one value.

All rows of a partition are in one of `SHARDS` shards, and all keys of a shard carry the same hash tag: in a cluster they
are in one slot, so one script reaches them all. The keys of a shard:

    layout   the version of this layout, once something was written
    rows     hash: `pk NUL sk` to the row
    names    sorted set: `pk NUL sk`
    due      sorted set: `instant NUL pk NUL sk`, of the rows with `wake_at`
    expiry   sorted set: the same, of the rows with `expires_at`
    listed   sorted set: `length of kind, kind, rank NUL pk NUL sk`, of the rows with `kind`

All scores are 0, so the members of a set are in the order of their bytes, which in UTF-8 is the order of code points.
Instants are microseconds since 1970, moved so that none is negative, with as many digits as the last one. A NUL in a
rank is followed by a byte that no UTF-8 has: so ranks are ordered as texts are, whatever stands behind them.

A row is `version wake_at expires_at length-of-kind length-of-rank`, each followed by a space, and then kind, rank and
body. What is absent is empty. Scripts read as far as the rank and never the body, so a damaged body is in nobody's way.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from zlib import crc32

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Place, Record
from interlock.stores.rows import Row, Standing, due_place, record_of

LAYOUT: Final = 1
SHARDS: Final = 16

_ORIGIN: Final = 10**17  # microseconds from before the first instant of the calendar to 1970
_DIGITS: Final = 18
_NUL: Final = b"\0"
_RANK_NUL: Final = b"\0\xff"
_HEAD: Final = re.compile(rb"([0-9]+) ([0-9]*) ([0-9]*) ([0-9]*) ([0-9]+) ")


class ShardKeys(NamedTuple):
    """The keys of one shard, in the order in which scripts take them."""

    layout: bytes
    rows: bytes
    names: bytes
    due: bytes
    expiry: bytes
    listed: bytes


def shard_of(pk: str) -> int:
    """Return the shard of a partition."""
    return crc32(pk.encode()) % SHARDS


def keys_of(prefix: str, shard: int) -> ShardKeys:
    """Return the keys of a shard. No two prefixes have a key in common: the last brace ends the prefix."""
    stem = f"{prefix}{{{shard:02d}}}:"
    return ShardKeys(*((stem + name).encode() for name in ShardKeys._fields))


def channel_of(prefix: str) -> bytes:
    """Return the channel over which those who watch a store are woken."""
    return f"{prefix}ring".encode()


def field_of(pk: str, sk: str) -> bytes:
    """Return the name of a row in its shard."""
    return f"{pk}\0{sk}".encode()


def instant_of(micros: int) -> bytes:
    """Write an instant so that the order of bytes is the order of time."""
    return b"%0*d" % (_DIGITS, micros + _ORIGIN)


def stem_of(kind: str) -> bytes:
    """Return the beginning of all members of a kind in the listing, and of no others."""
    name = kind.encode()
    return b"%04d%b" % (len(name), name)


def member_of(standing: Standing, kind: str) -> bytes:
    """Return the member of the listing at a place of a kind."""
    rank, pk, sk = standing
    return stem_of(kind) + _rank_of(rank) + _NUL + field_of(pk, sk)


def field_in(member: bytes) -> bytes:
    """Return the name of the row that a member of an index stands for."""
    return _NUL.join(member.rsplit(_NUL, 2)[1:])


def split(field: bytes) -> tuple[str, str]:
    """Return partition and name of a row."""
    pk, _, sk = field.partition(_NUL)
    return pk.decode(), sk.decode()


def due_at(member: bytes) -> Place:
    """Return the place that a member of the due index stands for."""
    pk, sk = split(member[_DIGITS + 1 :])
    return due_place(pk, sk, int(member[:_DIGITS]) - _ORIGIN)


def packed(row: Row) -> bytes:
    """Return a row as the value it is kept as."""
    kind = None if row.kind is None else row.kind.encode()
    rank = _rank_of(row.rank)
    head = (
        b"%d" % row.version,
        b"" if row.wake_at is None else instant_of(row.wake_at),
        b"" if row.expires_at is None else instant_of(row.expires_at),
        b"" if kind is None else b"%d" % len(kind),
        b"%d" % len(rank),
    )
    return b" ".join((*head, (kind or b"") + rank + row.body))


def unpacked(field: bytes, value: bytes | None) -> Record:
    """Read a row back.

    Raises:
        UnreadableRecord: it is not what `packed` makes.
    """
    pk, sk = split(field)
    found = _HEAD.match(value or b"")
    if found is None or value is None:
        raise damaged(field)
    version, wake_at, expires_at, kind_size, rank_size = found.groups()
    rank_at = found.end() + int(kind_size or 0)
    body_at = rank_at + int(rank_size)
    try:
        kind = value[found.end() : rank_at].decode() if kind_size else None
        rank = value[rank_at:body_at].replace(_RANK_NUL, _NUL).decode()
    except UnicodeDecodeError as exc:
        raise damaged(field) from exc
    return record_of((pk, sk, int(version), value[body_at:], _micros(wake_at), _micros(expires_at), kind, rank))


def listed_at(member: bytes, value: bytes) -> bool:
    """Say whether the row, as it is now, still has its place in the listing where the member is."""
    found = _HEAD.match(value)
    if found is None:
        return True  # nobody knows, and what cannot be read is never skipped
    kind_size, rank_size = found[4], found[5]
    if not kind_size:
        return False
    there = value[found.end() : found.end() + int(kind_size) + int(rank_size)]
    return member == b"%04d%b\0%b" % (int(kind_size), there, field_in(member))


def damaged(field: bytes) -> UnreadableRecord:
    """Return the error for a row of which not even the head can be read."""
    pk, _, sk = field.partition(_NUL)
    return UnreadableRecord(
        f"the row {sk.decode(errors='replace')!r} of {pk.decode(errors='replace')!r} cannot be read: its value was not "
        "written by Interlock. It is kept as it is and is never skipped; restore it from a copy of the store"
    )


def _rank_of(rank: str) -> bytes:
    return rank.encode().replace(_NUL, _RANK_NUL)


def _micros(instant: bytes) -> int | None:
    return int(instant) - _ORIGIN if instant else None

"""How our names are written in a DynamoDB table: one name there for each name here, and the order of rows is kept.

Partitions are written as the table's other writers do: `pipeline/x` is `PIPELINE#x`, `slot/x:daily:2026-03-07` is
`SLOT#x:daily:2026-03-07`, and a single word such as `silences` is `SILENCES`. Whatever has another form is itself behind
`=`. Row names are themselves; only the empty one, which DynamoDB cannot keep, and those that sort no higher than `!` have
a `!` in front. Names that cannot be read back so are other people's.

Sort keys of indexes hold several names. They are joined by a character that none of them holds then, sort as their parts
do one after the other, and are cut where DynamoDB's limit comes near: a digest of the whole then keeps them apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from zlib import crc32

from interlock.stores.kernel import MAX_KEY

LISTING: Final = "GSI1"
DUE: Final = "GSI2"
EXPIRY: Final = "GSI3"

_OURS: Final = re.compile(r"([a-z]+)(?:/(.*))?", re.DOTALL)
_THEIRS: Final = re.compile(r"([A-Z]+)(?:#(.*))?", re.DOTALL)
_OTHER: Final = "="
_LOW: Final = "!"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (written without a zone: it is always UTC)
_INSTANT: Final = 26  # characters of an instant before its Z
_BEHIND_Z: Final = "["  # the character after it
_JOINED: Final = "\1\1"
_ESCAPED: Final = str.maketrans({"\0": "\1\2", "\1": "\1\3"})
_CUT: Final = "\1\4"
_EXACT: Final = 960  # bytes; DynamoDB keeps sort keys of 1,024


def written_pk(pk: str) -> str:
    """Return how a partition is written.

    Raises:
        ValueError: it holds half a character.
    """
    pk.encode()
    found = _OURS.fullmatch(pk)
    if found is None:
        return _OTHER + pk
    head, rest = found[1].upper(), found[2]
    return head if rest is None else f"{head}#{rest}"


def read_pk(written: str) -> str | None:
    """Return the partition that is written so, or None if it is none of ours."""
    if written.startswith(_OTHER):
        pk = written[1:]
        return None if _OURS.fullmatch(pk) else pk
    found = _THEIRS.fullmatch(written)
    if found is None:
        return None
    head, rest = found[1].lower(), found[2]
    return head if rest is None else f"{head}/{rest}"


def written_sk(sk: str) -> str:
    """Return how a row name is written: in the same order, never empty.

    Raises:
        ValueError: it holds half a character.
    """
    sk.encode()
    return _LOW + sk if sk[:1] <= _LOW else sk


def read_sk(written: str) -> str | None:
    """Return the row name that is written so, or None if it is none of ours."""
    if not written.startswith(_LOW):
        return written if written > _LOW else None
    sk = written[1:]
    return sk if sk[:1] <= _LOW else None


def within_limit(text: str) -> str:
    """Cut a bound that is longer than any name: it still has the same names on each side."""
    data = text.encode()
    return text if len(data) <= MAX_KEY else data[: MAX_KEY + 8].decode(errors="ignore")


def written_kind(kind: str) -> str:
    """Return the partition of a listing in its index."""
    return f"TYPE#{kind}"


def read_kind(written: str) -> str:
    """Return the listing whose partition is written so.

    Raises:
        ValueError: it is none.
    """
    if not written.startswith("TYPE#"):
        raise ValueError(f"{written!r} is no listing")
    return written[5:]


def shard_of(pk: str, shards: int) -> int:
    """Return in which part of the due index a partition is: the same in every process."""
    return crc32(pk.encode()) % shards


def due_shard(shard: int) -> str:
    """Return the partition of a part of the due index."""
    return f"DUE#{shard}"


def expiry_shard(shard: int) -> str:
    """Return the partition of a part of the expiry index."""
    return f"EXPIRY#{shard}"


def listing_place(rank: str, pk: str, sk: str) -> str:
    """Return the sort key of a row in its listing."""
    return _bounded(_joined(rank, pk, sk))


def timed_place(micros: int, pk: str, sk: str) -> str:
    """Return the sort key of a row in an index of instants."""
    return _bounded(f"{_instant(micros)}Z{_joined(pk, sk)}")


def behind_instant(micros: int) -> str:
    """Return what is above the sort keys of all rows at or before an instant, and below all others."""
    return _instant(micros) + _BEHIND_Z


def instant_of(place: str) -> datetime:
    """Return the instant of a sort key. One that cannot be read is damage, and due since the beginning of the calendar."""
    try:
        return datetime.fromisoformat(place[:_INSTANT]).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _instant(micros: int) -> str:
    # Not strftime: it writes the year 903 with three digits, and text order would not be time order.
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")


def _joined(*names: str) -> str:
    return _JOINED.join(name.translate(_ESCAPED) for name in names)


def _bounded(key: str) -> str:
    if 4 * len(key) <= _EXACT:
        return key
    data = key.encode()
    if len(data) <= _EXACT:
        return key
    return data[:_EXACT].decode(errors="ignore") + _CUT + blake2b(data, digest_size=24).hexdigest()

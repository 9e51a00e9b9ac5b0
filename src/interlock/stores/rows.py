"""Records as flat rows of plain values, and batches as steps: what the stores of this package keep and compare.

Nothing a caller still holds is ever kept, and nothing kept is ever handed out: a body is JSON text inside a store, so
changing one that was put or got changes nothing that is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final, NamedTuple, TypeAlias

import msgspec

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Body, Change, Delete, Page, Place, Put, Record, check_batch

Standing: TypeAlias = tuple[str, str, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = "\U0010ffff"
_SURROGATES: Final = range(0xD800, 0xE000)
_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(dict)


class Row(NamedTuple):
    """A record with its body as canonical JSON text in UTF-8 and its times in microseconds since 1970."""

    pk: str
    sk: str
    version: int
    body: bytes
    wake_at: int | None
    expires_at: int | None
    kind: str | None
    rank: str


class Step(NamedTuple):
    """One change of a batch: the version the row must be at (None: any), then the row to write or to delete."""

    sk: str
    expected: int | None
    row: Row | None = None
    deletes: bool = False


def steps_of(pk: str, batch: Sequence[Change]) -> tuple[Step, ...]:
    """Turn a batch into steps, and refuse here, before a store is touched, whatever no store could keep.

    Raises:
        ValueError: see `Kernel.commit`; also a body that is not JSON, a naive time, or a key that is not text.
    """
    check_batch(pk, batch)
    _refuse_half_characters(pk)
    return tuple(_step(change) for change in batch)


def _step(change: Change) -> Step:
    if isinstance(change, Put):
        return Step(change.record.sk, change.record.version - 1, row_of(change.record))
    _refuse_half_characters(change.sk)
    return Step(change.sk, change.expected, deletes=isinstance(change, Delete))


def row_of(record: Record) -> Row:
    """Flatten a record.

    Raises:
        ValueError: the body is not JSON, a time is naive, or a key is not text.
    """
    _refuse_half_characters(record.sk, record.rank, record.kind or "")
    return Row(
        record.pk,
        record.sk,
        record.version,
        encode_body(record.body),
        None if record.wake_at is None else micros(record.wake_at),
        None if record.expires_at is None else micros(record.expires_at),
        record.kind,
        record.rank,
    )


def record_of(row: tuple[object, ...]) -> Record:
    """Read a record back, with a body of its own.

    Raises:
        UnreadableRecord: the row is not what `row_of` makes.
    """
    try:
        pk, sk, version, body, wake_at, expires_at, kind, rank = Row(*row)  # type: ignore[arg-type]  # checked by use
        return Record(
            pk=pk,
            sk=sk,
            version=version,
            body=_decoder.decode(body),
            wake_at=None if wake_at is None else _instant(wake_at),
            expires_at=None if expires_at is None else _instant(expires_at),
            kind=kind,
            rank=rank,
        )
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError, OverflowError, RecursionError) as exc:
        raise UnreadableRecord(
            f"the row {row[1]!r} of {row[0]!r} cannot be read: {exc}. It is kept as it is and is never skipped; "
            "restore it from a copy of the store, or delete it if its content is known not to matter",
            cursor=f"{row[7]}\0{row[0]}\0{row[1]}" if len(row) == len(Row._fields) else "",
        ) from exc


def due_place(pk: str, sk: str, wake_at: int) -> Place:
    """Return the place of a row that is due. A stored time before the calendar is damage, and due since its beginning."""
    try:
        return Place(pk, sk, _instant(wake_at))
    except OverflowError:
        return Place(pk, sk, datetime.min.replace(tzinfo=UTC))


def _instant(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def encode_body(body: Body) -> bytes:
    """Return the canonical JSON text of a body: sorted keys, no spaces.

    Raises:
        ValueError: the body is not a JSON object, so that it would come back as something else.
    """
    try:
        fields = body if isinstance(body, dict) else dict(body)
        text = _encoder.encode(fields)
        # msgspec writes NaN as null, sets as lists, times as text. What comes back equal was JSON; the slow look
        # is for the rest, which is nearly always a tuple.
        if _decoder.decode(text) != fields:
            _refuse_foreign(fields, "body")
    except (TypeError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError) as exc:
        raise ValueError(f"the body is not JSON: {exc}") from exc
    return text


def _refuse_foreign(value: object, where: str) -> None:
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} of {where} is not text")
            _refuse_foreign(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_foreign(item, where)
    elif not (isinstance(value, float) and isfinite(value)):
        raise TypeError(f"{where} holds {value!r}")


def _refuse_half_characters(*texts: str) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"a key holds half a character (a lone surrogate), which no store can keep: {exc}") from exc


def micros(moment: datetime) -> int:
    """Return whole microseconds since 1970.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def end_of(prefix: str) -> str | None:
    """Return the least text above every text with this prefix, by code point; None when there is none."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    after = ord(stem[-1]) + 1
    return stem[:-1] + chr(_SURROGATES.stop if after in _SURROGATES else after)


def names_between(prefix: str, page: Page) -> tuple[str, str | None]:
    """Return the bounds of a page of names with a prefix: the first that may be in it, and the least behind them, if any."""
    low, high = prefix, end_of(prefix)
    if page.after is not None and page.backwards:
        high = page.after if high is None else min(high, page.after)
    elif page.after is not None:
        low = max(low, follower(page.after))
    return low, high


def follower(text: str) -> str:
    """Return the least text above a text without NUL, by code point."""
    return text + "\0"


def standing_of(cursor: str) -> Standing:
    """Split the text of `cursor_of` into rank, partition and row name. Only the rank may hold NUL.

    Raises:
        ValueError: it is no such text.
    """
    parts = cursor.rsplit("\0", 2)
    if len(parts) != 3:
        raise ValueError(f"{cursor!r} is not a cursor of a listing: take it from cursor_of(record)")
    return parts[0], parts[1], parts[2]

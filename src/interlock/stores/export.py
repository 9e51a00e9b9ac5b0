"""The format of an export: one line of JSON for each row of a store, a header before them and a trailer behind.

`docs/reference/store-export.md` describes it for others. The digest is a sum over the lines, so that it does not depend on
their order: two stores that hold the same rows have the same digest, whatever order either walks in.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec
from msgspec import Struct

from interlock import reading
from interlock.errors import Invalid
from interlock.stores.kernel import Damaged, Record
from interlock.stores.walking import restorable

FORMAT: Final = "interlock-store-export"
FORMAT_VERSION: Final = 1
MAX_LINE: Final = 64 * 2**20
"""Bytes of the longest line that is written or read."""

_encoder = msgspec.json.Encoder(order="sorted")


class Header(Struct, frozen=True, kw_only=True, rename="camel", tag="header", tag_field="line"):
    """The first line. `live` says that somebody was at work meanwhile: good to look at, and not to be imported."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    interlock: str
    project: str
    provider: str
    exported_at: str
    live: bool = False


class RecordLine(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag="record",
    tag_field="line",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """One row, as it is. Times are texts: RFC 3339, in UTC, to the microsecond."""

    pk: str
    sk: str
    version: int
    body: dict[str, Any]
    wake_at: str | None = None
    expires_at: str | None = None
    kind: str | None = None
    rank: str = ""


class UnreadableRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row that could not be decoded and is not among the lines."""

    pk: str
    sk: str
    trouble: str


class Trailer(Struct, frozen=True, kw_only=True, rename="camel", tag="trailer", tag_field="line"):
    """The last line: without it the file is cut off."""

    count: int
    digest: str
    unreadable: tuple[UnreadableRow, ...] = ()


_Line: TypeAlias = Header | RecordLine | Trailer
_decoder = msgspec.json.Decoder(reading.learnt(_Line))


class Digest:
    """The number of lines, and the sum of their SHA-256 digests modulo 2 ** 256: the same in whatever order they come."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, line: bytes) -> None:
        """Count a line, without its end."""
        self.count += 1
        self._sum = (self._sum + int.from_bytes(sha256(line).digest())) % 2**256

    def __str__(self) -> str:
        return f"sha256-sum:{self._sum:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.count, self._sum) == (other.count, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes


def written(line: Header | Trailer) -> bytes:
    """Return a header or trailer as a line with its end."""
    return _encoder.encode(line) + b"\n"


def line_of(record: Record) -> bytes:
    """Return the one line that a record is written as, without its end: equal records give equal lines.

    Raises:
        Invalid: it is longer than an export can hold.
    """
    line = _encoder.encode(
        RecordLine(
            pk=record.pk,
            sk=record.sk,
            version=record.version,
            body=dict(record.body),
            wake_at=_text(record.wake_at),
            expires_at=_text(record.expires_at),
            kind=record.kind,
            rank=record.rank,
        )
    )
    if len(line) >= MAX_LINE:
        raise Invalid(
            f"the row {record.sk!r} of {record.pk!r} has {len(line):,} bytes, and a line of an export can have {MAX_LINE:,}"
        )
    return line


def lasts(record: Record, at: datetime | None) -> bool:
    """Say whether a row has not expired: one that has is garbage, and any store may remove it at any time."""
    return at is None or record.expires_at is None or record.expires_at > at


def unreadable_row(damaged: Damaged) -> UnreadableRow:
    """Return what a trailer tells of a row that could not be decoded."""
    return UnreadableRow(pk=damaged.pk, sk=damaged.sk, trouble=damaged.trouble)


class Reading:
    """One pass over an export: the header first, then every record, and in the end the trailer is held against them.

    `name` is what messages call it; rows that have expired at `at` are verified like the others, and left out. Everything
    raises `Invalid`, with the number of the line and what to do.
    """

    def __init__(self, source: BinaryIO, name: str, at: datetime | None = None) -> None:
        self._source = source
        self._name = name
        self._at = at
        self._number = 0
        self._lines = Digest()
        self.contents = Digest()
        self.trailer: Trailer | None = None
        self.header = self._header()

    def records(self, seen: Callable[[Record], bool] = lambda _record: True) -> Iterator[Record]:
        """Yield every record. Those it has yielded may be believed only when it has come to its end.

        `seen` answers False for a record whose place was there before.
        """
        while (text := self._next()) is not None:
            line = self._decoded(text)
            if isinstance(line, Header):
                raise self._wrong("another header in the middle: these are two exports in one file")
            if isinstance(line, Trailer):
                self._end(line)
                return
            record = self._record(line)
            if not seen(record):
                raise self._wrong(f"the row {record.sk!r} of {record.pk!r} is there twice")
            self._lines.add(text)
            if lasts(record, self._at):
                self.contents.add(line_of(record))
                yield record
        raise self._wrong("it ends without its trailer: it was cut off")

    def _header(self) -> Header:
        text = self._next()
        try:
            found = None if text is None else msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self._wrong("it is no export of a store. `interlock store export` writes one")
        version = found.get("formatVersion")
        if version != FORMAT_VERSION:
            raise self._wrong(
                f"its format is of version {version!r}, and this Interlock reads version {FORMAT_VERSION}. "
                f"Import it with the Interlock that wrote it ({found.get('interlock')}), or with a later one"
            )
        line = self._decoded(text or b"")
        if not isinstance(line, Header):
            raise self._wrong("it does not begin with a header")
        return line

    def _record(self, line: RecordLine) -> Record:
        try:
            record = Record(
                pk=line.pk,
                sk=line.sk,
                version=line.version,
                body=line.body,
                wake_at=_instant(line.wake_at),
                expires_at=_instant(line.expires_at),
                kind=line.kind,
                rank=line.rank,
            )
            restorable([record])
        except ValueError as exc:
            raise self._wrong(f"it holds no row that a store could keep: {exc}") from exc
        return record

    def _end(self, trailer: Trailer) -> None:
        if (trailer.count, trailer.digest) != (self._lines.count, str(self._lines)):
            raise self._wrong(
                f"the trailer speaks of {trailer.count} rows with the digest {trailer.digest}, and before it are "
                f"{self._lines.count} with {self._lines}: lines were changed, lost or added"
            )
        if self._next() is not None:
            raise self._wrong("something follows the trailer: these are two exports in one file")
        self.trailer = trailer

    def _decoded(self, text: bytes) -> _Line:
        try:
            line: _Line = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise self._wrong(f"it cannot be read: {exc}") from exc
        return line

    def _next(self) -> bytes | None:
        try:
            text = self._source.readline(MAX_LINE + 1)
        except (OSError, EOFError, zlib.error) as exc:  # what gzip says of a file that is cut off or is none
            raise self._wrong(f"it cannot be read on: {exc}") from exc
        self._number += 1
        if not text:
            return None
        if len(text) > MAX_LINE:
            raise self._wrong(f"it is longer than {MAX_LINE:,} bytes")
        if not text.endswith(b"\n"):
            raise self._wrong("it has no end: the file was cut off")
        return text[:-1]

    def _wrong(self, what: str) -> Invalid:
        return Invalid(
            f"{self._name}, line {self._number}: {what}. Nothing is believed of an export that is not whole: "
            "export again, or take another copy"
        )


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no time zone")
    return moment.astimezone(UTC)

"""The format of an export, and what becomes of one that is not whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import Invalid
from interlock.stores import export
from interlock.stores.export import Digest, Header, Reading, Trailer, line_of, written
from interlock.stores.kernel import Record
from interlock.testing.conformance.kernel_values import AWKWARD, NOON, TICK, a_record

HEADER = Header(interlock="1.2.3", project="orders", provider="sqlite", exported_at="2026-03-07T12:00:00+00:00")
ROWS = (
    a_record("p", "a", 7, body={"é": [1, 2.5, None]}, wake_at=NOON, expires_at=NOON + TICK, kind="k", rank="r"),
    a_record("p", "b"),
    a_record("q", "", 2),
)


def an_export(rows: Sequence[Record] = ROWS, header: Header = HEADER) -> bytes:
    digest = Digest()
    lines = [line_of(row) for row in rows]
    for line in lines:
        digest.add(line)
    trailer = Trailer(count=digest.count, digest=str(digest))
    return written(header) + b"".join(line + b"\n" for line in lines) + written(trailer)


def read(data: bytes) -> list[Record]:
    seen = set[tuple[str, str]]()

    def is_new(record: Record) -> bool:
        place = record.pk, record.sk
        new = place not in seen
        seen.add(place)
        return new

    return list(Reading(BytesIO(data), "it.jsonl").records(is_new))


def test_what_was_exported_is_read_back_as_it_was() -> None:
    rows = [*ROWS, *(a_record(f"x{pk}", sk, 3, rank=sk) for pk in AWKWARD for sk in AWKWARD[:9])]
    assert read(an_export(rows)) == rows


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.floats(allow_nan=False)),
    st.datetimes(timezones=st.just(UTC)) | st.none(),
)
def test_a_line_says_all_that_a_store_keeps_of_a_row(body: dict[str, object], at: datetime | None) -> None:
    body = {key: value for key, value in body.items() if not isinstance(value, int) or abs(value) < 2**63}
    row = a_record(
        body={key: value for key, value in body.items() if value not in (float("inf"), -float("inf"))}, wake_at=at
    )
    (found,) = read(an_export([row]))
    assert found == row
    assert line_of(found) == line_of(row)


def test_a_line_is_as_the_reference_says() -> None:
    first = json.loads(line_of(ROWS[0]))
    assert first == {
        "line": "record",
        "pk": "p",
        "sk": "a",
        "version": 7,
        "body": {"é": [1, 2.5, None]},
        "wakeAt": "2126-03-07T12:00:00.000000Z",
        "expiresAt": "2126-03-07T12:00:00.000001Z",
        "kind": "k",
        "rank": "r",
    }
    assert json.loads(line_of(ROWS[1])) == {"line": "record", "pk": "p", "sk": "b", "version": 1, "body": {"n": 1}}


def test_the_same_instant_is_the_same_line_in_any_zone() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert line_of(a_record(wake_at=there)) == line_of(a_record(wake_at=NOON))


def test_the_digest_does_not_depend_on_the_order_and_depends_on_all_else() -> None:
    def digest(rows: Sequence[Record]) -> Digest:
        found = Digest()
        for row in rows:
            found.add(line_of(row))
        return found

    assert digest(ROWS) == digest(ROWS[::-1])
    assert str(digest(ROWS)) == str(digest(ROWS[::-1]))
    others = [ROWS[:2], (*ROWS, ROWS[0]), (*ROWS[:2], a_record("q", "", 3)), (*ROWS, ROWS[1], ROWS[1])]
    assert len({str(digest(rows)) for rows in [ROWS, *others]}) == 5


def test_the_digest_is_what_the_reference_says() -> None:
    """One that anybody can compute: the sum of the SHA-256 of each line."""
    found = Digest()
    found.add(b"a")
    found.add(b"b")
    assert str(found) == "sha256-sum:08bb6928ca5517152e4b8118ff058d82334469f89d507abd84f46634858a4958"


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def _changed(data: bytes) -> bytes:
    return data.replace(b'"n":1', b'"n":9', 1)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "line 1: it is no export"),
    "something else": (lambda _: b'{"a": 1}\n', "line 1: it is no export"),
    "binary": (lambda _: b"\xff\xfe\x00\n", "line 1: it is no export"),
    "no header": (lambda data: b"".join(_lines(data)[1:]), "line 1: it is no export"),
    "later format": (
        lambda data: data.replace(b'"formatVersion":1', b'"formatVersion":2'),
        r"format is of version 2.*Import it with the Interlock that wrote it \(1.2.3\)",
    ),
    "cut in a line": (lambda data: data[:-300], "it has no end: the file was cut off"),
    "cut at a line": (lambda data: b"".join(_lines(data)[:-1]), "line 5: it ends without its trailer: it was cut off"),
    "cut behind the header": (lambda data: _lines(data)[0], "ends without its trailer"),
    "a row lost": (lambda data: b"".join([*_lines(data)[:1], *_lines(data)[2:]]), "trailer speaks of 3 rows.*are 2"),
    "a line changed": (_changed, "lines were changed, lost or added"),
    "a row twice": (
        lambda data: b"".join([*_lines(data)[:2], _lines(data)[1], *_lines(data)[2:]]),
        "line 3: the row 'a' of 'p' is there twice",
    ),
    "two in one": (lambda data: data + data, "something follows the trailer"),
    "a header in the middle": (lambda data: _lines(data)[0] * 2 + data, "line 2: another header"),
    "not json": (lambda data: data.replace(b'{"body"', b'{"body', 1), "line 2: it cannot be read"),
    "a field too many": (lambda data: data.replace(b'"pk":"p"', b'"pk":"p","pq":1', 1), "line 2: it cannot be read"),
    "no key": (lambda data: data.replace(b'"pk":"p",', b"", 1), "line 2: it cannot be read"),
    "version nought": (lambda data: data.replace(b'"version":7', b'"version":0', 1), "line 2: it holds no row"),
    "a naive time": (lambda data: data.replace(b'.000000Z"', b'.000000"', 1), "line 2: it holds no row.*no time zone"),
    "a key with NUL": (lambda data: data.replace(b'"sk":"a"', b'"sk":"a\\u0000"', 1), "line 2: it holds no row.*NUL"),
    "nested for ever": (
        lambda data: data.replace(b'{"n":1}', b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 1),
        "line 3: it cannot be read",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_an_export_that_is_not_whole_is_not_believed(name: str) -> None:
    """T-118: and the message says in which line, what it means and what to do."""
    spoil, words = DAMAGE[name]
    data = spoil(an_export())
    assert data != an_export()
    with pytest.raises(Invalid, match=words) as caught:
        read(data)
    assert str(caught.value).startswith("it.jsonl, line ")
    assert "export again, or take another copy" in str(caught.value)


@pytest.mark.parametrize("cut", range(0, len(an_export()), 17))
def test_wherever_it_is_cut_it_is_noticed(cut: int) -> None:
    with pytest.raises(Invalid):
        read(an_export()[:cut])


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_LINE", 1000)
    lines = _lines(an_export())

    class Endless(BytesIO):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.asked = max(self.asked, size or -1)
            return super().readline(size)

    source = Endless(lines[0] + b'{"line":"record","body":{"x":"' + b"x" * 5000)
    with pytest.raises(Invalid, match="line 2: it is longer than 1,000 bytes"):
        list(Reading(source, "it").records())
    assert source.asked == 1001
    with pytest.raises(Invalid, match="a line of an export can have 1,000"):
        line_of(a_record(body={"x": "x" * 1000}))


def test_what_two_stores_hold_is_compared_by_the_rows_and_not_by_how_they_were_written() -> None:
    """Somebody else's JSON of the same rows is another file, and the same contents."""
    digest = Digest()
    lines = [json.dumps(json.loads(line_of(row)), indent=None, separators=(", ", ": ")).encode() for row in ROWS]
    for line in lines:
        digest.add(line)
    data = b"\n".join([written(HEADER)[:-1], *lines, written(Trailer(count=3, digest=str(digest)))])
    reading = Reading(BytesIO(data), "it")
    assert list(reading.records()) == list(ROWS)
    ours = Reading(BytesIO(an_export()), "it")
    list(ours.records())
    assert reading.contents == ours.contents

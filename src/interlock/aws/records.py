"""Records of the table's stream, and what they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType, field

from interlock import reading
from interlock.errors import InterlockError
from interlock.stores.dynamodb.items import Item

Answer = dict[str, list[dict[str, str]]]


class Malformed(InterlockError):
    """A record, or an item that somebody else wrote, cannot be understood; trying again cannot help."""


class _Change(Struct, frozen=True, kw_only=True, rename="pascal"):
    keys: dict[str, Any]
    sequence_number: str = ""
    new_image: dict[str, Any] | UnsetType = UNSET
    approximate_creation_date_time: float = 0


class _Record(Struct, frozen=True, kw_only=True):
    event: str = field(name="eventName")
    change: _Change = field(name="dynamodb")


class Record(NamedTuple):
    """One change of one item. `at` is when, in seconds since 1970, as DynamoDB counts."""

    event: str
    pk: str
    sk: str
    new: Item
    at: float


def read(raw: Mapping[str, Any]) -> Record:
    """Read a record.

    Raises:
        Malformed: it is none.
    """
    try:
        found = reading.value(raw, _Record)
        keys = found.change.keys
        new = found.change.new_image
        return Record(
            found.event,
            keys["PK"]["S"],
            keys["SK"]["S"],
            {} if new is UNSET else new,
            found.change.approximate_creation_date_time,
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise Malformed(f"a record of the stream cannot be read: {type(exc).__name__}: {exc}") from exc


def each(
    records: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], None]
) -> tuple[Answer, Exception | None]:
    """Do something with each record in order, up to the first that fails.

    Returned is what tells Lambda to go on from that one, as the mapping's `ReportBatchItemFailures` asks, and what went
    wrong. What stands before it is never repeated for it.
    """
    for raw in records:
        try:
            do(raw)
        except Exception as exc:  # noqa: BLE001  (it is told to Lambda, which calls again, and to the log)
            return {"batchItemFailures": [{"itemIdentifier": _number(raw)}]}, exc
    return {"batchItemFailures": []}, None


def _number(raw: Mapping[str, Any]) -> str:
    try:
        return str(raw["dynamodb"]["SequenceNumber"])
    except (KeyError, TypeError):
        return ""  # the whole batch comes again then

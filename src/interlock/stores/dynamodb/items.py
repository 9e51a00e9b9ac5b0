"""Rows as items of a DynamoDB table, and steps of a batch as its conditional writes.

Whatever a condition compares or an index sorts by is an attribute of its own; the body is one JSON text. `version` is what
tells our items from other people's: those have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from interlock.errors import StoreError, UnreadableRecord
from interlock.stores.dynamodb import names
from interlock.stores.kernel import Record
from interlock.stores.rows import Row, Step, record_of

Item: TypeAlias = dict[str, dict[str, Any]]

TTL: Final = "ttl"
TTL_GRACE: Final = 3600  # seconds: so much may a clock of ours be behind that of AWS, and purge still be first
MAX_ITEM: Final = 400_000  # bytes; DynamoDB keeps 409,600, and counts a little differently
MAX_BATCH_BYTES: Final = 4_000_000  # DynamoDB takes 4 MiB in one transaction

_ABSENT: Final = "attribute_not_exists(PK)"
_AT_VERSION: Final = "#version = :expected"
_ABSENT_OR_OURS: Final = "attribute_not_exists(PK) OR attribute_exists(#version)"


class Write(NamedTuple):
    """One conditional write of a batch: what kind, its request, and what it weighs."""

    verb: Literal["Put", "Delete", "ConditionCheck"]
    request: dict[str, Any]
    size: int


def key_of(pk: str, sk: str) -> Item:
    """Return the primary key of a row."""
    return {"PK": {"S": names.written_pk(pk)}, "SK": {"S": names.written_sk(sk)}}


def item_of(row: Row, shards: int) -> Item:
    """Return the item that keeps a row."""
    item = key_of(row.pk, row.sk)
    item |= {"version": {"N": str(row.version)}, "body": {"S": row.body.decode()}}
    if row.rank:
        item["rank"] = {"S": row.rank}
    if row.kind is not None:
        item["GSI1PK"] = {"S": names.written_kind(row.kind)}
        item["GSI1SK"] = {"S": names.listing_place(row.rank, row.pk, row.sk)}
    shard = names.shard_of(row.pk, shards)
    if row.wake_at is not None:
        item["wakeAt"] = {"N": str(row.wake_at)}
        item["GSI2PK"] = {"S": names.due_shard(shard)}
        item["GSI2SK"] = {"S": names.timed_place(row.wake_at, row.pk, row.sk)}
    if row.expires_at is not None:
        item["expiresAt"] = {"N": str(row.expires_at)}
        item["GSI3PK"] = {"S": names.expiry_shard(shard)}
        item["GSI3SK"] = {"S": names.timed_place(row.expires_at, row.pk, row.sk)}
        item[TTL] = {"N": str(-(-row.expires_at // 1_000_000) + TTL_GRACE)}
    return item


def place_of(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return partition and name of an item, or None if no name of ours is written so."""
    pk, sk = names.read_pk(item["PK"]["S"]), names.read_sk(item["SK"]["S"])
    return None if pk is None or sk is None else (pk, sk)


def is_ours(item: Mapping[str, Any]) -> bool:
    """Say whether an item is a row of ours, readable or not."""
    return "version" in item and place_of(item) is not None


def record_in(item: Mapping[str, Any]) -> Record:
    """Read a record of ours back.

    Raises:
        UnreadableRecord: it is not what `item_of` makes.
    """
    pk, sk = place_of(item) or (item["PK"]["S"], item["SK"]["S"])
    try:
        row = Row(
            pk,
            sk,
            int(item["version"]["N"]),
            item["body"]["S"].encode(),
            int(item["wakeAt"]["N"]) if "wakeAt" in item else None,
            int(item["expiresAt"]["N"]) if "expiresAt" in item else None,
            names.read_kind(item["GSI1PK"]["S"]) if "GSI1PK" in item else None,
            item["rank"]["S"] if "rank" in item else "",
        )
    except (KeyError, ValueError) as exc:
        raise UnreadableRecord(
            f"the row {sk!r} of {pk!r} cannot be read: an attribute is missing or of another type ({exc!r}). It is kept as "
            "it is and is never skipped; restore it from a backup of the table, or delete it if its content is known not "
            "to matter",
            cursor=f"{item.get('rank', {}).get('S', '')}\0{pk}\0{sk}",
        ) from exc
    return record_of(row)


def write_of(table: str, pk: str, step: Step, shards: int) -> Write:
    """Return the conditional write that performs a step.

    Raises:
        StoreError: the row is larger than an item can be.
    """
    request: dict[str, Any] = {"TableName": table}
    if step.row is None:
        request["Key"] = key_of(pk, step.sk)
        size = _size(request["Key"])
    else:
        request["Item"] = item_of(step.row, shards)
        size = refuse_large(pk, step.sk, request["Item"])
    request |= _condition(step.expected)
    if step.row is not None:
        return Write("Put", request, size)
    return Write("Delete" if step.deletes else "ConditionCheck", request, size)


def refuse_large(pk: str, sk: str, item: Item) -> int:
    """Return what an item weighs.

    Raises:
        StoreError: it is larger than an item can be.
    """
    size = _size(item)
    if size > MAX_ITEM:
        raise StoreError(
            f"the row {sk!r} of {pk!r} has {size:,} bytes, and an item of DynamoDB can have {MAX_ITEM:,}. Nothing was "
            "written. Keep large things elsewhere and store where they are"
        )
    return size


def refuse_heavy(pk: str, writes: Sequence[Write]) -> None:
    """Refuse a batch that DynamoDB would not take as one transaction.

    Raises:
        StoreError: it is too large.
    """
    size = sum(write.size for write in writes)
    if size > MAX_BATCH_BYTES:
        raise StoreError(
            f"a commit of {len(writes)} rows of {pk!r} has {size:,} bytes, and a transaction of DynamoDB can have "
            f"{MAX_BATCH_BYTES:,}. Nothing was written. Keep large things elsewhere and store where they are"
        )


def _condition(expected: int | None) -> dict[str, Any]:
    """Return the condition of a write. Where nothing or anything of ours is expected, whatever else is there is told."""
    if expected == 0:
        return {"ConditionExpression": _ABSENT, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if expected is None:
        return {
            "ConditionExpression": _ABSENT_OR_OURS,
            "ExpressionAttributeNames": {"#version": "version"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    return {
        "ConditionExpression": _AT_VERSION,
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
    }


def _size(item: Item) -> int:
    """Return what an item weighs, by DynamoDB's rule and rather a little more."""
    return sum(
        len(name) + (len(value["S"].encode()) if "S" in value else len(value["N"]) + 1) for name, value in item.items()
    )

"""Records of a table's stream as Lambda hands them to functions: out of DynamoDB's own API, or made of items by hand."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from typing import Any, Final, Literal, Protocol, TypeAlias

from tests.servers.dynamodb import REGION

Item: TypeAlias = Mapping[str, Any]
Record: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], datetime]
Start: TypeAlias = Literal["TRIM_HORIZON", "LATEST"]

ARN: Final = f"arn:aws:dynamodb:{REGION}:123456789012:table/interlock/stream/2026-03-01T00:00:00.000"
SHARD: Final = "shardId-00000001772323200000-00000000"


class Source(Protocol):
    """Where a pump gets its records."""

    arn: str

    def read(self, busy: Collection[str]) -> Iterator[tuple[str, list[Record]]]:
        """Return what is new, shard by shard, each record once and in order.

        A shard whose parent is among the `busy` ones, or has not been read to its end, waits.
        """
        ...


class StreamSource:
    """A stream by its ARN, read with botocore's client for `dynamodbstreams`.

    With `LATEST` what was written before now is left out. `after` goes on behind a pump's checkpoints. With a `clock`
    records are stamped by it when they are read: for pumps that live in another time than the server.
    """

    def __init__(
        self,
        client: Any,
        arn: str,
        *,
        start: Start = "TRIM_HORIZON",
        after: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.arn = arn
        self._client = client
        self._clock = clock
        self._after = dict(after or {})
        self._iterators: dict[str, str | None] = {}  # None: read to its end
        if start == "LATEST":
            for shard in self._shards():
                closed = "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
                self._iterators[shard["ShardId"]] = None if closed else self._iterator(shard["ShardId"], start)

    def read(self, busy: Collection[str]) -> Iterator[tuple[str, list[Record]]]:
        """Return what is new, parents before their children."""
        listed = self._shards()
        known = {shard["ShardId"] for shard in listed}
        for shard in listed:
            parent, name = shard.get("ParentShardId"), shard["ShardId"]
            if parent in known and (parent in busy or self._iterators.get(str(parent), "") is not None):
                continue
            records = self._new(name)
            if records:
                yield name, records

    def _new(self, shard: str) -> list[Record]:
        if shard not in self._iterators:
            self._iterators[shard] = self._iterator(shard, "TRIM_HORIZON")
        iterator, wires, more = self._iterators[shard], [], True
        while iterator is not None and more:
            answer = self._client.get_records(ShardIterator=iterator)
            iterator, more = answer.get("NextShardIterator"), bool(answer["Records"])
            wires += answer["Records"]
        self._iterators[shard] = iterator  # only now: a call that fails in between loses nothing
        at = None if self._clock is None else self._clock()
        return [lambda_record(wire, self.arn, at=at) for wire in wires]

    def _iterator(self, shard: str, start: Start) -> str:
        last = self._after.get(shard)
        where = {"ShardIteratorType": start} if last is None else _behind(last)
        found = self._client.get_shard_iterator(StreamArn=self.arn, ShardId=shard, **where)
        return str(found["ShardIterator"])

    def _shards(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self._client.describe_stream(StreamArn=self.arn, **more)["StreamDescription"]
            found += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return found
            more = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


class ListSource:
    """Records without a server, in one shard: for simulations."""

    def __init__(self, records: Iterable[Record] = (), *, arn: str = ARN, shard: str = SHARD) -> None:
        self.arn = arn
        self._shard = shard
        self._numbers = count(1)
        self._new = deque(records)

    def put(self, *records: Record) -> None:
        """Add records, behind those that are there."""
        self._new.extend(records)

    def wrote(self, before: Item | None, after: Item | None, *, at: datetime, expired: bool = False) -> None:
        """Add what the stream tells of a write: nothing, if it changed nothing."""
        if before != after:
            self.put(record_of(before, after, number=next(self._numbers), at=at, expired=expired, arn=self.arn))

    def read(self, busy: Collection[str]) -> Iterator[tuple[str, list[Record]]]:
        """Return what was added since the last time."""
        new = [self._new.popleft() for _ in range(len(self._new))]
        if new:
            yield self._shard, new


def record_of(
    before: Item | None,
    after: Item | None,
    *,
    number: int = 1,
    at: datetime = datetime(2026, 3, 7, 12, tzinfo=UTC),
    expired: bool = False,
    keys: Sequence[str] = ("PK", "SK"),
    arn: str = ARN,
) -> Record:
    """Return the record of an item that was made (no `before`), changed, or removed (no `after`; `expired`: by its TTL).

    Items are written as DynamoDB's API writes them. The stream shows new and old images.

    Raises:
        ValueError: nothing has changed, and no stream tells of that.
    """
    item = after if after is not None else before
    if item is None or before == after:
        raise ValueError("a write that changes nothing leaves no record")
    told: dict[str, Any] = {"ApproximateCreationDateTime": at, "Keys": {key: item[key] for key in keys}}
    told |= {} if after is None else {"NewImage": dict(after)}
    told |= {} if before is None else {"OldImage": dict(before)}
    told |= {
        "SequenceNumber": f"{number:021d}",
        "SizeBytes": sum(len(json.dumps(_plain(value))) for name, value in told.items() if name != _STAMP),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    wire = {
        "eventID": blake2b(f"{arn}/{number}".encode(), digest_size=16).hexdigest(),
        "eventName": "INSERT" if before is None else "REMOVE" if after is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": arn.split(":")[3],
        "dynamodb": told,
        **({"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}} if expired else {}),
    }
    return lambda_record(wire, arn)


def lambda_record(wire: Mapping[str, Any], arn: str, *, at: datetime | None = None) -> Record:
    """Return a record of the API as Lambda writes it; `at` is another stamp than the server's."""
    record: Record = _plain(wire)
    record["dynamodb"][_STAMP] = int((at or wire["dynamodb"][_STAMP]).timestamp())
    if "userIdentity" in record:
        who = record["userIdentity"]
        record["userIdentity"] = {"principalId": who["PrincipalId"], "type": who["Type"]}
    return {**record, "eventSourceARN": arn}


def number_of(record: Record) -> str:
    """Return a record's sequence number."""
    return str(record["dynamodb"]["SequenceNumber"])


def stamp_of(record: Record) -> datetime:
    """Return when a record was written, to the second."""
    return datetime.fromtimestamp(record["dynamodb"][_STAMP], UTC)


_STAMP: Final = "ApproximateCreationDateTime"


def _behind(number: str) -> dict[str, str]:
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: bytes are base64, as Lambda writes them."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return b64encode(value).decode() if isinstance(value, bytes | bytearray) else value

"""The laboratory reads real streams: those of an emulator of today's service, and those that Amazon itself wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from tests.aws.lab.pump import StreamMapping, StreamPump, to_queue, to_topic, wall
from tests.aws.lab.streams import ListSource, Start, StreamSource, number_of, record_of, stamp_of
from tests.servers.base import until
from tests.servers.dynamodb import DynamoDBLocalServer, DynamoServer, MiniStackServer

from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock

ITEM: dict[str, Any] = {
    "PK": {"S": "a"},
    "SK": {"S": "b"},
    "n": {"N": "1.5"},
    "bytes": {"B": b"\x00\xff"},
    "several": {"BS": [b"x"]},
    "list": {"L": [{"B": b"x"}, {"NULL": True}, {"M": {"yes": {"BOOL": False}}}]},
}


class Table:
    """A table with a stream, and a client for each service that a test may want."""

    def __init__(self, server: DynamoServer, stack: ExitStack) -> None:
        self.server = server
        self.stack = stack
        self.name = server.fresh_table()
        self.client = self.a_client("dynamodb")
        self.streams = self.a_client("dynamodbstreams")
        made = self.client.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = str(made["TableDescription"]["LatestStreamArn"])

    def a_client(self, service: str) -> Any:
        made = boto3.client(service, **self.server.client_options)  # type: ignore[call-overload, unused-ignore]
        return self.stack.enter_context(closing(made))

    def put(self, sk: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.name, Item={"PK": {"S": "a"}, "SK": {"S": sk}, **attributes})

    def delete(self, sk: str) -> None:
        self.client.delete_item(TableName=self.name, Key={"PK": {"S": "a"}, "SK": {"S": sk}})

    def pump(self, function: Callable[[dict[str, Any]], Any], *, start: Start = "TRIM_HORIZON") -> StreamPump:
        return StreamPump(StreamSource(self.streams, self.arn, start=start), function, clock=wall)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def told(heard: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What a function heard: what happened to which row."""
    return [
        (record["eventName"], record["dynamodb"]["Keys"]["SK"]["S"]) for event in heard for record in event["Records"]
    ]


class StreamContract:
    """What holds of every server's streams; `table` is a fixture of who inherits it."""

    def test_every_change_is_delivered_once_in_order_and_a_write_that_changes_nothing_is_none(
        self, table: Table
    ) -> None:
        heard: list[dict[str, Any]] = []
        pump = table.pump(heard.append)
        table.put("1")
        table.put("2")
        pump.drain()
        table.put("2")
        table.put("1", n={"N": "1"})
        table.delete("2")
        pump.drain()
        assert pump.drain() == 0
        assert told(heard) == [("INSERT", "1"), ("INSERT", "2"), ("MODIFY", "1"), ("REMOVE", "2")]

    def test_a_record_made_by_hand_is_what_the_stream_tells(self, table: Table) -> None:
        """AWS-02: tests with invented records prove something about real ones."""
        heard: list[dict[str, Any]] = []
        pump = table.pump(heard.append)
        changed = {**ITEM, "n": {"N": "2"}}
        table.client.put_item(TableName=table.name, Item=ITEM)
        table.client.put_item(TableName=table.name, Item=changed)
        table.delete("b")
        pump.drain()
        (event,) = heard
        own = ("eventID", "awsRegion", "eventSourceARN")
        measured = ("ApproximateCreationDateTime", "SequenceNumber", "SizeBytes")
        for record, (before, after) in zip(
            event["Records"], [(None, ITEM), (ITEM, changed), (changed, None)], strict=True
        ):
            by_hand = record_of(before, after)
            assert {name: type(value) for name, value in record.items()} == {
                name: type(value) for name, value in by_hand.items()
            }
            for name in own:
                del record[name], by_hand[name]
            for name in measured:
                assert type(record["dynamodb"].pop(name)) is type(by_hand["dynamodb"].pop(name))
            assert record == by_hand
        assert event["Records"][0]["dynamodb"]["NewImage"]["bytes"] == {"B": "AP8="}

    def test_what_was_written_before_a_mapping_at_latest_is_not_delivered(self, table: Table) -> None:
        table.put("before")
        heard: list[dict[str, Any]] = []
        pump = table.pump(heard.append, start="LATEST")
        table.put("after")
        pump.drain()
        assert told(heard) == [("INSERT", "after")]

    def test_another_pump_goes_on_behind_the_checkpoints(self, table: Table) -> None:
        for name in "abc":
            table.put(name)
        source = StreamSource(table.streams, table.arn)
        heard: list[dict[str, Any]] = []

        def fail_at_c(event: dict[str, Any]) -> None:
            if ("INSERT", "c") in told([event]):
                raise ValueError
            heard.append(event)

        first = StreamPump(source, fail_at_c, StreamMapping(batch_size=1), clock=wall)
        first.step()
        table.put("d")
        again = StreamSource(table.streams, table.arn, after=first.checkpoints)
        StreamPump(again, heard.append, clock=wall).drain()
        assert told(heard) == [("INSERT", name) for name in "abcd"]

    def test_records_live_in_the_pumps_time_if_it_has_one(self, table: Table) -> None:
        clock = FakeClock(NOON)
        heard: list[dict[str, Any]] = []
        source = StreamSource(table.streams, table.arn, clock=clock.now)
        table.put("a")
        StreamPump(source, heard.append, StreamMapping(maximum_record_age_in_seconds=60), clock=clock.now).drain()
        assert stamp_of(heard[0]["Records"][0]) == NOON


@pytest.mark.service
@pytest.mark.enable_socket
class TestMiniStack(StreamContract):
    @pytest.fixture
    def table(self, ministack_server: MiniStackServer, stack: ExitStack) -> Table:
        return Table(ministack_server, stack)

    def test_what_is_given_up_reaches_a_queue_and_a_topic_and_those_behind_it_get_through(self, table: Table) -> None:
        sqs, sns = table.a_client("sqs"), table.a_client("sns")
        queue = sqs.create_queue(QueueName=table.name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=table.name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        mapping = StreamMapping(maximum_retry_attempts=1, bisect_batch_on_function_error=True)
        heard: list[dict[str, Any]] = []

        def function(event: dict[str, Any]) -> None:
            if ("INSERT", "bad") in told([event]):
                raise ValueError
            heard.append(event)

        for name in ("a", "bad", "b"):
            table.put(name)
        for destination in (to_queue(sqs, queue), to_topic(sns, topic)):
            source = StreamSource(table.streams, table.arn)
            StreamPump(source, function, mapping, clock=wall, on_failure=destination).drain()
        assert told(heard) == [("INSERT", "a"), ("INSERT", "b")] * 2
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        bodies = [json.loads(message["Body"]) for message in messages]
        bad = self._number_of_bad(table)
        assert [(body["DDBStreamBatchInfo"]["startSequenceNumber"]) for body in bodies] == [bad, bad]
        assert {body["DDBStreamBatchInfo"]["streamArn"] for body in bodies} == {table.arn}

    def _number_of_bad(self, table: Table) -> str:
        ((_, records),) = StreamSource(table.streams, table.arn).read(())
        return number_of(records[1])


@pytest.mark.service
@pytest.mark.enable_socket
class TestAmazonsOwn(StreamContract):
    @pytest.fixture
    def table(self, dynamodb_local_server: DynamoDBLocalServer, stack: ExitStack) -> Table:
        return Table(dynamodb_local_server, stack)

    def test_what_expires_is_removed_by_dynamodb_itself_and_says_so(self, table: Table) -> None:
        table.client.update_time_to_live(
            TableName=table.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
        )
        ttl = {"N": str(int((datetime.now(UTC) - timedelta(minutes=1)).timestamp()))}
        heard: list[dict[str, Any]] = []
        removed = {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}
        source = StreamSource(table.streams, table.arn)
        pump = StreamPump(source, heard.append, StreamMapping(filters=(removed,)), clock=wall)
        table.put("expired", ttl=ttl)
        table.put("by hand")
        table.delete("by hand")
        until(lambda: bool(pump.step()), "the expired item is removed", pause=0.05)
        assert told(heard) == [("REMOVE", "expired")]
        by_hand = record_of({"PK": {"S": "a"}, "SK": {"S": "expired"}, "ttl": ttl}, None, expired=True)
        assert heard[0]["Records"][0]["userIdentity"] == by_hand["userIdentity"]


# ---------------------------------------------------------------- shards, which no local server divides


class Scripted:
    """A client of a stream with shards as given: their parents, and pages of records by number. `broken` fails once."""

    def __init__(self, shards: dict[str, tuple[str, list[list[int]]]], *, closed: tuple[str, ...] = ()) -> None:
        self.shards = shards
        self.closed = closed
        self.broken = False

    def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> dict[str, Any]:  # noqa: N803
        names = list(self.shards)
        place = names.index(ExclusiveStartShardId) + 1 if ExclusiveStartShardId else 0
        name = names[place]
        shard: dict[str, Any] = {"ShardId": name, "SequenceNumberRange": {}}
        if self.shards[name][0]:
            shard["ParentShardId"] = self.shards[name][0]
        more = {"LastEvaluatedShardId": name} if place + 1 < len(names) else {}
        return {"StreamDescription": {"Shards": [shard], **more}}

    def get_shard_iterator(self, ShardId: str, **_: Any) -> dict[str, str]:  # noqa: N803
        return {"ShardIterator": f"{ShardId}/0"}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        shard, page = ShardIterator.split("/")
        pages = self.shards[shard][1]
        if self.broken and page == "1":
            self.broken = False
            raise ConnectionError("away")
        records = [a_wire_record(number) for number in pages[int(page)]] if int(page) < len(pages) else []
        over = shard in self.closed and int(page) + 1 >= len(pages)
        return {
            "Records": records,
            **({} if over else {"NextShardIterator": f"{shard}/{min(int(page) + 1, len(pages))}"}),
        }


def a_wire_record(number: int) -> dict[str, Any]:
    record = record_of(None, {"PK": {"S": "a"}, "SK": {"S": str(number)}}, number=number)
    return {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": NOON}}


def test_a_shard_is_read_when_its_parent_is_read_to_its_end_and_done() -> None:
    client = Scripted({"child": ("parent", [[3], [4]]), "parent": ("", [[1], [2]])}, closed=("parent",))
    heard: list[dict[str, Any]] = []
    failing = [True]

    def function(event: dict[str, Any]) -> None:
        if ("INSERT", "2") in told([event]) and failing:
            raise ValueError
        heard.append(event)

    source = StreamSource(client, "arn:aws:x:eu-central-1")
    pump = StreamPump(source, function, StreamMapping(batch_size=1), clock=lambda: NOON)
    for _ in range(3):
        pump.step()
    assert told(heard) == [("INSERT", "1")]
    failing.clear()
    pump.step()
    pump.step()
    assert told(heard) == [("INSERT", str(number)) for number in (1, 2, 3, 4)]


def test_a_call_that_fails_between_two_pages_loses_no_record() -> None:
    client = Scripted({"one": ("", [[1], [2], [3]])})
    client.broken = True
    heard: list[dict[str, Any]] = []
    pump = StreamPump(StreamSource(client, "arn:aws:x:eu-central-1"), heard.append, clock=lambda: NOON)
    with pytest.raises(ConnectionError):
        pump.step()
    pump.drain()
    assert told(heard) == [("INSERT", str(number)) for number in (1, 2, 3)]


def test_no_record_is_made_of_a_write_that_changes_nothing() -> None:
    source = ListSource()
    source.wrote(ITEM, dict(ITEM), at=NOON)
    assert list(source.read(())) == []
    with pytest.raises(ValueError, match="changes nothing"):
        record_of(ITEM, ITEM)
    with pytest.raises(ValueError, match="changes nothing"):
        record_of(None, None)


def test_a_removal_by_its_ttl_says_who_removed_it_in_lambdas_own_spelling() -> None:
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert record_of(ITEM, None, expired=True)["userIdentity"] == identity
    assert "userIdentity" not in record_of(ITEM, None)

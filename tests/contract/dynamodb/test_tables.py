"""Whose table it is: other people's items, other shapes, later layouts, missing tables, and what is advised on."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import boto3
import pytest
from msgspec.structs import replace
from tests.contract.dynamodb_stores import options_of
from tests.servers.dynamodb import DynamoDBLocalServer, MiniStackServer

from interlock.errors import StoreEmpty, StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.dynamodb.table import LAYOUT_KEY
from interlock.stores.kernel import Check, Delete, Page, Put
from interlock.testing.conformance.kernel_values import NOON, a_record, keep, names

pytestmark = pytest.mark.service


def test_other_peoples_items_are_neither_read_nor_touched(
    kernel: DynamoKernel, options: DynamoOptions, aws: Any
) -> None:
    """They may lie among ours, as markers of other programs do, and even under our names."""
    foreign = [
        {"PK": {"S": "PIPELINE#sales"}, "SK": {"S": "MARKER#landed#1"}, "scheduleID": {"S": "daily"}},
        {"PK": {"S": "PIPELINE#sales"}, "SK": {"S": "!!"}, "data": {"S": "{}"}},
        {"PK": {"S": "RUN#1"}, "SK": {"S": "RUN#1"}, "GSI1PK": {"S": "TYPE#k"}, "GSI1SK": {"S": "1"}},
        {"PK": {"S": "pipeline/sales"}, "SK": {"S": "x"}, "version": {"N": "1"}},
    ]
    for item in foreign:
        aws.put_item(TableName=options.table_name, Item=item)
    keep(kernel, a_record("pipeline/sales", "MARKER#daily", kind="k"))
    assert names(kernel.rows("pipeline/sales", "", Page())) == ["MARKER#daily"]
    assert names(kernel.listing("k", Page())) == ["MARKER#daily"]
    assert kernel.get("pipeline/sales", "MARKER#landed#1") is None
    assert [row.sk for row in kernel.walk(None, 1000).found] == ["MARKER#daily"]
    taken = a_record("pipeline/sales", "MARKER#landed#1")
    for change in (Put(taken), Delete(taken.sk), Check(taken.sk, 0)):
        for others in ([], [Put(a_record("pipeline/sales", "new"))]):
            with pytest.raises(StoreError, match="an item that Interlock did not write"):
                kernel.commit("pipeline/sales", [change, *others])
    with pytest.raises(StoreError, match="an item that Interlock did not write"):
        kernel.restore([taken])
    assert kernel.commit("pipeline/sales", [Put(replace(taken, version=2))]) is False
    for item in foreign:
        assert aws.get_item(TableName=options.table_name, Key={key: item[key] for key in ("PK", "SK")})["Item"] == item


def test_rows_lie_where_the_documentation_says(kernel: DynamoKernel, options: DynamoOptions, aws: Any) -> None:
    moved = a_record("slot/sales:daily:2026-03-07", "RUN#000001", kind="runs/sales", rank="r", wake_at=NOON)
    keep(kernel, moved)
    (item,) = aws.query(
        TableName=options.table_name,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
        ExpressionAttributeValues={":pk": {"S": "SLOT#sales:daily:2026-03-07"}, ":sk": {"S": "RUN#"}},
    )["Items"]
    assert item["version"] == {"N": "1"}
    assert item["body"] == {"S": '{"n":1}'}
    assert item["GSI1PK"] == {"S": "TYPE#runs/sales"}
    assert item["GSI2SK"]["S"].startswith("2126-03-07T12:00:00.000000Z")


def test_a_table_of_a_later_interlock_is_left_untouched(kernel: DynamoKernel, options: DynamoOptions, aws: Any) -> None:
    later = {**LAYOUT_KEY, "layout": {"N": "2"}, "shards": {"N": "64"}}
    aws.put_item(TableName=options.table_name, Item=later)
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match="layout 2; this one knows 1"):
            DynamoKernel(options, read_only=read_only)
    assert aws.scan(TableName=options.table_name)["Items"] == [later]
    with pytest.raises(StoreUnavailable, match="changed its layout"):
        kernel.ping()


def test_a_table_with_more_parts_is_used_as_it_was_made(options: DynamoOptions, kernel: DynamoKernel, aws: Any) -> None:
    """How many parts an index has belongs to the table, not to whoever opens it."""
    aws.put_item(TableName=options.table_name, Item={**LAYOUT_KEY, "layout": {"N": "1"}, "shards": {"N": "7"}})
    with closing(DynamoKernel(options)) as other:
        keep(other, *(a_record(f"p{number}", wake_at=NOON) for number in range(60)))
        assert len(other.due(NOON, 100)) == 60
    parts = {item["GSI2PK"]["S"] for item in aws.scan(TableName=options.table_name)["Items"] if "GSI2PK" in item}
    assert parts == {f"DUE#{part}" for part in range(7)}


def _table(name: str, *, sort_key: str = "S", indexes: tuple[str, ...] = ("GSI1", "GSI2", "GSI3")) -> dict[str, Any]:
    attributes = {"PK": "S", "SK": sort_key} | {f"{index}{end}": "S" for index in indexes for end in ("PK", "SK")}

    def schema(prefix: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": f"{prefix}PK", "KeyType": "HASH"},
            {"AttributeName": f"{prefix}SK", "KeyType": "RANGE"},
        ]

    described = [
        {"IndexName": index, "KeySchema": schema(index), "Projection": {"ProjectionType": "ALL"}} for index in indexes
    ]
    return {
        "TableName": name,
        "KeySchema": schema(""),
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        "BillingMode": "PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": described} if described else {}),
    }


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"sort_key": "N"}, "its primary key is not PK and SK, both text"),
        ({"indexes": ()}, "it has no index GSI1"),
        ({"indexes": ("GSI1", "GSI2")}, r"it has no index GSI3 \(GSI3PK, GSI3SK: both text\)"),
    ],
)
def test_a_table_of_another_shape_is_refused_and_stays_as_it_is(
    options: DynamoOptions, aws: Any, shape: dict[str, Any], words: str
) -> None:
    aws.create_table(**_table(options.table_name, **shape))
    with pytest.raises(StoreError, match=words):
        DynamoKernel(options)
    assert aws.scan(TableName=options.table_name)["Items"] == []


def test_a_table_made_by_others_in_our_shape_is_used_and_advised_on(options: DynamoOptions, aws: Any) -> None:
    """Capabilities are looked at, not assumed."""
    aws.create_table(**_table(options.table_name))
    with closing(DynamoKernel(replace(options, create_table=False))) as kernel:
        keep(kernel, a_record(kind="k", wake_at=NOON))
        assert names(kernel.listing("k", Page())) == ["a"]
        found = kernel.advice()
    assert [
        word
        for word in ("stream", "deletion protection", "expired rows", "point-in-time")
        for text in found
        if word in text
    ] == [
        "stream",
        "deletion protection",
        "expired rows",
        "point-in-time",
    ]


def test_a_table_of_our_making_leaves_nothing_to_advise(kernel: DynamoKernel) -> None:
    assert kernel.advice() == ()


def test_a_missing_table_is_made_only_by_who_may(options: DynamoOptions, aws: Any) -> None:
    with pytest.raises(StoreError, match=r"there is no such table.*dynamodb.createTable: true"):
        DynamoKernel(replace(options, create_table=False))
    with pytest.raises(StoreError, match="there is no such table") as refused:
        DynamoKernel(replace(options, create_table=False), read_only=True)
    assert not isinstance(refused.value, StoreEmpty)
    with pytest.raises(StoreEmpty, match="no such table yet"):
        DynamoKernel(options, read_only=True)
    assert options.table_name not in aws.list_tables()["TableNames"]


def test_who_only_reads_writes_nothing_and_can_tell_whether_it_could(
    options: DynamoOptions, kernel: DynamoKernel
) -> None:
    keep(kernel, a_record(expires_at=NOON))
    with closing(DynamoKernel(options, read_only=True)) as reader:
        assert reader.get("p", "a") is not None
        for verb in (
            lambda: reader.commit("p", [Put(a_record(sk="b"))]),
            lambda: reader.purge(NOON, 10),
            lambda: reader.restore([a_record(sk="b")]),
        ):
            with pytest.raises(StoreError, match="opened for reading only"):
                verb()
        reader.ping()
    assert names(kernel.rows("p", "", Page())) == ["a"]


def test_a_dropped_table_is_told_by_every_verb(options: DynamoOptions, kernel: DynamoKernel, aws: Any) -> None:
    aws.update_table(TableName=options.table_name, DeletionProtectionEnabled=False)
    aws.delete_table(TableName=options.table_name)
    for verb in (
        lambda: kernel.get("p", "a"),
        lambda: kernel.commit("p", [Put(a_record())]),
        lambda: kernel.due(NOON, 1),
    ):
        with pytest.raises(StoreError, match="there is no such table"):
            verb()
    with pytest.raises(StoreUnavailable, match="there is no such table"):
        kernel.ping()


def test_a_ping_is_heard_by_no_stream(
    ministack_server: MiniStackServer, options: DynamoOptions, kernel: DynamoKernel, aws: Any
) -> None:
    """Functions on AWS are called for what happens, and a ping is nothing that happens."""
    arn = aws.describe_table(TableName=options.table_name)["Table"]["LatestStreamArn"]
    with closing(boto3.client("dynamodbstreams", **ministack_server.client_options)) as streams:  # type: ignore[call-overload, unused-ignore]

        def heard() -> int:
            found = 0
            for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
                start = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                )
                found += len(streams.get_records(ShardIterator=start["ShardIterator"])["Records"])
            return found

        keep(kernel, a_record())
        before = heard()
        kernel.ping()
        assert heard() == before > 0


def test_a_server_that_takes_less_in_one_transaction_says_so(dynamodb_local_server: DynamoDBLocalServer) -> None:
    with closing(DynamoKernel(options_of(dynamodb_local_server))) as kernel:
        with pytest.raises(StoreError, match=r"DynamoDB refuses the request. Nothing was written.*ValidationException"):
            kernel.commit("p", [Put(a_record(sk=str(number))) for number in range(30)])
        assert kernel.rows("p", "", Page()) == []


def test_an_old_server_without_backups_is_used_and_told_of(dynamodb_local_server: DynamoDBLocalServer) -> None:
    with closing(DynamoKernel(options_of(dynamodb_local_server))) as kernel:
        kernel.ping()
        told = " ".join(kernel.advice())
    assert "point-in-time recovery" in told
    assert "could not be checked" in told
    assert "stream" not in told
    assert "expired rows" not in told

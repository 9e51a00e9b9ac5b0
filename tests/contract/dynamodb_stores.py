"""Stores in DynamoDB for tests: on a table of their own, or on one that is emptied between two tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import boto3
from tests.servers.dynamodb import DynamoServer

from interlock.stores.dynamodb import kernel as module
from interlock.stores.dynamodb.client import make_client
from interlock.stores.dynamodb.items import key_of
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.dynamodb.table import LAYOUT_KEY


def options_of(server: DynamoServer, **others: Any) -> DynamoOptions:
    """A table of its own. Nothing is about time limits unless it says so: a busy machine may take its time."""
    return DynamoOptions(
        **{
            "table_name": server.fresh_table(),
            "region": server.region,
            "endpoint": server.url,
            "create_table": True,
            "timeout": timedelta(seconds=40),
            **others,
        }
    )


@contextmanager
def bare(server: DynamoServer) -> Iterator[Any]:
    """A client beside the store."""
    with closing(boto3.client("dynamodb", **server.client_options)) as client:  # type: ignore[call-overload, unused-ignore]
        yield client


class OneTable:
    """A table and a client for many tests, one after the other: making both anew takes longer than most of them."""

    def __init__(self, server: DynamoServer) -> None:
        self.options = options_of(server)
        self.client = make_client(self.options)
        DynamoKernel(self.options).close()
        # The instants of the suites are in the past, and the server would remove what has expired.
        self.client.update_time_to_live(
            TableName=self.options.table_name, TimeToLiveSpecification={"Enabled": False, "AttributeName": "ttl"}
        )

    def opened(self, kind: type[DynamoKernel] = DynamoKernel) -> DynamoKernel:
        """Open the store, empty."""
        table = self.options.table_name
        pages = self.client.get_paginator("scan").paginate(TableName=table, ProjectionExpression="PK, SK")
        keys = [item for page in pages for item in page["Items"] if item != LAYOUT_KEY]
        for start in range(0, len(keys), 25):
            requests = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
            self.client.batch_write_item(RequestItems={table: requests})
        with mock.patch.object(module, "make_client", return_value=self.client):
            return kind(self.options)

    def spoil(self, pk: str, sk: str) -> None:
        """Damage the body of a row."""
        self.client.update_item(
            TableName=self.options.table_name,
            Key=key_of(pk, sk),
            UpdateExpression="SET body = :broken",
            ExpressionAttributeValues={":broken": {"S": "{"}},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

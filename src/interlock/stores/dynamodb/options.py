"""What a DynamoDB store is opened with."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct


class DynamoOptions(Struct, frozen=True, kw_only=True):
    """Where the table is and how to reach it. There is no secret in it: credentials come from the AWS environment.

    `region`, `profile` and `endpoint` left empty are taken from the AWS environment. `timeout` bounds each call with all
    its tries. `create_table` makes a missing table.
    """

    table_name: str
    region: str = ""
    endpoint: str = ""
    profile: str = ""
    create_table: bool = False
    timeout: timedelta = timedelta(seconds=5)

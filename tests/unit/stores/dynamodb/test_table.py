"""What of a table can be told to whom."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.stores.dynamodb.test_calls import LATE, Scripted, calls_on, said

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb.table import LAYOUT_KEY, Layout, Table

LAYOUT_ITEM = {**LAYOUT_KEY, "layout": {"N": "1"}, "shards": {"N": "4"}}
DENIED = said("AccessDeniedException")


def _schema(prefix: str) -> list[dict[str, str]]:
    return [{"AttributeName": f"{prefix}PK", "KeyType": "HASH"}, {"AttributeName": f"{prefix}SK", "KeyType": "RANGE"}]


def _described(**others: Any) -> dict[str, Any]:
    indexes = ("GSI1", "GSI2", "GSI3")
    return {
        "Table": {
            "TableStatus": "ACTIVE",
            "KeySchema": _schema(""),
            "AttributeDefinitions": [
                {"AttributeName": f"{prefix}{end}", "AttributeType": "S"}
                for prefix in ("", *indexes)
                for end in ("PK", "SK")
            ],
            "GlobalSecondaryIndexes": [
                {"IndexName": index, "KeySchema": _schema(index), "IndexStatus": "ACTIVE"} for index in indexes
            ],
            **others,
        }
    }


def test_who_may_not_look_at_the_table_trusts_its_layout() -> None:
    """A function's role needs no permission beyond its items."""
    client = Scripted(DENIED, {"Item": LAYOUT_ITEM})
    assert Table(calls_on(client), "t").prepare(create=False, read_only=False) == Layout(1, 4)
    assert [request["operation"] for request in client.asked] == ["describe_table", "get_item"]


def test_opening_a_table_that_is_ready_takes_two_calls() -> None:
    client = Scripted(_described(), {"Item": LAYOUT_ITEM})
    assert Table(calls_on(client), "t").prepare(create=True, read_only=False) == Layout(1, 4)
    assert len(client.asked) == 2


def test_a_table_that_is_being_made_is_waited_for() -> None:
    creating = _described(TableStatus="CREATING")
    client = Scripted(creating, creating, _described(), {"Item": LAYOUT_ITEM})
    assert Table(calls_on(client), "t").prepare(create=False, read_only=True) == Layout(1, 4)


def test_an_index_that_is_being_made_cannot_be_used_yet() -> None:
    found = _described()
    found["Table"]["GlobalSecondaryIndexes"][1]["IndexStatus"] = "CREATING"
    with pytest.raises(StoreUnavailable, match="its index GSI2 is being made"):
        Table(calls_on(Scripted(found, {"Item": LAYOUT_ITEM})), "t").prepare(create=False, read_only=False)


def test_a_layout_that_says_nothing_is_not_guessed() -> None:
    client = Scripted(_described(), {"Item": {**LAYOUT_KEY, "layout": {"S": "one"}}})
    with pytest.raises(StoreError, match="says nothing that can be understood"):
        Table(calls_on(client), "t").prepare(create=True, read_only=False)


def test_a_role_that_may_not_make_a_table_is_told() -> None:
    client = Scripted(said("ResourceNotFoundException"), DENIED)
    with pytest.raises(StoreError, match=r"cannot create the DynamoDB table 't'.*this role may not do that"):
        Table(calls_on(client), "t").prepare(create=True, read_only=False)


def test_what_a_role_may_not_look_at_is_said_not_to_be_known() -> None:
    """Silence would be taken for health."""
    advice = Table(calls_on(Scripted(DENIED)), "t").advice()
    assert len(advice) == 3
    assert all("could not be checked: this role may not (dynamodb:Describe" in text for text in advice)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ({}, "is off"),
        ({"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}, "shows NEW_IMAGE alone"),
        ({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}, None),
    ],
)
def test_a_stream_is_advised_on_by_what_it_shows(stream: dict[str, Any], words: str | None) -> None:
    client = Scripted(
        _described(StreamSpecification=stream, DeletionProtectionEnabled=True),
        {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}},
        {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}},
    )
    advice = Table(calls_on(client), "t").advice()
    assert [words in text for text in advice if words] == ([True] if words else [])
    assert len(advice) == (1 if words else 0)


def test_time_to_live_on_another_attribute_is_none() -> None:
    client = Scripted(
        DENIED, {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}}, DENIED
    )
    assert "Enable time to live on the attribute 'ttl'" in Table(calls_on(client), "t").advice()[1]


def test_no_answer_is_no_advice() -> None:
    with pytest.raises(StoreUnavailable):
        Table(calls_on(Scripted(LATE), timeout=0.2), "t").advice()

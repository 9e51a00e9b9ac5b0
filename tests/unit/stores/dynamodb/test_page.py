"""The page about the store in DynamoDB says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from msgspec import structs

from interlock.stores.dynamodb import items as dynamodb_items
from interlock.stores.dynamodb import names as dynamodb_names
from interlock.stores.dynamodb import table as dynamodb_table
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.rows import row_of
from interlock.testing.conformance.kernel_values import NOON, a_record

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs/reference/store-dynamodb.md").read_text()
SOURCES = "".join(path.read_text() for path in (ROOT / "src/interlock/stores/dynamodb").glob("*.py"))
CALLS = set(
    re.findall(r'"((?:get|put|delete|update|describe|create|batch_get|batch_write)_[a-z_]+|query|scan)"', SOURCES)
)


def _granted() -> set[str]:
    found: set[str] = set()
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        for statement in json.loads(block)["Statement"]:
            assert all("*" not in action for action in statement["Action"])
            found |= set(statement["Action"])
    return found


def test_the_permissions_are_those_of_the_calls_that_are_made_and_no_others() -> None:
    """A role should not be able to do more than it has to."""
    assert len(CALLS) > 10
    made = {"dynamodb:" + call.title().replace("_", "") for call in CALLS}
    assert _granted() == made | {
        "dynamodb:ConditionCheckItem"
    }  # which no call is named after: it is part of transactions


def test_every_setting_has_its_line() -> None:
    lines = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert {field.encode_name for field in structs.fields(DynamoOptions)} <= {_snake(line) for line in lines}


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def test_every_attribute_has_its_line() -> None:
    item = dynamodb_items.item_of(
        row_of(a_record(wake_at=NOON, expires_at=NOON, kind="k", rank="r")), dynamodb_table.SHARDS
    )
    named = {
        name
        for cell in re.findall(r"^\| (`.+?) \| [SN] \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert set(item) == named


def test_limits_are_those_of_the_code() -> None:
    assert f"{dynamodb_items.MAX_ITEM:,} bytes" in PAGE
    assert f"{dynamodb_items.MAX_BATCH_BYTES:,} bytes" in PAGE
    assert f"the first {dynamodb_names._EXACT} bytes" in PAGE
    assert dynamodb_table.SHARDS == 4
    assert "(four)" in PAGE
    assert dynamodb_items.TTL_GRACE == 3600
    assert "and an hour" in PAGE

"""The deployment's filters, held against the records of a real stream that our own store has written into.

A filter that fits nothing is silent: the function is never called, and nothing fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import boto3
import pytest
from msgspec.structs import replace
from tests.aws.lab.filters import Filters
from tests.aws.lab.streams import Record, StreamSource
from tests.contract.dynamodb_stores import bare, options_of
from tests.servers.base import ROOT
from tests.servers.dynamodb import MiniStackServer
from tests.unit.core.alert_lives import PACE, PAGER, an_alert
from tests.unit.stores.lived import lived

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core import dispatching
from interlock.core.events import CancelAsked
from interlock.ports.controls import Marker
from interlock.stores import keys
from interlock.stores.controls import ControlRows
from interlock.stores.dispatches import DispatchRows
from interlock.stores.dynamodb.items import is_ours, place_of, record_in
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.kernel import Record as Row
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, SECOND, a_slot
from interlock.testing.world import SPEC

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

TABLE: dict[str, dict[str, Any]] = json.loads((ROOT / "deploy/terraform/functions.json").read_text(encoding="utf-8"))
FILTERED = sorted(name for name, function in TABLE.items() if function["filters"])
SLOT = a_slot("2026-03-08")
FOREIGN: dict[str, dict[str, dict[str, str]]] = {
    "the least": {"PK": {"S": "PIPELINE#example"}, "SK": {"S": "MARKER#landed#1"}},
    "with all it may say": {
        "PK": {"S": "PIPELINE#example"},
        "SK": {"S": "MARKER#freshness#2026-03-07T12:00:00Z"},
        "scheduleID": {"S": "daily"},
        "date": {"S": "2026-03-07"},
        "source": {"S": "upstream"},
        "ttl": {"N": "1900000000"},
    },
    "of a pipeline that nobody knows": {"PK": {"S": "PIPELINE#"}, "SK": {"S": "MARKER#"}, "date": {"N": "7"}},
}
OTHERS: dict[str, dict[str, dict[str, str]]] = {
    "a token": {
        "PK": {"S": "PARKED#example:daily:2026-03-08:1"},
        "SK": {"S": "TOKEN#example-20260308-0123456789ab"},
        "version": {"N": "1"},
        "body": {"S": '{"token":"secret"}'},
        "ttl": {"N": "1900000000"},
    },
    "a lock of another engine": {"PK": {"S": "PIPELINE#example"}, "SK": {"S": "LOCK#1"}},
    "a run log of another engine": {"PK": {"S": "PIPELINE#example"}, "SK": {"S": "RUNLOG#2026-03-07#daily"}},
}


class Told(NamedTuple):
    """A record, and what our own codec reads of it: None where it is no row of ours."""

    record: Record
    row: Row | None

    @property
    def event(self) -> str:
        return str(self.record["eventName"])

    @property
    def key(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.record["dynamodb"]["Keys"]
        return found


def read_back(record: Record) -> Told:
    image = record["dynamodb"].get("NewImage") or record["dynamodb"]["OldImage"]
    ours = is_ours(image) and place_of(image) is not None
    return Told(record, record_in(image) if ours else None)


def much_happens(kernel: DynamoKernel, client: Any, table: str) -> None:
    """Let every kind of row be written, some be changed and some be removed."""
    kernel.restore(lived())
    store, dispatches = Repository(kernel), DispatchRows(kernel)
    run = open_run(SLOT, SPEC, store, NOON).run
    advance(run.key, CancelAsked(at=NOON + SECOND, actor="ann", reason="enough"), store)
    alert = dispatching.opened(an_alert("run_failed/new"), (PAGER,), PACE, NOON)
    assert dispatches.commit(None, alert)
    assert dispatches.commit(alert, replace(dispatching.resolved(alert, "it ran", NOON), version=2))
    ControlRows(kernel).put_marker(Marker(slot=SLOT, source="upstream", at=NOON))
    for item in [*FOREIGN.values(), *OTHERS.values()]:
        client.put_item(TableName=table, Item=item)
    client.put_item(TableName=table, Item={**FOREIGN["the least"], "source": {"S": "again"}})
    for key in (FOREIGN["the least"], {"PK": {"S": f"SLOT#{SLOT}"}, "SK": {"S": keys.run_sk(1)}}):
        client.delete_item(TableName=table, Key={name: key[name] for name in ("PK", "SK")})


@pytest.fixture(scope="module")
def told(ministack_server: MiniStackServer) -> Iterator[tuple[Told, ...]]:
    options = options_of(ministack_server)
    with (
        closing(DynamoKernel(options)) as kernel,
        bare(ministack_server) as client,
        closing(boto3.client("dynamodbstreams", **ministack_server.client_options)) as streams,  # type: ignore[call-overload, unused-ignore]
    ):
        arn = client.describe_table(TableName=options.table_name)["Table"]["LatestStreamArn"]
        much_happens(kernel, client, options.table_name)
        ((_, found),) = StreamSource(streams, arn).read(())
        yield tuple(read_back(record) for record in found)


def taken(told: tuple[Told, ...], function: str) -> list[Told]:
    filters = Filters(*TABLE[function]["filters"])
    return [each for each in told if filters.take(each.record)]


def test_every_kind_of_row_was_written_changed_and_removed(told: tuple[Told, ...]) -> None:
    assert {each.event for each in told} == {"INSERT", "MODIFY", "REMOVE"}
    assert len({each.row.sk.split("#")[0] for each in told if each.row is not None}) > 15


@pytest.mark.parametrize(
    ("function", "number"), [(name, number) for name in FILTERED for number in range(len(TABLE[name]["filters"]))]
)
def test_each_filter_fits_something_that_is_really_written(told: tuple[Told, ...], function: str, number: int) -> None:
    """AWS-02."""
    pattern = TABLE[function]["filters"][number]
    for event in pattern["eventName"]:
        alone = Filters({**pattern, "eventName": [event]})
        assert [each for each in told if alone.take(each.record)], event


def test_the_router_hears_of_each_run_that_was_opened_or_changed_and_of_no_other_row_of_ours(
    told: tuple[Told, ...],
) -> None:
    """AWS-02, AWS-43."""
    runs = [
        each
        for each in told
        if each.row is not None
        and each.event != "REMOVE"
        and each.row.pk.startswith("slot/")
        and each.row.sk.startswith(keys.RUN_PREFIX)
    ]
    assert [each for each in taken(told, "stream-router") if each.row is not None] == runs
    opened_and_ended = [each.event for each in runs if each.row is not None and each.row.pk == keys.slot_pk(SLOT)]
    assert opened_and_ended == ["INSERT", "MODIFY"]


def test_the_router_hears_of_the_markers_of_others_and_of_none_of_ours(told: tuple[Told, ...]) -> None:
    """AWS-02."""
    foreign = [(each.event, each.key["SK"]["S"]) for each in taken(told, "stream-router") if each.row is None]
    written = [item["SK"]["S"] for item in FOREIGN.values()]
    assert foreign == [*(("INSERT", sk) for sk in written), ("MODIFY", written[0])]
    ours = [each for each in told if each.row is not None and each.row.sk.startswith(keys.MARKER_PREFIX)]
    assert len(ours) > 1


def test_alerts_and_events_are_delivered_when_they_are_due_and_only_then(told: tuple[Told, ...]) -> None:
    """AWS-02."""
    rows = [each for each in told if each.row is not None and each.row.sk == keys.DISPATCH_SK]
    due = [each for each in rows if each.row is not None and each.row.wake_at is not None and each.event != "REMOVE"]
    assert taken(told, "alert-delivery") == due
    assert 0 < len(due) < len(rows)
    assert all(each.row is not None and each.row.pk.startswith(keys.DISPATCH_PREFIX) for each in rows)


def test_no_function_is_called_for_its_own_bookkeeping(told: tuple[Told, ...]) -> None:
    """AWS-43: most of what is written calls nobody."""
    called = [each for name in FILTERED for each in taken(told, name)]
    assert len(called) < len(told) / 10
    assert not [each for each in called if each.key["PK"]["S"].startswith("PARKED#")]

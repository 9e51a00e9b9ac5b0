"""Where a waiting execution leaves the token that wakes it: a row of its own beside its run.

The state machine writes the row itself, in one transaction with the condition that the run is still as it was seen: so
nothing that happens to a run is slept through. It is read here; both go by the names below. An execution has one row, which
each of its waits overwrites; two executions of one run have two, so that neither takes the other's token away.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final, NamedTuple

from interlock.aws.state import Wait
from interlock.core.ids import RunId
from interlock.core.runs import Run
from interlock.stores import keys
from interlock.stores.dynamodb import names
from interlock.stores.dynamodb.items import TTL
from interlock.stores.kernel import Delete, Kernel, Record
from interlock.stores.paging import rows_in

TOKENS: Final = "TOKEN"
"""How the names of these rows begin. A row of an earlier release is called nothing else."""

LINGERS: Final = timedelta(days=1)
_UNKNOWN: Final = datetime.fromtimestamp(0, tz=UTC)


class Parked(NamedTuple):
    """A waiting execution's token in its row, which version of its run it has seen, and until when it waits at the most."""

    row: str
    token: str
    seen: int
    until: datetime = _UNKNOWN


class Parking:
    """The tokens, over any kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def find(self, run: RunId) -> tuple[Parked, ...]:
        """Return who waits for a run, as it is now: mostly one, and whoever was stopped while it waited."""
        return tuple(_parked(record) for record in rows_in(self._kernel, parked_pk(run), TOKENS))

    def clear(self, run: RunId, parked: Parked) -> None:
        """Forget who waited; not who waits by now."""
        self._kernel.commit(parked_pk(run), [Delete(parked.row, parked.seen)])


def _parked(record: Record) -> Parked:
    # A row of an earlier release does not say until when.
    ttl = record.body.get("ttl")
    until = _UNKNOWN if ttl is None else datetime.fromtimestamp(int(ttl), tz=UTC) - LINGERS
    return Parked(record.sk, str(record.body["token"]), record.version, until)


def parked_pk(run: RunId) -> str:
    """Return the partition of a run's tokens."""
    return f"parked/{run}"


def wait_of(run: Run, until: datetime, now: datetime) -> Wait:
    """Return the wait until an instant, at least a second."""
    over = max(until, now + timedelta(seconds=1))
    return Wait(
        seconds=ceil((over - now) / timedelta(seconds=1)),
        seen=str(run.version),
        slot=names.written_pk(keys.slot_pk(run.key.slot)),
        row=names.written_sk(keys.run_sk(run.key.number)),
        parked=names.written_pk(parked_pk(run.key.run_id)),
        ttl=str(ceil((over + LINGERS).timestamp())),
    )


def parking_request(table: str) -> dict[str, Any]:
    """Return the parameters of the state that waits: JSONPath, by the names of `Wait`."""
    seen = {
        "TableName": table,
        "Key": {"PK": {"S.$": "$.wait.slot"}, "SK": {"S.$": "$.wait.row"}},
        "ConditionExpression": "#version = :seen",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":seen": {"N.$": "$.wait.seen"}},
    }
    body = 'States.Format(\'\\{"token":"{}","ttl":{}\\}\', $$.Task.Token, $.wait.ttl)'
    item = {
        "PK": {"S.$": "$.wait.parked"},
        "SK": {"S.$": f"States.Format('{TOKENS}#{{}}', $$.Execution.Name)"},
        "version": {"N.$": "$.wait.seen"},
        "body": {"S.$": body},
        TTL: {"N.$": "$.wait.ttl"},
    }
    return {"TransactItems": [{"ConditionCheck": seen}, {"Put": {"TableName": table, "Item": item}}]}

"""Where a waiting execution leaves the token that wakes it: a row beside its run.

The state machine writes the row itself, in one transaction with the condition that the run is still as it was seen: so
nothing that happens to a run is slept through. It is read here; both go by the names below.
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
from interlock.stores.kernel import Delete, Kernel

TOKEN_SK: Final = "TOKEN"  # noqa: S105  (a row's name)
LINGERS: Final = timedelta(days=1)
_UNKNOWN: Final = datetime.fromtimestamp(0, tz=UTC)


class Parked(NamedTuple):
    """A waiting execution's token, which version of its run it has seen, and until when it waits at the most."""

    token: str
    seen: int
    until: datetime = _UNKNOWN


class Parking:
    """The tokens, over any kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def find(self, run: RunId) -> Parked | None:
        """Return who waits for a run, as it is now."""
        record = self._kernel.get(parked_pk(run), TOKEN_SK)
        if record is None:
            return None
        # A row of an earlier release does not say until when.
        ttl = record.body.get("ttl")
        until = _UNKNOWN if ttl is None else datetime.fromtimestamp(int(ttl), tz=UTC) - LINGERS
        return Parked(str(record.body["token"]), record.version, until)

    def clear(self, run: RunId, parked: Parked) -> None:
        """Forget who waited; not who waits by now."""
        self._kernel.commit(parked_pk(run), [Delete(TOKEN_SK, parked.seen)])


def parked_pk(run: RunId) -> str:
    """Return the partition of a run's token."""
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
        "SK": {"S": TOKEN_SK},
        "version": {"N.$": "$.wait.seen"},
        "body": {"S.$": body},
        TTL: {"N.$": "$.wait.ttl"},
    }
    return {"TransactItems": [{"ConditionCheck": seen}, {"Put": {"TableName": table, "Item": item}}]}

"""The store in one DynamoDB table: nothing to run, safe for any number of machines and functions.

A commit of several changes is a transaction, a commit of one is a conditional write. `get` and `rows` read strongly;
`listing` finds its rows in an index that may be some milliseconds behind, and reads each of them strongly, so it may miss
what is new and never tells what is old. `due` is an index too, in as many parts as the table's layout says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from interlock.clients.aws_outcomes import FAILURES, code_of
from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb import names
from interlock.stores.dynamodb.calls import Calls, Refused
from interlock.stores.dynamodb.client import address_of, make_client
from interlock.stores.dynamodb.errors import translated
from interlock.stores.dynamodb.items import (
    Item,
    Write,
    is_ours,
    key_of,
    place_of,
    record_in,
    refuse_heavy,
    write_of,
)
from interlock.stores.dynamodb.moving import Mover
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.dynamodb.outcomes import FAILED_CONDITION, failed_conditions
from interlock.stores.dynamodb.table import Table
from interlock.stores.kernel import MAX_PAGE, Change, Page, Place, Record, Walk, as_ping
from interlock.stores.rows import end_of, micros, standing_of, steps_of
from interlock.stores.walking import restorable

if TYPE_CHECKING:
    from interlock.stores.kernel import Advised, Kernel, Walkable

_CHUNK: Final = 100  # rows that a listing looks at together: keys in one BatchGetItem
_ROWS: Final = "PK = :pk AND SK BETWEEN :low AND :high"
_ROWS_TO_END: Final = "PK = :pk AND SK >= :low"
_SINGLE: Final = {"Put": "put_item", "Delete": "delete_item"}


class DynamoKernel:
    """A kernel in a DynamoDB table, which `options.create_table` makes when it is missing.

    With `read_only` nothing can be committed.

    Raises:
        StoreEmpty: it is opened for reading only, and there is nothing yet.
        StoreTooNew: a later Interlock wrote the table; it is left untouched.
        StoreUnavailable: trying again can help.
        StoreError: the table is missing or of another shape, or there are no credentials for it.
    """

    def __init__(self, options: DynamoOptions, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self._name = options.table_name
        try:
            client = make_client(options)
        except (*FAILURES, ValueError) as exc:
            raise translated(exc, address_of(options), "open") from exc
        address = address_of(options, client.meta.region_name)
        self._calls = Calls(client, address, options.timeout.total_seconds())
        self._mover = Mover(self._calls, self._name)
        self._table = Table(self._calls, self._name)
        try:
            self._layout = self._table.prepare(create=options.create_table, read_only=read_only)
        except BaseException:
            self._calls.close()
            raise

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        with self._calls:
            item = self._item(key_of(names.within_limit(pk), names.within_limit(sk)))
        return record_in(item) if item is not None and is_ours(item) else None

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        steps = steps_of(pk, batch)
        with self._calls:
            self._refuse_reader()
            writes = [write_of(self._name, pk, step, self._layout.shards) for step in steps]
            refuse_heavy(pk, writes)
            try:
                self._write(writes)
            except Refused as exc:
                failed = failed_conditions(exc.why)
                if failed is None:
                    raise translated(exc.why, self._calls.address, "write", unknown=exc.unknown) from exc.why
                for number, there in failed:
                    self._refuse_foreign(pk, steps[number].sk, there)
                if exc.unknown:
                    # What came too late now could come in time later, if what stood in its way is removed.
                    raise StoreUnavailable(
                        f"cannot write {self._calls.address}: a first try was not answered, and by the second somebody else "
                        "had changed the rows. It may or may not have happened: read again"
                    ) from exc.why
                return False
        return True

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        low, high = prefix, end_of(prefix)
        if page.after is not None and page.backwards:
            high = page.after if high is None else min(high, page.after)
        elif page.after is not None:
            low = max(low, page.after)
        with self._calls:
            found: list[Record] = []
            for item in self._between(pk, low, high, page) if page.limit > 0 else ():
                place = place_of(item)
                # The bounds belong to the query, not to the page: it knows no open ones.
                if place is None or not is_ours(item) or place[1] in (high, page.after):
                    continue
                found.append(record_in(item))
                if len(found) == page.limit:
                    break
        return found

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        until = names.behind_instant(micros(before))
        with self._calls:
            found: list[Place] = []
            for shard in range(self._layout.shards if limit > 0 else 0):
                entries = self._timed(names.DUE, names.due_shard(shard), until, limit)
                found += [
                    Place(*place, names.instant_of(entry["GSI2SK"]["S"]))
                    for entry in islice(entries, limit)
                    if (place := place_of(entry)) is not None
                ]
        return sorted(found, key=lambda place: (place.wake_at, place.pk, place.sk))[: max(limit, 0)]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        standing = None if page.after is None else standing_of(page.after)
        with self._calls:
            found: list[Record] = []
            entries = self._listed(names.within_limit(kind), standing, page)
            while len(found) < page.limit:
                wanted = min(page.limit - len(found), _CHUNK)
                chunk = list(islice(entries, wanted))
                found += [record_in(item) for item in self._as_listed(chunk)]
                if len(chunk) < wanted:
                    break
        return found

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        until = micros(now)
        removed = 0
        with self._calls:
            self._refuse_reader()
            for shard in range(self._layout.shards):
                if removed >= limit:
                    break
                entries = self._timed(names.EXPIRY, names.expiry_shard(shard), names.behind_instant(until), limit)
                for entry in entries:
                    removed += self._removes(entry, until)
                    if removed >= limit:
                        break
        return removed

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor: one partition after another, the rows of each by name."""
        with self._calls:
            return self._mover.walk(after, limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none."""
        rows = restorable(records)
        with self._calls:
            self._refuse_reader()
            self._mover.restore(rows, self._layout.shards)

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store can be read, and written if it is not opened for reading only."""
        with as_ping(), self._calls:
            self._table.layout()
            if not self._read_only:
                self._table.touch(self._layout)  # it writes what is there already

    def advice(self) -> tuple[str, ...]:
        """Look at the table, and return each thing that should be set up otherwise: what it means, and what to do."""
        with self._calls:
            return self._table.advice()

    def close(self) -> None:
        """Wait for the calls under way and let go of the connections; later calls raise `StoreUnavailable`.

        In a forked child it does nothing: the connections are the parent's.
        """
        self._calls.close()

    # ------------------------------------------------------------ writing

    def _write(self, writes: list[Write]) -> None:
        only = writes[0]
        if len(writes) > 1:
            self._calls.transact(TransactItems=[{write.verb: write.request} for write in writes])
        elif only.verb == "ConditionCheck":
            self._calls.transact(TransactItems=[{only.verb: only.request}])
        else:
            # Half the price of a transaction. Having no token, it is never repeated when its outcome is unknown.
            self._calls.write(_SINGLE[only.verb], **only.request)

    def _removes(self, entry: Item, until: int) -> bool:
        """Remove a row if it has still expired: what counts is the row, not the index."""
        try:
            self._calls.write(
                "delete_item",
                TableName=self._name,
                Key={"PK": entry["PK"], "SK": entry["SK"]},
                ConditionExpression="expiresAt <= :until",
                ExpressionAttributeValues={":until": {"N": str(until)}},
            )
        except Refused as exc:
            if code_of(exc.why) == FAILED_CONDITION:
                return False
            raise translated(exc.why, self._calls.address, "write", unknown=exc.unknown) from exc.why
        return True

    def _refuse_reader(self) -> None:
        if self._read_only:
            raise StoreError(f"cannot write {self._calls.address}: it was opened for reading only. Nothing was written")

    def _refuse_foreign(self, pk: str, sk: str, there: Mapping[str, Any]) -> None:
        if there and not is_ours(there):
            key = key_of(pk, sk)
            raise StoreError(
                f"cannot write the row {sk!r} of {pk!r} to {self._calls.address}: an item that Interlock did not write has "
                f"its place (PK={key['PK']['S']!r}, SK={key['SK']['S']!r}). Nothing was written. Move that item elsewhere"
            )

    # ------------------------------------------------------------ reading

    def _item(self, key: Item) -> Item | None:
        return self._calls.read("get_item", TableName=self._name, Key=key, ConsistentRead=True).get("Item")

    def _between(self, pk: str, low: str, high: str | None, page: Page) -> Iterator[Item]:
        """Find the rows between two names, both included."""
        if high is not None and low > high:
            return iter(())
        bounds = {":pk": {"S": names.written_pk(names.within_limit(pk))}}
        bounds[":low"] = {"S": names.written_sk(names.within_limit(low))}
        if high is not None:
            bounds[":high"] = {"S": names.written_sk(names.within_limit(high))}
        return self._query(
            KeyConditionExpression=_ROWS_TO_END if high is None else _ROWS,
            ExpressionAttributeValues=bounds,
            ScanIndexForward=not page.backwards,
            ConsistentRead=True,
            Limit=min(page.limit, MAX_PAGE) + 2,
        )

    def _listed(self, kind: str, standing: tuple[str, str, str] | None, page: Page) -> Iterator[Item]:
        condition, values = "GSI1PK = :kind", {":kind": {"S": names.written_kind(kind)}}
        if standing is not None:
            condition += " AND GSI1SK < :after" if page.backwards else " AND GSI1SK > :after"
            values[":after"] = {"S": names.listing_place(*standing)}
        return self._query(
            IndexName=names.LISTING,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=not page.backwards,
            Limit=max(1, min(page.limit, MAX_PAGE)),
        )

    def _timed(self, index: str, part: str, until: str, limit: int) -> Iterator[Item]:
        return self._query(
            IndexName=index,
            KeyConditionExpression=f"{index}PK = :part AND {index}SK < :until",
            ExpressionAttributeValues={":part": {"S": part}, ":until": {"S": until}},
            Limit=max(1, min(limit, MAX_PAGE)),
        )

    def _query(self, **request: Any) -> Iterator[Item]:
        """Find items, page by page, until whoever asks has enough."""
        while True:
            answer = self._calls.read("query", TableName=self._name, **request)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _as_listed(self, entries: list[Item]) -> Iterator[Item]:
        """Return the rows of index entries as they are now, without those that have gone or stand elsewhere meanwhile."""
        keys = [{"PK": entry["PK"], "SK": entry["SK"]} for entry in entries]
        there = {(item["PK"]["S"], item["SK"]["S"]): item for item in self._mover.got(keys)}
        for entry in entries:
            item = there.get((entry["PK"]["S"], entry["SK"]["S"]))
            if item is None or not is_ours(item):
                continue
            if item.get("GSI1PK") == entry["GSI1PK"] and item.get("GSI1SK") == entry["GSI1SK"]:
                yield item


if TYPE_CHECKING:

    def _is_a_kernel(it: DynamoKernel) -> Kernel:
        return it

    def _is_walkable(it: DynamoKernel) -> Walkable:
        return it

    def _is_advised(it: DynamoKernel) -> Advised:
        return it

"""The reference store: everything in this process, gone with it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from sys import intern
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Change, Page, Place, Record, Walk
from interlock.stores.rows import (
    Row,
    Standing,
    due_place,
    micros,
    names_between,
    record_of,
    standing_of,
    steps_of,
)
from interlock.stores.walking import place_of, restorable, walked

if TYPE_CHECKING:
    from interlock.stores.kernel import Kernel, Walkable

_Entry = TypeVar("_Entry", bound=Any)
_Moment = tuple[int, str, str]


class MemoryKernel:
    """A kernel in memory, for tests, dry runs and as the measure of the others.

    It keeps the whole contract but durability: what it holds dies with the process.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open = True
        self._rows: dict[str, dict[str, Row]] = {}
        self._kinds: defaultdict[str, list[Standing]] = defaultdict(list)
        self._due: list[_Moment] = []
        self._expiry: list[_Moment] = []

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        with self._lock:
            self._refuse_closed()
            row = self._rows.get(pk, {}).get(sk)
        return None if row is None else record_of(row)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them."""
        steps = steps_of(pk, batch)
        with self._lock:
            self._refuse_closed()
            there = self._rows.get(pk, {})
            for step in steps:
                row = there.get(step.sk)
                if step.expected is not None and step.expected != (row.version if row else 0):
                    return False
            for step in steps:
                if step.row or step.deletes:
                    self._forget(pk, step.sk)
                if step.row:
                    self._keep(step.row)
        return True

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        first, end = names_between(prefix, page)
        with self._lock:
            self._refuse_closed()
            there = self._rows.get(pk, {})
            names = sorted(there)
            low = bisect_left(names, first)
            high = len(names) if end is None else bisect_left(names, end)
            found = [there[sk] for sk in _cut(names, low, high, page)]
        return [record_of(row) for row in found]

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        until = micros(before)
        with self._lock:
            self._refuse_closed()
            found = _until(self._due, until, limit)
        return [due_place(pk, sk, wake_at) for wake_at, pk, sk in found]

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        standing = None if page.after is None else standing_of(page.after)
        with self._lock:
            self._refuse_closed()
            places = self._kinds.get(kind, [])
            low, high = 0, len(places)
            if standing is not None and page.backwards:
                high = bisect_left(places, standing)
            elif standing is not None:
                low = bisect_right(places, standing)
            found = [self._rows[pk][sk] for _, pk, sk in _cut(places, low, high, page)]
        return [record_of(row) for row in found]

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        until = micros(now)
        with self._lock:
            self._refuse_closed()
            expired = _until(self._expiry, until, limit)
            for _, pk, sk in expired:
                self._forget(pk, sk)
        return len(expired)

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return rows behind a cursor: by partition, then by name."""
        place = None if after is None else place_of(after)
        with self._lock:
            self._refuse_closed()
            places = sorted((pk, sk) for pk, rows in self._rows.items() for sk in rows)
            low = 0 if place is None else bisect_right(places, place)
            step = [self._rows[pk][sk] for pk, sk in places[low : low + max(limit, 1)]]
        return walked(step, limit)

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none."""
        rows = restorable(records)
        with self._lock:
            self._refuse_closed()
            for row in rows:
                if row.sk not in self._rows.get(row.pk, {}):
                    self._keep(row)

    def ping(self) -> None:
        """Raise `StoreUnavailable` once the store is closed."""
        with self._lock:
            self._refuse_closed()

    def close(self) -> None:
        """Let go of everything; later calls raise `StoreUnavailable`."""
        with self._lock:
            self._open = False
            for held in (self._rows, self._kinds, self._due, self._expiry):
                held.clear()

    def _refuse_closed(self) -> None:
        if not self._open:
            raise StoreUnavailable("the store in memory is closed: nothing can be read or written any more")

    def _keep(self, row: Row) -> None:
        # The rows of a partition share its name, those of a commit their rank, and first runs the names of their rows: kept
        # once, that is a fifth of the memory.
        pk, sk, kind, rank = intern(row.pk), intern(row.sk), row.kind and intern(row.kind), intern(row.rank)
        row = row._replace(pk=pk, sk=sk, kind=kind, rank=rank)
        self._rows.setdefault(row.pk, {})[row.sk] = row
        if row.kind is not None:
            insort(self._kinds[row.kind], (row.rank, row.pk, row.sk))
        if row.wake_at is not None:
            insort(self._due, (row.wake_at, row.pk, row.sk))
        if row.expires_at is not None:
            insort(self._expiry, (row.expires_at, row.pk, row.sk))

    def _forget(self, pk: str, sk: str) -> None:
        row = self._rows.get(pk, {}).pop(sk, None)
        if row is None:
            return
        if not self._rows[pk]:
            del self._rows[pk]
        if row.kind is not None:
            _take_out(self._kinds[row.kind], (row.rank, pk, sk))
            if not self._kinds[row.kind]:
                del self._kinds[row.kind]
        if row.wake_at is not None:
            _take_out(self._due, (row.wake_at, pk, sk))
        if row.expires_at is not None:
            _take_out(self._expiry, (row.expires_at, pk, sk))


def _until(moments: list[_Moment], until: int, limit: int) -> list[_Moment]:
    end = bisect_left(moments, (until + 1, "", ""))
    return moments[: min(end, max(limit, 0))]


def _cut(ordered: list[_Entry], low: int, high: int, page: Page) -> list[_Entry]:
    limit = max(page.limit, 0)
    if page.backwards:
        return ordered[max(low, high - limit) : high][::-1]
    return ordered[low : min(high, low + limit)]


def _take_out(ordered: list[_Entry], entry: _Entry) -> None:
    del ordered[bisect_left(ordered, entry)]


if TYPE_CHECKING:

    def _is_a_kernel(it: MemoryKernel) -> Kernel:
        return it

    def _is_walkable(it: MemoryKernel) -> Walkable:
        return it

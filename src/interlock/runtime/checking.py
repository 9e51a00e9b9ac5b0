"""Verifying a whole store: every row is read, and everything that must hold between rows and indexes is looked at.

Memory is bounded by the largest slot. What others write meanwhile may make two rows look as if they did not fit, so whatever
seems wrong with a slot is read and judged again before it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import Final, NamedTuple

from interlock.errors import StoreError, UnreadableRecord
from interlock.runtime.refolding import Refolding
from interlock.stores import keys
from interlock.stores.integrity import Fault, FaultKind, planned_faults, row_faults, unreadable
from interlock.stores.integrity_alerts import dispatch_faults
from interlock.stores.integrity_slots import slot_faults
from interlock.stores.kernel import Damaged, Kernel, Record, Walkable
from interlock.stores.paging import listed, rows_in
from interlock.stores.repository import Repository
from interlock.stores.walking import all_rows

TOLD: Final = 1000
"""So many faults are told in full; the rest are counted."""

_BY_ITSELF: Final = (FaultKind.UNREADABLE, FaultKind.VERSION, FaultKind.INDEX)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_COUNTED: Final = (
    (keys.RUN_PREFIX, "runs"),
    (keys.JOURNAL_PREFIX, "journalLines"),
    (keys.OUTBOX_PREFIX, "wishes"),
    (keys.SPEC_SK, "specs"),
    (keys.DISPATCH_SK, "dispatches"),
)


class Checked(NamedTuple):
    """What was counted, and what is wrong: `faults` are the first of `wrong`. `untold` journals could not be folded."""

    rows: int
    counts: dict[str, int]
    faults: tuple[Fault, ...]
    wrong: int
    untold: int


class Checking:
    """One look at a whole store. `live` says that somebody is at work, so that indexes cannot be held against rows.

    `settle` waits until indexes have surely caught up that lag behind in some stores.
    """

    def __init__(
        self, kernel: Kernel, walkable: Walkable, *, live: bool, settle: Callable[[], object] = lambda: None
    ) -> None:
        self._kernel = kernel
        self._walkable = walkable
        self._live = live
        self._settle = settle
        self._refolding = Refolding(Repository(kernel).spec)
        self._tallies = _Tallies()
        self._counts: Counter[str] = Counter({name: 0 for _, name in _COUNTED})
        self._rows = 0

    def __call__(self) -> Checked:
        """Look at everything."""
        faults: list[Fault] = []
        wrong = 0
        for fault in self.faults():
            wrong += 1
            if len(faults) < TOLD:
                faults.append(fault)
        return Checked(self._rows, dict(self._counts), tuple(faults), wrong, len(self._refolding.untold))

    def faults(self) -> Iterator[Fault]:
        """Yield everything that is wrong, as it is found."""
        for pk, rows in groupby(all_rows(self._walkable), key=lambda row: row.pk):
            yield from self._partition(pk, self._counting(rows))
        if not self._live and any(self._tallies.faults(self._kernel)):
            self._settle()
            yield from self._tallies.faults(self._kernel)

    def _counting(self, rows: Iterable[Record | Damaged]) -> Iterator[Record | Damaged]:
        for row in rows:
            self._rows += 1
            name = next((name for prefix, name in _COUNTED if row.sk.startswith(prefix)), None)
            if name is not None:
                self._counts[name] += 1
            if isinstance(row, Record):
                self._tallies.add(row)
            else:
                self._tallies.spoilt = True
            yield row

    def _partition(self, pk: str, rows: Iterator[Record | Damaged]) -> Iterator[Fault]:
        if pk.startswith(("slot/", keys.DISPATCH_PREFIX)):
            yield from self._together(pk, list(rows))
            return
        agendas: list[Record] = []
        planned: Record | None = None
        whole = True
        for row in rows:
            if isinstance(row, Damaged):
                whole = False
                yield unreadable(row)
                continue
            yield from row_faults(row)
            if row.sk.startswith(keys.AGENDA_PREFIX):
                agendas.append(row)
            elif row.sk == keys.PLANNED_SK:
                planned = row
        if whole and pk.startswith("pipeline/") and any(planned_faults(pk, agendas, planned)):
            yield from self._planned_again(pk)

    def _together(self, pk: str, rows: list[Record | Damaged]) -> Iterator[Fault]:
        """Judge rows that must fit together. Where one cannot be read, the others are only judged by themselves."""
        damaged = [row for row in rows if isinstance(row, Damaged)]
        yield from map(unreadable, damaged)
        seen = list(self._judged(pk, [row for row in rows if isinstance(row, Record)]))
        if damaged:
            seen = [fault for fault in seen if fault.kind in _BY_ITSELF]
        elif seen:
            again = {(fault.kind, fault.sk) for fault in self._judged(pk, rows_in(self._kernel, pk))}
            seen = [fault for fault in seen if (fault.kind, fault.sk) in again]
        yield from seen

    def _judged(self, pk: str, rows: list[Record]) -> Iterator[Fault]:
        if pk.startswith("slot/"):
            return slot_faults(pk, rows, self._refolding)
        return dispatch_faults(pk, rows)

    def _planned_again(self, pk: str) -> Iterator[Fault]:
        agendas = rows_in(self._kernel, pk, keys.AGENDA_PREFIX)
        planned = self._kernel.get(pk, keys.PLANNED_SK)
        yield from planned_faults(pk, agendas, planned)


class _Tally:
    """How many entries there are, and the sum of their digests."""

    __slots__ = ("count", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0

    def add(self, *entry: str) -> None:
        self.count += 1
        self.sum = (self.sum + int.from_bytes(sha256("\0".join(entry).encode()).digest()[:16])) % 2**128


class _Tallies:
    """What the indexes of a kernel must list, by what its rows say."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Tally] = {}
        self._due = _Tally()
        self.spoilt = False

    def add(self, record: Record) -> None:
        if record.kind is not None:
            self._kinds.setdefault(record.kind, _Tally()).add(record.rank, record.pk, record.sk)
        if record.wake_at is not None:
            self._due.add(record.wake_at.isoformat(), record.pk, record.sk)

    def faults(self, kernel: Kernel) -> Iterator[Fault]:
        """Tell what the indexes list otherwise. Where rows cannot be read it is not known what they should list."""
        if self.spoilt:
            return
        due = _Tally()
        for place in kernel.due(_LATEST, self._due.count + 1):
            due.add(place.wake_at.isoformat(), place.pk, place.sk)
        if (due.count, due.sum) != (self._due.count, self._due.sum):
            yield _index_fault("the due index", due.count, self._due.count)
        for kind, wanted in sorted(self._kinds.items()):
            try:
                found = _listed(kernel, kind)
            except UnreadableRecord as exc:
                raise StoreError(f"the listing {kind} cannot be read: {exc}") from exc
            if (found.count, found.sum) != (wanted.count, wanted.sum):
                yield _index_fault(f"the listing {kind}", found.count, wanted.count)


def _listed(kernel: Kernel, kind: str) -> _Tally:
    tally = _Tally()
    for record in listed(kernel, kind):
        tally.add(record.rank, record.pk, record.sk)
    return tally


def _index_fault(what: str, found: int, wanted: int) -> Fault:
    return Fault(
        kind=FaultKind.INDEX,
        pk="",
        sk="",
        meaning=f"{what} tells {found} rows, and by the rows themselves they should be {wanted}, or others: some are looked "
        "for in vain",
        advice="Export the store and import it into an empty one: that makes every index anew",
    )


def repair(kernel: Kernel, faults: Iterable[Fault]) -> tuple[int, int]:
    """Make again what follows from other rows, each held to the version of what it follows from; how many went, and did not.

    Raises:
        StoreUnavailable: some of it may have been done; doing it again does the rest.
    """
    done = left = 0
    for fault in faults:
        if fault.repair:
            kept = kernel.commit(fault.pk, fault.repair)
            done, left = done + kept, left + (not kept)
    return done, left

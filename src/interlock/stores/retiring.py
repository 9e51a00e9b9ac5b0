"""Removing slots whose history is over: wholly, and nothing that somebody may still need.

The rows of the runs go first, in one commit that compares their versions and leaves the headstone: from then on there are no
such runs, for nobody. Nothing can be told to them, and what is opened later is counted on from them. Only then the lines and
claims are cleared away; the headstone is listed until that is done, so whoever comes next goes on where somebody died.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from interlock.core.expectations import Expectation
from interlock.core.ids import PipelineName, Slot, parse_run_id, start_key
from interlock.core.runs import Run
from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.headstones import Headstone, headstone, read, written
from interlock.stores.kernel import MAX_BATCH, Change, Check, Delete, Kernel, Page, Put, Record, cursor_of
from interlock.stores.marks import mark_of
from interlock.stores.paging import listed, row_pages, rows_in
from interlock.stores.repository import decoded

_RUNS: Final = 25
_LINES: Final = 40
_SLOTS: Final = "slot/"
_NUMBERED: Final = (
    keys.ACTIVE_PREFIX,
    keys.AGAIN_PREFIX,
    keys.ASKED_PREFIX,
    keys.CLAIM_PREFIX,
    keys.ENDED_PREFIX,
    keys.JOURNAL_PREFIX,
    keys.OUTBOX_PREFIX,
)
_UNDER_WAY: Final = (keys.ACTIVE_PREFIX, keys.OUTBOX_PREFIX)


class Terms(NamedTuple):
    """What is over: everything that changed last at or before `before`. `marked`: facts that are marked are kept."""

    before: datetime
    marked: bool = False


class Step(NamedTuple):
    """What a bounded step did: how much it removed, and where to go on; None when it came to the end."""

    removed: int
    after: str | None = None


def slots_over(
    kernel: Kernel, listing: str, terms: Terms, *, limit: int, after: str | None
) -> tuple[list[Slot], str | None]:
    """Return slots that may be over, from a listing by time, and where to go on; None at the end of what is old enough."""
    page = kernel.listing(listing, Page(limit=limit, after=after))
    old = [record for record in page if record.rank <= keys.moment(terms.before)]
    slots = dict.fromkeys(slot for slot in map(slot_of, old) if slot is not None)
    return list(slots), cursor_of(old[-1]) if len(old) == limit else None


def retire(kernel: Kernel, slot: Slot, terms: Terms) -> tuple[str, ...] | None:
    """Remove all of a slot, if everything about it is over. What is left is its headstone.

    Returns the names of the starts of its jobs, or None when it stays.

    Raises:
        UnreadableRecord: a row of it was damaged; it stays.
    """
    pk = keys.slot_pk(slot)
    stone = headstone(kernel, slot)
    records = rows_in(kernel, pk, keys.RUN_PREFIX)
    expected = kernel.get(pk, keys.EXPECTED_SK)
    if not records and expected is None:
        return None
    told = rows_in(kernel, pk, keys.EXPECTED_NOTE_PREFIX)
    runs = [decoded(record, Run) for record in records]
    if not _is_over(kernel, pk, runs, expected, terms):
        return None
    _remember(kernel, slot.pipeline)
    # A slot that was run again more often than fits into one commit loses its oldest runs first, and is whole without them.
    while len(records) > _RUNS:
        stone = _buried(kernel, slot, stone, records[:_RUNS], [])
        if stone.version == 0:
            return None
        records = records[_RUNS:]
    last = _number(records[-1].sk) if records else stone.last
    rest: list[Change] = [Check(keys.run_sk(last + 1), 0), *_forgotten(slot, expected, told)]
    if _buried(kernel, slot, stone, records, rest).version == 0:
        return None
    clear(kernel, slot, terms)
    return tuple(start_key(run.key.run_id, attempt) for run in runs for attempt in range(1, run.attempt + 1))


def clearing(kernel: Kernel, *, limit: int) -> list[Slot]:
    """Return slots of which the runs are removed, and perhaps not all that belonged to them."""
    found = kernel.listing(keys.CLEARING_KIND, Page(limit=limit))
    return [slot for slot in map(slot_of, found) if slot is not None]


def clear(kernel: Kernel, slot: Slot, terms: Terms) -> bool:
    """Remove what belonged to the runs that were removed; say whether nothing is left of it.

    Whatever happens to the slot meanwhile goes by later numbers, and later lines.
    """
    pk = keys.slot_pk(slot)
    record = kernel.get(pk, keys.RETIRED_SK)
    if record is None or record.kind is None:
        return True
    stone = read(record)
    left = False
    for prefix in (*_NUMBERED, keys.NOTE_PREFIX, keys.EXPECTED_NOTE_PREFIX):
        for page in row_pages(kernel, pk, prefix):
            gone = [row.sk for row in page if _is_left_over(kernel, row, stone, terms)]
            # Read after the rows themselves: the mark of each of them is either seen, or struck because it is archived.
            kept = marked_in(kernel, pk) if terms.marked and gone else frozenset[str]()
            left = left or any(sk in kept for sk in gone)
            _delete(kernel, pk, [sk for sk in gone if sk not in kept])
    if left:
        return False
    if not terms.marked:
        for page in row_pages(kernel, pk, keys.MARK_PREFIX):
            _delete(kernel, pk, [row.sk for row in page])
    done: Change = Put(written(slot, stone, clearing=False)) if stone.last else Delete(keys.RETIRED_SK, stone.version)
    return kernel.commit(pk, [done])


def retired_pipelines(kernel: Kernel) -> Iterator[PipelineName]:
    """Yield the pipelines of which anything was ever removed, also those that nothing else names any more."""
    yield from (PipelineName(record.rank) for record in listed(kernel, keys.RETIRED_KIND))


def marked_in(kernel: Kernel, pk: str) -> frozenset[str]:
    """Return the names of all rows of a partition that nobody has archived.

    Raises:
        UnreadableRecord: a mark was damaged.
    """
    return frozenset(name for row in rows_in(kernel, pk, keys.MARK_PREFIX) for name in mark_of(row).names)


def is_gone(kernel: Kernel, slot: Slot) -> bool:
    """Say whether a slot has no run, and nothing is expected of it: it was removed, or there never was anything."""
    pk = keys.slot_pk(slot)
    return not kernel.rows(pk, keys.RUN_PREFIX, Page(limit=1)) and kernel.get(pk, keys.EXPECTED_SK) is None


def _is_over(kernel: Kernel, pk: str, runs: Sequence[Run], expected: Record | None, terms: Terms) -> bool:
    if any(not run.ended or run.updated_at > terms.before for run in runs):
        return False
    if expected is not None:
        settled = decoded(expected, Expectation)
        if settled.check_at is not None or settled.settled_at is None or settled.settled_at > terms.before:
            return False
    if any(kernel.rows(pk, prefix, Page(limit=1)) for prefix in _UNDER_WAY):
        return False
    if any(note.rank > keys.moment(terms.before) for note in rows_in(kernel, pk, keys.NOTE_PREFIX)):
        return False
    return not (terms.marked and kernel.rows(pk, keys.MARK_PREFIX, Page(limit=1)))


def _forgotten(slot: Slot, expected: Record | None, told: Sequence[Record]) -> list[Change]:
    """Remove what was expected, with the lines whose names would be in the way if it were ever expected again."""
    if expected is None:
        return [Check(keys.EXPECTED_SK, 0)]
    kinds = keys.expectations_kind(None), keys.expectations_kind(slot.pipeline)
    names = [*map(keys.expected_pointer_sk, kinds), *(line.sk for line in told[:_LINES])]
    return [Delete(keys.EXPECTED_SK, expected.version), *map(Delete, names)]


def _buried(kernel: Kernel, slot: Slot, stone: Headstone, runs: Sequence[Record], rest: Sequence[Change]) -> Headstone:
    """Remove runs as they were read, and count on from them. Version 0: somebody was faster, and nothing was removed."""
    last = max((_number(run.sk) for run in runs), default=stone.last)
    record = written(slot, Headstone(last, stone.version), clearing=True)
    batch: list[Change] = [Put(record), *rest]
    batch += (Delete(run.sk, run.version) for run in runs)
    batch += (Delete(keys.ended_sk(_number(run.sk))) for run in runs)
    return read(record) if kernel.commit(keys.slot_pk(slot), batch) else Headstone()


def _remember(kernel: Kernel, pipeline: PipelineName) -> None:
    pk = keys.pipeline_pk(pipeline)
    if kernel.get(pk, keys.RETIRED_SK) is None:
        row = Record(pk=pk, sk=keys.RETIRED_SK, version=1, body={}, kind=keys.RETIRED_KIND, rank=pipeline)
        kernel.commit(pk, [Put(row)])  # False: somebody else did


def _is_left_over(kernel: Kernel, row: Record, stone: Headstone, terms: Terms) -> bool:
    if row.sk.startswith(_NUMBERED):
        return _number(row.sk) <= stone.last
    if row.rank > keys.moment(terms.before):
        return False
    return row.sk.startswith(keys.NOTE_PREFIX) or kernel.get(row.pk, keys.EXPECTED_SK) is None


def _number(sk: str) -> int:
    """Return which run a row is about.

    Raises:
        UnreadableRecord: the row is of a shape not known here.
    """
    number = sk.split("#")[1]
    if not (number.isascii() and number.isdecimal()):
        raise UnreadableRecord(f"the row {sk!r} names no run. It was damaged, or written by a later Interlock")
    return int(number)


def slot_of(record: Record) -> Slot | None:
    """Return the slot in whose partition a row is; None when it is in none."""
    if not record.pk.startswith(_SLOTS):
        return None
    try:
        return parse_run_id(f"{record.pk.removeprefix(_SLOTS)}:1").slot
    except ValueError:
        return None


def _delete(kernel: Kernel, pk: str, names: Sequence[str]) -> None:
    for start in range(0, len(names), MAX_BATCH):
        kernel.commit(pk, [Delete(sk) for sk in names[start : start + MAX_BATCH]])

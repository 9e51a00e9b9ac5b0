"""What must hold in the partition of a slot: its runs, their journals, wishes, claims and pointers, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from interlock.core.commands import Command
from interlock.core.expectations import Expectation
from interlock.core.ids import RunKey, Slot, parse_run_id
from interlock.core.runs import Run
from interlock.errors import UnreadableRecord
from interlock.ports.stores import Claim, Commit, Entry
from interlock.stores import headstones, keys
from interlock.stores.again import listed_again
from interlock.stores.integrity import (
    REPORT,
    RESTORE,
    Fault,
    FaultKind,
    fault,
    index_fault,
    orphan,
    pointer_fault,
    read,
    row_faults,
    version_faults,
)
from interlock.stores.kernel import Check, Delete, Put, Record

_OF_RUN: Final = re.compile(r"(RUN|JOURNAL|OUT|CLAIM|ASKED|ACTIVE|ENDED|AGAIN)#([0-9]{6,})(?:#(.*))?", re.DOTALL)


class Story(NamedTuple):
    """A run with its whole journal, and what was expected of its slot."""

    run: Run
    journal: tuple[Entry, ...]
    expectation: Expectation | None


Refold = Callable[[Story], Iterator[tuple[FaultKind, str]]]
"""Fold a journal again, and tell what does not come out as it is stored."""


class _Headstone(NamedTuple):
    last: int
    clearing: bool


class _Run(NamedTuple):
    record: Record
    run: Run


def slot_faults(pk: str, rows: Sequence[Record], refold: Refold) -> Iterator[Fault]:
    """Tell everything that is wrong in a slot's partition."""
    slot = slot_of(pk)
    if slot is None:
        yield Fault(
            kind=FaultKind.ORPHAN, pk=pk, sk="", meaning="the partition is of no slot that there can be", advice=REPORT
        )
        return
    parts: dict[int, dict[str, list[Record]]] = {}
    stone, faults = _headstone(rows)
    yield from faults
    expected = [record for record in rows if record.sk == keys.EXPECTED_SK or record.sk.startswith("EXPECTED#IN#")]
    expectation, faults = _expectation(pk, expected)
    yield from faults
    for record in rows:
        match = _OF_RUN.fullmatch(record.sk)
        if match is None:
            yield from row_faults(record)
        else:
            parts.setdefault(int(match[2]), {}).setdefault(match[1], []).append(record)
    for number in sorted(parts):
        if number <= stone.last and stone.clearing and "RUN" not in parts[number]:
            continue  # its history was removed, and the rest of it is being cleared away
        yield from _RunRows(RunKey(slot, number), parts[number]).faults(expectation, refold)
    yield from _lost_runs(pk, [number for number in sorted(parts) if "RUN" in parts[number]], stone)


def _lost_runs(pk: str, numbers: Sequence[int], stone: _Headstone) -> Iterator[Fault]:
    for number in numbers:
        if number <= stone.last:
            yield Fault(
                kind=FaultKind.ORPHAN,
                pk=pk,
                sk=keys.run_sk(number),
                meaning=f"the slot's history was removed up to run {stone.last}, and run {number} is there",
                advice=RESTORE,
            )
        elif number - 1 not in (*numbers, stone.last):
            yield Fault(
                kind=FaultKind.ORPHAN,
                pk=pk,
                sk=keys.run_sk(number),
                meaning=f"run {number} of the slot is there, and run {number - 1} is not: a run was lost",
                advice=RESTORE,
            )


def _headstone(rows: Sequence[Record]) -> tuple[_Headstone, list[Fault]]:
    own = next((record for record in rows if record.sk == keys.RETIRED_SK), None)
    if own is None:
        return _Headstone(0, clearing=False), []
    try:
        return _Headstone(headstones.read(own).last, clearing=own.kind is not None), []
    except UnreadableRecord as exc:
        return _Headstone(0, clearing=True), [fault(FaultKind.UNREADABLE, own, str(exc))]


def _expectation(pk: str, rows: Sequence[Record]) -> tuple[Expectation | None, list[Fault]]:
    own = next((record for record in rows if record.sk == keys.EXPECTED_SK), None)
    pointers = [record for record in rows if record.sk != keys.EXPECTED_SK]
    if own is None:
        lost = [orphan(record, "what was expected of the slot") for record in pointers]
        return None, lost
    expectation, faults = read(own, Expectation)
    if expectation is None:
        return None, faults
    faults += version_faults(own, expectation.version)
    kinds = keys.expectations_kind(None), keys.expectations_kind(expectation.slot.pipeline)
    there = {record.sk: record for record in pointers}
    for kind in kinds:
        sk, rank = keys.expected_pointer_sk(kind), keys.moment(expectation.opens_at)
        found = there.get(sk)
        if found is None or (found.kind, found.rank) != (kind, rank):
            version = 1 if found is None else found.version + 1
            pointer = Record(pk=pk, sk=sk, version=version, body={}, kind=kind, rank=rank)
            meaning = f"the slot is not where the history {kind} would look for it"
            faults.append(pointer_fault(pointer, meaning, Check(own.sk, own.version), Put(pointer)))
    return expectation, faults


class _RunRows:
    """All rows of one run."""

    def __init__(self, key: RunKey, parts: dict[str, list[Record]]) -> None:
        self._key = key
        self._pk = keys.slot_pk(key.slot)
        self._parts = parts

    def faults(self, expectation: Expectation | None, refold: Refold) -> Iterator[Fault]:
        """Tell everything that is wrong with the run."""
        rows = self._parts.get("RUN", [])
        if not rows:
            for part in self._parts.values():
                more = f", as {len(part) - 1} others of its kind do" if len(part) > 1 else ""
                yield orphan(part[0], f"the run {self._key}{more}")
            return
        run, faults = read(rows[0], Run)
        yield from faults
        if run is None:
            return
        own = _Run(rows[0], run)
        if run.key != self._key:
            yield fault(FaultKind.ORPHAN, own.record, f"the row holds the run {run.key}")
            return
        yield from version_faults(own.record, run.version)
        yield from self._places(own)
        yield from self._journal(own, expectation, refold)
        yield from self._wishes(own)
        yield from self._attempts(own)
        yield from self._pointers(own)

    def _places(self, own: _Run) -> Iterator[Fault]:
        record, run = own
        wanted = run.due_at, keys.runs_kind(run.key.slot.pipeline), keys.moment(run.opened_at)
        found = record.wake_at, record.kind, record.rank
        if found != wanted:
            meaning = f"due, kind and rank are {_listed(found)}, and its run says {_listed(wanted)}"
            yield index_fault(record, meaning)

    def _journal(self, own: _Run, expectation: Expectation | None, refold: Refold) -> Iterator[Fault]:
        rows = self._parts.get("JOURNAL", [])
        entries: list[Entry] = []
        for record in rows:
            entry, faults = read(record, Entry)
            yield from faults
            if entry is not None:
                entries.append(entry)
                if record.sk != keys.journal_sk(self._key, entry.version):
                    yield fault(FaultKind.JOURNAL, record, f"it holds the line of version {entry.version}")
                if (record.kind, record.rank) != (keys.timeline_kind(self._key.slot.pipeline), keys.moment(entry.at)):
                    yield index_fault(record, "it is not where the timeline of its pipeline would look for it")
        versions = [entry.version for entry in entries]
        if versions != list(range(1, own.run.version + 1)):
            missing = sorted(set(range(1, own.run.version + 1)) - set(versions))[:5]
            meaning = (
                f"the run is at version {own.run.version} and its journal has {len(versions)} lines; missing: {missing}"
            )
            yield fault(FaultKind.JOURNAL, own.record, meaning)
        elif len(entries) == len(rows):
            for kind, meaning in refold(Story(own.run, tuple(entries), expectation)):
                yield fault(kind, own.record, meaning, _REFOLD_ADVICE if kind is not FaultKind.SPEC else RESTORE)

    def _wishes(self, own: _Run) -> Iterator[Fault]:
        for record in self._parts.get("OUT", []):
            wish, faults = read(record, Command)
            yield from faults
            if wish is None:
                continue
            try:
                named = wish.id.rpartition("/")[0].rpartition("/")
                right = record.sk == keys.outbox_sk(self._key, wish.id) and named[0] == self._key.run_id
                later = int(named[2]) > own.run.version
            except ValueError:
                right, later = False, False
            if not right or later:
                meaning = f"it holds the wish {wish.id!r}, which is of no version that the run {self._key} has had"
                yield fault(FaultKind.WISH, record, meaning)
            elif record.wake_at is None:
                yield fault(FaultKind.WISH, record, "nobody will ever look at the wish: it is never due")

    def _attempts(self, own: _Run) -> Iterator[Fault]:
        for record in self._parts.get("CLAIM", []):
            claim, faults = read(record, Claim)
            yield from faults
            if claim is None:
                continue
            yield from version_faults(record, claim.turn)
            if claim.run != self._key or record.sk != keys.claim_sk(self._key, claim.attempt):
                yield fault(FaultKind.CLAIM, record, f"it holds a claim on {claim.run}, {claim.attempt}")
            elif claim.attempt > own.run.attempt:
                meaning = f"somebody began attempt {claim.attempt}, and the run knows of {own.run.attempt}"
                yield fault(FaultKind.CLAIM, record, meaning, f"See whether its job runs. {RESTORE}")
        for record in self._parts.get("ASKED", []):
            if int(record.sk.rpartition("#")[2]) > own.run.attempt:
                meaning = f"somebody was told of an attempt, and the run knows of {own.run.attempt}"
                yield fault(FaultKind.CLAIM, record, meaning)

    def _pointers(self, own: _Run) -> Iterator[Fault]:
        number, run = self._key.number, own.run
        active, ended = keys.active_sk(number), keys.ended_sk(number)
        yield from self._pointer(own, active, None if run.ended else (keys.ACTIVE_KIND, run.opened_at))
        yield from self._pointer(own, ended, (keys.ENDED_KIND, run.updated_at) if run.ended else None)
        listings = _again(run)
        for record in self._parts.get("AGAIN", []):
            if record.sk not in listings:
                yield fault(FaultKind.POINTER, record, f"the run {run.key} was no such rerun")
        for sk, kind in listings.items():
            yield from self._pointer(own, sk, (kind, run.opened_at))

    def _pointer(self, own: _Run, sk: str, wanted: tuple[str, datetime] | None) -> Iterator[Fault]:
        part = self._parts.get(sk.partition("#")[0], [])
        found = next((record for record in part if record.sk == sk), None)
        guard = Check(own.record.sk, own.record.version)
        if wanted is None:
            if found is not None:
                meaning = f"the run {self._key} is listed as {found.kind}, and is {own.run.status}"
                yield pointer_fault(found, meaning, guard, Delete(sk, found.version))
            return
        kind, rank = wanted[0], keys.moment(wanted[1])
        if found is None or (found.kind, found.rank) != (kind, rank):
            version = 1 if found is None else found.version + 1
            pointer = Record(pk=self._pk, sk=sk, version=version, body={}, kind=kind, rank=rank)
            meaning = f"the run {self._key} is {own.run.status}, and not where the listing {kind} would look for it"
            yield pointer_fault(pointer, meaning, guard, Put(pointer))


_REFOLD_ADVICE: Final = (
    "If Interlock was upgraded since, an ended run may be judged otherwise now, and that changes nothing. Else the row was "
    "changed by hand or restored in part: take the whole partition from one copy of the store"
)


def _again(run: Run) -> dict[str, str]:
    changes = listed_again(Commit(before=None, after=run))
    return {change.record.sk: change.record.kind or "" for change in changes if isinstance(change, Put)}


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in values)


def slot_of(pk: str) -> Slot | None:
    """Return the slot whose partition this is; None when it is of none."""
    try:
        return parse_run_id(f"{pk.removeprefix('slot/')}:1").slot
    except ValueError:
        return None

"""What must hold between the rows of a store, whatever kernel keeps them. Nothing here is written: faults are told.

A fault names a row, says what that means, and what to do. Rows that follow from others, such as pointers, can be made again:
then the fault brings the changes that would, each held to the version of what it follows from.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from msgspec import Struct

from interlock.codec import wire
from interlock.core.archetypes import Archetype
from interlock.core.documents import Document
from interlock.core.pipelines import PipelineSpec
from interlock.errors import UnreadableRecord
from interlock.ports.agendas import Agenda
from interlock.ports.controls import Marker, Pause, Silence
from interlock.ports.deployments import Deployed, Head, Listed
from interlock.ports.members import Member
from interlock.ports.pushes import PushedResult
from interlock.ports.registrations import Registration
from interlock.ports.stores import Evaluation
from interlock.stores import keys
from interlock.stores.identity import NameRow
from interlock.stores.kernel import Change, Damaged, Record
from interlock.stores.marks import mark_of
from interlock.stores.repository import decoded, timeline_of

RESTORE: Final = "Take the row from a copy of the store; until then nobody works on what it is about"
REPAIR: Final = "interlock store check --repair makes it again"
REPORT: Final = "Please report it, with an export of the store"


class FaultKind(enum.StrEnum):
    """What is wrong."""

    UNREADABLE = "unreadable"
    ORPHAN = "orphan"
    VERSION = "version"
    JOURNAL = "journal"
    REFOLD = "refold"
    CONSTRAINT = "constraint"
    SPEC = "spec"
    INDEX = "index"
    POINTER = "pointer"
    WISH = "wish"
    CLAIM = "claim"


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: with which row, what it means, and what to do. `repair` are changes of its partition."""

    kind: FaultKind
    pk: str
    sk: str
    meaning: str
    advice: str
    repair: tuple[Change, ...] = ()


class _Text(Struct, frozen=True):
    text: str


class _Plan(Struct, frozen=True):
    schedules: tuple[str, ...]


class _Sensor(Struct, frozen=True):
    key: str
    data: Document
    updated_at: datetime


_BODIES: Final[tuple[tuple[str, str, type[Any], str], ...]] = (
    ("pipeline", keys.EVALUATION_PREFIX, Evaluation, ""),
    ("pipeline", keys.AGENDA_PREFIX, Agenda, "version"),
    ("pipeline", keys.PLANNED_SK, _Plan, ""),
    ("pipeline", keys.PAUSE_SK, Pause, ""),
    ("pipeline", keys.MARKER_PREFIX, Marker, ""),
    ("pipeline", keys.SENSOR_PREFIX, _Sensor, ""),
    ("pipeline", "PUSH#", PushedResult, ""),
    ("members", "MEMBER#", Member, "epoch"),
    (keys.SILENCES_PK, keys.SILENCE_PREFIX, Silence, ""),
    ("pipeline", keys.DEPLOYED_SK, Deployed, "version"),
    ("pipeline", keys.DEPLOYED_POINTER_SK, Listed, ""),
    (keys.DEPLOYMENT_PK, keys.HEAD_SK, Head, "generation"),
    (keys.DEPLOYMENT_PK, keys.ARCHETYPE_PREFIX, Archetype, ""),
    (keys.REGISTERED_PK, keys.REGISTERED_PREFIX, Registration, "version"),
    ("thread", keys.THREAD_SK, _Text, ""),
    (keys.NAME_PK, keys.NAME_SK, NameRow, "version"),
)
"""In which family of partitions rows with such names hold what, and which of its fields says the row's own version."""


def fault(kind: FaultKind, record: Record, meaning: str, advice: str = RESTORE) -> Fault:
    """Return what is wrong with a row."""
    return Fault(kind=kind, pk=record.pk, sk=record.sk, meaning=meaning, advice=advice)


def orphan(record: Record, of: str) -> Fault:
    """Tell of a row that belongs to something which is not there."""
    return fault(FaultKind.ORPHAN, record, f"what it belongs to is not there: {of}")


def pointer_fault(record: Record, meaning: str, *repair: Change) -> Fault:
    """Tell of a row that follows from another one and does not; it can be made again."""
    return Fault(
        kind=FaultKind.POINTER, pk=record.pk, sk=record.sk, meaning=meaning, advice=REPAIR, repair=repair
    )  # fmt: skip


def unreadable(damaged: Damaged) -> Fault:
    """Tell of a row that no kernel could decode."""
    return Fault(
        kind=FaultKind.UNREADABLE,
        pk=damaged.pk,
        sk=damaged.sk,
        meaning=f"the row cannot be decoded: {damaged.trouble}",
        advice=RESTORE,
    )


def row_faults(record: Record) -> Iterator[Fault]:
    """Tell what is wrong with a row by itself. What is of no shape known here is let be: a later version may know it."""
    family = record.pk.partition("/")[0]
    if record.sk.startswith(keys.NOTE_PREFIX) or record.sk.startswith(keys.EXPECTED_NOTE_PREFIX):
        yield from _unread(partial(timeline_of, ""), record)
        return
    if record.sk.startswith(keys.MARK_PREFIX):
        yield from _unread(mark_of, record)
        return
    for where, prefix, kind, counted in _BODIES:
        if where == family and record.sk.startswith(prefix):
            found, faults = read(record, kind)
            yield from faults
            if found is not None and counted:
                yield from version_faults(record, getattr(found, counted))
            return
    if family == "spec" and record.sk == keys.SPEC_SK:
        yield from _spec_faults(record)


def read(record: Record, kind: Any) -> tuple[Any, list[Fault]]:
    """Read what a row holds: that, or the fault of it."""
    try:
        return decoded(record, kind), []
    except UnreadableRecord as exc:
        return None, [fault(FaultKind.UNREADABLE, record, str(exc))]


def version_faults(record: Record, version: int) -> Iterator[Fault]:
    """Tell of a row whose version is not the one that it holds: one of them is older than the other."""
    if record.version != version:
        meaning = f"the row is at version {record.version}, and what it holds is at {version}: it was changed by hand"
        yield fault(FaultKind.VERSION, record, meaning)


def planned_faults(pk: str, agendas: Sequence[Record], planned: Record | None) -> Iterator[Fault]:
    """Tell of a pipeline whose schedules are not those that its agendas say."""
    there = [agenda for agenda, _ in (read(record, Agenda) for record in agendas) if agenda is not None]
    wanted = tuple(sorted(agenda.schedule for agenda in there if not agenda.retired))
    plan = None if planned is None else read(planned, _Plan)[0]
    known = () if plan is None else plan.schedules
    if len(there) == len(agendas) and wanted != known and not (planned is not None and plan is None):
        yield Fault(
            kind=FaultKind.POINTER,
            pk=pk,
            sk=keys.PLANNED_SK,
            meaning=f"the agendas are of the schedules {list(wanted)}, and the plan lists {list(known)}",
            advice="Let the watcher run: it plans anew. If it stays, restore the row from a copy of the store",
        )
    for agenda, record in zip(there, agendas, strict=False):
        wake_at = None if agenda.retired else agenda.next_at
        if len(there) == len(agendas) and record.wake_at != wake_at:
            yield index_fault(record, f"it is due at {record.wake_at}, and its agenda says {wake_at}")


def index_fault(record: Record, meaning: str) -> Fault:
    """Tell of a row that is not where the lists would look for it."""
    return fault(FaultKind.INDEX, record, meaning)


def _unread(reading: Callable[[Record], object], record: Record) -> Iterator[Fault]:
    try:
        reading(record)
    except UnreadableRecord as exc:
        yield fault(FaultKind.UNREADABLE, record, str(exc))


def _spec_faults(record: Record) -> Iterator[Fault]:
    spec, faults = read(record, PipelineSpec)
    yield from faults
    name = record.pk.partition("/")[2]
    if spec is not None and wire.digest(spec) != name:
        meaning = (
            f"the spec has the digest {wire.digest(spec)}: it is not the one that runs were pinned to, or was written by "
            "another version of Interlock"
        )
        advice = "If Interlock was upgraded since and the runs of it refold, all is well; else restore it from a copy"
        yield fault(FaultKind.SPEC, record, meaning, advice)

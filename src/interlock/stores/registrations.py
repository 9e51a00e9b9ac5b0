"""Registered pipelines, over any kernel."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from interlock.codec import wire
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import Document
from interlock.core.ids import PipelineName
from interlock.errors import Contention, UnreadableRecord
from interlock.ports.registrations import Registration, Unreadable
from interlock.stores import keys
from interlock.stores.kernel import Change, Delete, Kernel, Put, Record
from interlock.stores.paging import rows_in
from interlock.stores.repository import decoded, pipeline_note_record

if TYPE_CHECKING:
    from interlock.ports.registrations import Registrations

_TRIES: Final = 100  # all of them are in one partition: whoever registers a fleet at once loses many races


class RegistrationRows:
    """Keeps all registrations in one partition, beside the row that counts their changes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def generation(self) -> int:
        """Return how many changes there have been: the version of a row that every change writes."""
        row = self._kernel.get(keys.REGISTERED_PK, keys.GENERATION_SK)
        return 0 if row is None else row.version

    def registrations(self) -> tuple[Registration | Unreadable, ...]:
        """Return all of them, by name. One that cannot be read hides none of the others."""
        rows = rows_in(self._kernel, keys.REGISTERED_PK, keys.REGISTERED_PREFIX)
        return tuple(sorted(map(_read, rows), key=lambda each: each.name))

    def register(self, name: PipelineName, document: Document, at: datetime, actor: str) -> Registration:
        """Keep a document and its line in the timeline; the same document again changes nothing.

        Raises:
            Contention: others kept registering first; nothing was written.
        """
        for _ in range(_TRIES):
            generation, there = self.generation(), self._row(name)
            old = None if there is None else _read(there)
            if isinstance(old, Registration) and old.document == document:
                return old
            version = 1 if there is None else there.version + 1
            new = Registration(name=name, document=document, at=at, actor=actor, version=version)
            sk = keys.registered_sk(name)
            row = Record(pk=keys.REGISTERED_PK, sk=sk, version=version, body=wire.to_builtins(new))
            told = EventRecord(
                kind=EventKind.PIPELINE_REGISTERED, at=at, message=f"by {actor}: {_difference(old, new)}"
            )
            if self._commit(generation, Put(row), name, told):
                return new
        raise _lost(name)

    def withdraw(self, name: PipelineName, at: datetime, actor: str) -> bool:
        """Remove a registration, and tell the timeline; False when there is none.

        Raises:
            Contention: others kept registering first; nothing was written.
        """
        for _ in range(_TRIES):
            generation, there = self.generation(), self._row(name)
            if there is None:
                return False
            told = EventRecord(kind=EventKind.PIPELINE_WITHDRAWN, at=at, message=f"by {actor}")
            if self._commit(generation, Delete(keys.registered_sk(name), there.version), name, told):
                return True
        raise _lost(name)

    def _row(self, name: PipelineName) -> Record | None:
        return self._kernel.get(keys.REGISTERED_PK, keys.registered_sk(name))

    def _commit(self, generation: int, change: Change, name: PipelineName, told: EventRecord) -> bool:
        pk = keys.REGISTERED_PK
        counted = Record(pk=pk, sk=keys.GENERATION_SK, version=generation + 1, body={})
        # Named after the generation: versions begin again at 1 when a name is registered anew.
        line = pipeline_note_record(pk, name, told.at, f"{keys.registered_sk(name)}#{generation + 1:08d}", (told,))
        return self._kernel.commit(pk, [change, Put(counted), Put(line)])


def _read(row: Record) -> Registration | Unreadable:
    try:
        return decoded(row, Registration)
    except UnreadableRecord as exc:
        return Unreadable(name=PipelineName(row.sk.removeprefix(keys.REGISTERED_PREFIX)), trouble=str(exc))


def _difference(old: Registration | Unreadable | None, new: Registration) -> str:
    """Say which keys differ, and never what stands there: it may be a secret."""
    if old is None:
        return "new"
    if isinstance(old, Unreadable):
        return "in place of what could not be read"
    before, after = dict(old.document.pairs), dict(new.document.pairs)
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    return f"changed {', '.join(changed)}"


def _lost(name: PipelineName) -> Contention:
    return Contention(
        f"the registration of {name} could not be changed: others kept registering first. Nothing was written; try again"
    )


if TYPE_CHECKING:

    def _are_registrations(it: RegistrationRows) -> Registrations:
        return it

"""Agendas and expectations, over any kernel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.codec import wire
from interlock.core.chronicle import EventRecord
from interlock.core.expectations import Expectation
from interlock.core.ids import PipelineName, ScheduleName, Slot, parse_run_id
from interlock.errors import Contention, NotFound
from interlock.ports.agendas import Agenda
from interlock.stores import keys
from interlock.stores.kernel import Change, Check, Kernel, Page, Put, Record, cursor_of
from interlock.stores.paging import rows_in
from interlock.stores.repository import decoded, note_record

if TYPE_CHECKING:
    from interlock.ports.agendas import Agendas

_TRIES: Final = 20


class AgendaRows:
    """Keeps each agenda in its pipeline's partition and each expectation in its slot's.

    Beside the agendas of a pipeline lies one row that names the schedules which are not retired: it lists the pipeline among
    those that are planned, and changes in the commit that changes the set. A slot's expectation is listed while it is open;
    two rows beside it put it for good into the history of its pipeline and of all.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    # ------------------------------------------------------------------ agendas

    def agenda(self, pipeline: PipelineName, schedule: ScheduleName) -> Agenda | None:
        """Return one agenda as it is now."""
        record = self._kernel.get(keys.pipeline_pk(pipeline), keys.agenda_sk(schedule))
        return None if record is None else decoded(record, Agenda)

    def put_agenda(self, agenda: Agenda) -> bool:
        """Keep an agenda, and whether its pipeline is planned, in one commit.

        Raises:
            Contention: other schedules of the pipeline kept coming and going; nothing was written.
        """
        pk, sk = keys.pipeline_pk(agenda.pipeline), keys.agenda_sk(agenda.schedule)
        for _ in range(_TRIES):
            plan = self._plan_change(agenda)
            if self._kernel.commit(pk, [Put(_agenda_record(agenda)), plan]):
                return True
            there = self._kernel.get(pk, sk)
            if (0 if there is None else there.version) != agenda.version - 1:
                return False
        raise Contention(
            f"the agenda of {agenda.pipeline}, schedule {agenda.schedule}, could not be kept: others kept changing which "
            "schedules the pipeline has. Nothing was written; try again"
        )

    def agendas_of(self, pipeline: PipelineName) -> tuple[Agenda, ...]:
        """Return every agenda of a pipeline, by schedule, retired ones too."""
        found = rows_in(self._kernel, keys.pipeline_pk(pipeline), keys.AGENDA_PREFIX)
        return tuple(decoded(record, Agenda) for record in found)

    def planned(self, *, limit: int, after: str | None = None) -> tuple[PipelineName, ...]:
        """Return the pipelines that have an agenda which is not retired, in order, after a name."""
        cursor = None if after is None else cursor_of(_plan_record(PipelineName(after), 1, ("",)))
        found = self._kernel.listing(keys.PLANNED_KIND, Page(limit=limit, after=cursor))
        return tuple(PipelineName(record.rank) for record in found)

    def overdue(self, before: datetime, limit: int) -> tuple[Agenda, ...]:
        """Return agendas whose `next_at` is at or before an instant, earliest first."""
        found = self._until(keys.AGENDAS_KIND, before, limit)
        return tuple(decoded(record, Agenda) for record in found)

    def _plan_change(self, agenda: Agenda) -> Change:
        record = self._kernel.get(keys.pipeline_pk(agenda.pipeline), keys.PLANNED_SK)
        version = 0 if record is None else record.version
        known = () if record is None else decoded(record, _Plan).schedules
        others = {name for name in known if name != agenda.schedule}
        schedules = tuple(sorted(others if agenda.retired else {*others, agenda.schedule}))
        if schedules == known:
            return Check(keys.PLANNED_SK, version)
        return Put(_plan_record(agenda.pipeline, version + 1, schedules))

    # ------------------------------------------------------------------ expectations

    def expectation(self, slot: Slot) -> Expectation | None:
        """Return what is expected of a slot, as it is now."""
        record = self._kernel.get(keys.slot_pk(slot), keys.EXPECTED_SK)
        return None if record is None else decoded(record, Expectation)

    def put_expectation(self, expectation: Expectation, records: Sequence[EventRecord] = ()) -> bool:
        """Keep an expectation, its place in the histories, and its lines of the timeline, in one commit."""
        slot, version = expectation.slot, expectation.version
        pk = keys.slot_pk(slot)
        batch: list[Change] = [Put(_expectation_record(expectation)), *self._history_changes(expectation)]
        if records:
            line = note_record(pk, slot, records[0].at, "", records)
            batch.append(Put(replace(line, sk=keys.expected_note_sk(version))))
        return self._kernel.commit(pk, batch)

    def unsettled(self, before: datetime, limit: int) -> tuple[Expectation, ...]:
        """Return expectations whose `check_at` is at or before an instant, earliest first."""
        found = self._until(keys.OPEN_EXPECTATIONS_KIND, before, limit)
        return tuple(decoded(record, Expectation) for record in found)

    def expectations(
        self, *, limit: int, pipeline: str | None = None, before: str | None = None
    ) -> tuple[Expectation, ...]:
        """Return expectations, latest opening first: of one pipeline, or of all.

        Raises:
            ValueError: `before` is no slot.
            NotFound: nothing was ever expected of the slot `before`.
        """
        kind = keys.expectations_kind(pipeline)
        cursor = None if before is None else self._history_cursor(before, kind)
        found = self._kernel.listing(kind, Page(limit=limit, after=cursor, backwards=True))
        rows = (self._kernel.get(record.pk, keys.EXPECTED_SK) for record in found)
        return tuple(decoded(row, Expectation) for row in rows if row is not None)

    def _history_changes(self, expectation: Expectation) -> list[Change]:
        """Enter a new expectation into both histories; move it there when its slot opens at another time than planned."""
        kinds = keys.expectations_kind(None), keys.expectations_kind(expectation.slot.pipeline)
        pk, there = keys.slot_pk(expectation.slot), None
        if expectation.version > 1:
            there = self._kernel.get(pk, keys.expected_pointer_sk(kinds[0]))  # the other is always like it
        if there is not None and there.rank == keys.moment(expectation.opens_at):
            return []
        version = 1 if there is None else there.version + 1
        return [Put(_pointer_record(expectation, kind, version)) for kind in kinds]

    def _history_cursor(self, before: str, kind: str) -> str:
        try:
            slot = parse_run_id(f"{before}:1").slot
        except ValueError as exc:
            raise ValueError(f"not a slot: {before!r} (expected pipeline:schedule:period)") from exc
        pointer = self._kernel.get(keys.slot_pk(slot), keys.expected_pointer_sk(kind))
        if pointer is None:
            raise NotFound(f"nothing was ever expected of {before}")
        return cursor_of(pointer)

    def _until(self, kind: str, before: datetime, limit: int) -> list[Record]:
        latest = keys.moment(before)
        return [record for record in self._kernel.listing(kind, Page(limit=limit)) if record.rank <= latest]


class _Plan(Struct, frozen=True, kw_only=True):
    """The schedules of a pipeline whose agendas are not retired, sorted."""

    schedules: tuple[str, ...]


def _agenda_record(agenda: Agenda) -> Record:
    return Record(
        pk=keys.pipeline_pk(agenda.pipeline),
        sk=keys.agenda_sk(agenda.schedule),
        version=agenda.version,
        body=wire.to_builtins(agenda),
        wake_at=None if agenda.retired else agenda.next_at,
        kind=None if agenda.retired else keys.AGENDAS_KIND,
        rank=keys.moment_or_never(agenda.next_at),
    )


def _plan_record(pipeline: PipelineName, version: int, schedules: tuple[str, ...]) -> Record:
    # Never deleted: a version that began again at 1 could be taken for an earlier one with other schedules in it.
    return Record(
        pk=keys.pipeline_pk(pipeline),
        sk=keys.PLANNED_SK,
        version=version,
        body=wire.to_builtins(_Plan(schedules=schedules)),
        kind=keys.PLANNED_KIND if schedules else None,
        rank=pipeline,
    )


def _expectation_record(expectation: Expectation) -> Record:
    return Record(
        pk=keys.slot_pk(expectation.slot),
        sk=keys.EXPECTED_SK,
        version=expectation.version,
        body=wire.to_builtins(expectation),
        kind=None if expectation.check_at is None else keys.OPEN_EXPECTATIONS_KIND,
        rank=keys.moment_or_never(expectation.check_at),
    )


def _pointer_record(expectation: Expectation, kind: str, version: int) -> Record:
    pk, sk = keys.slot_pk(expectation.slot), keys.expected_pointer_sk(kind)
    return Record(pk=pk, sk=sk, version=version, body={}, kind=kind, rank=keys.moment(expectation.opens_at))


if TYPE_CHECKING:

    def _are_agendas(it: AgendaRows) -> Agendas:
        return it

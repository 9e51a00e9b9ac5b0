"""What opens when, and what is expected of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from interlock.core.chronicle import EventRecord
from interlock.core.expectations import Expectation
from interlock.core.ids import PipelineName, ScheduleName, Slot


class Agenda(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One schedule's place in time.

    Every window that opened at or before `opened_to` has been dealt with; `next_at` is when the next one opens, and puts
    the agenda among what is due (None: none ever does). `spec_digest` names the spec it was planned by; `retired` is an
    agenda whose pipeline or schedule is gone. `queued` says that windows have opened and wait for an earlier run to end.
    """

    pipeline: PipelineName
    schedule: ScheduleName
    spec_digest: str
    opened_to: datetime
    next_at: datetime | None
    retired: bool = False
    queued: bool = False
    version: int = 1


class Agendas(Protocol):
    """Keeps agendas and expectations. What takes a `version` is compare-and-swap: 1 creates, n replaces n-1."""

    def agenda(self, pipeline: PipelineName, schedule: ScheduleName) -> Agenda | None:
        """Return one agenda as it is now."""
        ...

    def put_agenda(self, agenda: Agenda) -> bool:
        """Keep an agenda; False when somebody else changed it first."""
        ...

    def agendas_of(self, pipeline: PipelineName) -> tuple[Agenda, ...]:
        """Return every agenda of a pipeline."""
        ...

    def planned(self, *, limit: int, after: str | None = None) -> tuple[PipelineName, ...]:
        """Return the pipelines that have an agenda which is not retired, in order, after a name."""
        ...

    def overdue(self, before: datetime, limit: int) -> tuple[Agenda, ...]:
        """Return agendas whose `next_at` is at or before an instant, earliest first; may lag."""
        ...

    def expectation(self, slot: Slot) -> Expectation | None:
        """Return what is expected of a slot, as it is now."""
        ...

    def put_expectation(self, expectation: Expectation, records: Sequence[EventRecord] = ()) -> bool:
        """Keep an expectation, with lines for the pipeline's timeline; False when somebody else changed it first."""
        ...

    def unsettled(self, before: datetime, limit: int) -> tuple[Expectation, ...]:
        """Return expectations whose `check_at` is at or before an instant, earliest first; may lag."""
        ...

    def expectations(
        self, *, limit: int, pipeline: str | None = None, before: str | None = None
    ) -> tuple[Expectation, ...]:
        """Return expectations, latest opening first: of one pipeline, or of all. `before` is the slot of the last seen."""
        ...

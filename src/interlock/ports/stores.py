"""What use cases need kept: one Protocol per need."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from msgspec import Struct

from interlock.core.chronicle import EventRecord
from interlock.core.commands import Command
from interlock.core.events import Event
from interlock.core.ids import CommandId, PipelineName, RunKey, ScheduleName, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness
from interlock.core.runs import Cause, Run
from interlock.core.traits import TraitResult


class Entry(Struct, frozen=True, kw_only=True):
    """One line of a run's journal: the fact, and what it came to. Folding the facts again gives the run.

    `version` is the run's after the change; `fact` is None for the opening.
    """

    version: int
    at: datetime
    fact: Event | None
    records: tuple[EventRecord, ...]


class Commit(Struct, frozen=True, kw_only=True):
    """One atomic change of one run: the run, its journal line, its new wishes, and the wish that is settled by it.

    `after` equal to `before` (and no entry) only settles.
    """

    before: Run | None
    after: Run
    entry: Entry | None = None
    commands: tuple[Command, ...] = ()
    settles: CommandId | None = None


class Wish(NamedTuple):
    """A wish that nobody has settled: when it is to be tried (again), and how often it was postponed."""

    command: Command
    due_at: datetime
    tries: int = 0


class Runs(Protocol):
    """Runs, with their journal and outbox."""

    def run(self, key: RunKey) -> Run | None:
        """Return a run as it is now."""
        ...

    def latest_run(self, slot: Slot) -> Run | None:
        """Return the slot's run of the highest number, as it is now."""
        ...

    def commit(self, change: Commit) -> bool:
        """Do a change wholly and durably, or not at all.

        False: somebody else changed the run first (or, when opening, opened it). Opening number n > 1 also needs number
        n-1 to be what it was when this was decided, which the caller ensures by having read it ended; or to have been the
        last of those that were removed. Number 1 needs that none ever was.

        Raises:
            StoreUnavailable: it may or may not have happened.
        """
        ...

    def settle(self, key: RunKey, command: CommandId) -> None:
        """Strike one wish from the outbox: it is carried out, or no longer wished. Striking twice is harmless."""
        ...

    def outstanding(self, key: RunKey) -> tuple[Command, ...]:
        """Return the wishes of a run that nobody has settled, oldest first."""
        ...

    def postpone(self, key: RunKey, command: CommandId, at: datetime) -> None:
        """Let a wish be due again at an instant, and count a try. One that is settled meanwhile stays settled.

        Of several who postpone one wish at once, one does; the others need not.
        """
        ...

    def wishes(self, key: RunKey) -> tuple[Wish, ...]:
        """Return the wishes of a run that nobody has settled, oldest first, and how each stands."""
        ...

    def journal(self, key: RunKey) -> tuple[Entry, ...]:
        """Return the whole journal of a run, oldest first."""
        ...

    def runs_of(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return a pipeline's runs, newest opened first. `before` is the run id of the last one already seen."""
        ...

    def reruns(self, pipeline: str | None, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return what was run again because people or data asked for it, of one pipeline or of all, newest opened first.

        `before` is the run id of the last one already seen. Runs opened by a version that did not keep this are not there.
        """
        ...

    def replays(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return a pipeline's replays, first runs of their slots included, newest opened first; see `reruns`."""
        ...

    def active_runs(self, *, limit: int, after: str | None = None) -> tuple[RunKey, ...]:
        """Return runs that have not ended, oldest opened first; may lag. `after` is the run id of the last one seen.

        Runs opened by a version that did not keep this index are not among them.

        Raises:
            NotFound: no run of that id was ever opened.
        """
        ...

    def retired(self, slot: Slot) -> int:
        """Return the highest number of a run of a slot that was removed because its history was over; 0 when none was.

        Runs are counted on from there: a number that has been used names a job for ever.
        """
        ...

    def count_runs(self, slot: Slot, causes: Collection[Cause]) -> int:
        """Return how many runs of a slot were opened for one of these causes."""
        ...


class DueKind(enum.StrEnum):
    """What may be due."""

    RUN = "run"
    WISH = "wish"
    AGENDA = "agenda"
    DISPATCH = "dispatch"
    UNKNOWN = "unknown"


class DueWork(NamedTuple):
    """Something whose time has come, and since when.

    `subject` is the run for RUN and for WISH (one of its outstanding wishes), pipeline and schedule for AGENDA, the
    dispatch's id for DISPATCH, and the place as text for UNKNOWN.
    """

    kind: DueKind
    subject: RunKey | tuple[PipelineName, ScheduleName] | str
    wake_at: datetime


class DueIndex(Protocol):
    """What wants to be looked at."""

    def due(self, before: datetime, limit: int) -> tuple[DueWork, ...]:
        """Return what is due at or before an instant, longest due first; may lag.

        One entry for each stored row: a run with three wishes that are due is told three times. What cannot be read is due
        like anything else, and a row of a shape not known here is told as UNKNOWN.
        """
        ...


class TimelineRecord(Struct, frozen=True, kw_only=True):
    """One line of a pipeline's timeline. `cursor` is where to go on from.

    What is about the pipeline as a whole has an empty schedule and period; what is of no run, an empty run id.
    """

    cursor: str
    pipeline: str
    schedule: str
    period: str
    run_id: str
    record: EventRecord


class Timeline(Protocol):
    """What happened to a pipeline, over all its runs and evaluations."""

    def timeline(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[TimelineRecord, ...]:
        """Return the latest `limit` records before a cursor, oldest of them first."""
        ...

    def note(self, slot: Slot, at: datetime, name: str, records: Sequence[EventRecord]) -> None:
        """Tell something about a slot that belongs to no run. Telling it again under the same name changes nothing."""
        ...


class Evaluation(Struct, frozen=True, kw_only=True):
    """One evaluation that nobody meant to start a job on. The last of each slot is kept."""

    slot: Slot
    spec_digest: str
    started_at: datetime
    ended_at: datetime
    results: tuple[TraitResult, ...]
    readiness: Readiness


class Evaluations(Protocol):
    """Evaluations asked for by people and programs."""

    def record_evaluation(self, evaluation: Evaluation, records: Sequence[EventRecord]) -> None:
        """Keep an evaluation and its records, wholly and durably."""
        ...

    def evaluation(self, slot: Slot) -> Evaluation | None:
        """Return the last evaluation of a slot."""
        ...

    def latest_evaluation(self, pipeline: str) -> Evaluation | None:
        """Return the evaluation of a pipeline that ended last."""
        ...


class Specs(Protocol):
    """Resolved pipeline specs by their digest: what runs are pinned to."""

    def put_spec(self, spec: PipelineSpec) -> str:
        """Keep a spec and return its digest. Equal specs have equal digests and are kept once."""
        ...

    def spec(self, digest: str) -> PipelineSpec:
        """Return a spec.

        Raises:
            NotFound: no spec of that digest was ever kept.
        """
        ...


class Claim(Struct, frozen=True, kw_only=True):
    """Somebody's word that it is about to start an attempt, written before it calls.

    `until` is when the call is surely over. `turn` counts the claims on one attempt: 1 for the first. `place` is where the
    job is started, as far as that may change.
    """

    run: RunKey
    attempt: int
    turn: int
    at: datetime
    until: datetime
    refused: bool = False
    place: str = ""


class Claims(Protocol):
    """Who is starting what."""

    def claim(self, run: RunKey, attempt: int) -> Claim | None:
        """Return the claim on an attempt, as it is now."""
        ...

    def put_claim(self, claim: Claim) -> bool:
        """Claim an attempt; True for exactly one caller per turn. Turn n needs turn n-1 to be there (1: none at all).

        Nobody can claim an attempt of a run that was removed.
        """
        ...

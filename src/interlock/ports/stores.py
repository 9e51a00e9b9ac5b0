"""What use cases need kept: one Protocol per need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from interlock.core.chronicle import EventRecord
from interlock.core.commands import Command
from interlock.core.events import Event
from interlock.core.ids import CommandId, RunKey, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness
from interlock.core.runs import Run
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
        n-1 to be what it was when this was decided, which the caller ensures by having read it ended.

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

    def journal(self, key: RunKey) -> tuple[Entry, ...]:
        """Return the whole journal of a run, oldest first."""
        ...

    def runs_of(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return a pipeline's runs, newest opened first. `before` is the run id of the last one already seen."""
        ...


class TimelineRecord(Struct, frozen=True, kw_only=True):
    """One line of a pipeline's timeline. `cursor` is where to go on from."""

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

    `until` is when the call is surely over. `turn` counts the claims on one attempt: 1 for the first.
    """

    run: RunKey
    attempt: int
    turn: int
    at: datetime
    until: datetime
    refused: bool = False


class Claims(Protocol):
    """Who is starting what."""

    def claim(self, run: RunKey, attempt: int) -> Claim | None:
        """Return the claim on an attempt, as it is now."""
        ...

    def put_claim(self, claim: Claim) -> bool:
        """Claim an attempt; True for exactly one caller per turn. Turn n needs turn n-1 to be there (1: none at all)."""
        ...

"""The store ports, once, over any kernel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from interlock.codec import wire
from interlock.core.chronicle import EventRecord
from interlock.core.commands import Command
from interlock.core.ids import CommandId, PipelineName, RunId, RunKey, Slot, parse_run_id
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Run
from interlock.errors import Contention, NotFound, UnreadableRecord
from interlock.ports.stores import Claim, Commit, DueWork, Entry, Evaluation, TimelineRecord, Wish
from interlock.ports.telemetry import SILENT, Telemetry
from interlock.stores import keys
from interlock.stores.activity import listed_activity
from interlock.stores.again import again_key, listed_again
from interlock.stores.due import active_key, work_of
from interlock.stores.headstones import counted_on, headstone, past_headstone
from interlock.stores.kernel import Change, Check, Delete, Kernel, Page, Put, Record, cursor_of
from interlock.stores.paging import rows_in

T = TypeVar("T")

_TRIES: Final = 20
_PAGE: Final = 500
_SPECS: Final = 20_000
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


class Repository:
    """Runs, journal, outbox, specs, evaluations, claims and timelines over one kernel.

    Everything that must change together lives in one slot's partition and changes in one kernel commit.
    """

    def __init__(self, kernel: Kernel, telemetry: Telemetry = SILENT) -> None:
        self.kernel = kernel
        self.telemetry = telemetry
        # What a digest names never changes, and every decision needs one: reading it again would cost as much as deciding.
        self._specs: dict[str, PipelineSpec] = {}

    # ------------------------------------------------------------------ runs

    def run(self, key: RunKey) -> Run | None:
        """Return a run as it is now."""
        record = self.kernel.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
        return None if record is None else decoded(record, Run)

    def latest_run(self, slot: Slot) -> Run | None:
        """Return the slot's run of the highest number, as it is now."""
        found = self.kernel.rows(keys.slot_pk(slot), keys.RUN_PREFIX, Page(limit=1, backwards=True))
        return decoded(found[0], Run) if found else None

    def commit(self, change: Commit) -> bool:
        """Write the run, its journal line, its wishes and the settled wish in one kernel commit."""
        key = change.after.key
        if change.before is not None:
            return self._committed(change)
        if key.number == 1:
            return past_headstone(self.kernel, key.slot, partial(self._committed, change), lambda last: last == 0)
        previous = self._previous(key)
        return previous is not None and self._committed(change, previous)

    def _committed(self, change: Commit, *checks: Check) -> bool:
        pk = keys.slot_pk(change.after.key.slot)
        batch: list[Change] = [*checks]
        if change.after != change.before:
            batch.append(Put(_run_record(change.after)))
        if change.entry is not None:
            batch.append(Put(_entry_record(change.after.key, change.entry)))
        batch += (Put(_outbox_record(change.after, command)) for command in change.commands)
        if change.settles is not None:
            batch.append(Delete(keys.outbox_sk(change.after.key, change.settles)))
        batch += listed_activity(change)
        batch += listed_again(change)
        return self.kernel.commit(pk, batch)

    def _previous(self, key: RunKey) -> Check | None:
        """Return what must hold of the run before one that is to be opened; None when it may not be opened."""
        run = self.run(RunKey(key.slot, key.number - 1))
        if run is None:
            return counted_on(self.kernel, key.slot, key.number - 1)
        return Check(keys.run_sk(run.key.number), run.version) if run.ended else None

    def settle(self, key: RunKey, command: CommandId) -> None:
        """Strike one wish from the outbox."""
        self.kernel.commit(keys.slot_pk(key.slot), [Delete(keys.outbox_sk(key, command))])

    def outstanding(self, key: RunKey) -> tuple[Command, ...]:
        """Return the wishes nobody has settled, oldest first."""
        return tuple(wish.command for wish in self.wishes(key))

    def wishes(self, key: RunKey) -> tuple[Wish, ...]:
        """Return the wishes nobody has settled, oldest first, and how each stands."""
        found = rows_in(self.kernel, keys.slot_pk(key.slot), keys.outbox_prefix(key))
        return tuple(map(_wish, found))

    def postpone(self, key: RunKey, command: CommandId, at: datetime) -> None:
        """Let a wish be due again at an instant, and count a try."""
        pk = keys.slot_pk(key.slot)
        wish = self.kernel.get(pk, keys.outbox_sk(key, command))
        if wish is not None:
            # Lost to somebody who settled it, or who postponed it too: either is as good.
            self.kernel.commit(pk, [Put(replace(wish, version=wish.version + 1, wake_at=at))])

    def due(self, before: datetime, limit: int) -> tuple[DueWork, ...]:
        """Return what is due at or before an instant, longest due first."""
        return tuple(work_of(place) for place in self.kernel.due(before, limit))

    def journal(self, key: RunKey) -> tuple[Entry, ...]:
        """Return the whole journal of a run, oldest first."""
        found = rows_in(self.kernel, keys.slot_pk(key.slot), keys.journal_prefix(key))
        return tuple(decoded(record, Entry) for record in found)

    def runs_of(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return a pipeline's runs, newest opened first."""
        cursor = None
        if before is not None:
            key = parse_run_id(before)
            last = self.kernel.get(keys.slot_pk(key.slot), keys.run_sk(key.number))
            if last is None:
                raise NotFound(f"there is no run {before}")
            cursor = cursor_of(last)
        page = Page(limit=limit, after=cursor, backwards=True)
        return tuple(decoded(record, Run) for record in self.kernel.listing(keys.runs_kind(pipeline), page))

    def reruns(self, pipeline: str | None, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return what was run again because people or data asked for it, of one pipeline or of all, newest opened first."""
        return self._again(keys.reruns_kind(pipeline), "all" if pipeline is None else "of", limit, before)

    def replays(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[Run, ...]:
        """Return a pipeline's replays, newest opened first."""
        return self._again(keys.replays_kind(pipeline), "replay", limit, before)

    def _again(self, kind: str, listing: str, limit: int, before: str | None) -> tuple[Run, ...]:
        cursor = None
        if before is not None:
            key = parse_run_id(before)
            last = self.kernel.get(keys.slot_pk(key.slot), keys.again_sk(key.number, listing))
            if last is None:
                raise NotFound(f"{before} is not listed here")
            cursor = cursor_of(last)
        found = self.kernel.listing(kind, Page(limit=limit, after=cursor, backwards=True))
        runs = (self.run(again_key(record.pk, record.sk)) for record in found)
        return tuple(run for run in runs if run is not None)

    def active_runs(self, *, limit: int, after: str | None = None) -> tuple[RunKey, ...]:
        """Return runs that have not ended, oldest opened first."""
        cursor = None if after is None else self._active_cursor(parse_run_id(after))
        found = self.kernel.listing(keys.ACTIVE_KIND, Page(limit=limit, after=cursor))
        return tuple(active_key(record.pk, record.sk) for record in found)

    def _active_cursor(self, key: RunKey) -> str:
        pk, sk = keys.slot_pk(key.slot), keys.active_sk(key.number)
        # The row of the index first: it can be read where the run's own cannot. It is gone once the run has ended.
        row = self.kernel.get(pk, sk) or self.kernel.get(pk, keys.run_sk(key.number))
        if row is None:
            raise NotFound(f"there is no run {key}")
        return cursor_of(replace(row, sk=sk))

    def retired(self, slot: Slot) -> int:
        """Return the highest number of a run of a slot that was removed with its history; 0 when none was."""
        return headstone(self.kernel, slot).last

    def count_runs(self, slot: Slot, causes: Collection[Cause]) -> int:
        """Return how many runs of a slot were opened for one of these causes."""
        found = rows_in(self.kernel, keys.slot_pk(slot), keys.RUN_PREFIX)
        return sum(decoded(record, _Caused).cause in causes for record in found)

    # ------------------------------------------------------------------ timelines

    def timeline(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[TimelineRecord, ...]:
        """Return the latest records before a cursor, oldest of them first.

        A cursor names a stored line and a place within it, since one commit may tell several things.

        Raises:
            ValueError: the cursor is none.
        """
        found: list[TimelineRecord] = []
        after = None
        if before is not None:
            after, place = _line_and_place(before)
            found += self._within(pipeline, after)[:place]
        while len(found) < limit:
            page = self.kernel.listing(
                keys.timeline_kind(pipeline), Page(limit=min(limit, _PAGE), after=after, backwards=True)
            )
            for record in page:
                found = [*timeline_of(pipeline, record), *found]
            if len(page) < min(limit, _PAGE):
                break
            after = cursor_of(page[-1])
        return tuple(found[max(len(found) - limit, 0) :])

    def note(self, slot: Slot, at: datetime, name: str, records: Sequence[EventRecord]) -> None:
        """Tell something about a slot that belongs to no run, once."""
        pk = keys.slot_pk(slot)
        line = replace(note_record(pk, slot, at, name, records), sk=keys.named_note_sk(name))
        self.kernel.commit(pk, [Put(line)])  # False: it was told before

    def _within(self, pipeline: str, line: str) -> list[TimelineRecord]:
        _, pk, sk = line.split("\0")
        record = self.kernel.get(pk, sk)
        return [] if record is None else timeline_of(pipeline, record)

    # ------------------------------------------------------------------ specs

    def put_spec(self, spec: PipelineSpec) -> str:
        """Keep a spec and return its digest."""
        name = wire.digest(spec)
        if name in self._specs:
            return name
        pk = keys.spec_pk(name)
        if self.kernel.get(pk, keys.SPEC_SK) is None:
            # False means that somebody else kept the same content first, which is as good.
            self.kernel.commit(pk, [Put(Record(pk=pk, sk=keys.SPEC_SK, version=1, body=wire.to_builtins(spec)))])
        return self._kept(name, spec)

    def spec(self, digest: str) -> PipelineSpec:
        """Return a spec by its digest."""
        known = self._specs.get(digest)
        if known is not None:
            return known
        record = self.kernel.get(keys.spec_pk(digest), keys.SPEC_SK)
        if record is None:
            raise NotFound(f"the store holds no pipeline spec {digest}: it was removed or belongs to another store")
        spec = decoded(record, PipelineSpec)
        self._kept(digest, spec)
        return spec

    def _kept(self, digest: str, spec: PipelineSpec) -> str:
        if len(self._specs) >= _SPECS:
            self._specs.clear()
        self._specs[digest] = spec
        return digest

    # ------------------------------------------------------------------ evaluations

    def record_evaluation(self, evaluation: Evaluation, records: Sequence[EventRecord]) -> None:
        """Keep the slot's last evaluation and its timeline line."""
        slot = evaluation.slot
        pk, sk = keys.pipeline_pk(slot.pipeline), keys.evaluation_sk(slot)
        for _ in range(_TRIES):
            old = self.kernel.get(pk, sk)
            version = 1 if old is None else old.version + 1
            row = Record(
                pk=pk,
                sk=sk,
                version=version,
                body=wire.to_builtins(evaluation),
                kind=keys.evaluations_kind(slot.pipeline),
                rank=keys.moment(evaluation.ended_at),
            )
            name = f"{slot.schedule}#{slot.period}#{version:08d}"
            note = note_record(pk, slot, evaluation.ended_at, name, records)
            if self.kernel.commit(pk, [Put(row), Put(note)]):
                return
        raise Contention(f"the evaluation of {slot} could not be kept: others kept writing the same one first")

    def evaluation(self, slot: Slot) -> Evaluation | None:
        """Return the last evaluation of a slot."""
        record = self.kernel.get(keys.pipeline_pk(slot.pipeline), keys.evaluation_sk(slot))
        return None if record is None else decoded(record, Evaluation)

    def latest_evaluation(self, pipeline: str) -> Evaluation | None:
        """Return the evaluation of a pipeline that ended last."""
        found = self.kernel.listing(keys.evaluations_kind(pipeline), Page(limit=1, backwards=True))
        return decoded(found[0], Evaluation) if found else None

    # ------------------------------------------------------------------ claims

    def claim(self, run: RunKey, attempt: int) -> Claim | None:
        """Return the claim on an attempt."""
        record = self.kernel.get(keys.slot_pk(run.slot), keys.claim_sk(run, attempt))
        return None if record is None else decoded(record, Claim)

    def put_claim(self, claim: Claim) -> bool:
        """Claim an attempt; True for exactly one caller per turn."""
        pk = keys.slot_pk(claim.run.slot)
        sk = keys.claim_sk(claim.run, claim.attempt)
        row = Record(pk=pk, sk=sk, version=claim.turn, body=wire.to_builtins(claim))
        return past_headstone(
            self.kernel,
            claim.run.slot,
            lambda check: self.kernel.commit(pk, [Put(row), check]),
            lambda last: last < claim.run.number,
        )


class _Caused(Struct, frozen=True, kw_only=True):
    """The one thing that budgets need to know of a run."""

    cause: Cause = Cause.MANUAL


class _Told(Struct, frozen=True, kw_only=True):
    """What a row of the timeline tells, whatever else is in it."""

    slot: Slot | None = None
    records: tuple[EventRecord, ...]
    run_id: RunId = RunId("")


def decoded(record: Record, kind: type[T]) -> T:
    """Read a row back into a core value, or say which row cannot be read."""
    try:
        return wire.from_builtins(record.body, kind)
    except ValueError as exc:
        raise UnreadableRecord(
            f"the row {record.sk!r} of {record.pk!r} cannot be read: {exc}. It was damaged, or written by a later Interlock",
            cursor=cursor_of(record),
        ) from exc


def note_record(pk: str, slot: Slot, at: datetime, name: str, records: Sequence[EventRecord]) -> Record:
    """Return a timeline line that belongs to no run."""
    line = pipeline_note_record(pk, slot.pipeline, at, name, records)
    return replace(line, body={**line.body, "slot": wire.to_builtins(slot)})


def pipeline_note_record(
    pk: str, pipeline: PipelineName, at: datetime, name: str, records: Sequence[EventRecord]
) -> Record:
    """Return a timeline line that is about a pipeline as a whole: of no run, and of no slot."""
    body: dict[str, Any] = {"records": wire.to_builtins(tuple(records))}
    sk, kind = keys.note_sk(at, name), keys.timeline_kind(pipeline)
    return Record(pk=pk, sk=sk, version=1, body=body, kind=kind, rank=keys.moment(at))


def _run_record(run: Run) -> Record:
    return Record(
        pk=keys.slot_pk(run.key.slot),
        sk=keys.run_sk(run.key.number),
        version=run.version,
        body=wire.to_builtins(run),
        wake_at=run.due_at,
        kind=keys.runs_kind(run.key.slot.pipeline),
        rank=keys.moment(run.opened_at),
    )


def _entry_record(key: RunKey, entry: Entry) -> Record:
    body = wire.to_builtins(entry)
    body["slot"] = wire.to_builtins(key.slot)
    body["run_id"] = key.run_id
    return Record(
        pk=keys.slot_pk(key.slot),
        sk=keys.journal_sk(key, entry.version),
        version=1,
        body=body,
        kind=keys.timeline_kind(key.slot.pipeline),
        rank=keys.moment(entry.at),
    )


def _outbox_record(run: Run, command: Command) -> Record:
    pk = keys.slot_pk(run.key.slot)
    sk = keys.outbox_sk(run.key, command.id)
    return Record(pk=pk, sk=sk, version=1, body=wire.to_builtins(command), wake_at=run.updated_at)


def _wish(record: Record) -> Wish:
    command: Command = decoded(record, Command)  # type: ignore[arg-type]  # a union is not a type to mypy
    return Wish(command, record.wake_at or _ALWAYS, record.version - 1)


def timeline_of(pipeline: str, record: Record) -> list[TimelineRecord]:
    """Read what one stored line of a pipeline's timeline tells, oldest first."""
    told = decoded(record, _Told)
    line = cursor_of(record).replace("\0", "|")
    return [
        TimelineRecord(
            cursor=f"{line}|{place}",
            pipeline=pipeline,
            schedule=told.slot.schedule if told.slot else "",
            period=told.slot.period if told.slot else "",
            run_id=told.run_id,
            record=each,
        )
        for place, each in enumerate(told.records)
    ]


def _line_and_place(cursor: str) -> tuple[str, int]:
    *line, place = cursor.split("|")
    if len(line) != 3 or not (place.isascii() and place.isdecimal()):
        raise ValueError(f"not a cursor of a timeline: {cursor!r} (take it from a record that was listed)")
    return "\0".join(line), int(place)

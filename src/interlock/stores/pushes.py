"""Pushed results, over any kernel."""

from __future__ import annotations

from typing import Final

from interlock.codec import wire
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import EMPTY
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, Slot, TraitName
from interlock.core.periods import Period
from interlock.errors import Contention
from interlock.ports.pushes import PushedResult
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Page, Put, Record
from interlock.stores.repository import decoded, note_record

_TRIES: Final = 20


class PushRows:
    """Keeps the newest pushed result of each trait, schedule and period, and tells the timeline of every push."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def get_push(self, pipeline: PipelineName, trait: TraitName) -> tuple[PushedResult, ...]:
        """Return the newest result of each schedule and period."""
        found = self._kernel.rows(keys.pipeline_pk(pipeline), keys.push_prefix(trait), Page())
        return tuple(decoded(record, PushedResult) for record in found)

    def put_push(self, pipeline: PipelineName, pushed: PushedResult) -> None:
        """Keep a result and its line in the timeline, in one commit. An older one never replaces a newer.

        Raises:
            Contention: others kept pushing the same trait first; nothing was written.
        """
        pk = keys.pipeline_pk(pipeline)
        sk = keys.push_sk(pushed.trait, pushed.schedule or "", pushed.period or "")
        for _ in range(_TRIES):
            old = self._kernel.get(pk, sk)
            version = 1 if old is None else old.version + 1
            newest = pushed
            if old is not None and decoded(old, PushedResult).pushed_at > pushed.pushed_at:
                newest = decoded(old, PushedResult)
            row = Record(pk=pk, sk=sk, version=version, body=wire.to_builtins(newest))
            if self._kernel.commit(pk, [Put(row), Put(_note(pipeline, pushed, f"{sk}#{version:08d}"))]):
                return
        raise Contention(f"the trait {pushed.trait} of {pipeline} could not be pushed: others kept pushing it first")


def _note(pipeline: PipelineName, pushed: PushedResult, name: str) -> Record:
    record = EventRecord(
        kind=EventKind.TRAIT_PUSHED,
        at=pushed.pushed_at,
        status=pushed.status,
        trait=pushed.trait,
        message=pushed.reason or (f"pushed by {pushed.pushed_by}" if pushed.pushed_by else "pushed"),
        details=pushed.value or EMPTY,
        category=pushed.category,
    )
    period = pushed.period or Period.of_day(pushed.pushed_at.date())
    slot = Slot(pipeline, pushed.schedule or DEFAULT_SCHEDULE, period)
    return note_record(keys.pipeline_pk(pipeline), slot, pushed.pushed_at, name, (record,))

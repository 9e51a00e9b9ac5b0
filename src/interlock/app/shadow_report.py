"""What would have happened: the slots of a pipeline in shadow mode, beside what really happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from interlock.app.views import View
from interlock.core.chronicle import EventKind
from interlock.core.ids import PipelineName, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import Mode
from interlock.core.runs import Run
from interlock.core.times import format_instant
from interlock.ports.stores import TimelineRecord

if TYPE_CHECKING:
    from interlock.app.hands import Store  # with everything that acts

REAL: Final = "shadow, for real: "
"""How a line of the timeline begins that tells of a job which ran although Interlock only looked on."""

_PAGE: Final = 200
_WOULD: Final = "WOULD_"
_OF_RUNS: Final = 50


class ShadowSlot(View, frozen=True, kw_only=True, rename="camel"):
    """One slot: when Interlock would have started its job and what else it would have done, and what really happened.

    `starts` counts the starts it would have made; `really` is empty when nothing is known of a real run.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    starts: int
    would_start_at: datetime | None
    would: tuple[str, ...]
    really: tuple[str, ...]


class ShadowReport(View, frozen=True, kw_only=True, rename="camel"):
    """The slots in order of their periods."""

    items: tuple[ShadowSlot, ...]


def shadow_report(pipelines: Iterable[str], store: Store, since: datetime | None) -> ShadowReport:
    """Gather what would have happened to some pipelines' slots, since an instant if one is given."""
    found = [slot for pipeline in pipelines for slot in _slots(pipeline, store, since)]
    return ShadowReport(items=tuple(sorted(found, key=lambda one: (one.pipeline_id, one.date, one.schedule_id))))


def _slots(pipeline: str, store: Store, since: datetime | None) -> Iterator[ShadowSlot]:
    lines: dict[tuple[str, str], list[TimelineRecord]] = {}
    for line in _lines(pipeline, store, since):
        if line.record.kind.startswith(_WOULD) or line.record.message.startswith(REAL):
            lines.setdefault((line.schedule, line.period), []).append(line)
    real = list(_real_runs(pipeline, store)) if lines else []
    for (schedule, period), told in lines.items():
        slot = Slot(PipelineName(pipeline), ScheduleName(schedule), Period(period))
        yield _shown(slot, told, [run for run in real if run.key.slot == slot])


def _lines(pipeline: str, store: Store, since: datetime | None) -> Iterator[TimelineRecord]:
    """Yield the timeline, latest page first but each page in order, back to an instant."""
    pages: list[tuple[TimelineRecord, ...]] = []
    before: str | None = None
    while True:
        page = store.timeline(pipeline, limit=_PAGE, before=before)
        pages.append(page)
        if len(page) < _PAGE or (since is not None and page[0].record.at < since):
            break
        before = page[0].cursor
    for page in reversed(pages):
        yield from (line for line in page if since is None or line.record.at >= since)


def _real_runs(pipeline: str, store: Store) -> Iterator[Run]:
    for run in store.runs_of(pipeline, limit=_OF_RUNS):
        if run.attempt and store.spec(run.spec_digest).mode is Mode.LIVE:
            yield run


def _shown(slot: Slot, told: list[TimelineRecord], real: list[Run]) -> ShadowSlot:
    starts = [line.record.at for line in told if line.record.kind is EventKind.WOULD_START]
    would = [line for line in told if line.record.kind.startswith(_WOULD)]
    really = [f"{run.key} {run.status}, began {_instant(run.began_at)}" for run in real]
    really += [
        f"{line.record.message.removeprefix(REAL)}, {_instant(line.record.at)}"
        for line in told
        if line.record.message.startswith(REAL)
    ]
    return ShadowSlot(
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        starts=len(starts),
        would_start_at=min(starts, default=None),
        would=tuple(f"{line.record.kind}: {line.record.message}" for line in would),
        really=tuple(really),
    )


def _instant(at: datetime | None) -> str:
    return "never" if at is None else format_instant(at)

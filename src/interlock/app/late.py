"""What came too late: data for a slot that had been let through without it, and drift that was seen after the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from interlock.app.views import View
from interlock.codec.documents import mapping
from interlock.core.chronicle import EventKind
from interlock.ports.stores import Timeline, TimelineRecord

LOOKED_AT: Final = 5_000
"""How many lines of a timeline are searched at once."""

_PAGE: Final = 500
_KINDS: Final = (EventKind.LATE_DATA_ARRIVAL, EventKind.MONITORING_DRIFT_DETECTED)


class LateArrivalView(View, frozen=True, kw_only=True, rename="camel"):
    """Something about a slot that was seen after its run had been let through.

    `source` is what arrived, where somebody told of it; `trait_type` the trait in which it was seen, where it was watched
    for. `record_delta` is by how many records, where that is known.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    detected_at: datetime
    source: str | None
    trait_type: str | None
    record_delta: int | None
    message: str


class LateArrivalList(View, frozen=True, kw_only=True, rename="camel"):
    """Late arrivals, latest first. `next` leads to where the search goes on; null when everything was searched.

    There may be more although a page holds few: one page searches a part of the past only.
    """

    items: tuple[LateArrivalView, ...]
    next: str | None


def late_arrivals(timeline: Timeline, pipeline: str, *, limit: int, before: str | None = None) -> LateArrivalList:
    """Search a pipeline's timeline backwards for what came too late; `before` is the `next` of the page before."""
    found: list[LateArrivalView] = []
    looked_at, last = 0, None
    for line in _backwards(timeline, pipeline, before):
        if len(found) >= limit or looked_at == LOOKED_AT:
            return LateArrivalList(items=tuple(found), next=last)
        found += arrivals_of(line)
        looked_at, last = looked_at + 1, line.cursor
    return LateArrivalList(items=tuple(found), next=None)


def _backwards(timeline: Timeline, pipeline: str, before: str | None) -> Iterator[TimelineRecord]:
    while page := timeline.timeline(pipeline, limit=_PAGE, before=before):
        yield from reversed(page)
        if len(page) < _PAGE:
            return
        before = page[0].cursor


def arrivals_of(line: TimelineRecord) -> list[LateArrivalView]:
    """Return what a line tells of that came too late: one arrival, or one for each trait that moved; nothing of others."""
    if line.record.kind not in _KINDS:
        return []
    details = mapping(line.record.details)
    source, traits = details.get("source"), details.get("blockingTraits") or [None]
    return [
        LateArrivalView(
            pipeline_id=line.pipeline,
            schedule_id=line.schedule,
            date=line.period,
            detected_at=line.record.at,
            source=source,
            trait_type=trait,
            record_delta=None,
            message=line.record.message,
        )
        for trait in traits
    ]

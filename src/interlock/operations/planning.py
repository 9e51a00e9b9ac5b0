"""What is to come: the next slots of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

from interlock.api.planning import USUAL, PreviewSchedule, SchedulePreviewList
from interlock.app.previews import MOST, SchedulePreview, around_changes, preview
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.times import Overlap, instant
from interlock.errors import Invalid, NotFound
from interlock.operations.desk import Desk
from interlock.operations.pipelines import pipeline_of

_AROUND: Final = 3
_YEARS: Final = range(1900, 2900)


def preview_schedule(request: PreviewSchedule, desk: Desk) -> SchedulePreviewList:
    """Show the next slots of each schedule, or of one.

    Raises:
        NotFound: there is no such pipeline or schedule.
        Invalid: the year is out of range, or two ways of choosing slots are given.
    """
    if request.around_dst and request.days is not None:
        raise Invalid("aroundDst shows slots beside clock changes, and days those of a stretch: give one of them")
    if request.since is not None and request.since.year not in _YEARS:
        raise Invalid(f"from: the year {request.since.year} is out of range: from {_YEARS[0]} to {_YEARS[-1]}")
    spec = pipeline_of(desk.project, request.pipeline_id)
    schedules = spec.schedules
    if request.schedule is not None:
        schedules = tuple(each for each in schedules if each.name == request.schedule)
        if not schedules:
            listed = ", ".join(each.name for each in spec.schedules)
            raise NotFound(f"pipeline {spec.name} has no schedule {request.schedule!r} (there are: {listed})")
    now = desk.clock.now()
    return SchedulePreviewList(items=tuple(one for each in schedules for one in _previews(spec, each, request, now)))


def _previews(
    spec: PipelineSpec, schedule: ScheduleSpec, request: PreviewSchedule, now: datetime
) -> Iterator[SchedulePreview]:
    # A slot that opens in this very minute is among the next.
    begin = now.replace(second=0, microsecond=0) if request.since is None else _midnight(request.since, schedule)
    if request.around_dst:
        # One without slots says that the clocks of its zone are not changed within three years.
        none = SchedulePreview(
            pipeline_id=spec.name, schedule_id=schedule.name, timezone=schedule.timezone, change=None, slots=()
        )
        yield from around_changes(spec, schedule, begin, request.count or _AROUND) or (none,)
        return
    until = None if request.days is None else begin + timedelta(days=request.days)
    yield preview(spec, schedule, begin, until, request.count or (MOST if request.days else USUAL))


def _midnight(day: date, schedule: ScheduleSpec) -> datetime:
    return instant(day, time.min, schedule.timezone, overlap=Overlap.FIRST)

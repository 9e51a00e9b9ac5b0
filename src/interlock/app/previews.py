"""What is to come: the next slots of a schedule as concrete instants, without asking anybody or opening a store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Final

from interlock.app.views import View
from interlock.core.openings import opening_before
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.schedules import Window, exclusion, limits, window_of, windows
from interlock.core.times import zone

MOST: Final = 1000
_TICK: Final = timedelta(microseconds=1)
_STEP: Final = timedelta(hours=6)
_CHANGES_WITHIN: Final = timedelta(days=3 * 366)
_FOREVER: Final = timedelta(days=60 * 366)


class MomentView(View, frozen=True, kw_only=True, rename="camel"):
    """One instant, as clocks show it in the schedule's zone and in UTC."""

    local: str
    utc: datetime


class SlotPreview(View, frozen=True, kw_only=True, rename="camel"):
    """One slot to come. `excluded` says why nothing will start; the deadlines are those of a run that opens on time."""

    date: str
    opens_at: MomentView
    evaluation_at_risk_at: MomentView | None
    evaluate_by: MomentView | None
    completion_at_risk_at: MomentView | None
    complete_by: MomentView | None
    closes_at: MomentView
    closes_because: str
    excluded: str


class ClockChange(View, frozen=True, kw_only=True, rename="camel"):
    """An instant at which the clocks of a zone are set, with what they show before and after."""

    timezone: str
    at: datetime
    before: str
    after: str


class SchedulePreview(View, frozen=True, kw_only=True, rename="camel"):
    """The slots of a schedule; `change` is the clock change that they lie around, where that was asked for."""

    pipeline_id: str
    schedule_id: str
    timezone: str
    change: ClockChange | None
    slots: tuple[SlotPreview, ...]


def preview(
    spec: PipelineSpec, schedule: ScheduleSpec, since: datetime, until: datetime | None, count: int
) -> SchedulePreview:
    """Show the next slots that open at or after an instant, at most `count`, and none that opens after `until`."""
    last = since + _FOREVER if until is None else until
    found = windows(spec.name, schedule, since - _TICK, last, min(count, MOST))
    return _shown(spec, schedule, None, found)


def around_changes(
    spec: PipelineSpec, schedule: ScheduleSpec, since: datetime, count: int
) -> tuple[SchedulePreview, ...]:
    """Show the slots on both sides of the next two clock changes of a schedule's zone, at most `count` on each."""
    found = []
    for change in islice(_changes(schedule.timezone, since), 2):
        before = list(islice(_backwards(spec, schedule, change), count))
        after = windows(spec.name, schedule, change - _TICK, change + _FOREVER, count)
        found.append(_shown(spec, schedule, change, (*reversed(before), *after)))
    return tuple(found)


def _backwards(spec: PipelineSpec, schedule: ScheduleSpec, before: datetime) -> Iterator[Window]:
    while (opening := opening_before(schedule, before - _TICK)) is not None:
        window = window_of(spec.name, schedule, opening.period)
        if window is None:
            return
        yield window
        before = opening.at


def _changes(zone_name: str, since: datetime) -> Iterator[datetime]:
    """Yield the instants at which the offset of a zone changes, to the second."""
    shown = zone(zone_name)
    at = since.replace(second=0, microsecond=0)
    while at < since + _CHANGES_WITHIN:
        before = at.astimezone(shown).utcoffset()
        if (at + _STEP).astimezone(shown).utcoffset() != before:
            low, high = 0, int(_STEP.total_seconds())
            while high - low > 1:
                middle = (low + high) // 2
                same = (at + timedelta(seconds=middle)).astimezone(shown).utcoffset() == before
                low, high = (middle, high) if same else (low, middle)
            yield at + timedelta(seconds=high)
        at += _STEP


def _shown(
    spec: PipelineSpec, schedule: ScheduleSpec, change: datetime | None, found: Iterator[Window] | tuple[Window, ...]
) -> SchedulePreview:
    return SchedulePreview(
        pipeline_id=spec.name,
        schedule_id=schedule.name,
        timezone=schedule.timezone,
        change=None if change is None else _change(schedule.timezone, change),
        slots=tuple(_slot(spec, schedule, each) for each in found),
    )


def _change(zone_name: str, at: datetime) -> ClockChange:
    last = (at - timedelta(seconds=1)).astimezone(zone(zone_name))
    before = at.astimezone(timezone(last.utcoffset() or timedelta()))
    return ClockChange(timezone=zone_name, at=at, before=_text(before), after=_text(at.astimezone(zone(zone_name))))


def _slot(spec: PipelineSpec, schedule: ScheduleSpec, window: Window) -> SlotPreview:
    fixed = limits(spec, window, window.opens_at)
    zone_name = schedule.timezone
    return SlotPreview(
        date=window.slot.period,
        opens_at=_moment(fixed.opens_at, zone_name),
        evaluation_at_risk_at=_known(fixed.evaluation_warn, zone_name),
        evaluate_by=_known(fixed.evaluation_due, zone_name),
        completion_at_risk_at=_known(fixed.completion_warn, zone_name),
        complete_by=_known(fixed.completion_due, zone_name),
        closes_at=_moment(fixed.closes_at, zone_name),
        closes_because=fixed.closes_because,
        excluded=exclusion(spec.exclusions, window.slot.period),
    )


def _known(at: datetime | None, zone_name: str) -> MomentView | None:
    return None if at is None else _moment(at, zone_name)


def _moment(at: datetime, zone_name: str) -> MomentView:
    return MomentView(local=_text(at.astimezone(zone(zone_name))), utc=at)


def _text(local: datetime) -> str:
    return local.isoformat(timespec="seconds" if local.second or local.microsecond else "minutes")

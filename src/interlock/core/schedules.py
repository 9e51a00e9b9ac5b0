"""Windows of a day: which slot is current, when it opens, by when it is due, and on which days nothing starts."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.core.ids import PipelineName, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, ExclusionSpec, PipelineSpec, ScheduleSpec
from interlock.core.times import Overlap, instant, zone

ONE_DAY: Final = timedelta(days=1)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Window(Struct, frozen=True, kw_only=True):
    """One slot's stretch of time, as instants: it opens, should be done by `due_at`, and is over at `ends_at`."""

    slot: Slot
    opens_at: datetime
    ends_at: datetime
    due_at: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        """Whether work on the slot may begin at an instant."""
        return self.opens_at <= at < self.ends_at


def runs_over_midnight(schedule: ScheduleSpec) -> bool:
    """Say whether the window belongs to the day before the one on which it is due."""
    return schedule.deadline is not None and schedule.deadline <= (schedule.after or time.min)


def window(pipeline: PipelineName, schedule: ScheduleSpec, day: date) -> Window:
    """Return the window of one day of a schedule.

    A window opens at `after` (or local midnight) and lasts until the next local midnight; one that runs over midnight
    lasts until its deadline, if that is later.
    """
    opens = instant(day, schedule.after or time.min, schedule.timezone, overlap=Overlap.FIRST)
    ends = instant(day + ONE_DAY, time.min, schedule.timezone, overlap=Overlap.FIRST)
    due = None
    if schedule.deadline is not None:
        due_day = day + ONE_DAY if runs_over_midnight(schedule) else day
        due = instant(due_day, schedule.deadline, schedule.timezone, overlap=Overlap.SECOND)
        ends = max(ends, due) if runs_over_midnight(schedule) else ends
    return Window(slot=Slot(pipeline, schedule.name, Period.of_day(day)), opens_at=opens, ends_at=ends, due_at=due)


def in_own_zone(spec: PipelineSpec, slot: Slot) -> Slot:
    """Return a slot under the one name that its period has in its schedule's zone."""
    schedule = spec.schedule(slot.schedule)
    return slot if schedule is None else replace(slot, period=slot.period.in_zone(schedule.timezone))


def current_window(pipeline: PipelineName, schedule: ScheduleSpec, at: datetime) -> Window:
    """Return the window that an instant belongs to: the latest one open, else today's, which opens later."""
    today = at.astimezone(zone(schedule.timezone)).date()
    windows = [window(pipeline, schedule, today - ONE_DAY), window(pipeline, schedule, today)]
    open_now = [candidate for candidate in windows if candidate.is_open(at)]
    return open_now[-1] if open_now else windows[-1]


def exclusion(exclusions: ExclusionSpec, period: Period) -> str:
    """Return why nothing new may start for a period, or nothing when something may.

    The period's own day counts, never the day on which somebody looks.
    """
    day = period.day
    if day in exclusions.dates:
        source = f" or calendar {exclusions.calendar}" if exclusions.calendar else ""
        return f"{day.isoformat()} is one of the excluded dates{source}"
    if day.weekday() in exclusions.weekdays:
        return f"{day.isoformat()} is a {_WEEKDAYS[day.weekday()]}, which is excluded"
    return ""


def due_at(deadline: Deadline, window: Window, zone_name: str) -> datetime:
    """Return the instant of a deadline for a window: a span from its opening, or the next such wall time after it."""
    if deadline.span is not None:
        return window.opens_at + deadline.span
    wall = deadline.wall or time.min
    day = window.opens_at.astimezone(zone(zone_name)).date()
    due = instant(day, wall, zone_name, overlap=Overlap.SECOND)
    return due if due > window.opens_at else instant(day + ONE_DAY, wall, zone_name, overlap=Overlap.SECOND)


def deadlines(spec: PipelineSpec, window: Window) -> tuple[datetime | None, datetime | None]:
    """Return by when the evaluation must have said yes and by when the job must have ended; None where nobody said.

    The schedule's own deadline goes before the pipeline's `sla`.
    """
    if window.due_at is not None:
        return window.due_at, window.due_at
    sla = spec.sla
    return (
        due_at(sla.evaluation, window, sla.timezone) if sla.evaluation else None,
        due_at(sla.completion, window, sla.timezone) if sla.completion else None,
    )

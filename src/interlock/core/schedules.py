"""Windows: which slot is current, when it opens, by when it is due, when it closes, and on which days nothing starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.core.ids import PipelineName, Slot
from interlock.core.openings import (
    ONE_DAY,
    Opening,
    day_start,
    opening_before,
    opening_of,
    openings_after,
)
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, ExclusionSpec, PipelineSpec, ScheduleSpec
from interlock.core.times import Overlap, instant, zone

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Window(Struct, frozen=True, kw_only=True):
    """One slot's stretch of time, as instants: it opens, should be done by `due_at`, and is over at `ends_at`.

    At `closes_at` it is given up when nothing else is said; `hard` says that the schedule names that instant, and that it
    is not just the window's end. `shifted` is how much later it opens than it reads, on a day whose clocks skip its time.
    """

    slot: Slot
    opens_at: datetime
    ends_at: datetime
    due_at: datetime | None = None
    closes_at: datetime
    hard: bool = False
    shifted: timedelta = timedelta()

    def is_open(self, at: datetime) -> bool:
        """Whether work on the slot may begin at an instant."""
        return self.opens_at <= at < self.ends_at


class Limits(Struct, frozen=True, kw_only=True):
    """Every instant that a slot's run goes by, fixed when the run opens.

    By `…_due` a deadline is met or breached, at `…_warn` people are told that it is at risk. At `closes_at` a slot that was
    never let through is given up, because of `closes_because`; `hard` says that somebody asked for that, and that it is not
    just the window's end.
    """

    opens_at: datetime
    evaluation_due: datetime | None = None
    evaluation_warn: datetime | None = None
    completion_due: datetime | None = None
    completion_warn: datetime | None = None
    closes_at: datetime
    closes_because: str
    hard: bool


# ---------------------------------------------------------------- windows


def windows(
    pipeline: PipelineName, schedule: ScheduleSpec, since: datetime, until: datetime, limit: int = 1000
) -> Iterator[Window]:
    """Yield the windows that open after `since` and not after `until`, ascending and lazily, at most `limit`."""
    return islice(_until(pipeline, schedule, since, until), limit)


def _until(pipeline: PipelineName, schedule: ScheduleSpec, since: datetime, until: datetime) -> Iterator[Window]:
    for found in _windows_after(pipeline, schedule, since):
        if found.opens_at > until:
            return
        yield found


def next_window(pipeline: PipelineName, schedule: ScheduleSpec, after: datetime) -> Window | None:
    """Return the first window that opens later than an instant; None when none does, however long one waits."""
    return next(_windows_after(pipeline, schedule, after), None)


def current_window(pipeline: PipelineName, schedule: ScheduleSpec, at: datetime) -> Window:
    """Return the window that an instant belongs to: the latest opened of those open, else the next to open.

    Raises:
        ValueError: the schedule never opens.
    """
    latest = opening_before(schedule, at)
    if latest is not None:
        found = _window(pipeline, schedule, latest)
        if found.is_open(at):
            return found
    following = next_window(pipeline, schedule, at)
    if following is None:
        raise ValueError(f"the schedule {schedule.name} of {pipeline} never opens")
    return following


def window_of(pipeline: PipelineName, schedule: ScheduleSpec, period: Period) -> Window | None:
    """Return the window of a named period; None when the schedule has no such period.

    A daily window lasts until the next local midnight, or until its deadline if that is later; one of `cron` or `every`
    lasts until the next opening.
    """
    found = opening_of(schedule, period)
    return None if found is None else _window(pipeline, schedule, found)


def _windows_after(pipeline: PipelineName, schedule: ScheduleSpec, after: datetime) -> Iterator[Window]:
    openings = openings_after(schedule, after)
    if _ends_with_its_day(schedule):
        return (_window(pipeline, schedule, each) for each in openings)
    return _each_until_the_next(pipeline, schedule, openings)


def _each_until_the_next(
    pipeline: PipelineName, schedule: ScheduleSpec, openings: Iterator[Opening]
) -> Iterator[Window]:
    before: Opening | None = None
    for each in openings:
        if before is not None:
            yield _made(pipeline, schedule, before, each.at)
        before = each
    if before is not None:
        yield _made(pipeline, schedule, before, before.at + ONE_DAY)


def _ends_with_its_day(schedule: ScheduleSpec) -> bool:
    return schedule.every is None and not schedule.cron


def _window(pipeline: PipelineName, schedule: ScheduleSpec, opening: Opening) -> Window:
    if _ends_with_its_day(schedule):
        return _made(pipeline, schedule, opening, _end_of_day(schedule, opening))
    following = next(openings_after(schedule, opening.at), None)
    return _made(pipeline, schedule, opening, opening.at + ONE_DAY if following is None else following.at)


def _end_of_day(schedule: ScheduleSpec, opening: Opening) -> datetime:
    day = opening.period.day
    ends = day_start(day + ONE_DAY, schedule.timezone)
    # Where the last hour of a day is skipped, a slot of that hour opens on the next.
    return ends if ends > opening.at else day_start(day + 2 * ONE_DAY, schedule.timezone)


def _made(pipeline: PipelineName, schedule: ScheduleSpec, opening: Opening, ends: datetime) -> Window:
    opens = opening.at
    due = _due(schedule, opening)
    if due is not None and _ends_with_its_day(schedule):
        ends = max(ends, due)
    closes = schedule.close_at and _after_opening(schedule.close_at, opens, schedule.timezone, opening.shifted)
    return Window(
        slot=Slot(pipeline, schedule.name, opening.period),
        opens_at=opens,
        ends_at=ends,
        due_at=due,
        closes_at=closes or ends,
        hard=closes is not None,
        shifted=opening.shifted,
    )


def _due(schedule: ScheduleSpec, opening: Opening) -> datetime | None:
    if schedule.deadline_span is not None:
        return opening.at + schedule.deadline_span
    if schedule.deadline is None:
        return None
    if not _ends_with_its_day(schedule):
        return _after_opening(Deadline(wall=schedule.deadline), opening.at, schedule.timezone, opening.shifted)
    day = opening.period.day + (ONE_DAY if runs_over_midnight(schedule) else timedelta())
    due = instant(day, schedule.deadline, schedule.timezone, overlap=Overlap.SECOND)
    return due if due > opening.at else due + opening.shifted


def runs_over_midnight(schedule: ScheduleSpec) -> bool:
    """Say whether the window of a day is due on the next."""
    return schedule.deadline is not None and schedule.deadline <= (schedule.after or time.min)


def in_own_zone(spec: PipelineSpec, slot: Slot) -> Slot:
    """Return a slot under the one name that its period has in its schedule's zone."""
    schedule = spec.schedule(slot.schedule)
    return slot if schedule is None else replace(slot, period=slot.period.in_zone(schedule.timezone))


# ---------------------------------------------------------------- deadlines


def due_at(deadline: Deadline, window: Window, zone_name: str) -> datetime:
    """Return the instant of a deadline for a window: a span from its opening, or the next such wall time after it."""
    return _after_opening(deadline, window.opens_at, zone_name, window.shifted)


def _after_opening(deadline: Deadline, opens: datetime, zone_name: str, shifted: timedelta) -> datetime:
    if deadline.span is not None:
        return opens + deadline.span
    wall = deadline.wall or time.min
    shown = zone(zone_name)
    local = opens.astimezone(shown).replace(tzinfo=None)
    if shifted and local - (opens - shifted).astimezone(shown).replace(tzinfo=None) > shifted:
        return _after_shifted(wall, opens, zone_name, shifted)
    due = instant(local.date(), wall, zone_name, overlap=Overlap.SECOND)
    return due if due > opens else instant(local.date() + ONE_DAY, wall, zone_name, overlap=Overlap.SECOND)


def _after_shifted(wall: time, opens: datetime, zone_name: str, shifted: timedelta) -> datetime:
    """Return the next wall time after what an opening reads; shifted along with it rather than overtaken by it."""
    reads = opens.astimezone(zone(zone_name)).replace(tzinfo=None) - shifted
    day = reads.date() + (timedelta() if wall > reads.time() else ONE_DAY)
    due = instant(day, wall, zone_name, overlap=Overlap.SECOND)
    return due if due > opens else due + shifted


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


def limits(spec: PipelineSpec, window: Window, at: datetime) -> Limits:
    """Fix every instant of a slot whose run opens at `at`.

    A run that opens when its slot is over already (a rerun, a replay, a slot made up for) is given as long from then as a
    punctual one has from the opening. Its deadlines stay where they were.
    """
    sla = spec.sla
    evaluation, completion = deadlines(spec, window)
    closes, because, hard = _closing(spec, window)
    last = max((due for due in (evaluation, completion) if due is not None), default=closes)
    if last > closes and not hard:
        # Nobody said when to give up, so it is not given up before it is due.
        closes, because = last, "its deadline"
    if at >= min(closes, window.ends_at):
        closes = at + (closes - window.opens_at)
    lead = max((lead for lead in (sla.at_risk, sla.expected_duration) if lead), default=None)
    return Limits(
        opens_at=window.opens_at,
        evaluation_due=evaluation,
        evaluation_warn=warning(evaluation, sla.at_risk, window.opens_at),
        completion_due=completion,
        completion_warn=warning(completion, lead, window.opens_at),
        closes_at=closes,
        closes_because=because,
        hard=hard,
    )


def warning(due: datetime | None, lead: timedelta | None, opens: datetime) -> datetime | None:
    """Return when a deadline is at risk. A lead as long as the slot has warns of nothing: every slot would begin at risk."""
    return due - lead if due is not None and lead and due - lead > opens else None


def _closing(spec: PipelineSpec, window: Window) -> tuple[datetime, str, bool]:
    schedule = spec.schedule(window.slot.schedule)
    said = []
    if window.hard:
        said.append((window.closes_at, "the schedule's closeAt"))
    if schedule is not None and schedule.window is not None:
        said.append((window.opens_at + schedule.window, "the evaluation window"))
    if spec.sla.validation_timeout is not None:
        said.append((due_at(spec.sla.validation_timeout, window, spec.sla.timezone), "sla.validationTimeout"))
    if not said:
        return window.ends_at, "the end of its window", False
    closes, because = min(said, key=lambda one: one[0])
    return closes, because, True


# ---------------------------------------------------------------- days without


def exclusion(exclusions: ExclusionSpec | PipelineSpec, period: Period) -> str:
    """Return why nothing new may start for a period, or nothing when something may.

    The period's own day counts, never the day on which somebody looks.
    """
    spec = exclusions.exclusions if isinstance(exclusions, PipelineSpec) else exclusions
    day = period.day
    named = day.isoformat()
    if day in spec.dates:
        source = f" or calendar {spec.calendar}" if spec.calendar else ""
        return f"{named} is one of the excluded dates{source}"
    if day.weekday() in spec.weekdays:
        return f"{named} is a {_WEEKDAYS[day.weekday()]}, which is excluded"
    for calendar in spec.calendars:
        if calendar.contains(day):
            return f"{named} is a day of the calendar {calendar.name}, which is excluded"
    if spec.include is not None and not spec.include.contains(day):
        return f"{named} is none of the included days"
    return ""

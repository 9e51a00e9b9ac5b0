"""Which slot a request is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from interlock.core.ids import DEFAULT_SCHEDULE, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.schedules import Window, current_window, window_of
from interlock.errors import Invalid, NotFound


def chosen_window(spec: PipelineSpec, at: datetime, schedule: str | None) -> Window:
    """Return the current window of a schedule; of the one that opened last when none is named.

    Raises:
        NotFound: the pipeline has no schedule of that name, or none that ever opens.
    """
    windows = _current(spec, named_schedules(spec, schedule), at)
    opened = [window for window in windows if window.opens_at <= at]
    return (
        max(opened, key=lambda window: window.opens_at) if opened else min(windows, key=lambda window: window.opens_at)
    )


def chosen_slot(spec: PipelineSpec, at: datetime, schedule: str | None, period: str | None) -> Slot:
    """Return the slot of a named period, or the current one.

    Raises:
        NotFound: the pipeline has no schedule of that name.
        Invalid: the period is none.
    """
    window = chosen_window(spec, at, schedule)
    if period is None:
        return window.slot
    return Slot(spec.name, window.slot.schedule, _period(period))


def acted_slot(spec: PipelineSpec, at: datetime, schedule: str | None, period: str | None) -> Slot:
    """Return the slot that something is to be done to: which one does not depend on when it is done, if a period is named.

    Without a schedule's name it is the one that has such a period; of several, `daily`.

    Raises:
        NotFound: the pipeline has no schedule of that name.
        Invalid: the period is none, or several schedules have it.
    """
    if schedule is not None or period is None or len(spec.schedules) == 1:
        return chosen_slot(spec, at, schedule, period)
    named = _period(period)
    having = [each.name for each in spec.schedules if window_of(spec.name, each, named) is not None]
    if not having:
        return chosen_slot(spec, at, None, period)
    if len(having) > 1 and DEFAULT_SCHEDULE not in having:
        raise _ambiguous(spec, period, having)
    return chosen_slot(spec, at, DEFAULT_SCHEDULE if DEFAULT_SCHEDULE in having else having[0], period)


def _period(text: str) -> Period:
    try:
        return Period.parse(text)
    except ValueError as exc:
        raise Invalid(f"date: {exc}") from exc


def _ambiguous(spec: PipelineSpec, period: str, having: Sequence[str]) -> Invalid:
    names = ", ".join(having)
    return Invalid(f"several schedules of {spec.name} have the period {period}: give one of {names} as the schedule")


def _current(spec: PipelineSpec, schedules: tuple[ScheduleSpec, ...], at: datetime) -> list[Window]:
    found, troubles = [], []
    for each in schedules:
        try:
            found.append(current_window(spec.name, each, at))
        except ValueError as exc:
            troubles.append(str(exc))
    if not found:
        raise NotFound("; ".join(troubles))
    return found


def named_schedules(spec: PipelineSpec, schedule: str | None) -> tuple[ScheduleSpec, ...]:
    """Return one schedule by name, or all of them when none is named.

    Raises:
        NotFound: the pipeline has no schedule of that name.
    """
    return spec.schedules if schedule is None else (_named(spec, schedule),)


def past_window(spec: PipelineSpec, at: datetime, schedule: str | None, period: str) -> Window:
    """Return the window of a named period, of the schedule that is named or else the one that has such a period.

    Raises:
        NotFound: no schedule has it.
        Invalid: the period is none, or several schedules have it.
    """
    named = _period(period)
    found = [
        window for each in named_schedules(spec, schedule) if (window := window_of(spec.name, each, named)) is not None
    ]
    if not found:
        raise NotFound(f"{spec.name} has no slot of the period {period}. Its current one is {_shown(spec, at)}")
    if len(found) > 1:
        raise _ambiguous(spec, period, [window.slot.schedule for window in found])
    return found[0]


def _shown(spec: PipelineSpec, at: datetime) -> str:
    return ", ".join(f"{each.slot.schedule} {each.slot.period}" for each in _current(spec, spec.schedules, at))


def _named(spec: PipelineSpec, name: str) -> ScheduleSpec:
    from difflib import get_close_matches

    found = spec.schedule(name)
    if found is not None:
        return found
    names = [schedule.name for schedule in spec.schedules]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    raise NotFound(f"pipeline {spec.name} has no schedule {name!r} ({hint})")

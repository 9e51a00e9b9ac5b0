"""Openings: the instants at which the slots of a schedule open, and what their periods are called.

There are two kinds of schedule. Some open at one wall time of a day, on all days or on some: their period is the day. The
others open several times a day, and their period is the wall time of the opening: `every` counts elapsed time from local
midnight, so a day of 25 hours has more slots; `cron` names wall times. A wall time that the spring change skips is shifted
forward, one that the autumn change repeats opens at its first occurrence; but minutes or hours given as `*` mean every
time that clocks really show. Two openings are never at one instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from interlock.core.crons import Cron, parse_cron
from interlock.core.periods import Period
from interlock.core.pipelines import ScheduleSpec
from interlock.core.times import SECOND, Overlap, instant, zone

ONE_DAY: Final = timedelta(days=1)
# What periods can name, less some days for the arithmetic at the edges.
_FIRST_DAY: Final = date(1000, 1, 4)
_LAST_DAY: Final = date(2999, 12, 28)
_DAYS_WITHOUT: Final = (
    50 * 366
)  # the longest wait of any cron expression is forty years, for a fifth Monday in February


class Opening(NamedTuple):
    """The instant at which a slot opens, and its period.

    `shifted` is how much later that is than the schedule says, because the day's clocks skip the time that it names.
    """

    at: datetime
    period: Period
    shifted: timedelta = timedelta()


def opens_once_a_day(schedule: ScheduleSpec) -> bool:
    """Say whether the periods of a schedule are days."""
    if schedule.every is not None:
        return False
    cron = _cron(schedule)
    return cron is None or cron.at is not None


def openings_after(schedule: ScheduleSpec, after: datetime) -> Iterator[Opening]:
    """Yield every opening later than an instant, ascending and lazily; none once fifty years hold none."""
    if not _ever_opens(schedule):
        return
    day = _day_of(after, schedule) - ONE_DAY
    if opens_once_a_day(schedule):
        yield from (one for one in _daily(schedule, day, ONE_DAY) if one.at > after)
        return
    for start, seconds in _partitions(schedule, day, ONE_DAY):
        for index in range(bisect_right(seconds, (after - start) // SECOND), len(seconds)):
            yield _timed(schedule, start + seconds[index] * SECOND)


def opening_before(schedule: ScheduleSpec, at: datetime) -> Opening | None:
    """Return the latest opening that is not later than an instant; None when fifty years before it hold none."""
    if not _ever_opens(schedule):
        return None
    day = _day_of(at, schedule) + ONE_DAY
    if opens_once_a_day(schedule):
        return next((one for one in _daily(schedule, day, -ONE_DAY) if one.at <= at), None)
    for start, seconds in _partitions(schedule, day, -ONE_DAY):
        index = bisect_right(seconds, (at - start) // SECOND)
        if index:
            return _timed(schedule, start + seconds[index - 1] * SECOND)
    return None


def opening_of(schedule: ScheduleSpec, period: Period) -> Opening | None:
    """Return the opening of a named period; None when the schedule has no such period."""
    if not _ever_opens(schedule):
        return None
    if opens_once_a_day(schedule) != (len(period) == len("2026-03-07")) or not _FIRST_DAY < period.day < _LAST_DAY:
        return None
    if len(period) == len("2026-03-07"):
        found = next(_daily(schedule, period.day, ONE_DAY), None)
    else:
        found = opening_before(schedule, period.starts_at(schedule.timezone))
        period = period.in_zone(schedule.timezone)
    return found if found is not None and found.period == period else None


@lru_cache(maxsize=8192)
def day_exists(day: date, zone_name: str) -> bool:
    """Say whether a zone has had that day: some went to the other side of the date line over night."""
    return instant(day, time(12), zone_name, overlap=Overlap.FIRST).astimezone(zone(zone_name)).date() == day


@lru_cache(maxsize=8192)
def day_start(day: date, zone_name: str) -> datetime:
    """Return the instant of a local midnight."""
    return instant(day, time.min, zone_name, overlap=Overlap.FIRST)


# ---------------------------------------------------------------- once a day


def _daily(schedule: ScheduleSpec, day: date, step: timedelta) -> Iterator[Opening]:
    cron = _cron(schedule)
    wall = (schedule.after or time.min) if cron is None else (cron.at or time.min)
    for found in _days(cron, day, step):
        if day_exists(found, schedule.timezone):
            yield _of_day(found, wall, schedule.timezone)


@lru_cache(maxsize=8192)
def _of_day(day: date, wall: time, zone_name: str) -> Opening:
    at = instant(day, wall, zone_name, overlap=Overlap.FIRST)
    shifted = at.astimezone(zone(zone_name)).replace(tzinfo=None) - datetime.combine(day, wall)
    return Opening(at, Period.of_day(day), shifted)


def _days(cron: Cron | None, day: date, step: timedelta) -> Iterator[date]:
    without = 0
    while without < _DAYS_WITHOUT and _FIRST_DAY <= day <= _LAST_DAY:
        without += 1
        if cron is None or cron.matches(day):
            without = 0
            yield day
        day += step


# ---------------------------------------------------------------- several times a day


def _partitions(schedule: ScheduleSpec, day: date, step: timedelta) -> Iterator[tuple[datetime, Sequence[int]]]:
    """Yield day after day its first instant, and its openings in seconds from there."""
    without = 0
    while without < _DAYS_WITHOUT and _FIRST_DAY <= day <= _LAST_DAY:
        seconds = _seconds_of(schedule, day)
        without = 0 if seconds else without + 1
        if seconds:
            yield day_start(day, schedule.timezone), seconds
        day += step


def _seconds_of(schedule: ScheduleSpec, day: date) -> Sequence[int]:
    zone_name = schedule.timezone
    if schedule.every is not None:
        length = day_start(day + ONE_DAY, zone_name) - day_start(day, zone_name)
        return range(0, length // SECOND, schedule.every // SECOND)
    cron = parse_cron(schedule.cron)
    if not (cron.matches(day) or cron.matches(day - ONE_DAY)):
        return ()
    if _clocks_stay(day, zone_name):
        return cron.seconds if cron.matches(day) else ()
    return _when_clocks_change(schedule.cron, zone_name, day)


@lru_cache(maxsize=8192)
def _clocks_stay(day: date, zone_name: str) -> bool:
    """Say whether a day and the one before have 24 hours each, so that wall times are times elapsed since midnight."""
    shown = zone(zone_name)
    midnights = [datetime.combine(day + days * ONE_DAY, time.min, shown) for days in (-1, 0, 1)]
    return len({each.utcoffset() for each in midnights}) == 1


@lru_cache(maxsize=512)
def _when_clocks_change(text: str, zone_name: str, day: date) -> tuple[int, ...]:
    cron = parse_cron(text)
    start, end = day_start(day, zone_name), day_start(day + ONE_DAY, zone_name)
    # A wall time of the day before may be shifted past midnight, or be repeated after it where clocks are set back over
    # midnight. Two wall times may be shifted onto one instant.
    near = [each for each in (day - ONE_DAY, day) if cron.matches(each)]
    found = {at for each in near for seconds in cron.seconds for at in _instants(cron, each, seconds, zone_name)}
    return tuple(sorted((at - start) // SECOND for at in found if start <= at < end))


def _instants(cron: Cron, day: date, seconds: int, zone_name: str) -> tuple[datetime, ...]:
    wall = time(seconds // 3600, seconds // 60 % 60)
    first = instant(day, wall, zone_name, overlap=Overlap.FIRST)
    if cron.fixed:
        return (first,)
    if first.astimezone(zone(zone_name)).time() != wall:
        return ()
    return first, instant(day, wall, zone_name, overlap=Overlap.SECOND)


def _timed(schedule: ScheduleSpec, at: datetime) -> Opening:
    return Opening(at, Period.at(at, schedule.timezone))


def _day_of(at: datetime, schedule: ScheduleSpec) -> date:
    local = at.astimezone(UTC).astimezone(zone(schedule.timezone)).date()
    return min(max(local, _FIRST_DAY + ONE_DAY), _LAST_DAY - ONE_DAY)


def _ever_opens(schedule: ScheduleSpec) -> bool:
    # The loader refuses such an expression. One in a stored spec, from another version, opens nothing and breaks nothing.
    try:
        _cron(schedule)
    except ValueError:
        return False
    return True


def _cron(schedule: ScheduleSpec) -> Cron | None:
    return parse_cron(schedule.cron) if schedule.cron else None

"""Schedules, and the days on which they start nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET, UnsetType

from interlock.config import values
from interlock.config.build_shelf import days_of
from interlock.config.schema import DaysEntry, EvaluationEntry, PipelineFile, ScheduleEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Refused, meant
from interlock.core.calendars import DaySet
from interlock.core.ids import DEFAULT_SCHEDULE, ScheduleName
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, ExclusionSpec, MissedPolicy, OverlapPolicy, ScheduleSpec
from interlock.core.schedules import exclusion

_NO_EXCLUSIONS: Final = ExclusionSpec()
_NO_DAYS: Final = DaysEntry()
_NO_DAY: Final = DaySet()
_NEVER: Final = "nothing of this pipeline would ever start"
_NOT_SAID: Final = EvaluationEntry()
_NO_DEADLINE: Final = Deadline()


# ---------------------------------------------------------------- schedules


def build_schedules(file: PipelineFile, source: Source, zone: str) -> tuple[ScheduleSpec, ...]:
    """Resolve the schedules of a pipeline; the plain daily one when it has none. Problems are noted."""
    if not file.schedules:
        return _daily(zone)
    specs = tuple([_schedule(entry, ("schedules", i), source, zone) for i, entry in enumerate(file.schedules)])
    if len({spec.name for spec in specs}) < len(specs):
        seen: set[str] = set()
        for index, spec in enumerate(specs):
            if spec.name in seen and spec.name:
                message = f"two schedules are named {spec.name!r}"
                source.fail(("schedules", index, "name"), message, "rename one", "duplicate-name")
            seen.add(spec.name)
    return specs


@lru_cache(maxsize=256)
def _daily(zone: str) -> tuple[ScheduleSpec, ...]:
    return (ScheduleSpec(name=DEFAULT_SCHEDULE, timezone=zone),)


def _schedule(entry: ScheduleEntry, path: Steps, source: Source, zone: str) -> ScheduleSpec:
    try:
        return _schedule_spec(entry, zone)
    except Refused:
        pass
    # Something is wrong with it: ask again one by one, so that everything wrong is said.
    evaluation = _NOT_SAID if entry.evaluation is UNSET else entry.evaluation
    checks: tuple[tuple[Steps, Any, Any], ...] = (
        (("name",), entry.name, values.name),
        (("after",), entry.after, values.wall),
        (("cron",), entry.cron, values.cron),
        (("every",), entry.every, values.every),
        (("deadline",), entry.deadline, values.deadline),
        (("closeAt",), entry.close_at, values.deadline),
        (("timezone",), entry.timezone, values.timezone),
        (("evaluation", "window"), evaluation.window, _window),
        (("evaluation", "interval"), evaluation.interval, _interval),
    )
    for keys, value, parse in checks:
        if value is UNSET or (keys == ("name",) and value == "" and source.problems):
            continue
        try:
            parse(value)
        except Refused as exc:
            source.refuse((*path, *keys), exc, "" if keys == ("name",) else str(keys[-1]))
    extra = _given(entry)[1:]
    if extra:
        source.refuse((*path, extra[0]), _only_one(entry))
    return ScheduleSpec(name=ScheduleName(entry.name), timezone=zone)


def _given(entry: ScheduleEntry) -> list[str]:
    choices = (("after", entry.after), ("cron", entry.cron), ("every", entry.every))
    return [key for key, value in choices if value is not UNSET]


def _only_one(entry: ScheduleEntry) -> Refused:
    found = _given(entry)
    message = f"a schedule has one of 'after', 'cron' and 'every', not {' and '.join(map(repr, found))}"
    return Refused(message, f"keep one of them; two schedules may do what you want, beside {found[0]!r}", "conflict")


@lru_cache(maxsize=4096)
def _schedule_spec(entry: ScheduleEntry, zone: str) -> ScheduleSpec:
    if len(_given(entry)) > 1:
        raise _only_one(entry)
    evaluation = _NOT_SAID if entry.evaluation is UNSET else entry.evaluation
    deadline = _NO_DEADLINE if entry.deadline is UNSET else values.deadline(entry.deadline)
    return ScheduleSpec(
        name=ScheduleName(values.name(entry.name)),
        after=None if entry.after is UNSET else values.wall(entry.after),
        deadline=deadline.wall,
        deadline_span=deadline.span,
        timezone=zone if entry.timezone is UNSET else values.timezone(entry.timezone),
        cron="" if entry.cron is UNSET else values.cron(entry.cron),
        every=None if entry.every is UNSET else values.every(entry.every),
        close_at=None if entry.close_at is UNSET else values.deadline(entry.close_at),
        window=None if evaluation.window is UNSET else _window(evaluation.window),
        interval=None if evaluation.interval is UNSET else _interval(evaluation.interval),
        overlap=OverlapPolicy(entry.overlap),
        missed=MissedPolicy(entry.missed),
        max_catch_up=entry.max_catch_up,
    )


def _window(value: int | str) -> Any:
    return values.duration(value, values.DEADLINE)


def _interval(value: int | str) -> Any:
    return values.duration(value, values.INTERVAL)


# ---------------------------------------------------------------- days


def build_exclusions(
    file: PipelineFile, source: Source, calendars: Mapping[str, DaySet], broken: frozenset[str]
) -> ExclusionSpec | None:
    """Resolve the days on which a pipeline starts nothing; None when a calendar of it is broken: fail closed."""
    if file.include is UNSET and file.exclusions == _NO_DAYS:
        return _NO_EXCLUSIONS
    if file.include is UNSET and file.exclusions.calendar is UNSET:
        with suppress(Refused):
            return _some_left(_plain_days(file.exclusions), source)
    shelf = _Shelf(calendars, broken, source)
    excluded = shelf.days(file.exclusions, "exclusions")
    included = None if file.include is UNSET else shelf.days(file.include, "include")
    if not shelf.whole:
        return None
    days = ExclusionSpec(weekdays=excluded.weekdays, dates=excluded.dates, calendars=excluded.union, include=included)
    return _some_left(days, source)


def _some_left(days: ExclusionSpec, source: Source) -> ExclusionSpec:
    """Refuse days of which none is left: nothing would ever start, and nobody would be told of it."""
    asked = days.include
    if source.problems:
        return days
    if asked == _NO_DAY:
        hint = "add days, dates or a calendar, or remove the key"
        source.fail(("include",), f"include names no day: {_NEVER}", hint, "missing-key", on_key=True)
    elif _none_is_left(days):
        hint = "to open no slots, say watch: {enabled: false}"
        source.fail(("exclusions",), f"exclusions leave no day: {_NEVER}", hint, "conflict", on_key=True)
    return days


def _none_is_left(days: ExclusionSpec) -> bool:
    asked, excluded = days.include, set(days.weekdays)
    if asked is None or asked.union:  # what calendars have depends on the year
        return len(excluded) == len(values.WEEKDAYS)
    return excluded.issuperset(asked.weekdays) and all(exclusion(days, Period.of_day(day)) for day in asked.dates)


@lru_cache(maxsize=1024)
def _plain_days(entry: DaysEntry) -> ExclusionSpec:
    """Resolve days that most pipelines share: the weekend, and some dates."""
    weekdays = {values.weekday(text) for text in entry.days}
    dates = {values.day(text) for text in entry.dates}
    return ExclusionSpec(weekdays=tuple(sorted(weekdays)), dates=tuple(sorted(dates)))


class _Shelf:
    """The calendars that one pipeline may name. `whole` is False once one of those it does name cannot be used."""

    def __init__(self, calendars: Mapping[str, DaySet], broken: frozenset[str], source: Source) -> None:
        self._calendars = calendars
        self._broken = broken
        self._source = source
        self.whole = True

    def days(self, entry: DaysEntry, key: str) -> DaySet:
        weekdays, dates = days_of(entry.days, entry.dates, (key,), self._source)
        return DaySet(weekdays=weekdays, dates=dates, union=self._named(entry.calendar, (key, "calendar")))

    def _named(self, names: str | tuple[str, ...] | UnsetType, path: Steps) -> tuple[DaySet, ...]:
        if names is UNSET:
            return ()
        listed = [(names, path)] if isinstance(names, str) else [(name, (*path, i)) for i, name in enumerate(names)]
        found = [self._one(name, place) for name, place in listed]
        return tuple(one for one in found if one is not None)

    def _one(self, name: str, path: Steps) -> DaySet | None:
        calendar = self._calendars.get(name)
        if calendar is None:
            self.whole = False
            if name not in self._broken:
                hint = meant(name, (*self._calendars, *self._broken)) or "look into calendarDirs"
                self._source.fail(path, f"no calendar is named {name!r}", hint, "unknown-name")
        return calendar

"""Calendar files to sets of days. A calendar made of others is resolved whole: nothing is looked up while evaluating."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from interlock.config import values
from interlock.config.build_shelf import days_of
from interlock.config.schema import CalendarFile
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Refused, meant
from interlock.core.calendars import BusinessDays, DaySet

MAX_DEPTH: Final = 16
MAX_PARTS: Final = 200


class ShelvedCalendar(NamedTuple):
    """A calendar by itself: `own` lacks the days of the calendars that the file refers to."""

    file: CalendarFile
    own: DaySet
    source: Source

    def references(self) -> Iterator[tuple[Steps, str]]:
        """Yield the calendars that this one is made of, and where it says so."""
        for index, name in enumerate(self.file.union):
            yield ("union", index), name
        for index, name in enumerate(self.file.without):
            yield ("except", index), name
        business = self.file.business_days
        if business is not UNSET and business.holidays is not UNSET:
            yield ("businessDays", "holidays"), business.holidays


def build_calendar(file: CalendarFile, source: Source) -> ShelvedCalendar | None:
    """Read a calendar by itself; None when its file has problems, which are then noted."""
    if file.name or not source.problems:
        try:
            values.name(file.name)
        except Refused as exc:
            source.refuse(("name",), exc)
    weekdays, dates = days_of(file.days, file.dates, (), source)
    business = _business_days(file, source)
    if file.without and not (file.days or file.dates or file.union or business):
        hint = "say which days they are taken from, such as union: [NAME]"
        source.fail(("except",), "there are no days to take these from", hint, "missing-key", on_key=True)
    if source.problems:
        return None
    own = DaySet(name=file.name, weekdays=weekdays, dates=dates, business_days=business)
    return ShelvedCalendar(file, own, source)


def _business_days(file: CalendarFile, source: Source) -> BusinessDays | None:
    entry = file.business_days
    if entry is UNSET:
        return None
    for index, place in enumerate(entry.nth):
        if place == 0:
            message = "businessDays.nth: 0 is no place, expected 1 for the first or -1 for the last"
            source.fail(("businessDays", "nth", index), message)
    places = {*entry.nth, *((1,) if entry.first else ()), *((-1,) if entry.last else ())}
    if not places and not source.problems:
        hint = "add first: true, last: true or nth: [4, -1]"
        source.fail(("businessDays",), "businessDays names no day", hint, "missing-key", on_key=True)
    return BusinessDays(nth=tuple(sorted(places)))


def compose(shelved: Mapping[str, ShelvedCalendar], broken: frozenset[str]) -> tuple[dict[str, DaySet], frozenset[str]]:
    """Put calendars together out of those that they refer to; return them by name, and the names of the broken ones.

    A calendar that refers to a broken one is broken as well. Problems are noted at the file that has them.
    """
    composer = _Composer(shelved, broken)
    for name in sorted(shelved):
        composer.whole(name, ())
    return composer.found, broken | (shelved.keys() - composer.found.keys())


class _Composer:
    def __init__(self, shelved: Mapping[str, ShelvedCalendar], broken: frozenset[str]) -> None:
        self._shelved = shelved
        self._broken = set(broken)
        self._parts: dict[str, int] = {}
        self.found: dict[str, DaySet] = {}

    def whole(self, name: str, path: tuple[str, ...]) -> DaySet | None:
        if name in self._broken or name in self.found:
            return self.found.get(name)
        if name in path:
            self._circle((*path[path.index(name) :], name))
            return None
        shelf = self._shelved[name]
        others: dict[str, DaySet] = {}
        for place, other in shelf.references():
            if other not in self._shelved and other not in self._broken:
                hint = meant(other, (*self._shelved, *self._broken)) or "look into calendarDirs"
                shelf.source.fail(place, f"no calendar is named {other!r}", hint, "unknown-name")
            elif len(path) >= MAX_DEPTH:
                shelf.source.fail(place, f"calendars within calendars, more than {MAX_DEPTH} deep", "", "range")
            else:
                found = self.whole(other, (*path, name))
                others |= {} if found is None else {other: found}
        return self._composed(name, others)

    def _composed(self, name: str, others: dict[str, DaySet]) -> DaySet | None:
        shelf = self._shelved[name]
        listed = [other for _, other in shelf.references()]
        if any(other not in others for other in listed):
            self._broken.add(name)
            return None
        self._parts[name] = 1 + sum(self._parts[other] for other in listed)
        if self._parts[name] > MAX_PARTS:
            message = f"made of more than {MAX_PARTS} calendars, those within calendars counted each time"
            shelf.source.fail((), message, "write the dates out", "range")
            self._broken.add(name)
            return None
        business, entry = shelf.own.business_days, shelf.file.business_days
        if business is not None and entry is not UNSET and entry.holidays is not UNSET:
            business = replace(business, holidays=others[entry.holidays])
        self.found[name] = replace(
            shelf.own,
            business_days=business,
            union=tuple(others[other] for other in shelf.file.union),
            without=tuple(others[other] for other in shelf.file.without),
        )
        return self.found[name]

    def _circle(self, names: tuple[str, ...]) -> None:
        for name, following in pairwise(names):
            shelf = self._shelved[name]
            place = next(place for place, other in shelf.references() if other == following)
            at = names.index(name)
            around = (*names[at:-1], *names[:at], name)
            message = f"calendars that are made of each other: {' -> '.join(around)}"
            shelf.source.fail(place, message, "take one of them out", "circle")

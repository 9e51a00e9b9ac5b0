"""Calendars: sets of days, exact for any year. A calendar is pinned, whole, into the specs that refer to it."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Final

from msgspec import Struct

_ONE_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


class BusinessDays(Struct, frozen=True, kw_only=True):
    """Days by their place among the business days of their month: 1 is the first, -1 the last.

    A business day is a day from Monday to Friday that is none of `holidays`.
    """

    nth: tuple[int, ...]
    holidays: DaySet | None = None

    def contains(self, day: date) -> bool:
        """Say whether a day has one of the places."""
        if not self._is_business(day):
            return False
        first = day.replace(day=1)
        days = monthrange(day.year, day.month)[1]
        business = [each for n in range(days) if self._is_business(each := first + n * _ONE_DAY)]
        place = business.index(day)
        return place + 1 in self.nth or place - len(business) in self.nth

    def _is_business(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and not (self.holidays is not None and self.holidays.contains(day))


class DaySet(Struct, frozen=True, kw_only=True):
    """A set of days: weekdays (Monday is 0), dates, business days and the days of other sets, less those of `without`."""

    name: str = ""
    weekdays: tuple[int, ...] = ()
    dates: tuple[date, ...] = ()
    business_days: BusinessDays | None = None
    union: tuple[DaySet, ...] = ()
    without: tuple[DaySet, ...] = ()

    def contains(self, day: date) -> bool:
        """Say whether a day is one of the set."""
        return self._has(day) and not any(other.contains(day) for other in self.without)

    def _has(self, day: date) -> bool:
        return (
            day.weekday() in self.weekdays
            or day in self.dates
            or (self.business_days is not None and self.business_days.contains(day))
            or any(other.contains(day) for other in self.union)
        )

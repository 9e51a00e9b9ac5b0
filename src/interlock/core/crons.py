"""Cron expressions: which days they match, and at which wall times of such a day. `openings` turns those into instants."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cronsim import CronSim

LONGEST: Final = 200
_NUMBER: Final = re.compile(r"\d+", re.ASCII)
_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001  (the parser asks for a start, and nothing is iterated from it)


class Cron:
    """A parsed expression of five fields: minute, hour, day of the month, month, day of the week.

    `seconds` are its wall times, counted from midnight. `at` is its one wall time when minute and hour are single numbers:
    it is then a daily schedule for some days. `fixed` says that neither minute nor hour begins with `*`; when clocks
    change, such times happen once, and others as often as clocks show them.
    """

    __slots__ = ("_sim", "at", "fixed", "seconds")

    def __init__(self, sim: CronSim, minute: str, hour: str) -> None:
        self._sim = sim
        self.fixed = not minute.startswith("*") and not hour.startswith("*")
        self.seconds = tuple(3600 * h + 60 * m for h in sorted(sim.hours) for m in sorted(sim.minutes))
        plain = _NUMBER.fullmatch(minute) and _NUMBER.fullmatch(hour)
        self.at = time(int(hour), int(minute)) if plain else None

    def matches(self, day: date) -> bool:
        """Say whether it fires on a day."""
        return day.month in self._sim.months and self._sim.match_day(day)


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """Read a cron expression.

    Raises:
        ValueError: the text is not one, or no day can ever match it; the parser's own words are kept.
    """
    from cronsim import CronSim, CronSimError

    fields = text.split()
    if len(fields) != 5 or len(text) > LONGEST:
        words = "expected five fields: minute, hour, day of the month, month, day of the week"
        raise ValueError(f"not a cron expression: {text[:LONGEST]!r} ({words})")
    try:
        return Cron(CronSim(text, _ANY_DAY), fields[0], fields[1])
    except CronSimError as exc:
        raise ValueError(f"not a cron expression: {text!r} ({exc})") from exc

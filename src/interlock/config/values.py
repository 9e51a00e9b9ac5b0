"""Texts and numbers of a file to the core's values: durations, times of day, dates, days of the week, zones, failures.

Every function is a pure question about one value, asked thousands of times about the same few, so all are remembered.
Each raises `Refused`, whose text says what is wrong and what is expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Final

from interlock.core.crons import parse_cron
from interlock.core.ids import NAME_RULE, is_name
from interlock.core.pipelines import Deadline
from interlock.core.times import format_duration, parse_duration, parse_wall, zone
from interlock.core.traits import FailureCategory


class Refused(ValueError):
    """A value that cannot be used: what is wrong with it, what is expected, and perhaps what was meant."""

    def __init__(self, message: str, hint: str = "", rule: str = "value") -> None:
        self.message = message
        self.hint = hint
        self.rule = rule
        super().__init__(f"{message} ({hint})" if hint else message)


class Range:
    """The shortest and the longest span that a setting may have, and what the setting is called."""

    def __init__(self, low: timedelta, high: timedelta) -> None:
        self.low = low
        self.high = high
        self.text = f"between {format_duration(low)} and {format_duration(high)}"


_DAY: Final = timedelta(days=1)
TTL: Final = Range(timedelta(), timedelta(days=365))
TIMEOUT: Final = Range(timedelta(seconds=1), _DAY)
BACKOFF: Final = Range(timedelta(), timedelta(hours=1))
INTERVAL: Final = Range(timedelta(seconds=1), _DAY)
MONITORING: Final = Range(timedelta(minutes=1), timedelta(days=31))
DEADLINE: Final = Range(timedelta(seconds=1), timedelta(days=31))
LEAD: Final = Range(timedelta(), timedelta(days=31))
RENOTIFY: Final = Range(timedelta(), timedelta(days=31))
GROUP_WAIT: Final = Range(timedelta(), timedelta(hours=1))
RELOAD: Final = Range(timedelta(), _DAY)
LATE: Final = Range(timedelta(seconds=1), timedelta(days=366))
EVERY: Final = Range(timedelta(minutes=1), timedelta(hours=12))
SKEW: Final = Range(timedelta(), timedelta(minutes=2))
CALL: Final = Range(timedelta(milliseconds=100), timedelta(minutes=10))
HISTORY: Final = Range(_DAY, timedelta(days=3650))
RETENTION: Final = Range(timedelta(minutes=1), timedelta(days=3650))

_CRON_SHORT: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_CRON_FIELDS: Final = {
    "minute": "minutes are 0 to 59",
    "hour": "hours are 0 to 23",
    "day-of-month": "days are 1 to 31, L or LW, and one of the months has to have the day",
    "month": "months are 1 to 12 or JAN to DEC",
    "day-of-week": "days of the week are 0 to 7 or SUN to SAT, with #2 for the second and L for the last of a month",
}
_BAD_FIELD: Final = re.compile(r"\(Bad ([a-z-]+)\)\Z")

# A machine's own zone, and forms of the database that count leap seconds or are not everywhere.
_LOCAL_ZONE: Final = re.compile(r"localtime|posixrules|Factory|(?:posix|right|SystemV)/.*")
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY: Final = {form: number for number, day in enumerate(WEEKDAYS) for form in (day.lower(), day[:3].lower())}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def meant(word: str, choices: Iterable[str]) -> str:
    """Return a hint: the nearest of the choices, or all of them while they are few, or nothing."""
    from difflib import get_close_matches

    there = sorted(choices)
    lowered = {choice.lower(): choice for choice in there}
    near = get_close_matches(word.lower(), lowered, n=1)
    if near:
        return f"did you mean {lowered[near[0]]!r}?"
    return f"there are: {', '.join(there)}" if 0 < len(there) <= 12 else ""


@lru_cache(maxsize=4096)
def duration(value: int | str, allowed: Range) -> timedelta:
    """Read seconds or a duration within a range."""
    try:
        span = timedelta(seconds=value) if isinstance(value, int) else parse_duration(value)
    except OverflowError:
        raise Refused(f"{value} seconds is out of range, expected {allowed.text}") from None
    except ValueError as exc:
        raise Refused(str(exc)) from None
    if not allowed.low <= span <= allowed.high:
        raise Refused(f"{value!r} is out of range, expected {allowed.text}")
    return span


@lru_cache(maxsize=4096)
def wall(text: str) -> time:
    """Read a time of day."""
    try:
        return parse_wall(text)
    except ValueError as exc:
        raise Refused(str(exc)) from None


@lru_cache(maxsize=4096)
def deadline(text: str) -> Deadline:
    """Read a time of day or a span counted from the opening of the slot."""
    if ":" in text:
        return Deadline(wall=wall(text))
    try:
        return Deadline(span=duration(text, DEADLINE))
    except Refused as exc:
        raise Refused(
            exc.message.replace("expected such as 90s", "expected a time of day such as 09:00, or 90s")
        ) from None


@lru_cache(maxsize=4096)
def every(value: int | str) -> timedelta:
    """Read the length of a slot: whole minutes that divide a day."""
    try:
        span = duration(value, EVERY)
    except Refused:
        if _is_a_day(value):
            hint = "leave 'every' out: a schedule opens once a day, at 'after'"
            raise Refused(f"{value!r} is a whole day", hint) from None
        raise
    if _DAY % span or span % timedelta(minutes=1):
        fitting = [format_duration(_DAY / n) for n in range(2, 1441) if not _DAY / n % timedelta(minutes=1)]
        near = min(fitting, key=lambda text: abs(parse_duration(text) - span))
        raise Refused(f"{value!r} does not divide a day into equal slots of whole minutes", f"such as {near}")
    return span


def _is_a_day(value: int | str) -> bool:
    try:
        return duration(value, LEAD) == _DAY
    except Refused:
        return False


@lru_cache(maxsize=4096)
def cron(text: str) -> str:
    """Check a cron expression of five fields."""
    try:
        parse_cron(text)
    except ValueError as exc:
        raise Refused(str(exc), _cron_hint(text, str(exc))) from None
    return text


def _cron_hint(text: str, said: str) -> str:
    if text in _CRON_SHORT:
        return f"write {_CRON_SHORT[text]!r} instead"
    bad = _BAD_FIELD.search(said)
    return _CRON_FIELDS.get(bad[1], "") if bad else ""


@lru_cache(maxsize=4096)
def day(text: str) -> date:
    """Read a date of the calendar."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as exc:
        raise Refused(f"no such date: {text!r} ({exc})") from None
    raise Refused(f"not a date: {text!r} (expected such as 2025-12-25)")


@lru_cache(maxsize=256)
def weekday(text: str) -> int:
    """Read a day of the week in English, in full or by its first three letters; Monday is 0."""
    number = _WEEKDAY.get(text.lower())
    if number is None:
        raise Refused(f"not a day of the week: {text!r} (expected such as Saturday or Sat)", meant(text, WEEKDAYS))
    return number


@lru_cache(maxsize=1024)
def timezone(text: str) -> str:
    """Check the name of an IANA time zone."""
    expected = "expected an IANA name such as Europe/Berlin"
    if _LOCAL_ZONE.fullmatch(text):
        raise Refused(f"{text!r} is not the same on every machine ({expected})", _nearest_zone(text))
    try:
        zone(text)
    except ValueError as exc:
        raise Refused(f"{exc} ({expected})", _nearest_zone(text)) from None
    return text


def _nearest_zone(text: str) -> str:
    from zoneinfo import available_timezones

    names = [name for name in available_timezones() if not _LOCAL_ZONE.fullmatch(name)]
    tails = {name.rpartition("/")[2].lower(): name for name in sorted(names) if "/" in name}
    last = text.rpartition("/")[2].strip().replace(" ", "_").lower()
    if last in tails and text.count("/") == 0:
        return f"did you mean {tails[last]!r}?"
    return meant(text, names)


@lru_cache(maxsize=256)
def failure(text: str) -> FailureCategory:
    """Read a failure category."""
    if text not in FailureCategory.__members__:
        raise Refused(f"no failure category is named {text!r}", meant(text, FailureCategory.__members__))
    return FailureCategory[text]


@lru_cache(maxsize=16384)
def name(text: str) -> str:
    """Check the name of a pipeline, archetype, trait, schedule or calendar."""
    if not is_name(text):
        lowered = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
        hint = f"for example {lowered!r}" if is_name(lowered) else ""
        raise Refused(f"{text!r} cannot be a name, expected {NAME_RULE}", hint, "name")
    return text

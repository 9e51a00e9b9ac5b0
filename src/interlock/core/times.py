"""Instants, wall times and durations. The core has no clock: time is always an argument.

Wall time becomes an instant in one place, `instant`, by one policy: a wall time that the spring change skips is
shifted forward by the length of the gap; one that the autumn change repeats means its first occurrence for an opening
and its second for a deadline, so a window is never shorter than it reads.
"""

from __future__ import annotations

import enum
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = timedelta(seconds=1)

# In microseconds, the finest a timedelta knows: a part of one counts once the parts are summed up.
_UNITS: Final = {
    "ns": 0.001,
    "us": 1.0,
    "µs": 1.0,
    "ms": 1e3,
    "s": 1e6,
    "m": 60e6,
    "h": 3_600e6,
    "d": 86_400e6,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_DURATION: Final = re.compile(r"([+-]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+)", re.ASCII)
_WALL: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_LONGEST: Final = timedelta(days=3660)


class Overlap(enum.Enum):
    """Which of two instants a repeated wall time means."""

    FIRST = 0
    SECOND = 1


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return an IANA zone.

    Raises:
        ValueError: no such zone; a zone is never guessed.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as exc:
        raise ValueError(f"no such time zone: {name!r}") from exc


def instant(day: date, wall: time, zone_name: str, *, overlap: Overlap) -> datetime:
    """Turn a wall time of a day in a zone into an instant in UTC, by the policy at the top of this module."""
    local = datetime.combine(day, wall, zone(zone_name))
    if not _skipped(local):
        local = local.replace(fold=overlap.value)
    return local.astimezone(UTC)


def _skipped(local: datetime) -> bool:
    # In a gap, fold=0 reads the wall time with the offset before the change, which is the shift forward; fold=1 would
    # read it with the offset after and so move backwards.
    there = local.replace(fold=0).astimezone(UTC)
    return there.astimezone(local.tzinfo).replace(tzinfo=None, fold=0) != local.replace(tzinfo=None, fold=0)


def parse_wall(text: str) -> time:
    """Read a time of day `9:05` or `18:00`.

    Raises:
        ValueError: the text is not one.
    """
    match = _WALL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of day: {text!r} (expected HH:MM between 00:00 and 23:59)")
    return time(int(match[1]), int(match[2]))


def parse_duration(text: str) -> timedelta:
    """Read a duration `90s`, `5m`, `1h30m` or `2d`, with an optional sign.

    Raises:
        ValueError: the text is not one, or is longer than ten years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        if text in ("0", "+0", "-0"):
            return timedelta()
        raise ValueError(f"not a duration: {text!r} (expected such as 90s, 5m, 1h30m or 2d)")
    try:
        total = timedelta(microseconds=sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(match[2])))
    except OverflowError as exc:
        raise ValueError(f"too long a duration: {text!r}") from exc
    if total > _LONGEST:
        raise ValueError(f"too long a duration: {text!r} (at most ten years)")
    return -total if match[1] == "-" else total


def format_instant(at: datetime) -> str:
    """Write an instant for people: in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def format_duration(span: timedelta) -> str:
    """Write a duration as people do, `1h30m`, so that `parse_duration` reads the same back."""
    if span < timedelta():
        return "-" + format_duration(-span)
    rest, micros = divmod(span, SECOND)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    if micros:
        us = micros // timedelta(microseconds=1)
        parts.append(f"{us // 1000}ms" if us % 1000 == 0 else f"{us}us")
    return "".join(parts) or "0s"

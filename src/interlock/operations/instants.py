"""Reading instants, days and lengths of time as people write them, in the zone that is meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from interlock.core.periods import Period
from interlock.core.times import Overlap, instant, parse_duration, parse_wall
from interlock.errors import Invalid


def instant_of(text: str, now: datetime, zone_name: str, field: str) -> datetime:
    """Read an instant: `2026-03-07T18:00Z`, the same without an offset in a zone's wall time, or the next `18:00` there.

    Raises:
        Invalid: it is none of these.
    """
    try:
        return _instant(text, now, zone_name)
    except (ValueError, OverflowError) as exc:
        words = f"not an instant: {text!r} (expected such as 18:00, 2026-03-07T18:00 or 2026-03-07T18:00Z)"
        raise Invalid(f"{field}: {words}") from exc


def _instant(text: str, now: datetime, zone_name: str) -> datetime:
    if ":" in text and len(text) <= 5:
        today = date.fromisoformat(Period.at(now, zone_name)[:10])
        wall = parse_wall(text)
        found = instant(today, wall, zone_name, overlap=Overlap.SECOND)
        return found if found > now else instant(today + timedelta(days=1), wall, zone_name, overlap=Overlap.SECOND)
    read = datetime.fromisoformat(text)
    if read.tzinfo is not None:
        return read.astimezone(UTC)
    return instant(read.date(), read.time(), zone_name, overlap=Overlap.SECOND)


def end_of(now: datetime, length: str | None, until: str | None, zone_name: str) -> datetime:
    """Return when something that begins now is over: after a length of time, or at an instant; exactly one is given.

    Raises:
        Invalid: both are given, or none, or what is given is none.
    """
    if (length is None) == (until is None):
        raise Invalid(
            "say how long: `for`, such as 2h, or `until`, such as 18:00, and not both; nothing lasts for ever"
        )
    if length is None:
        return instant_of(until or "", now, zone_name, "until")
    try:
        return now + length_of(length, "for")
    except OverflowError as exc:
        raise Invalid(f"for: {length!r} ends after the year 9999") from exc


def length_of(text: str, field: str) -> timedelta:
    """Read a length of time.

    Raises:
        Invalid: it is none, or negative.
    """
    try:
        found = parse_duration(text)
    except ValueError as exc:
        raise Invalid(f"{field}: {exc}") from exc
    if found < timedelta():
        raise Invalid(f"{field}: a length of time is not negative: {text!r}")
    return found


def day_of(text: str, field: str) -> date:
    """Read a whole day.

    Raises:
        Invalid: it is none.
    """
    try:
        day = Period.parse(text).day
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise Invalid(f"{field}: not a day: {text!r} (expected such as 2026-03-07)")
    return day

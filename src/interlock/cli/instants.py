"""Reading instants from the command line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click

from interlock.core.periods import Period
from interlock.core.times import Overlap, instant, parse_wall


def instant_of(text: str, now: datetime, zone_name: str, option: str) -> datetime:
    """Read an instant: `2026-03-07T18:00Z`, the same without an offset in a zone's wall time, or the next `18:00` there.

    Raises:
        click.BadParameter: it is none of these.
    """
    try:
        return _instant(text, now, zone_name)
    except (ValueError, OverflowError) as exc:
        words = f"not an instant: {text!r} (expected such as 18:00, 2026-03-07T18:00 or 2026-03-07T18:00Z)"
        raise click.BadParameter(words, param_hint=option) from exc


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


def day_of(text: str, option: str) -> date:
    """Read a day.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        return Period.parse(text).day if len(text) == len("2026-03-07") else _refuse(text)
    except ValueError as exc:
        raise click.BadParameter(f"not a day: {text!r} (expected such as 2026-03-07)", param_hint=option) from exc


def _refuse(text: str) -> date:
    raise ValueError(text)

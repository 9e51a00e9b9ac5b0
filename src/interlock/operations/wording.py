"""Words for people, the same on a terminal and over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta

from interlock.core.times import format_duration, format_instant


def plain(text: str) -> str:
    """Return a text from elsewhere as one harmless line: no line breaks, nothing that a terminal would obey."""
    joined = " ".join(text.split())
    return joined if joined.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def moment(at: datetime | None) -> str:
    """Write an instant for people, in UTC, to the second."""
    return "" if at is None else format_instant(at)


def span(seconds: float | timedelta) -> str:
    """Write a length of time for people: milliseconds below a second, whole seconds above."""
    length = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
    if length < timedelta(seconds=1):
        return format_duration(timedelta(milliseconds=round(length.total_seconds() * 1000)))
    return format_duration(timedelta(seconds=round(length.total_seconds())))

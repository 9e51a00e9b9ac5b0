"""Periods: what stretch of data a slot is about, as a text that sorts and never means two things."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

from interlock.core.times import Overlap, instant, zone

_SHAPE: Final = re.compile(r"[12]\d{3}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d([+-]([01]\d|2[0-3]):[0-5]\d)?)?", re.ASCII)


class Period(str):
    """A day `2026-03-07`, or a moment within one `2026-03-07T14:00`, in the wall time of the slot's schedule.

    On the day when clocks go back, a repeated wall time's second occurrence carries its UTC offset
    (`2026-11-01T01:00-05:00`); the first does not. So each text names exactly one stretch of time in its zone.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read and check a period.

        Raises:
            ValueError: the text has another shape, or names no day of the calendar or no time of the day.
        """
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a period: {text!r} (expected a day 2026-03-07 or a time of a day 2026-03-07T14:00)")
        try:
            datetime.fromisoformat(text)
        except ValueError as exc:
            raise ValueError(f"not a period: {text!r} ({exc})") from exc
        return cls(text)

    @classmethod
    def of_day(cls, day: date) -> Self:
        """Name a whole day."""
        return cls(day.isoformat())

    @classmethod
    def at(cls, moment: datetime, zone_name: str) -> Self:
        """Name the wall time of an instant in a zone, to the minute."""
        local = moment.astimezone(zone(zone_name))
        text = local.replace(tzinfo=None).isoformat(timespec="minutes")
        if local.fold:
            offset = int((local.utcoffset() or timedelta()).total_seconds()) // 60
            text += f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
        return cls(text)

    @property
    def day(self) -> date:
        """The calendar day, in the schedule's zone."""
        return date.fromisoformat(self[:10])

    @property
    def hour(self) -> str:
        """The hour as two digits, or nothing for a whole day."""
        return self[11:13]

    def starts_at(self, zone_name: str) -> datetime:
        """Return the instant at which the period begins, in UTC."""
        if len(self) > 16:
            return datetime.fromisoformat(self).astimezone(UTC)
        wall = datetime.fromisoformat(self)
        return instant(wall.date(), wall.time(), zone_name, overlap=Overlap.FIRST)

    def in_zone(self, zone_name: str) -> Self:
        """Return the one name that this stretch of time has in a zone.

        A wall time that the spring change skips goes by the one it is shifted to, and an offset stays only where a wall time
        is repeated. Two names for one stretch would be two slots, and two starts.
        """
        return self if len(self) == 10 else self.at(self.starts_at(zone_name), zone_name)

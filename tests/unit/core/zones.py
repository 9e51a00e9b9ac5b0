"""Every zone of the time zone database, and a naive oracle of its changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

ZONES = sorted(name for name in available_timezones() if not name.startswith(("posix/", "right/", "SystemV/")))
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2036, 12, 31, tzinfo=UTC)
MINUTES = int((END - BEGIN) / timedelta(minutes=1))

zones = st.sampled_from(ZONES)
moments = st.integers(0, MINUTES).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


def offset(zone_name: str, at: datetime) -> timedelta:
    """How far the zone's wall clock is from UTC at an instant."""
    return at.astimezone(ZoneInfo(zone_name)).utcoffset() or timedelta()


@cache
def changes(zone_name: str) -> tuple[datetime, ...]:
    """The first instants of new offsets, to the minute, between `BEGIN` and `END`."""
    found = []
    week = timedelta(days=7)
    at = BEGIN
    while at < END:
        if offset(zone_name, at) != offset(zone_name, at + week):
            found.append(_first(zone_name, at, at + week))
        at += week
    return tuple(found)


def _first(zone_name: str, low: datetime, high: datetime) -> datetime:
    before = offset(zone_name, low)
    minutes = int((high - low) / timedelta(minutes=1))
    lo, hi = 0, minutes
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if offset(zone_name, low + timedelta(minutes=middle)) == before:
            lo = middle
        else:
            hi = middle
    return low + timedelta(minutes=hi)


CHANGING = [name for name in ZONES if changes(name)]


@st.composite
def near_changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant within some hours of one of its changes."""
    name = draw(st.sampled_from(CHANGING))
    change = draw(st.sampled_from(changes(name)))
    return name, change + timedelta(minutes=draw(st.integers(-240, 240)))


def instants_of(zone_name: str, wall: datetime) -> list[datetime]:
    """All instants at which the zone's clocks show a wall time, by trying every offset in use around it."""
    around = wall.replace(tzinfo=UTC)
    offsets = {offset(zone_name, around + timedelta(hours=hours)) for hours in range(-30, 31, 2)}
    candidates = sorted(around - each for each in offsets)
    shown = ZoneInfo(zone_name)
    return [at for at in candidates if at.astimezone(shown).replace(tzinfo=None, fold=0) == wall]

"""Durations that may be left out."""

from __future__ import annotations

from datetime import timedelta

from msgspec import UNSET, UnsetType

from interlock.config import values
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Range, Refused


def span_of(value: int | str | UnsetType, allowed: Range, path: Steps, source: Source) -> timedelta | None:
    """Read a duration that may be left out; None also when it is refused, which is noted."""
    if value is UNSET:
        return None
    try:
        return values.duration(value, allowed)
    except Refused as exc:
        source.refuse(path, exc, str(path[-1]))
        return None

"""What a watcher has in hand just now, and what it leaves alone for a while because it went wrong. All of it in memory."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct

from interlock.core.commands import Command
from interlock.core.ids import CommandId, PipelineName, RunKey, ScheduleName

Unit: TypeAlias = RunKey | tuple[PipelineName, ScheduleName] | str
"""A run, an agenda, or something on its way to people (by its name)."""

FIRST_REST: Final = timedelta(seconds=1)
LONGEST_REST: Final = timedelta(minutes=10)
_MANY: Final = 5000
POISON: Final = 3
"""After so many failures in a row a unit is set aside."""


def owner_of(unit: Unit) -> str:
    """Return whose work it is: a pipeline's, where it is one's."""
    if isinstance(unit, RunKey):
        return unit.slot.pipeline
    return unit[0] if isinstance(unit, tuple) else ""


class Flight:
    """One unit at work: held while anything of it is under way."""

    def __init__(self, unit: Unit, began: datetime) -> None:
        self.unit = unit
        self.began = began
        self.commands: dict[CommandId, Command] = {}
        self.tried: set[CommandId] = set()
        self.error: Exception | None = None
        self.fruitless = False
        self.again = False
        self.looked_at = began
        self._lock = threading.Lock()
        self._held = 0
        self._landed = False

    def hold(self) -> bool:
        """Keep it from landing; False when it has landed already."""
        with self._lock:
            if self._landed:
                return False
            self._held += 1
            return True

    def release(self) -> int:
        """Let go of it; return how many others still hold it."""
        with self._lock:
            self._held -= 1
            return self._held

    def land(self) -> bool:
        """End it, unless somebody has taken hold of it again."""
        with self._lock:
            if not self._held:
                self._landed = True
            return self._landed


class Flights:
    """All units at work, each once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Unit, Flight] = {}
        self._runs = 0
        self._owners: Counter[tuple[type[Unit], str]] = Counter()

    def take(self, unit: Unit, now: datetime) -> Flight | None:
        """Take a unit in hand; None when it is already."""
        with self._lock:
            if unit in self._flights:
                return None
            flight = self._flights[unit] = Flight(unit, now)
            self._runs += isinstance(unit, RunKey)
            self._owners[_kind(unit)] += 1
            return flight

    def get(self, unit: Unit) -> Flight | None:
        """Return the flight of a unit that is at work."""
        with self._lock:
            return self._flights.get(unit)

    def drop(self, flight: Flight) -> None:
        """Let go of a unit."""
        with self._lock:
            del self._flights[flight.unit]
            self._runs -= isinstance(flight.unit, RunKey)
            self._owners[_kind(flight.unit)] -= 1
            if not self._owners[_kind(flight.unit)]:
                del self._owners[_kind(flight.unit)]

    def of(self, unit: Unit) -> int:
        """Return how many units of the same kind and owner are at work."""
        with self._lock:
            return self._owners[_kind(unit)]

    @property
    def runs(self) -> int:
        """How many runs are at work."""
        with self._lock:
            return self._runs

    def __len__(self) -> int:
        with self._lock:
            return len(self._flights)


def _kind(unit: Unit) -> tuple[type[Unit], str]:
    return type(unit), owner_of(unit)


class Rest(Struct, kw_only=True):
    """Why a unit is left alone, and until when. `told` is whether people know."""

    failures: int = 0
    until: datetime
    reason: str = ""
    told: bool = False

    @property
    def poisoned(self) -> bool:
        """Whether it failed so often that people should know."""
        return self.failures >= POISON


class Rests:
    """Which units are left alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rests: dict[Unit, Rest] = {}
        self._tries: Counter[Unit] = Counter()

    def __len__(self) -> int:
        with self._lock:
            return len(self._rests)

    def holds(self, unit: Unit, now: datetime) -> bool:
        """Say whether a unit is to be left alone now, also by a clock that was set back meanwhile."""
        with self._lock:
            rest = self._rests.get(unit)
            return rest is not None and now < rest.until <= now + LONGEST_REST

    def told(self, unit: Unit) -> bool:
        """Say whether people know that a unit was set aside."""
        with self._lock:
            rest = self._rests.get(unit)
            return rest is not None and rest.told

    def failed(self, unit: Unit, now: datetime, reason: str) -> Rest:
        """Count a failure, and leave the unit alone for longer each time."""
        with self._lock:
            rest = self._rests.setdefault(unit, Rest(until=now))
            rest.failures, rest.reason = rest.failures + 1, reason
            rest.until = now + (LONGEST_REST if rest.poisoned else pause(rest.failures))
            return rest

    def put_off(self, unit: Unit, now: datetime) -> None:
        """Leave a unit alone, for longer each time, without holding anything against it."""
        with self._lock:
            if len(self._rests) >= _MANY:
                self._forget_old(now)
            self._tries[unit] += 1
            rest = self._rests.setdefault(unit, Rest(until=now))
            rest.until = now + pause(self._tries[unit])

    def _forget_old(self, now: datetime) -> None:
        # Others may have done since what failed here: nobody says so.
        for unit in [unit for unit, rest in self._rests.items() if rest.until <= now and not rest.told]:
            del self._rests[unit]
            self._tries.pop(unit, None)

    def known(self, unit: Unit, until: datetime, reason: str) -> None:
        """Remember a unit of which people know, and leave it alone until an instant."""
        with self._lock:
            self._rests[unit] = Rest(failures=POISON, until=until, reason=reason, told=True)

    def fine(self, unit: Unit) -> bool:
        """Hold nothing against a unit any more; say whether people were told of it."""
        with self._lock:
            self._tries.pop(unit, None)
            rest = self._rests.pop(unit, None)
            return rest is not None and rest.told


def pause(failures: int) -> timedelta:
    """Return how long something is left alone after so many failures in a row."""
    return min(FIRST_REST * (1 << min(failures - 1, 16)), LONGEST_REST)

"""What a watcher does beside its work, now and then: each chore by itself, and never in the way of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from interlock.core.alerts import AlertType
from interlock.core.times import format_duration
from interlock.errors import InterlockError
from interlock.runtime.station import ITSELF, Station

WATCHDOG: Final = "watchdog"
STALE_AFTER: Final = 3
"""After so many of its intervals without a scan the watchdog counts as stalled."""

PURGED: Final = 1000


class Chore:
    """One chore. `alone`: one of several watchers does it for all. Without `every` it is done once, and when asked for."""

    def __init__(self, name: str, task: Callable[[], None], every: timedelta | None, *, alone: bool = False) -> None:
        self.name = name
        self.task = task
        self.every = every
        self.alone = alone
        self.next_at: datetime | None = None
        self.begun = 0
        self.ended = 0
        self.trouble = ""

    @property
    def under_way(self) -> bool:
        """Whether it is being done."""
        return self.ended < self.begun


class Chores:
    """Does them when their time has come."""

    def __init__(self, station: Station, chores: Sequence[Chore] = ()) -> None:
        self._station = station
        self._chores = tuple(chores)
        self._asked = False

    @property
    def done(self) -> bool:
        """Whether each has been done at least once, where it is this watcher's, and none is under way."""
        return all(not chore.under_way and (chore.ended or chore.alone) for chore in self._chores)

    def ask(self) -> None:
        """Do them all at the next opportunity."""
        self._asked = True
        self._station.poke()

    def do(self, now: datetime, *, first: bool) -> None:
        """Begin what is due; `first` says that this watcher does what one does for all."""
        asked, self._asked = self._asked, False
        for chore in self._chores:
            waits = chore.begun and (chore.next_at is None or now < chore.next_at) and not asked
            if chore.under_way or waits or (chore.alone and not first):
                continue
            chore.begun += 1
            chore.next_at = None if chore.every is None else now + chore.every
            if not self._station.lanes.chores.submit(chore.name, partial(self._do, chore)):
                chore.ended += 1

    def _do(self, chore: Chore) -> None:
        try:
            chore.task()
            chore.trouble = ""
        except Exception as exc:  # noqa: BLE001  (it is done again; that it failed is said once)
            words = str(exc) if isinstance(exc, InterlockError) else f"{type(exc).__name__}: {exc}"
            if words != chore.trouble and not self._station.stopping:
                self._station.news(f"trouble {chore.name}: {words}")
            chore.trouble = words
        finally:
            chore.ended += 1
            self._station.poke()


def look_after_watchdog(station: Station, interval: timedelta) -> None:
    """Tell people when the watchdog has not finished a scan for three of its intervals; and when it does again.

    One that never was, or that left in order, is nobody's to miss: it is not there because nobody wanted it.
    """
    hands = station.hands
    scans = [member.progress_at or member.joined_at for member in hands.members.members(WATCHDOG)]
    if not scans:
        return
    behind = hands.clock.now() - max(scans)
    if behind <= STALE_AFTER * interval:
        known = hands.dispatches.alert(f"{AlertType.WATCHDOG_STALLED}/{ITSELF}")
        if known is not None and known.open:
            station.mended(AlertType.WATCHDOG_STALLED, ITSELF, "the watchdog scans again")
        return
    span = format_duration(timedelta(seconds=int(behind.total_seconds())))
    message = (
        f"the watchdog has not finished a scan for {span}, and should every {format_duration(interval)}: what does not "
        "happen goes unnoticed meanwhile. Look at its process, and start it again"
    )
    known = hands.dispatches.alert(f"{AlertType.WATCHDOG_STALLED}/{ITSELF}")
    if known is None or not known.open:
        station.alert(AlertType.WATCHDOG_STALLED, ITSELF, message)

"""The chores that remove what is over from the store of a watcher's project."""

from __future__ import annotations

from datetime import timedelta

from interlock.clients.processes import SupervisedJobs
from interlock.runtime.retention import Retention
from interlock.runtime.station import Station
from interlock.runtime.wiring import Interlock, state_dir
from interlock.stores.marks import archive_position, everything_archived


def purge(work: Interlock, limit: int) -> int:
    """Remove up to `limit` rows that have expired, and with the archive on none that expired after what it has copied."""
    until = work.clock.now()
    if work.project.settings.archiver.enabled:
        until = min(until, archive_position(work.kernel) or until)
    return work.kernel.purge(until, limit)


class Retiring:
    """Removes history that is over, and says what was removed. What cannot be read is told of once."""

    def __init__(self, work: Interlock, station: Station, history: timedelta) -> None:
        project = work.project
        self._work = work
        self._station = station
        self._told = ""
        self._retention = Retention(
            work.kernel,
            lambda: station.hands,
            history,
            marked=project.settings.archiver.enabled,
            names=lambda: list(work.catalog.specs),
            jobs=SupervisedJobs(state_dir(project) / "jobs", root=project.root),
            stopping=lambda: station.stopping,
        )

    def do(self) -> None:
        """Go on for a while. With the archive on nothing is removed before everything that was there is archived."""
        if self._work.project.settings.archiver.enabled and not everything_archived(self._work.kernel):
            return
        removed = self._retention.turn()
        if removed:
            self._station.news(f"retired {removed} slot{'s' if removed > 1 else ''}: their history is over")
        trouble = self._retention.unreadable
        if trouble and trouble != self._told:
            self._station.news(f"trouble retire: {trouble}. It stays, and so does what belongs to it")
        self._told = trouble

"""A whole watcher of a project, put together: what `interlock watch` runs, and `serve` beside its server."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from interlock.config.settings import Settings
from interlock.errors import Problem
from interlock.runtime.archiving import look_after_archive
from interlock.runtime.bell import Bell
from interlock.runtime.chores import PURGED, Chore, Chores, look_after_watchdog
from interlock.runtime.deployed import functions_at_work
from interlock.runtime.guarding import guarded
from interlock.runtime.lanes import lanes_of
from interlock.runtime.leases import Lease
from interlock.runtime.reloading import Reloader
from interlock.runtime.retention import Retiring, purge
from interlock.runtime.station import News, Station
from interlock.runtime.tidying import tidy_jobs
from interlock.runtime.watcher import Watcher
from interlock.runtime.wiring import Interlock

PURGE_EVERY: Final = timedelta(minutes=1)
REGISTERED_EVERY: Final = timedelta(seconds=1)
TIDY_EVERY: Final = timedelta(minutes=10)
RETIRE_EVERY: Final = timedelta(minutes=10)
ARCHIVE_EVERY: Final = timedelta(minutes=1)
WATCHDOG_EVERY: Final = timedelta(seconds=30)
GRACE: Final = timedelta(seconds=30)


class Watching:
    """Watches a project on the caller's thread, until told to stop. `stop`, `hurry` and `reload` may come from anywhere."""

    def __init__(
        self, work: Interlock, bell: Bell, settings: Settings, *, problems: tuple[Problem, ...] = (), news: News
    ) -> None:
        project = work.project.settings
        self._work = work
        self._bell = bell
        hands = work.hands._replace(alerting=guarded(work.hands.alerting))
        self._station = Station(hands, lanes_of(project.watcher_workers), poke=bell.poke, news=news)
        if work.observers.sampler is not None:
            work.observers.sampler.lanes = self._station.lanes
        self._reloader = Reloader(work, self._station, settings, problems)
        chores = [
            Chore("reload", self._reloader.follow, project.watcher_reload or None),
            Chore("registered", self._look_at_registered, REGISTERED_EVERY),
            Chore("purge", self._purge, PURGE_EVERY, alone=True),
            Chore("tidy", self._tidy, TIDY_EVERY),
        ]
        if project.history is not None:
            chores.append(Chore("retire", Retiring(work, self._station, project.history).do, RETIRE_EVERY, alone=True))
        if project.watchdog.enabled:
            look = partial(look_after_watchdog, self._station, project.watchdog.interval)
            chores.append(Chore("watchdog", look, WATCHDOG_EVERY, alone=True))
        if project.archiver.enabled:
            overdue = partial(look_after_archive, self._station, work.kernel, project.archiver.behind)
            chores.append(Chore("archive", overdue, ARCHIVE_EVERY, alone=True))
        self._chores = Chores(self._station, chores)
        self._watcher = Watcher(self._station, Lease(work.hands.members), self._chores)
        self._stopped = False
        if project.provider == "dynamodb" and (others := functions_at_work(work.kernel)):
            news(others)

    def stop(self) -> None:
        """Take nothing more. Safe in a signal's handler."""
        self._stopped = True
        self._station.stopping = True
        self._bell.poke()

    def hurry(self) -> None:
        """Stop, and wait for nothing. Safe in a signal's handler."""
        self._station.hurried = True
        self.stop()

    def reload(self) -> None:
        """Look at the files now. Safe in a signal's handler."""
        self._reloader.hurry()
        self._chores.ask()

    def watch(self, *, once: bool = False, until_idle: bool = False) -> None:
        """Work until stopped; with `once` until what is due now is done, with `until_idle` until the jobs have ended too."""
        chime = self._work.kernel.chime
        end_listening = None if chime is None else chime.listen(self._bell.poke)
        try:
            self._watch(once=once, until_idle=until_idle)
        finally:
            if end_listening is not None:
                end_listening()

    def _watch(self, *, once: bool, until_idle: bool) -> None:
        while not self._stopped:
            following = self._watcher.turn()
            if self._watcher.idle and (once or (until_idle and not self._watcher.following)):
                return
            self._bell.wait(following - self._work.clock.now())

    @property
    def progress(self) -> datetime | None:
        """When the last whole turn began; None before the first one has ended."""
        return self._watcher.progress

    def drain(self, grace: timedelta = GRACE) -> bool:
        """Let what is under way end, questions broken off; say whether it did within the grace. The lease is given back."""
        return self._watcher.drain(grace, self._work.break_off)

    def _look_at_registered(self) -> None:
        # One row: a registration is gone by within a second, however rarely the files are looked at.
        if self._reloader.behind():
            self.reload()

    def _purge(self) -> None:
        purge(self._work, PURGED)

    def _tidy(self) -> None:
        # Of these alone anything can have grown old: to look at all of them would cost more than it frees.
        while self._station.ended and not self._station.stopping:
            tidy_jobs(self._work, self._station.ended.pop())

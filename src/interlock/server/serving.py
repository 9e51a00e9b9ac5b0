"""One process that does it all: it watches the project, watches the watching, tells people, and answers requests.

Each part has a thread of its own, and none needs another. One that dies takes the process with it, after people were told:
a server that answers while nobody opens slots would look alive, and a service manager starts a whole process anew.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.app.delivering import deliver
from interlock.app.notifying import raise_alert
from interlock.app.sweep import Report
from interlock.config.settings import Settings
from interlock.core.alerts import Alert, AlertLevel, AlertType, Notice
from interlock.core.dispatching import alert_dispatch
from interlock.core.watchdog import STALLED
from interlock.errors import InterlockError, Problem
from interlock.runtime.archiving import Archiving, open_archive
from interlock.runtime.bell import Bell, place_of
from interlock.runtime.clock import SystemPacer
from interlock.runtime.guarding import guarded
from interlock.runtime.leases import WATCHER, this_process
from interlock.runtime.parts import Part
from interlock.runtime.pool import Pool
from interlock.runtime.rereading import Rereader
from interlock.runtime.station import ITSELF, News, alert_id
from interlock.runtime.watchdog import ROLE, Watchdog, rounds_of
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock, LazyHttp, allowed_addresses, state_dir
from interlock.server.app import Gauges, create_app
from interlock.server.health import Health, Peers, Seen, SignOfLife, StoreLook
from interlock.server.httpd import HttpServer
from interlock.server.hub import Hub
from interlock.server.listening import close
from interlock.server.probes import probes
from interlock.server.stream import stream_of

if TYPE_CHECKING:
    from interlock.config.project import ServerSpec

WATCHER_PATIENCE: Final = timedelta(seconds=60)
"""A watcher that has trouble rests for half of it at most."""

ARCHIVER_END: Final = timedelta(seconds=2)
SCANS: Final = 3
LAST_WORDS: Final = timedelta(seconds=10)
_WATCHER: Final = "watcher"
_WATCHDOG: Final = "watchdog"
_ARCHIVER: Final = "archiver"
_API: Final = "api"
_LOG: Final = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """What the process is to do besides answering, and how long what is under way may take to end."""

    watcher: bool
    watchdog: bool
    grace: timedelta


class Ended(NamedTuple):
    """How it ended: which part died, if one did, and whether all that was under way came to its end."""

    died: str = ""
    drained: bool = True


class Serving:
    """A process at work. `stop`, `hurry` and `reload` are safe in a signal's handler; all else is for one thread."""

    def __init__(
        self,
        work: Interlock,
        sockets: Sequence[socket.socket],
        spec: ServerSpec,
        wanted: Wanted,
        settings: Settings,
        *,
        problems: tuple[Problem, ...] = (),
        news: News,
    ) -> None:
        self._work = work
        self._news = news
        self._wanted = wanted
        self._stack = ExitStack()
        self._stopping = self._hurried = False
        self._stack.callback(close, sockets)
        self._bell = self._stack.enter_context(Bell())  # signals and parts that end
        self._parts: list[Part] = []
        self._drained: dict[str, bool] = {}
        self._scanned: datetime | None = None
        self._watching = self._watching_of(settings, problems) if wanted.watcher else None
        self._rereader = None if wanted.watcher else Rereader(work, settings, news)
        self._watchdog = self._watchdog_of() if wanted.watchdog else None
        self._archiving = self._archiving_of() if work.project.settings.archiver.enabled else None
        self.hub = Hub(work)
        self.health = Health(
            work.clock, StoreLook(self._look, news), self._signs(), lambda: len(work.catalog.project.broken)
        )
        extra = [*probes(self.health), stream_of(self.hub, work)]
        app = create_app(work, spec, extra=extra, gauges=_gauges(work))
        self._http = HttpServer(app, sockets, tls=spec.tls, grace=wanted.grace)

    def run(self) -> Ended:
        """Begin every part, and work until told to stop or until one dies. Everything is over when this returns."""
        try:
            self._begin()
            died = self._supervise()
            drained = self._end()
        finally:
            self._stack.close()
        return Ended(died, drained)

    def stop(self) -> None:
        """Take nothing more, let what is under way end."""
        self._stopping = True
        self._bell.poke()

    def hurry(self) -> None:
        """Stop, and wait for nothing."""
        self._stopping = self._hurried = True
        self._http.hurry()
        self._bell.poke()

    def reload(self) -> None:
        """Look at the files now."""
        if self._watching is not None:
            self._watching.reload()
        if self._rereader is not None:
            self._rereader.hurry()

    # ------------------------------------------------------------------ the parts

    def _watching_of(self, settings: Settings, problems: tuple[Problem, ...]) -> Watching:
        bell = self._stack.enter_context(Bell(place_of(state_dir(self._work.project))))
        return Watching(self._work, bell, settings, problems=problems, news=self._news)

    def _watchdog_of(self) -> Watchdog:
        work = self._work
        pool, http = Pool(), LazyHttp(allowed_addresses(work.project))
        self._stack.callback(http.close)
        self._stack.callback(pool.close)
        rounds = rounds_of(work.project.settings, http)
        # A pool and channels of its own: what hangs in a question or a telling of the others must not hold it up.
        hands = work.hands._replace(together=pool, alerting=guarded(work.hands.alerting))
        return Watchdog(hands, rounds, alarm=SystemPacer(work.clock), say=lambda words: self._news(f"watchdog {words}"))

    def _archiving_of(self) -> Archiving:
        work = self._work
        return Archiving(work, open_archive(work.project, work.env), say=self._news)

    def _begin(self) -> None:
        if self._watching is not None:
            self._start(_WATCHER, partial(self._watch, self._watching))
        if self._rereader is not None:
            self._start("rereader", self._rereader.run)
        if self._watchdog is not None:
            self._start(_WATCHDOG, partial(self._watchdog.run, self._scan_ended))
        if self._archiving is not None:
            self._start(_ARCHIVER, self._archiving.run)
        self._start(_API, self._http.run)

    def _start(self, name: str, task: Callable[[], None]) -> None:
        part = Part(name, task, self._bell.poke)
        self._parts.append(part)
        part.start()

    def _watch(self, watching: Watching) -> None:
        try:
            watching.watch()
        finally:
            self._drained[_WATCHER] = watching.drain(self._wanted.grace)

    def _scan_ended(self, report: Report) -> None:
        self._scanned = report.at
        self._work.ring()
        assert self._watchdog is not None  # noqa: S101  (it is the one that calls)
        self._watchdog.go_by(guarded(self._work.hands.alerting))

    def _signs(self) -> list[SignOfLife]:
        found = []
        if (watching := self._watching) is not None:
            found.append(
                SignOfLife(_WATCHER, lambda: watching.progress, WATCHER_PATIENCE, partial(self._lives, _WATCHER))
            )
        if self._watchdog is not None:
            patience = SCANS * max(self._work.project.settings.watchdog.interval, timedelta(seconds=30))
            found.append(SignOfLife(_WATCHDOG, lambda: self._scanned, patience, partial(self._lives, _WATCHDOG)))
        return found

    def _lives(self, name: str) -> bool:
        return all(part.alive for part in self._parts if part.name == name)

    def _look(self) -> Seen:
        work = self._work
        work.kernel.ping()
        now = work.clock.now()
        peers = []
        for role in (WATCHER, ROLE):
            alive = [member for member in work.hands.members.members(role) if member.until > now]
            progress = [member.progress_at for member in alive if member.progress_at is not None]
            peers.append(Peers(role, len(alive), max(progress, default=None)))
        rejected = work.hands.dispatches.alert(alert_id(AlertType.CONFIG_REJECTED))
        return Seen(tuple(peers), rejected is not None and rejected.open)

    # ------------------------------------------------------------------ the end

    def _supervise(self) -> str:
        """Wait until told to stop; return the name of the part that died, if one did."""
        while not self._stopping:
            dead = next((part for part in self._parts if not part.alive), None)
            if dead is not None:
                self._mourn(dead)
                return dead.name
            self._bell.wait(timedelta(seconds=1))
        return ""

    def _end(self) -> bool:
        """Stop everything at once, and wait for each; say whether all came to its end in order."""
        self.health.draining = True
        self._work.break_off()  # nobody waits for evaluators any more, in requests as little as in the watcher
        self.hub.close()
        self._http.stop()
        if self._watching is not None:
            self._watching.stop()
        if self._rereader is not None:
            self._rereader.stop()
        if self._archiving is not None:
            self._archiving.stop()
        ends = monotonic() + self._wanted.grace.total_seconds() + LAST_WORDS.total_seconds() / 2
        # The watchdog is the last to go: it tells of whatever goes wrong with the others meanwhile.
        # The archiver may be left anywhere: what it has not told the store of is copied again.
        others = [part for part in self._parts if part.name not in (_WATCHDOG, _ARCHIVER)]
        over = [self._over(part, ends) for part in others]
        if self._watchdog is not None:
            self._watchdog.stop()
        over += [self._over(part, ends) for part in self._parts if part.name == _WATCHDOG]
        for part in self._parts:
            part.over_within(ARCHIVER_END if part.name == _ARCHIVER and not self._hurried else timedelta())
        return all(over) and all(self._drained.values()) and not self._hurried

    def _over(self, part: Part, ends: float) -> bool:
        while not part.over_within(timedelta()):
            if self._hurried or monotonic() >= ends:
                return False
            self._bell.wait(timedelta(seconds=min(1.0, max(ends - monotonic(), 0.0))))
        return True

    def _mourn(self, part: Part) -> None:
        """Tell people that a part died, with the store if it can be used, and without it if not."""
        words = f"{type(part.error).__name__}: {part.error}" if part.error is not None else "it ended by itself"
        place = this_process()
        message = (
            f"the {part.name} of interlock serve (process {place.pid} on {place.host}) died: {words}. The process ends, so "
            "that whoever looks after it starts it anew; nothing that was acknowledged is lost"
        )
        self._news(f"alert {AlertLevel.ERROR} {message}")
        stalled = AlertType.WATCHDOG_STALLED if part.name == _WATCHDOG else AlertType.WATCHER_STALLED
        alert = Alert(
            alert_id=alert_id(stalled, ITSELF) if part.name == _WATCHDOG else STALLED,
            alert_type=stalled,
            level=AlertLevel.ERROR,
            at=self._work.clock.now(),
            message=message,
        )
        telling = Part("last words", partial(self._tell, alert), lambda: None)
        telling.start()
        telling.over_within(LAST_WORDS)

    def _tell(self, alert: Alert) -> None:
        hands = self._work.hands._replace(alerting=guarded(self._work.hands.alerting))
        try:
            raise_alert(alert, hands)
            deliver(alert_dispatch(alert.alert_id), hands)
        except InterlockError as exc:
            _LOG.error("what died could not be written down, and is told directly: %s", exc)
            for channel in hands.alerting.channels:
                with contextlib.suppress(Exception):
                    channel.sink.deliver(Notice(alert=alert, at=alert.at), timeout=hands.alerting.timeout)


def _gauges(work: Interlock) -> Gauges:
    counts, metrics = work.observers.counts, work.observers.metrics
    plain = Gauges().counters if counts is None else counts.plain
    return Gauges(plain, None if metrics is None else metrics.render)

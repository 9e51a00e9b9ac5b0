"""The watchdog at work: a scan, a sign of life, a ping, and again. It depends on no watcher and shares nothing with one.

It has a thread, a clock and a pool of its own. When even the store is gone it tells people directly, because nobody else
will: what it cannot keep it can still say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from interlock.app.channels import Alerting
from interlock.app.hands import Hands
from interlock.app.routing import refusal
from interlock.app.sweep import Check, Report, Thresholds, deliver_due, sweep
from interlock.clients.http import HttpSender
from interlock.clients.trouble import HttpTrouble
from interlock.config.project import ProjectSettings
from interlock.core.alerts import Alert, AlertLevel, AlertType, Notice, NoticeKind
from interlock.core.watchdog import by_reason
from interlock.errors import InterlockError, MissingExtra, SinkError
from interlock.ports.members import Member
from interlock.runtime.clock import Pacer
from interlock.runtime.leases import this_process

ROLE: Final = "watchdog"
PING_TIMEOUT: Final = timedelta(seconds=10)
DELIVERY_BUDGET: Final = timedelta(minutes=1)
FORGOTTEN: Final = timedelta(days=1)
_SHORTEST: Final = timedelta(seconds=30)
_TIMES: Final = 3


class Alarm(Pacer, Protocol):
    """A pacer that can be woken."""

    def poke(self) -> None:
        """End the present wait, or the next one."""
        ...


class Rounds(NamedTuple):
    """How a watchdog goes its rounds. `ping` tells the world outside that a scan was whole, and returns what went wrong."""

    interval: timedelta = timedelta(minutes=5)
    thresholds: Thresholds = Thresholds()
    ping: Callable[[], str] | None = None
    name: str = ""


def rounds_of(settings: ProjectSettings, http: HttpSender) -> Rounds:
    """Return the rounds that a project asks for."""
    spec = settings.watchdog
    thresholds = Thresholds(
        stuck_after=spec.stuck_run_threshold,
        silence=_TIMES * max(settings.watcher_interval, _SHORTEST),
        wanted=settings.watcher_enabled,
    )
    return Rounds(spec.interval, thresholds, pinging(spec.ping_url, http) if spec.ping_url else None)


def pinging(url: str, http: HttpSender) -> Callable[[], str]:
    """Return a ping of an address: any answer in the 200s is a good one."""

    def ping() -> str:
        try:
            status = http.send("GET", url, timeout=PING_TIMEOUT).status
        except (HttpTrouble, MissingExtra) as exc:
            return str(exc)
        return "" if 200 <= status < 300 else f"it answered {status}"

    return ping


class Watchdog:
    """Looks at everything at an interval, until it is stopped. `say` is for people at the log."""

    def __init__(self, hands: Hands, rounds: Rounds, *, alarm: Alarm, say: Callable[[str], None]) -> None:
        self._hands = hands
        self._rounds = rounds
        self._alarm = alarm
        self._say = say
        self._stopping = threading.Event()
        self._process = this_process()
        self._name = rounds.name or f"{self._process.host}-{self._process.pid}-{self._process.started}"
        self._member: Member | None = None
        self._patient_until: datetime | None = None
        self._ended_at: datetime | None = None
        self._outage: Alert | None = None
        self._said: dict[str, str] = {}

    def stop(self) -> None:
        """Let the scan under way be the last. May be called from any thread, and from a signal handler."""
        self._stopping.set()
        self._alarm.poke()

    def go_by(self, alerting: Alerting) -> None:
        """Tell people by these channels from the next scan on: the files have changed. Safe from any thread."""
        self._hands = self._hands._replace(alerting=alerting)

    def run(self, on_report: Callable[[Report], None] = lambda _report: None) -> None:
        """Go the rounds until stopped, and leave in order."""
        while not self._stopping.is_set():
            self._mind_the_clock()
            on_report(self.turn())
            self._ended_at = self._hands.clock.now()
            if not self._stopping.is_set():
                # Counted from now: however the clock jumped meanwhile, the next scan is one interval away.
                self._alarm.until(self._ended_at + self._rounds.interval)
        self.leave()

    def leave(self) -> None:
        """Take the sign of life away: who leaves in order is not missed."""
        member, self._member = self._member, None
        if member is None:
            return
        try:
            self._hands.members.drop_member(member)  # False: somebody else took it away
        except InterlockError as exc:
            self._say(f"the watchdog could not sign off, and will be missed: {exc}")

    def turn(self) -> Report:
        """Scan once, show a sign of life, tell what is due, and ping if all of that was whole. Nothing is raised."""
        hands, rounds = self._hands, self._rounds
        patient = self._patient_until is not None and hands.clock.now() < self._patient_until
        scan = sweep(hands, rounds.thresholds._replace(patient=patient))
        beat = self._beat(scan)
        report = scan._replace(checks=(*scan.checks, beat))
        self._tell_of_the_store(report)
        if not report.untold:
            report = report._replace(checks=(*report.checks, deliver_due(hands, hands.clock.now() + DELIVERY_BUDGET)))
        told = "; ".join(by_reason(report.troubles))
        if told:
            self._say_once("scan", f"the watchdog could not check everything: {told}")
        elif self._said.pop("scan", None) is not None:
            self._say("the watchdog can check everything again")
        if report.whole and rounds.ping is not None:
            self._ping(rounds.ping)
        return report

    def _mind_the_clock(self) -> None:
        """Be patient after a start, and after a gap in which the machine slept: the watchers need a moment, too."""
        now, silence = self._hands.clock.now(), self._rounds.thresholds.silence
        last = self._ended_at
        if last is None or not timedelta() <= now - last <= 2 * self._rounds.interval + silence:
            self._patient_until = now + silence

    # ------------------------------------------------------------------ signs of life

    def _beat(self, report: Report) -> Check:
        try:
            return Check("heartbeat", 0, self._renewed(report))
        except InterlockError as exc:
            return Check("heartbeat", 0, str(exc))

    def _renewed(self, report: Report) -> str:
        """Write down that a scan is complete, and read it back: what was kept is what others will see."""
        members, now = self._hands.members, self._hands.clock.now()
        fresh = self._as_of(report, now)
        if not members.put_member(fresh):
            for other in members.members(ROLE):
                if other.name == self._name:
                    members.drop_member(other)
            fresh = replace(fresh, epoch=1)
            if not members.put_member(fresh):
                return f"another watchdog goes by the name {self._name}"
        self._member = fresh
        there = members.members(ROLE)
        for other in there:
            if other.name != self._name and other.until < now - FORGOTTEN:
                members.drop_member(other)
        return "" if fresh in there else "what was written to the store could not be read back"

    def _as_of(self, report: Report, now: datetime) -> Member:
        joined = now if self._member is None else self._member.joined_at
        degraded = ", ".join(name for name, _ in report.troubles)
        note = f"{report.findings} found" + (f"; degraded: {degraded}" if degraded else "")
        return Member(
            role=ROLE,
            name=self._name,
            host=self._process.host,
            pid=self._process.pid,
            started=self._process.started,
            joined_at=joined,
            until=now + _TIMES * max(self._rounds.interval, _SHORTEST),
            progress_at=report.at,
            note=note,
            epoch=1 if self._member is None else self._member.epoch + 1,
        )

    def _ping(self, ping: Callable[[], str]) -> None:
        trouble = ping()
        if trouble:
            self._say_once("ping", f"the watchdog's ping did not arrive: {trouble}")
        elif self._said.pop("ping", None) is not None:
            self._say("the watchdog's ping arrives again")

    def _say_once(self, name: str, words: str) -> None:
        if self._said.get(name) != words:
            self._said[name] = words
            self._say(words)

    # ------------------------------------------------------------------ without the store

    def _tell_of_the_store(self, report: Report) -> None:
        """Once an outage, and once when it is over: by the sinks alone, since nothing can be kept."""
        if report.untold and self._outage is None:
            told = "; ".join(by_reason(report.troubles))
            self._outage = Alert(
                alert_id=f"{AlertType.WATCHDOG_DEGRADED}/store/{self._name}/{report.at.isoformat()}",
                alert_type=AlertType.WATCHDOG_DEGRADED,
                level=AlertLevel.ERROR,
                at=report.at,
                message=f"the watchdog {self._name} cannot use the store, so nothing is watched: {told}",
            )
            self._tell(Notice(alert=self._outage, at=report.at))
        elif self._outage is not None and not report.untold:
            over = "the store can be used again"
            self._tell(Notice(alert=self._outage, kind=NoticeKind.RESOLVED, number=2, at=report.at, resolution=over))
            self._outage = None

    def _tell(self, notice: Notice) -> None:
        self._say(notice.resolution or notice.alert.message)
        for channel in self._hands.alerting.channels:
            if refusal(channel.wants, notice.alert):
                continue
            try:
                channel.sink.deliver(notice, timeout=self._hands.alerting.timeout)
            except SinkError as exc:
                self._say(f"the alert sink {channel.name} could not be told: {exc}")
            except Exception as exc:  # noqa: BLE001  (a sink that breaks its promise must not keep it from the others)
                self._say(f"the alert sink {channel.name} broke: {type(exc).__name__}: {exc}")

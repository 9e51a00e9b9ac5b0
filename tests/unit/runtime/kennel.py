"""A watchdog with everything around it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from interlock.app.sweep import Report
from interlock.core.pipelines import ScheduleSpec
from interlock.errors import StoreUnavailable
from interlock.ports.members import Member
from interlock.runtime.watchdog import ROLE, Rounds, Watchdog
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, Files, a_hand, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink
from interlock.testing.faults import FaultyKernel

SPEC = a_spec(schedules=(ScheduleSpec(),))


class Alarm:
    """Jumps to the time that is waited for, and counts the waits; `on_wait` may do anything meanwhile."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.waits: list[timedelta] = []
        self.pokes = 0
        self.on_wait: Callable[[int], None] = lambda _number: None

    def until(self, when: datetime) -> None:
        self.waits.append(when - self.clock.now())
        self.clock.set(when)
        self.on_wait(len(self.waits))

    def poke(self) -> None:
        self.pokes += 1


class Kennel:
    """A watchdog with everything around it."""

    def __init__(
        self, *, ping: Callable[[], str] | None = None, interval: timedelta = 5 * MINUTE, name: str = ""
    ) -> None:
        self.clock = FakeClock(NOON)
        self.kernel = FaultyKernel(MemoryKernel())
        self.sink = RecordingSink()
        self.said: list[str] = []
        self.alarm = Alarm(self.clock)
        self.hands = a_hand(Repository(self.kernel), clock=self.clock, catalog=Files(SPEC), sinks=(self.sink,))
        self.rounds = Rounds(interval=interval, ping=ping, name=name)
        self.watchdog = self.another()

    def another(self, **fields: Any) -> Watchdog:
        """Make another watchdog on the same store."""
        return Watchdog(self.hands, self.rounds._replace(**fields), alarm=self.alarm, say=self.said.append)

    def members(self) -> tuple[Member, ...]:
        return self.hands.members.members(ROLE)

    def run(self, turns: int) -> list[Report]:
        """Let it go so many rounds."""
        reports: list[Report] = []

        def heard(report: Report) -> None:
            reports.append(report)
            if len(reports) == turns:
                self.watchdog.stop()

        self.watchdog.run(heard)
        return reports

    def lose_the_store(self) -> None:
        def gone(_call: int) -> None:
            raise StoreUnavailable("nobody answers")

        self.kernel.before = gone

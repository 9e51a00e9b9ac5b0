"""A small living system in one store: somebody who watches, somebody who watches over them, jobs, and people who are told.

There are no threads and no waiting: `until` goes from one instant at which something is due to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from interlock.app.advance import advance
from interlock.app.agendas import open_due
from interlock.app.delivering import deliver
from interlock.app.hands import Hands, Silence
from interlock.app.perform import perform
from interlock.app.planning import plan
from interlock.app.sweep import Report, sweep
from interlock.core.commands import Command
from interlock.core.events import Woke
from interlock.core.ids import RunKey, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.core.traits import TraitStatus
from interlock.ports.evaluators import Answer, Question
from interlock.ports.stores import DueKind
from interlock.ports.triggers import JobState
from interlock.runtime.leases import Lease, Process
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_hand
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeTrigger, RecordingSink
from interlock.testing.faults import FaultyKernel

SCAN: Final = 5 * MINUTE
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Ask: TypeAlias = Callable[[Question, datetime], TraitStatus | Answer]


def always_ready(_question: Question, _at: datetime) -> TraitStatus:
    """Say that everything is there."""
    return TraitStatus.PASS


class World:
    """What evaluators see: `ask` says what a question is answered at an instant."""

    def __init__(self, clock: FakeClock, ask: Ask) -> None:
        self.ask = ask
        self.asked: list[tuple[Slot, datetime]] = []
        self._clock = clock

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Answer a question as the world is now."""
        self.asked.append((question.slot, self._clock.now()))
        answer = self.ask(question, self._clock.now())
        return answer if isinstance(answer, Answer) else Answer(status=answer)


class Living:
    """The whole of it. `watched` and `guarded` say whether a watcher and a watchdog are at work; both may change."""

    def __init__(
        self,
        *specs: PipelineSpec,
        at: datetime = NOON,
        ask: Ask = always_ready,
        takes: timedelta = MINUTE,
        downstream: Mapping[str, Sequence[str]] = {},
        trigger: FakeTrigger | None = None,
    ) -> None:
        self.clock = FakeClock(at)
        self.kernel = FaultyKernel(MemoryKernel())
        self.store = Repository(self.kernel)
        self.files = Files(*specs, downstream=downstream)
        self.world = World(self.clock, ask)
        self.trigger = trigger or FakeTrigger()
        self.sink = RecordingSink()
        self.watched = self.guarded = True
        self.takes = takes
        self.ends_with: Callable[[str], JobState] = lambda _key: JobState.SUCCEEDED
        self.reports: list[Report] = []
        self._began: dict[str, datetime] = {}
        self._scan_at = at + SCAN
        self.hands = self._equip()
        self._lease = self._a_lease()

    def _equip(self) -> Hands:
        return a_hand(
            self.store,
            clock=self.clock,
            evaluator=self.world,
            trigger=self.trigger,
            sinks=(self.sink,),
            catalog=self.files,
        )

    def _a_lease(self) -> Lease:
        return Lease(self.hands.members, process=Process("host", 1, "boot"), gone=lambda _member, _host: False)

    # ------------------------------------------------------------------ what goes on

    def plan(self) -> Living:
        """Read the files."""
        plan(self.files.specs, self.hands)
        return self

    def restart(self) -> Living:
        """Begin with new processes that remember nothing, and read the files."""
        self._lease = self._a_lease()
        self.hands = self._equip()
        return self.plan()

    def until(self, at: datetime) -> Living:
        """Let everything happen that happens up to an instant."""
        for _ in range(100_000):
            self._turn()
            following = min([at, *self._coming()])
            if self.clock.now() >= at:
                return self
            self.clock.set(max(following, self.clock.now() + SECOND))
        raise AssertionError(f"something is due for ever at {self.clock.now()}")

    def on(self, span: timedelta) -> Living:
        """Let time pass."""
        return self.until(self.clock.now() + span)

    def scan(self) -> Report:
        """Let the watchdog look once."""
        if self.watched:
            self._lease.hold(self.clock.now(), self.clock.now())
        self.reports.append(sweep(self.hands))
        self._tell()
        return self.reports[-1]

    def _coming(self) -> list[datetime]:
        known = [self._scan_at] if self.guarded else []
        if self.watched:
            known += (each.wake_at for each in self.store.due(self.clock.now() + 400 * DAY, 1))
            known += (began + self.takes for began in self._began.values() if began + self.takes > self.clock.now())
        return known

    def _turn(self) -> None:
        self._jobs_go_on()
        if self.watched:
            self._lease.hold(self.clock.now(), self.clock.now())
            self._watch()
        if self.guarded and self.clock.now() >= self._scan_at:
            self._scan_at = self.clock.now() + SCAN
            self.scan()

    def _jobs_go_on(self) -> None:
        now = self.clock.now()
        for key, states in list(self.trigger.jobs.items()):
            began = self._began.setdefault(key, now)
            if states[-1] is JobState.RUNNING and now - began >= self.takes:
                self.trigger.end(key, self.ends_with(key))

    def _watch(self) -> None:
        for _ in range(50):
            due = dict.fromkeys((each.kind, each.subject) for each in self.store.due(self.clock.now(), 10_000))
            for _kind, subject in due:
                if isinstance(subject, RunKey):
                    self.look_after(subject)
                elif isinstance(subject, tuple):
                    open_due(*subject, self.hands)
                else:
                    deliver(subject, self.hands)
            self._jobs_go_on()
            if not due:
                return

    def look_after(self, key: RunKey) -> None:
        """Carry out what a run wishes, and tell it the time if it wants to know."""
        for wish in self.store.outstanding(key):
            self.wish(key, wish)
        run, now = self.store.run(key), self.clock.now()
        if run is not None and run.due_at is not None and now >= run.due_at:
            advance(key, Woke(at=now), self.store)

    def wish(self, key: RunKey, wish: Command) -> None:
        """Carry out one wish as a watcher does."""
        learned = perform(key, wish, self.hands)
        if learned is Silence.LATER:
            self.store.postpone(key, wish.id, self.clock.now() + 10 * SECOND)
        elif learned is Silence.SETTLED:
            self.store.settle(key, wish.id)
        else:
            advance(key, learned, self.store, settles=wish.id)

    def _tell(self) -> None:
        for each in self.store.due(self.clock.now(), 10_000):
            if each.kind is DueKind.DISPATCH:
                deliver(str(each.subject), self.hands)

    # ------------------------------------------------------------------ what was

    @property
    def told(self) -> list[str]:
        """The kinds of all alerts that people were told of as news, in order."""
        return [str(notice.alert.alert_type) for notice in self.sink.delivered if notice.kind == "opened"]

    def runs(self, pipeline: str = "example") -> list[Run]:
        """Every run of a pipeline, oldest first."""
        return list(reversed(self.store.runs_of(pipeline, limit=1000)))

    def periods(self, pipeline: str = "example") -> list[str]:
        """The period of every run of a pipeline, oldest first."""
        return [str(run.key.slot.period) for run in self.runs(pipeline)]

    def kinds(self, pipeline: str = "example") -> list[str]:
        """The kind of every line of a pipeline's timeline, oldest first."""
        return [str(line.record.kind) for line in self.store.timeline(pipeline, limit=5000)]

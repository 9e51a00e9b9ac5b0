"""A small seeded world: one run, some drivers with erring clocks and slow hands, and a target system.

There are no threads: wherever a driver touches the store or the target system, time may pass, another driver may act in
the middle, the process may die, or an answer may be lost. The same seed plays the same story in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from interlock.app.advance import advance
from interlock.app.arrivals import limits_of, open_run
from interlock.app.callbacks import Report, complete
from interlock.app.delivering import deliver
from interlock.app.perform import carry_out
from interlock.core.commands import Command
from interlock.core.events import EvaluationAsked, Woke
from interlock.core.ids import RunKey
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run, RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import NotFound, StoreUnavailable
from interlock.ports.evaluators import Question
from interlock.ports.stores import DueKind
from interlock.ports.triggers import Job, JobState
from interlock.stores.dispatches import DispatchRows
from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND, Files, a_hand, a_key, a_spec, a_trait
from interlock.testing.clock import FakeClock, SkewedClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink, Start
from interlock.testing.faults import FaultyKernel

SKEW: Final = 4 * SECOND
SPEC: Final = a_spec(
    a_trait("fresh", ttl=90 * SECOND, timeout=20 * SECOND),
    a_trait("upstream", ttl=4 * MINUTE, timeout=20 * SECOND),
    clock_skew=SKEW,
)


class Died(BaseException):
    """A driver's process has died: whatever it knew is gone."""


class Broken(BaseException):
    """A promise was broken inside a call; no use case can swallow this."""


class Driver:
    """One process that carries out wishes: it remembers nothing that matters."""

    def __init__(self, world: World, error: timedelta) -> None:
        self.world = world
        self.busy = False
        self.kernel = FaultyKernel(world.kernel)
        self.kernel.before = self.kernel.after = lambda _call: world.seam()
        self.store = Repository(self.kernel)
        self.seen: list[Command] = []
        self.hands = a_hand(
            self.store,
            clock=SkewedClock(world.clock, error),
            evaluator=world.evaluator,
            trigger=world.trigger,
            sinks=(world.sink,),
            catalog=Files(world.spec),
        )

    def act(self) -> None:
        """Do one thing: carry out a wish, perhaps one done long ago, or say that time has passed."""
        dice, key = self.world.dice, self.world.key
        self.busy = True
        try:
            wishes = list(self.store.outstanding(key))
            self.seen += wishes
            repeat = self.seen and dice.random() < 0.15
            if repeat or wishes:
                carry_out(key, dice.choice(self.seen if repeat else wishes), self.hands)
            self._deliver()
            run = self.store.run(key)
            if run is not None and run.due_at is not None and self.hands.clock.now() >= run.due_at:
                advance(key, Woke(at=self.hands.clock.now()), self.store)
            elif dice.random() < 0.03:
                advance(key, EvaluationAsked(at=self.hands.clock.now(), actor="ann"), self.store)
        except (Died, StoreUnavailable):
            self.seen = self.seen[-3:]
        finally:
            self.busy = False

    def _deliver(self) -> None:
        for work in self.store.due(self.hands.clock.now(), 100):
            if work.kind is DueKind.DISPATCH and isinstance(work.subject, str):
                deliver(work.subject, self.hands)


class World:
    """One run from its opening to its end, with `drivers` processes at it.

    `kernel` is an empty store, of whatever kind. No two clocks differ by more than `spec.clock_skew`.
    """

    def __init__(
        self, seed: int, *, spec: PipelineSpec = SPEC, chaos: float = 1.0, kernel: Kernel | None = None
    ) -> None:
        self.dice = Random(seed)
        self.spec = spec
        self.chaos = chaos
        self.clock = FakeClock(NOON)
        self.kernel = kernel or MemoryKernel()
        self.store = Repository(self.kernel)
        self.key = a_key()
        self.sink = RecordingSink()
        self.evaluator = FakeEvaluator()
        self.evaluator.before = self._asked
        repeatable = self.dice.random() < 0.4
        self.trigger = FakeTrigger(repeatable=repeatable, remembers=not repeatable or self.dice.random() < 0.6)
        self.trigger.before_start = self._starting
        self.passes: dict[str, datetime] = {}
        self.starts: list[datetime] = []
        self.depth = 0
        self.timeout = spec.trigger.start_timeout if spec.trigger else timedelta()
        self.calls_end: list[datetime] = []
        skews = [self.dice.uniform(0, 1) * spec.clock_skew for _ in range(self.dice.randint(1, 3))]
        self.drivers = [Driver(self, error) for error in skews]

    # ------------------------------------------------------------------ what may happen anywhere

    def seam(self) -> None:
        """Somewhere inside what a driver does: time passes, others act, processes die."""
        dice = self.dice
        if dice.random() < 0.25 * self.chaos:
            self._pass(dice.choice((0.01, 0.5, 2, 2, 9, 11, 40, 95, 400)) * SECOND)
        if self.depth < 2 and dice.random() < 0.12 * self.chaos:
            self._others_act()
        fate = dice.random() / max(self.chaos, 1e-9)
        if fate < 0.012:
            raise Died
        if fate < 0.024:
            raise StoreUnavailable("the store did not answer")

    def _others_act(self) -> None:
        others = [each for each in self.drivers if not each.busy]
        if others:
            self.depth += 1
            self.dice.choice(others).act()
            self.depth -= 1

    def _asked(self, question: Question) -> None:
        asked = self.clock.now()
        failing = self.dice.random() < 0.15 * self.chaos
        name = question.trait.name
        self.evaluator.script(name, TraitStatus.FAIL if failing else TraitStatus.PASS)
        if not failing:
            self.passes[name] = asked
        if self.dice.random() < 0.3 * self.chaos:
            self._pass(self.dice.choice((1, 10, 60)) * SECOND)

    def _starting(self, job: Job) -> None:
        """G1 and G2, at the instant of the start, by the true time and by what the target system knows."""
        now = self.clock.now()
        for trait in self.spec.traits:
            asked = self.passes.get(trait.name)
            if asked is None or now >= asked + trait.ttl:
                raise Broken(f"G1: started at {now}, and {trait.name} passed at {asked}, ttl {trait.ttl}")
        if self.trigger.jobs.get(job.key) and not self.trigger.repeatable:
            raise Broken(f"G2: {job.key} is started again")
        live = [key for key, states in self.trigger.jobs.items() if key != job.key and JobState.FAILED not in states]
        if live:
            raise Broken(f"G2: {job.key} is started beside {live}")
        self.starts.append(now)
        weights = (60, 15 * self.chaos, 10 * self.chaos, 5 * self.chaos)
        self.trigger.script(self.dice.choices(tuple(Start), weights)[0])
        # The call is under way: others may act meanwhile, but no call lasts longer than its timeout.
        if self.dice.random() < 0.3 * self.chaos and self.depth < 2:
            self.calls_end.append(now + self.timeout)
            self._pass(self.dice.choice((1, 5, 29)) * SECOND)
            try:
                self._others_act()
            finally:
                self.calls_end.pop()

    def _pass(self, span: timedelta) -> None:
        latest = min(self.calls_end, default=None)
        now = self.clock.now()
        self.clock.set(now + span if latest is None else max(now, min(now + span, latest)))

    def _job_goes_on(self) -> None:
        for key, states in list(self.trigger.jobs.items()):
            if states[-1] is JobState.RUNNING and self.dice.random() < 0.15:
                ended = JobState.FAILED if self.dice.random() < 0.4 * self.chaos else JobState.SUCCEEDED
                self.trigger.end(key, ended)
                if self.dice.random() < 0.5:
                    attempt = int(key.rpartition("/")[2])
                    self._told(partial(self._call_back, attempt, ended))

    def _call_back(self, attempt: int, ended: JobState, store: Repository) -> None:
        report = Report(succeeded=ended is JobState.SUCCEEDED, attempt=attempt, by="job")
        complete(self.key, report, store, self.clock.now())

    def _told(self, tell: Callable[[Repository], None]) -> None:
        try:
            tell(self.dice.choice(self.drivers).store)
        except (Died, StoreUnavailable, NotFound):
            return

    # ------------------------------------------------------------------ the story

    def play(self, steps: int = 100) -> World:
        """Play the story to its end; every broken promise is an AssertionError."""
        self._open()
        for _ in range(steps):
            if self.run.ended:
                break
            self.clock.advance(self.dice.choice((0.1, 1, 5, 15)) * SECOND)
            self._job_goes_on()
            self.dice.choice(self.drivers).act()
            self.check()
        return self._calm_down()

    @property
    def run(self) -> Run:
        """The run as the store has it."""
        run = self.store.run(self.key)
        assert run is not None, "G3: the run is gone"
        return run

    def _open(self) -> None:
        while self.store.run(self.key) is None:
            self._told(self._open_one)

    def _open_one(self, store: Repository) -> None:
        open_run(self.key.slot, self.spec, store, self.clock.now())

    def check(self) -> None:
        """Check what must hold at any time."""
        doubled = [key for key, states in self.trigger.jobs.items() if len(states) > 1]
        assert not doubled, f"G2: started twice: {doubled}"
        assert self.store.latest_run(self.key.slot) == self.run, "one slot, one run"

    def _calm_down(self) -> World:
        self.chaos = 0.0
        for _ in range(400):
            run = self.run
            if run.ended and not self.store.outstanding(self.key) and not self._untold():
                return self._judge()
            self.clock.advance(20 * SECOND)
            self._job_goes_on()
            self.drivers[0].act()
            self.check()
            if run.doubt and run.wake_at is None:
                self._people_look()
        raise AssertionError(f"G5: the run does not end: {self.run}")

    def _untold(self) -> bool:
        records = DispatchRows(self.kernel).alerts(limit=999)
        return any(delivery.pending for record in records for delivery in record.deliveries)

    def _people_look(self) -> None:
        key = f"{self.key.run_id}/{self.run.attempt}"
        state = self.trigger.jobs.get(key, [JobState.FAILED])[-1]
        if state is not JobState.RUNNING:
            self._call_back(self.run.attempt, state, self.store)

    def _judge(self) -> World:
        run = self.run
        ends = [states[-1] for states in self.trigger.jobs.values()]
        assert (run.status is RunStatus.COMPLETED) == (JobState.SUCCEEDED in ends), f"G5: {run.status}, but jobs {ends}"
        assert JobState.RUNNING not in ends, "G5: the run ended and its job did not"
        assert refolded(self.store, self.spec, self.key) == run, "G3: the journal does not give the run"
        raised = {
            r.record.message for r in self.store.timeline(self.spec.name, limit=999) if r.record.kind == "ALERT_RAISED"
        }
        records = DispatchRows(self.kernel).alerts(limit=999)
        over = {record.alert.message for record in records if not record.open}
        told = {alert.message for alert in self.sink.alerts}
        assert told <= raised <= told | over, "G3: an alert was lost"
        return self


def refolded(store: Repository, spec: PipelineSpec, key: RunKey) -> Run:
    """Fold a run's journal again, from its opening to its last line."""
    first, *rest = store.journal(key)
    stored = store.run(key)
    assert stored is not None
    limits = limits_of(key.slot, spec, first.at)
    terms = Terms(cause=stored.cause, note=stored.note, override=stored.override, limits=limits)
    run = opened(key, spec, store.put_spec(spec), first.at, terms).run
    for entry in rest:
        assert entry.fact is not None
        run = decide(run, entry.fact, spec).run
        assert run.version == entry.version
    return run


def played(seed: int, *, spec: PipelineSpec = SPEC, chaos: float = 1.0, kernel: Kernel | None = None) -> World:
    """Play the story of one seed; the seed is named by whatever fails."""
    try:
        return World(seed, spec=spec, chaos=chaos, kernel=kernel).play()
    except (Exception, Broken) as exc:
        raise AssertionError(f"world {seed}: {type(exc).__name__}: {exc}") from exc

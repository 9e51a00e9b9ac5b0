"""What a simulated fleet works with: evaluators, target systems and sinks, and the truth about what happened to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, Never

from interlock.core.alerts import LifecycleEvent, Notice
from interlock.core.documents import Document
from interlock.core.ids import RunKey, Slot
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.errors import SinkError, TriggerError
from interlock.evaluators.builtin.upstream import UpstreamCheck, UpstreamConfig
from interlock.evaluators.context import CheckContext
from interlock.ports.evaluators import Answer, Question
from interlock.ports.triggers import Job, JobHandle, JobState
from interlock.runtime.upstream import UpstreamRuns
from interlock.testing.builders import MINUTE
from interlock.testing.fakes import FakeTrigger, Start
from interlock.testing.fleet.plans import DAY, UPSTREAM, Plan, upstream_of
from interlock.testing.fleet.stage import Stage

NEVER: Final = 1000 * DAY


class JobTruth(NamedTuple):
    """A job as its target system knows it: `ends_at` is when it will have ended, in `end`."""

    key: str
    run: RunKey
    attempt: int
    began_at: datetime
    ends_at: datetime
    end: JobState


class Data:
    """What really lands, and when: asked about a trait of a slot, it answers the same to everybody.

    `delays` may say of a pipeline how long after its first question its data lands.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.delays: dict[str, timedelta] = {}
        self.lands: dict[tuple[Slot, str], datetime] = {}

    def landed(self, slot: Slot, trait: str) -> bool:
        """Say whether the data of a slot is there."""
        if (slot, trait) not in self.lands:
            self.lands[slot, trait] = self._stage.now + self._delay(slot)
        return self._stage.now >= self.lands[slot, trait]

    def arrive(self, share: float) -> None:
        """Let a share of what is still missing land now."""
        for key, at in sorted(self.lands.items()):
            if at > self._stage.now and self._stage.dice.random() < share:
                self.lands[key] = self._stage.now

    def _delay(self, slot: Slot) -> timedelta:
        known = self.delays.get(slot.pipeline)
        if known is not None:
            return known
        dice, chaos = self._stage.fate(f"data/{slot}"), self._stage.luck
        fate = dice.random()
        if fate < 0.05 * chaos:
            return NEVER
        return dice.randint(5, 150) * MINUTE if fate < 0.35 * chaos else timedelta()


class FleetEvaluator:
    """Answers by what has landed; in a rough world it also errs, hangs and crashes. `passes` are its true PASSes."""

    def __init__(self, stage: Stage, data: Data, runs: UpstreamRuns) -> None:
        self._stage = stage
        self._data = data
        self._runs = runs
        self.passes: dict[tuple[str, str], datetime] = {}
        self.broken: dict[str, Answer] = {}
        self.asked = 0

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Answer one question."""
        asked, self.asked = self._stage.now, self.asked + 1
        with self._stage.call(timeout):
            answer = self._answer(question, timeout)
            self._stage.inside()
        if answer.status is TraitStatus.PASS:
            self.passes[question.run_id, question.trait.name] = asked
        return answer

    def _answer(self, question: Question, timeout: timedelta) -> Answer:
        trait, chaos = question.trait, self._stage.luck
        if question.slot.pipeline in self.broken:
            return self.broken[question.slot.pipeline]
        # Who asks twice in one second is told the same.
        second = self._stage.now.replace(microsecond=0)
        fate = self._stage.fate(f"answer/{question.run_id}/{trait.name}/{second}").random() / max(chaos, 1e-9)
        if fate < 0.06:
            return self._trouble(fate, timeout)
        if trait.evaluator == (UPSTREAM,):
            context = CheckContext(clock=self._stage.clock, root=Path(), runs=self._runs, http=_no_http, env={})
            config = UpstreamConfig(upstream_pipeline=upstream_of(trait))
            return UpstreamCheck(config, context).evaluate(question, timeout=timeout)
        if not self._data.landed(question.slot, trait.name):
            return Answer(status=TraitStatus.FAIL, reason="the data is not there yet")
        return Answer(status=TraitStatus.PASS, value=Document((("rows", "1000"),)))

    def _trouble(self, fate: float, timeout: timedelta) -> Answer:
        if fate < 0.02:
            return Answer(status=TraitStatus.ERROR, reason="the database is busy")
        if fate < 0.035:
            if self._stage.fortune is None:
                self._stage.pass_time(timeout)
            return _no_answer(FailureCategory.TIMEOUT, "timed out")
        if fate < 0.05:
            return _no_answer(FailureCategory.TRANSIENT, "exit 1")
        if fate < 0.055:
            raise OSError("the evaluator's adapter broke")
        return _no_answer(FailureCategory.EVALUATOR_CRASH, "signal 11")


def _no_answer(category: FailureCategory, reason: str) -> Answer:
    return Answer(status=TraitStatus.FAIL, reason=reason, category=category, origin=Origin.RUNNER)


def _no_http() -> Never:
    raise AssertionError("no check of this world needs HTTP")


class FleetTrigger(FakeTrigger):
    """One pipeline's target system. `starting` is called before each start, `told` when a job reports its own end."""

    def __init__(self, stage: Stage, plan: Plan, starting: Callable[[Job], None], told: Callable[[str], None]) -> None:
        super().__init__(
            repeatable=plan.target.repeatable, remembers=plan.target.remembers, watchable=plan.target.watchable
        )
        self._stage = stage
        self._starting = starting
        self._told = told
        self.usual: tuple[int, int] = (1, 70)
        self.fates: dict[str, JobState] = {}
        self.begins: Start | None = None
        self.truths: dict[str, JobTruth] = {}
        self.unreported: list[str] = []
        self._lost_sight: dict[str, datetime] = {}

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start a job, with what may happen meanwhile."""
        self._starting(job)
        dice, chaos = self._stage.fate(f"start/{job.key}"), self._stage.luck
        self.script(self.begins or dice.choices(tuple(Start), (70, 14 * chaos, 12 * chaos, 8 * chaos))[0])
        with self._stage.call(timeout):
            self._stage.inside()
            try:
                return super().start(job, timeout=timeout)
            finally:
                if self.jobs.get(job.key) and job.key not in self.truths:
                    self._began(job)
                self._stage.inside()

    def _began(self, job: Job) -> None:
        dice, chaos, now = self._stage.fate(f"job/{job.key}"), self._stage.luck, self._stage.now
        # That a job has vanished shows at the next look, and watchers make more of them than they have to.
        weights = (70, 25 * chaos, 5 * chaos * (self._stage.fortune is None))
        end = dice.choices((JobState.SUCCEEDED, JobState.FAILED, JobState.VANISHED), weights)[0]
        end = self.fates.get(job.run.slot.pipeline, end)
        lasts = dice.randint(*self.usual) * MINUTE
        at_once = chaos and dice.random() < 0.06 * chaos and end is not JobState.VANISHED
        truth = JobTruth(job.key, job.run, job.attempt, now, now if at_once else now + lasts, end)
        self.truths[job.key] = truth
        if at_once:
            self.go_on(now)

    def go_on(self, now: datetime) -> None:
        """Let jobs end whose time has come; some of them report it themselves."""
        for truth in list(self.truths.values()):
            if now >= truth.ends_at and self.jobs[truth.key][-1] is JobState.RUNNING:
                dice = self._stage.fate(f"end/{truth.key}")
                self.category = FailureCategory.PERMANENT if dice.random() < 0.1 else FailureCategory.TRANSIENT
                self.end(truth.key, truth.end)
                reports = not self.watchable or dice.random() < 0.3 or self._stage.fortune is not None
                if truth.end is not JobState.VANISHED and reports:
                    self.unreported.append(truth.key)
        for key in list(self.unreported):
            self._told(key)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """End a job, unless the target does not answer."""
        if self._stage.dice.random() < 0.15 * self._stage.chaos:
            raise TriggerError("the line went dead", category=FailureCategory.TRANSIENT)
        super().cancel(job, handle, timeout=timeout)

    def next_end(self) -> datetime | None:
        """Return when the next job will end."""
        running = (truth.ends_at for truth in self.truths.values() if self.jobs[truth.key][-1] is JobState.RUNNING)
        return min(running, default=None)

    def live(self, slot: Slot) -> list[str]:
        """Return the jobs of a slot that are running now."""
        return [
            truth.key
            for truth in self.truths.values()
            if truth.run.slot == slot and self.jobs[truth.key][-1] is JobState.RUNNING
        ]


class FleetSink:
    """A place where people look. In a rough world it fails, before or after it took a notice; `down_until` it only fails."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self.name = name
        self.down_until: datetime | None = None
        self.told: list[tuple[datetime, Notice]] = []
        self.published: list[LifecycleEvent] = []
        self.times: defaultdict[str, int] = defaultdict(int)
        self.excused: defaultdict[str, int] = defaultdict(int)
        self.under_way: dict[int, list[tuple[datetime, Notice]]] = {}

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Take a notice."""
        if self.down_until is not None and self._stage.now < self.down_until:
            raise SinkError("nobody answers", retryable=True)
        fate = self._stage.dice.random() / max(self._stage.chaos, 1e-9)
        with self._stage.call(timeout):
            self._stage.inside()
            if fate < 0.06:
                raise SinkError("answer 500", retryable=True)
            self.told.append((self._stage.now, notice))
            self.times[notice.notice_id] += 1
            self.under_way.setdefault(self._stage.act, []).append((self._stage.now, notice))
            if fate < 0.1:
                self.excused[notice.notice_id] += 1
                raise SinkError("the answer was lost", retryable=True)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Take an event."""
        self.published.append(event)

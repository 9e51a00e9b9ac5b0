"""A seeded world of a small fleet: watchers and a watchdog with erring clocks, people, and everything that may go wrong.

There are no threads: wherever a node touches the store, a target system, an evaluator or a sink, time may pass, another
node may act in the middle, the process may die, or an answer may be lost. The same seed plays the same story everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeAlias

from interlock.app.callbacks import Report, complete
from interlock.app.channels import Alerting, Channel
from interlock.app.hands import Hands
from interlock.core.ids import PipelineName, RunKey
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.runs import Run, RunStatus
from interlock.ports.clock import Clock
from interlock.ports.triggers import Job, JobState
from interlock.runtime.upstream import UpstreamRuns
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, SECOND, Files, a_hand
from interlock.testing.fleet.laws import Laws
from interlock.testing.fleet.nodes import SCAN, Looker, Node, Person, Watchdog, Watcher
from interlock.testing.fleet.outside import Data, FleetEvaluator, FleetSink, FleetTrigger
from interlock.testing.fleet.people import People
from interlock.testing.fleet.plans import DAY, HOUR, SKEW, Plan, a_beginning, downstream_of, some_plans
from interlock.testing.fleet.stage import Broken, Stage

_JITTERS: Final = tuple(each * SECOND for each in (0.1, 1, 3, 5, 15))
_MOST_CALM_STEPS: Final = 3000
_FARTHEST: Final = 40 * MINUTE


Story: TypeAlias = "Callable[[int], Fleet]"


class Fleet:
    """A fleet and its world. Without `plans` both are chosen by the seed."""

    def __init__(
        self,
        seed: int,
        *,
        chaos: float | None = None,
        plans: Sequence[Plan] | None = None,
        begins: datetime | None = None,
        watchers: int | None = None,
    ) -> None:
        self.dice = dice = Random(seed)
        rough = dice.choice((0.3, 1.0, 1.0)) if chaos is None else chaos
        begins = a_beginning(dice) if begins is None else begins
        self.stage = Stage(dice, begins, rough)
        self.plans = some_plans(dice, begins) if plans is None else tuple(plans)
        self.specs: dict[PipelineName, PipelineSpec] = {plan.spec.name: plan.spec for plan in self.plans}
        self.files = Files(*self.specs.values(), downstream=downstream_of(self.plans))
        self.store = Repository(self.stage.kernel)
        self.data = Data(self.stage)
        runs = UpstreamRuns(self.store, self.files, self.stage.clock)
        self.evaluator = FleetEvaluator(self.stage, self.data, runs)
        self.sinks = (FleetSink(self.stage, "chat"), FleetSink(self.stage, "pager"))
        self.triggers = {
            plan.spec.name: FleetTrigger(self.stage, plan, self._starting, self._report) for plan in self.plans
        }
        self.laws = Laws(self.stage, self.store, self.evaluator, self.triggers, self.sinks)
        number = dice.randint(1, 3) if watchers is None else watchers
        self.watchers = self._hire(number)
        self.watchdog = Watchdog("watchdog", self.stage, self._error(), self._equip)
        self.person = Person("person", self.stage, self._error(), self._equip)
        self.people = People(self.stage, self.specs, self.person, self.laws, self.data, self.sinks)
        self.stage.meanwhile = self._somebody_acts
        self.stage.afterwards = self.laws.told
        self.stage.judge = self.laws.committed
        self.scan_at = begins + SCAN
        self.people_look = True
        self.steps = 0
        self.clocks_set()

    def _hire(self, number: int) -> Sequence[Looker]:
        return [Watcher(f"watcher-{n}", self.stage, self._error(), self._equip, self.specs) for n in range(number)]

    def _equip(self, store: Repository, clock: Clock) -> Hands:
        channels = tuple(Channel(sink.name, sink) for sink in self.sinks)
        hands = a_hand(store, clock=clock, evaluator=self.evaluator, catalog=self.files)
        return hands._replace(
            trigger_for=self._trigger_for,
            alerting=Alerting(channels=channels, subscribers=(("events", self.sinks[0]),)),
        )

    def _trigger_for(self, _spec: TriggerSpec, job: Job) -> FleetTrigger:
        return self.triggers[job.run.slot.pipeline]

    def _starting(self, job: Job) -> None:
        self.laws.starting(job)

    def _error(self) -> timedelta:
        return self.dice.uniform(-0.5, 0.5) * SKEW if self.stage.chaos else timedelta()

    def clocks_set(self) -> None:
        """Note how far apart the clocks are now."""
        errors = [node.error for node in self.nodes]
        self.stage.worst = max(self.stage.worst, max(errors) - min(errors), *map(abs, errors))

    @property
    def nodes(self) -> list[Node]:
        """Everybody."""
        return [*self.watchers, self.watchdog, self.person]

    # ------------------------------------------------------------------ what goes on by itself

    def _somebody_acts(self) -> None:
        other = self.dice.choice([*self.watchers, *self.watchers, self.watchdog])
        if isinstance(other, Looker):
            other.act(other.work)
        elif self.stage.now >= self.scan_at:
            self.scan()

    def scan(self) -> None:
        """Let the watchdog look, and the watchers before it."""
        self.scan_at = self.stage.now + SCAN
        # Watchers turn every second, also while nothing is due; only the latest turns of that are played.
        for pause in (4 * SECOND, timedelta()):
            for watcher in self.watchers:
                watcher.act(watcher.turn)
            self.stage.pass_time(pause)
        self.watchdog.act(self.watchdog.scan)

    def _report(self, key: str) -> None:
        """Let a job report its own end, until it gets through."""
        trigger = next(each for each in self.triggers.values() if key in each.truths)
        truth, end = trigger.truths[key], trigger.jobs[key][-1]
        report = Report(succeeded=end is JobState.SUCCEEDED, attempt=truth.attempt, by="job")

        def told(hands: Hands) -> None:
            complete(truth.run, report, hands.store, hands.clock.now())
            if key in trigger.unreported and self.dice.random() >= 0.2 * self.stage.chaos:
                trigger.unreported.remove(key)

        self.person.types(told)

    def jobs_go_on(self) -> None:
        """Let jobs end whose time has come."""
        for trigger in self.triggers.values():
            trigger.go_on(self.stage.now)

    def next_instant(self) -> datetime:
        """Return when something happens next for sure, as far as anybody knows."""
        due = self.stage.kernel.due(self.stage.now + 1000 * DAY, 1)
        known = [self.scan_at, *(place.wake_at for place in due)]
        known += (end for trigger in self.triggers.values() if (end := trigger.next_end()) is not None)
        return min(known)

    # ------------------------------------------------------------------ the story

    def step(self) -> None:
        """Let one thing happen, and check the laws."""
        self.steps += 1
        self._time_goes_on()
        self.jobs_go_on()
        if self.dice.random() < 0.04 * self.stage.chaos:
            self._clock_is_set()
        if self.dice.random() < 0.12 * self.stage.chaos:
            self.people.do_something()
        if self.stage.now >= self.scan_at:
            self.scan()
        else:
            watcher = self.dice.choice(self.watchers)
            watcher.act(watcher.work)
        self.laws.check()

    def _time_goes_on(self) -> None:
        if self.dice.random() < 0.35:
            self.stage.clock.advance(self.dice.choice(_JITTERS))
            return
        now, then = self.stage.now, self.next_instant()
        if then > now:
            self.stage.clock.set(min(then, now + _FARTHEST) + self.dice.uniform(0, 2) * SECOND)
        else:
            self.stage.clock.advance(self.dice.choice(_JITTERS))

    def _clock_is_set(self) -> None:
        node = self.dice.choice(self.nodes)
        far = self.dice.random() < 0.15
        node.error = self.dice.uniform(-3, 3) * MINUTE if far else self._error()
        self.clocks_set()

    def play(self, steps: int = 100) -> Fleet:
        """Play the story to its end; every broken law is an AssertionError."""
        for _ in range(steps):
            self.step()
        return self.calm_down()

    def without_watchers(self, span: timedelta, *, back: bool = True) -> None:
        """Let all watchers be gone for a while, or for good; the watchdog and the jobs go on."""
        end = self.stage.now + span
        for watcher in self.watchers:
            watcher.die(span if back else 1000 * DAY)
        while self.stage.now < end:
            ends = [each for trigger in self.triggers.values() if (each := trigger.next_end()) is not None]
            self.stage.clock.set(max(self.stage.now + SECOND, min([*ends, self.scan_at, end])))
            self.jobs_go_on()
            if self.stage.now >= self.scan_at:
                self.scan()
            self.laws.check()

    def calm_down(self) -> Fleet:
        """Let nothing go wrong any more, until everything that has begun has ended; then judge."""
        self.stage.chaos = 0.0
        # What a clock that is ahead has opened has begun, too.
        cutoff = max([self.stage.now, *(run.opened_at for run in self.laws.runs.values())])
        for node in self.nodes:
            node.down_until = None
            node.error = timedelta()
        for sink in self.sinks:
            sink.down_until = None
        self.data.arrive(0.8)
        end = self.stage.now + 30 * HOUR
        most = self.steps + _MOST_CALM_STEPS
        while self.stage.now < end and not self._over(cutoff):
            self.calm_step()
            assert self.steps < most, f"G5: the fleet does not come to rest: {self.store.due(self.stage.now, 5)}"
        self.laws.check()
        self.laws.judge(cutoff)
        return self

    def calm_step(self, grain: timedelta = SECOND) -> None:
        """Go to a moment after something is due, and let everybody do what there is to do."""
        self.steps += 1
        self.stage.clock.set(max(self.stage.now, self.next_instant()) + grain)
        self.jobs_go_on()
        if self.people_look:
            self._look()
        if self.stage.now >= self.scan_at:
            self.scan()
        for watcher in self.watchers:
            watcher.act(watcher.work)
        self.laws.check()

    def _over(self, cutoff: datetime) -> bool:
        mine = [run for run in self.laws.runs.values() if run.opened_at <= cutoff]
        if any(not run.ended or self.store.outstanding(run.key) for run in mine):
            return False
        slots = (each for each in self.laws.expectations.values() if each.opens_at <= cutoff)
        return all(each.check_at is None for each in slots)

    def _look(self) -> None:
        """Look where only people can say how an attempt stands, and say it."""
        for run in list(self.laws.runs.values()):
            if run.doubt and run.wake_at is None and not run.ended:
                state = self.triggers[run.key.slot.pipeline].jobs.get(
                    f"{run.key.run_id}/{run.attempt}", [JobState.FAILED]
                )[-1]
                if state is not JobState.RUNNING:
                    self.say_how_it_ended(run, state)

    def say_how_it_ended(self, run: Run, state: JobState) -> None:
        """Report an attempt's end, as a person who has looked at the target system."""
        report = Report(succeeded=state is JobState.SUCCEEDED, attempt=run.attempt, by="ann")
        self.person.types(lambda hands: complete(run.key, report, hands.store, hands.clock.now()))

    # ------------------------------------------------------------------ what the story was

    def runs(self, status: RunStatus | None = None) -> list[RunKey]:
        """Return the runs there were, of a status if one is given."""
        return sorted(key for key, run in self.laws.runs.items() if status in (None, run.status))


def played(seed: int, story: Story | None = None, *, steps: int = 100) -> Fleet:
    """Play the story of one seed, after a scripted opening if there is one; the seed is named by whatever fails."""
    try:
        fleet = Fleet(seed) if story is None else story(seed)
        return fleet.play(steps)
    except (Exception, Broken) as exc:
        raise AssertionError(f"fleet {seed}: {type(exc).__name__}: {exc}") from exc

"""One run in a store in memory, and hands to carry out its wishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.app.delivering import deliver
from interlock.app.hands import Hands
from interlock.app.perform import carry_out
from interlock.core.commands import Command, EvaluateTrait, StartJob
from interlock.core.events import Woke
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.ports.stores import DueKind
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, SECOND, Files, a_hand, a_key, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink
from interlock.testing.faults import FaultyKernel

C = TypeVar("C", bound=Command)


class Bench:
    """An opened run, and everything around it."""

    def __init__(
        self,
        spec: PipelineSpec | None = None,
        *,
        trigger: FakeTrigger | None = None,
        evaluator: FakeEvaluator | None = None,
        sink: RecordingSink | None = None,
        others: Sequence[PipelineSpec] = (),
        downstream: Mapping[str, Sequence[str]] = {},
    ) -> None:
        self.spec = spec or a_spec()
        self.files = Files(self.spec, *others, downstream=downstream)
        self.kernel = FaultyKernel(MemoryKernel())
        self.store = Repository(self.kernel)
        self.clock = FakeClock(NOON)
        self.trigger = trigger or FakeTrigger()
        self.evaluator = evaluator or FakeEvaluator()
        self.sink = sink or RecordingSink()
        self.key = a_key()
        self.hands = self.more_hands()
        open_run(self.key.slot, self.spec, self.store, NOON)

    def more_hands(self) -> Hands:
        """Another driver at the same store, with the same clock."""
        return a_hand(
            self.store,
            clock=self.clock,
            evaluator=self.evaluator,
            trigger=self.trigger,
            sinks=(self.sink,),
            catalog=self.files,
        )

    @property
    def run(self) -> Run:
        """The run as the store has it."""
        run = self.store.run(self.key)
        assert run is not None
        return run

    def wish(self, kind: type[C]) -> C:
        """The oldest outstanding wish of a kind."""
        return next(each for each in self.store.outstanding(self.key) if isinstance(each, kind))

    def later(self, seconds: float) -> Bench:
        """Let time pass."""
        self.clock.advance(timedelta(seconds=seconds))
        return self

    def pause_after_commits(self, seconds: float) -> None:
        """From now on, time passes after every commit."""

        def pause(call: int) -> None:
            if self.kernel.calls[call] == "commit":
                self.later(seconds)

        self.kernel.after = pause

    def turn(self) -> bool:
        """Carry out every outstanding wish once, then wake the run if it is due; say whether anything was left to do."""
        for wish in self.store.outstanding(self.key):
            carry_out(self.key, wish, self.hands)
        for work in self.store.due(self.clock.now(), 100):
            if work.kind is DueKind.DISPATCH and isinstance(work.subject, str):
                deliver(work.subject, self.hands)
        if self.store.outstanding(self.key) or self.run.ended:
            return not self.run.ended
        if self.run.due_at is not None and self.clock.now() >= self.run.due_at:
            advance(self.key, Woke(at=self.clock.now()), self.store)
        return True

    def ready_to_start(self) -> StartJob:
        """Have every trait evaluated, and return the start that is wished for."""
        while wishes := [each for each in self.store.outstanding(self.key) if isinstance(each, EvaluateTrait)]:
            carry_out(self.key, wishes[0], self.hands)
        return self.wish(StartJob)

    def running(self) -> Bench:
        """Have the job started."""
        carry_out(self.key, self.ready_to_start(), self.hands)
        return self

    def to_the_end(self, *, turns: int = 60) -> Run:
        """Go on until the run has ended; running jobs succeed."""
        for _ in range(turns):
            for key in list(self.trigger.jobs):
                self.trigger.end(key)
            if not self.turn() and not self.store.outstanding(self.key):
                return self.run
            self.clock.advance(10 * SECOND)
        raise AssertionError(f"the run does not end: {self.run}")

    def completed(self) -> Bench:
        """Have the job end well."""
        self.running()
        complete(self.key, Report(succeeded=True), self.store, self.clock.now())
        return self

    def told(self) -> list[str]:
        """Every kind of record in the pipeline's timeline, oldest first."""
        return [str(line.record.kind) for line in self.store.timeline(self.spec.name, limit=500)]

    def alerts(self) -> list[str]:
        """The types of the alerts that were raised and are open, latest first."""
        return [str(each.alert.alert_type) for each in self.hands.dispatches.alerts(limit=100, open_only=True)]

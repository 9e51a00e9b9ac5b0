"""A run in a store in memory, and functions that take turns on it as the state machine would have them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.aws.answering import answer
from interlock.aws.state import Asked, Next, State
from interlock.aws.turning import LOOKS, STARTS, Bounds, Kinds, turn
from interlock.codec import wire
from interlock.core.ids import RunKey
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, Files, a_hand, a_slot, a_spec
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger

MINE: dict[Next, Kinds] = {Next.START: STARTS, Next.CHECK: LOOKS, Next.STOP: LOOKS}


class Turning:
    """One run, and whoever takes turns on it."""

    def __init__(self, spec: PipelineSpec | None = None, **hands: Any) -> None:
        self.spec = spec or a_spec("freshness")
        self.kernel = MemoryKernel()
        self.store = Repository(self.kernel)
        self.clock = FakeClock(NOON)
        self.evaluator = FakeEvaluator()
        self.trigger = FakeTrigger()
        self.hands: Hands = a_hand(
            self.store,
            clock=self.clock,
            evaluator=self.evaluator,
            trigger=self.trigger,
            catalog=Files(self.spec),
            **hands,
        )
        self.key: RunKey = open_run(a_slot(), self.spec, self.store, NOON).run.key
        self.state = State(run=self.key.run_id)

    @property
    def run(self) -> Run:
        """The run as it is now."""
        run = self.store.run(self.key)
        assert run is not None
        return run

    def step(self, mine: Kinds = (), longest: timedelta = timedelta()) -> State:
        """Take a turn, and carry the state on as JSON does."""
        return self.carry(turn(self.state, self.hands, mine, Bounds(longest)))

    def carry(self, state: State) -> State:
        """Go on with another state."""
        self.state = wire.from_builtins(wire.to_builtins(state), State)
        return self.state

    def answers(self, **lost: Any) -> tuple[Asked, ...]:
        """Have every question of the state answered by the evaluator's body."""
        return tuple(
            answer(Asked(run=self.state.run, wish=wish, room=self.state.room), self.hands)
            for wish in self.state.evaluate
        )

    def until(self, wanted: Next, turns: int = 30) -> State:
        """Go on as the state machine would, until something comes next."""
        for _ in range(turns):
            if self.state.next is wanted:
                return self.state
            if self.state.next is Next.EVALUATE:
                self.carry(State(run=self.state.run, spent=self.state.spent, answers=self.answers()))
            if self.state.wait is not None:
                self.clock.advance(timedelta(seconds=self.state.wait.seconds))
            self.step(MINE.get(self.state.next, ()))
        raise AssertionError(f"{wanted} did not come next: {self.state}")

"""The servers of a simulated world: they carry out what is asked, watch, and die; none remembers what matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from interlock.app.advance import advance
from interlock.app.opening import open_slot
from interlock.app.perform import carry_out
from interlock.core.events import Woke
from interlock.core.pipelines import ScheduleSpec, TriggerSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import Cause
from interlock.core.schedules import current_window
from interlock.errors import Contention, StoreUnavailable
from interlock.ports.triggers import Job, Trigger
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, SECOND, Files, a_hand, a_spec, a_trait
from interlock.testing.faults import FaultyKernel
from interlock.triggers.context import TriggerContext
from interlock.triggers.external import ExternalConfig, ExternalTrigger
from interlock.triggers.gate import GateConfig, GateTrigger

if TYPE_CHECKING:
    from tests.simulation.asking import AskingWorld

SPEC: Final = a_spec(
    a_trait("fresh", ttl=90 * SECOND, timeout=20 * SECOND),
    a_trait("upstream", ttl=4 * MINUTE, timeout=20 * SECOND),
    name="orders",
    schedules=(ScheduleSpec(every=timedelta(hours=1)),),
    retry=RetrySpec(max_attempts=2, backoff=2 * SECOND),
    trigger=TriggerSpec(type="fake", poll_interval=10 * SECOND, poll_budget=3),
)
HERE: Final = TriggerContext(state_dir=Path("/nowhere"), root=Path("/nowhere"))


class Died(BaseException):
    """A server's process has died: whatever it knew is gone, and so is the answer."""


class Broken(BaseException):
    """A promise was broken inside a call; no use case can swallow this."""


class Server:
    """One server of the store; it remembers nothing that matters."""

    def __init__(self, world: AskingWorld) -> None:
        self.world = world
        self.busy = False
        self.kernel = FaultyKernel(world.kernel)
        self.kernel.before = self.kernel.after = lambda _call: world.seam()
        self.store = Repository(self.kernel)
        self.hands = a_hand(
            self.store,
            clock=world.clock,
            evaluator=world.evaluator,
            sinks=(world.sink,),
            catalog=Files(SPEC),
        )._replace(trigger_for=self._trigger_for)
        self.project: Any = SimpleNamespace(
            pipelines={SPEC.name: SimpleNamespace(spec=SPEC)}, broken={}, root=HERE.root
        )
        self.clock = world.clock
        self.actor = "api:somebody"
        self.patience = timedelta(minutes=10)
        self.afterwards = SimpleNamespace(look_after=lambda _key, _attempt: None)

    @property
    def work(self) -> Any:
        """The project at work."""
        return self

    def ring(self) -> None:
        """There is no bell."""

    def measured(self, trigger: Trigger, _kind: str) -> Trigger:
        """Nobody measures here."""
        return trigger

    def _trigger_for(self, spec: TriggerSpec, _job: Job) -> Trigger:
        if spec.type == "gate":
            return GateTrigger(GateConfig(), HERE)
        return ExternalTrigger(ExternalConfig(), HERE) if spec.type == "external" else self.world.trigger

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Do something here, and nothing else meanwhile."""
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def watch(self) -> None:
        """Do what a watcher does: open the current slot, carry out a wish of each run, say that time has passed."""
        with self.at_work():
            try:
                self._watched()
            except (Died, StoreUnavailable, Contention):
                return

    def _watched(self) -> None:
        window = current_window(SPEC.name, SPEC.schedules[0], self.clock.now())
        if self.world.watched:
            open_slot(window, SPEC, self.hands, cause=Cause.SCHEDULE)
        for run in self.store.runs_of(SPEC.name, limit=99):
            for wish in self.store.outstanding(run.key):
                carry_out(run.key, wish, self.hands)
            found = self.store.run(run.key)
            if found is not None and found.due_at is not None and self.clock.now() >= found.due_at:
                advance(run.key, Woke(at=self.clock.now()), self.store)

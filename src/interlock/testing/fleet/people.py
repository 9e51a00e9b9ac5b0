"""What people do to a simulated fleet: pause, run, force, rerun, cancel, push; and what happens to their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlock.app.advance import advance
from interlock.app.arrivals import Opening, open_run
from interlock.app.hands import Hands
from interlock.app.markers import arrive, nudge
from interlock.app.pausing import pause, resume
from interlock.app.reruns import ask_rerun
from interlock.core.events import CancelAsked, EvaluationAsked
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Override, Run
from interlock.core.schedules import current_window
from interlock.ports.controls import Marker
from interlock.testing.builders import MINUTE, SECOND
from interlock.testing.fleet.laws import Laws
from interlock.testing.fleet.nodes import Person
from interlock.testing.fleet.outside import NEVER, Data, FleetSink
from interlock.testing.fleet.stage import Stage

FORCED: Final = Override(actor="ann", reason="the data is right", constraints=("readiness",))


class People:
    """Those who work with a fleet, each thing they do being one command of its own process."""

    def __init__(
        self,
        stage: Stage,
        specs: Mapping[PipelineName, PipelineSpec],
        person: Person,
        laws: Laws,
        data: Data,
        sinks: tuple[FleetSink, ...],
    ) -> None:
        self._stage = stage
        self._specs = specs
        self._person = person
        self._laws = laws
        self._data = data
        self._sinks = sinks

    def do_something(self) -> None:
        """Do one thing."""
        spec = self._specs[self._stage.dice.choice(sorted(self._specs))]
        self._stage.dice.choice(
            (
                self.pause,
                self.resume,
                self.run,
                self.force,
                self.rerun,
                self.cancel,
                self.nudge,
                self.drift,
                self.marker,
            )
        )(spec)
        if self._stage.dice.random() < 0.1:
            sink = self._stage.dice.choice(self._sinks)
            sink.down_until = self._stage.now + self._stage.dice.choice((1, 30, 120)) * MINUTE

    def pause(self, spec: PipelineSpec) -> None:
        """Hold the start button of a pipeline for a while."""
        lasts = self._stage.dice.choice((2, 30, 90)) * MINUTE

        def paused(hands: Hands) -> None:
            pause(spec.name, hands.clock.now() + lasts, "ann", "the source is being moved", hands)
            self._laws.paused[spec.name] = self._stage.acts

        self._person.types(paused)

    def resume(self, spec: PipelineSpec) -> None:
        """Let it go."""
        self._person.types(lambda hands: resume(spec.name, "ann", hands))

    def run(self, spec: PipelineSpec) -> None:
        """Run the current slot, or have its traits asked again."""
        self._run(spec, None)

    def force(self, spec: PipelineSpec) -> None:
        """Run the current slot whatever its traits say."""
        if self._stage.dice.random() < 0.4:
            self._run(spec, FORCED)

    def _run(self, spec: PipelineSpec, override: Override | None) -> None:
        def ran(hands: Hands) -> None:
            now = hands.clock.now()
            window = current_window(spec.name, spec.schedules[0], now)
            if now < window.opens_at and override is None:
                return
            found = open_run(window.slot, spec, hands.store, now, override=override)
            if found.how is Opening.JOINED:
                asked = EvaluationAsked(at=now, actor="ann", spec_digest=hands.store.put_spec(spec), override=override)
                advance(found.run.key, asked, hands.store)

        self._person.types(ran)

    def rerun(self, spec: PipelineSpec) -> None:
        """Run a slot again that has ended."""
        ended = [run for run in self._runs(spec) if run.ended]
        if ended:
            key = self._stage.dice.choice(ended).key
            self._person.types(lambda hands: ask_rerun(key, Cause.RERUN, "again", hands))

    def cancel(self, spec: PipelineSpec) -> None:
        """Cancel a run."""
        alive = [run for run in self._runs(spec) if not run.ended]
        if alive and self._stage.dice.random() < 0.5:
            key = self._stage.dice.choice(alive).key
            self._person.types(
                lambda hands: advance(
                    key, CancelAsked(at=hands.clock.now(), actor="ann", reason="no need"), hands.store
                )
            )

    def nudge(self, spec: PipelineSpec) -> None:
        """Push something, so that waiting runs look at it."""
        self._person.types(lambda hands: nudge(spec.name, "push", hands.clock.now(), hands))

    def drift(self, spec: PipelineSpec) -> None:
        """Let data that has landed be gone, for a while or for good."""
        for (slot, trait), at in sorted(self._data.lands.items()):
            if slot.pipeline == spec.name and at <= self._stage.now:
                back = 10 * MINUTE if self._stage.dice.random() < 0.7 else NEVER
                self._data.lands[slot, trait] = self._stage.now + back

    def marker(self, spec: PipelineSpec) -> None:
        """Say that something arrived, for a slot that may have completed without it."""
        runs = self._runs(spec)
        if runs:
            slot = self._stage.dice.choice(runs).key.slot
            back = self._stage.dice.choice((0, 0, 300)) * SECOND
            self._person.types(lambda hands: arrive(Marker(slot=slot, source="s3", at=hands.clock.now() - back), hands))

    def _runs(self, spec: PipelineSpec) -> list[Run]:
        return [run for key, run in sorted(self._laws.runs.items()) if key.slot.pipeline == spec.name]

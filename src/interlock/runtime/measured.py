"""Ports that tell how long their calls take and how they end. Around each is what it was before; it behaves the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from interlock.core.pipelines import TriggerSpec
from interlock.core.traits import Origin
from interlock.errors import TriggerError
from interlock.ports.evaluators import Answer, Evaluator, Question
from interlock.ports.telemetry import Step, StepKind, Telemetry
from interlock.ports.triggers import Job, JobHandle, JobReport, Trigger, place_of, soonest_look, starts_here

if TYPE_CHECKING:
    from interlock.ports.triggers import Absent

Triggers = Callable[[TriggerSpec, Job], Trigger]


class Sorted(Evaluator, Protocol):
    """An evaluator that knows who will answer a question."""

    def kind_of(self, question: Question) -> str:
        """Say it in one word, of which there are few."""
        ...


class MeasuredEvaluator:
    """Asks as before."""

    def __init__(self, real: Sorted, telemetry: Telemetry) -> None:
        self._real = real
        self._telemetry = telemetry

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Ask; see `Evaluator.evaluate`."""
        trait, kind = str(question.trait.name), self._real.kind_of(question)
        with self._telemetry.step(StepKind.TRAIT, question.slot, question.run_id, trait=trait, evaluator=kind) as step:
            asked = replace(question, traceparent=step.traceparent) if step.traceparent else question
            answer = self._real.evaluate(asked, timeout=timeout)
            trouble = "1" if answer.origin is Origin.RUNNER else ""
            step.told(outcome=str(answer.status), category=str(answer.category or ""), trouble=trouble)
            return answer


class MeasuredTrigger:
    """Starts, finds, looks and cancels as before."""

    def __init__(self, real: Trigger, kind: str, telemetry: Telemetry) -> None:
        self._real = real
        self._kind = kind
        self._telemetry = telemetry
        self.repeatable = real.repeatable
        self.watchable = real.watchable
        self.startable = starts_here(real)
        self.soonest_look = soonest_look(real)

    @property
    def place(self) -> str:
        """Where its jobs are started."""
        return place_of(self._real)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start; see `Trigger.start`."""
        with self._step("start", job) as step:
            try:
                handle = self._real.start(_traced(job, step), timeout=timeout)
            except TriggerError as exc:
                step.told(outcome="in_doubt" if exc.started is not False else "failed", category=exc.category)
                raise
            step.told(outcome="accepted")
            return handle

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for it; see `Trigger.find`."""
        with self._step("find", job) as step:
            found = self._real.find(_traced(job, step), timeout=timeout)
            step.told(outcome="found" if isinstance(found, JobHandle) else found.name.lower())
            return found

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Look at it; see `Trigger.poll`."""
        with self._step("poll", job) as step:
            report = self._real.poll(_traced(job, step), handle, timeout=timeout)
            step.told(outcome=str(report.state))
            return report

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask for its end; see `Trigger.cancel`."""
        with self._step("cancel", job) as step:
            try:
                self._real.cancel(_traced(job, step), handle, timeout=timeout)
            except TriggerError as exc:
                step.told(outcome="failed", category=exc.category)
                raise
            step.told(outcome="asked")

    def _step(self, action: str, job: Job) -> Step:
        run = job.run
        return self._telemetry.step(StepKind.TRIGGER, run.slot, run.run_id, type=self._kind, action=action)


def _traced(job: Job, step: Step) -> Job:
    return replace(job, traceparent=step.traceparent) if step.traceparent else job


def measured_triggers(real: Triggers, telemetry: Telemetry) -> Triggers:
    """Return what makes the same triggers, measured."""

    def trigger_for(spec: TriggerSpec, job: Job) -> Trigger:
        return MeasuredTrigger(real(spec, job), spec.type, telemetry)

    return trigger_for


if TYPE_CHECKING:

    def _are_ports(one: MeasuredEvaluator, two: MeasuredTrigger) -> tuple[Evaluator, Trigger]:
        return one, two

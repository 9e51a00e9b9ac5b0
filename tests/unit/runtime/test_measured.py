"""Measured ports behave as those they surround, and tell how long they take and how they end."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Self

import pytest

from interlock.core.ids import Slot
from interlock.core.pipelines import TriggerSpec
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.errors import TriggerError
from interlock.ports.evaluators import Answer, Question
from interlock.ports.telemetry import Step, StepKind
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState, Trigger, starts_here
from interlock.runtime.measured import MeasuredEvaluator, MeasuredTrigger, measured_triggers
from interlock.testing.builders import SECOND, a_key, a_slot, a_trait
from interlock.testing.fakes import FakeEvaluator

NAMED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JOB = Job(run=a_key(), attempt=1, key="k")


class Noted:
    """Notes every step."""

    def __init__(self, traceparent: str = "") -> None:
        self.steps: list[tuple[StepKind, dict[str, str]]] = []
        self.traceparent = traceparent

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:
        return _NotedStep(self, kind, {"run": run_id, **about})


class _NotedStep:
    def __init__(self, noted: Noted, kind: StepKind, about: dict[str, str]) -> None:
        self.noted, self.kind, self.about = noted, kind, about
        self.traceparent = noted.traceparent

    def phase(self, name: str) -> None:
        pass

    def told(self, **how: str) -> None:
        self.about.update(how)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.noted.steps.append((self.kind, self.about))


class Sorting(FakeEvaluator):
    def kind_of(self, question: Question) -> str:
        return "builtin:sql"


class Target:
    """A trigger that does one thing, or raises."""

    repeatable = True
    watchable = False
    startable = False

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.jobs: list[Job] = []

    def _called(self, job: Job) -> None:
        self.jobs.append(job)
        if self.trouble is not None:
            raise self.trouble

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        self._called(job)
        return JobHandle(id="7")

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        self._called(job)
        return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        self._called(job)
        return JobReport(state=JobState.VANISHED)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        self._called(job)


def _call(trigger: Trigger, action: str) -> object:
    if action == "start":
        return trigger.start(JOB, timeout=SECOND)
    if action == "find":
        return trigger.find(JOB, timeout=SECOND)
    if action == "poll":
        return trigger.poll(JOB, JobHandle(id="7"), timeout=SECOND)
    trigger.cancel(JOB, JobHandle(id="7"), timeout=SECOND)
    return None


@pytest.mark.parametrize("traceparent", ["", NAMED])
def test_a_trait_is_told_of_by_kind_and_status_and_its_answer_is_untouched(traceparent: str) -> None:
    given = Answer(status=TraitStatus.FAIL, category=FailureCategory.TIMEOUT, origin=Origin.RUNNER)
    real, noted = Sorting(freshness=given), Noted(traceparent)
    question = Question(trait=a_trait(), slot=a_slot(), run_id="r")
    assert MeasuredEvaluator(real, noted).evaluate(question, timeout=SECOND) == given
    assert noted.steps == [
        (
            StepKind.TRAIT,
            {
                "run": "r",
                "trait": "freshness",
                "evaluator": "builtin:sql",
                "outcome": "FAIL",
                "category": "TIMEOUT",
                "trouble": "1",
            },
        )
    ]
    assert [asked.traceparent for asked in real.questions] == [traceparent]


@pytest.mark.parametrize(
    ("action", "outcome", "answer"),
    [
        ("start", "accepted", JobHandle(id="7")),
        ("find", "unknown", Absent.UNKNOWN),
        ("poll", "vanished", JobReport(state=JobState.VANISHED)),
        ("cancel", "asked", None),
    ],
)
def test_each_call_of_a_trigger_is_told_of_and_answers_as_before(action: str, outcome: str, answer: object) -> None:
    real, noted = Target(), Noted(NAMED)
    assert _call(MeasuredTrigger(real, "http", noted), action) == answer
    about = {"run": JOB.run.run_id, "type": "http", "action": action, "outcome": outcome}
    assert noted.steps == [(StepKind.TRIGGER, about)]
    assert [(job.key, job.traceparent) for job in real.jobs] == [("k", NAMED)]


@pytest.mark.parametrize(
    ("action", "started", "outcome"),
    [("start", False, "failed"), ("start", None, "in_doubt"), ("cancel", True, "failed")],
)
def test_trouble_of_a_trigger_is_told_of_and_raised_as_before(action: str, started: bool | None, outcome: str) -> None:
    trouble = TriggerError("no", category="PERMANENT", started=started)
    noted = Noted()
    with pytest.raises(TriggerError) as caught:
        _call(MeasuredTrigger(Target(trouble), "http", noted), action)
    assert caught.value is trouble
    assert noted.steps[0][1]["outcome"] == outcome


def test_a_measured_trigger_has_the_properties_of_the_real_one() -> None:
    made = measured_triggers(lambda _spec, _job: Target(), Noted())(TriggerSpec(type="fake"), JOB)
    assert (made.repeatable, made.watchable, starts_here(made)) == (True, False, False)

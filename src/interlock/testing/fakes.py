"""Ports that do as they are told, and remember what they were asked."""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from interlock.core.alerts import Alert, Notice
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import SinkError, TriggerError
from interlock.ports.evaluators import Answer, Question
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState

if TYPE_CHECKING:
    from interlock.ports.evaluators import Evaluator
    from interlock.ports.sinks import Sink
    from interlock.ports.triggers import Trigger

PASSED = Answer(status=TraitStatus.PASS)


class FakeEvaluator:
    """Gives each trait's scripted answers, one at a time, the last of them for ever; PASS where nothing is scripted.

    A scripted exception is raised. `before` is called with each question before it is answered.
    """

    def __init__(self, **scripts: Answer | TraitStatus | Exception) -> None:
        self.questions: list[Question] = []
        self.before: Callable[[Question], None] = lambda _question: None
        self._scripts: defaultdict[str, deque[Answer | Exception]] = defaultdict(deque)
        self._lock = Lock()
        for trait, answer in scripts.items():
            self.script(trait.replace("_", "-"), answer)

    def script(self, trait: str, *answers: Answer | TraitStatus | Exception) -> None:
        """Give a trait new answers instead of those it has."""
        plain = (Answer(status=answer) if isinstance(answer, TraitStatus) else answer for answer in answers)
        with self._lock:
            self._scripts[trait] = deque(plain)

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (the port's shape)
        """Give the next answer."""
        self.before(question)
        with self._lock:
            self.questions.append(question)
            script = self._scripts[question.trait.name]
            answer = (script.popleft() if len(script) > 1 else script[0]) if script else PASSED
        if isinstance(answer, Exception):
            raise answer
        return answer

    def asked(self, trait: str) -> int:
        """Return how often a trait was asked."""
        return sum(1 for question in self.questions if question.trait.name == trait)


class Start(enum.Enum):
    """What happens to one start."""

    STARTS = "the job is started, and the answer arrives"
    ANSWER_LOST = "the job is started, and the answer is lost"
    NEVER_ARRIVES = "nothing is started, and nobody can know"
    REFUSED = "nothing is started, for certain"


class FakeTrigger:
    """A target system that remembers every start by its key.

    `remembers` says whether it can be asked for a job by its key; `repeatable`, whether a second start under a key finds
    the first one's job. `before_start` is called inside each call, before anything happens.
    """

    def __init__(
        self, *starts: Start, repeatable: bool = False, remembers: bool = True, watchable: bool = True
    ) -> None:
        self.repeatable = repeatable
        self.watchable = watchable
        self.soonest_look = timedelta()
        self.looks = 0
        self.remembers = remembers
        self.place = ""
        self.calls: list[str] = []
        self.jobs: dict[str, list[JobState]] = {}
        self.cancelled: list[str] = []
        self.category = FailureCategory.TRANSIENT
        self.before_start: Callable[[Job], None] = lambda _job: None
        self.poll_trouble: Exception | None = None
        self.find_trouble: Exception | None = None
        self.cancel_trouble: Exception | None = None
        self._starts = deque(starts)
        self._lock = Lock()

    def script(self, *starts: Start) -> None:
        """Say what happens to the next starts; after them all goes well."""
        with self._lock:
            self._starts = deque(starts)

    @property
    def started(self) -> int:
        """Return how many jobs were really started, of all keys."""
        return sum(len(jobs) for jobs in self.jobs.values())

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:  # noqa: ARG002  (the port's shape)
        """Start a job as scripted; it runs until `end` is called."""
        self.before_start(job)
        with self._lock:
            self.calls.append(job.key)
            how = self._starts.popleft() if self._starts else Start.STARTS
            if how is Start.REFUSED:
                raise TriggerError("no such queue", category=self.category, started=False)
            if how is Start.NEVER_ARRIVES:
                raise TriggerError("the line went dead")
            running = self.jobs.setdefault(job.key, [])
            if not (self.repeatable and running):
                running.append(JobState.RUNNING)
            if how is Start.ANSWER_LOST:
                raise TriggerError("the line went dead")
            return self._handle(job)

    def _handle(self, job: Job) -> JobHandle:
        return JobHandle(id=f"job-of-{job.key}")

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (the port's shape)
        """Look for a job by its key."""
        if self.find_trouble is not None:
            raise self.find_trouble
        if not self.remembers:
            return Absent.UNKNOWN
        with self._lock:
            return self._handle(job) if self.jobs.get(job.key) else Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Say how the job stands."""
        self.looks += 1
        if self.poll_trouble is not None:
            raise self.poll_trouble
        with self._lock:
            states = self.jobs.get(job.key)
            state = states[-1] if states else JobState.VANISHED
        return JobReport(state=state, category=self.category if state is JobState.FAILED else None)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """End a running job."""
        if self.cancel_trouble is not None:
            raise self.cancel_trouble
        with self._lock:
            self.cancelled.append(job.key)
        self.end(job.key, JobState.FAILED)

    def end(self, key: str, state: JobState = JobState.SUCCEEDED) -> None:
        """Let the jobs of a key end, or vanish, or go out of sight."""
        with self._lock:
            self.jobs[key] = [state for _ in self.jobs.get(key, [])]


class RecordingSink:
    """Keeps what was delivered; a scripted trouble is raised once, after that delivery works."""

    def __init__(self, *troubles: Exception) -> None:
        self.delivered: list[Notice] = []
        self._troubles = deque(troubles)
        self._lock = Lock()

    @property
    def alerts(self) -> list[Alert]:
        """Return the alerts of what was delivered, in order, each as often as it was told."""
        return [notice.alert for notice in self.delivered]

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Keep a notice."""
        with self._lock:
            if self._troubles:
                raise self._troubles.popleft()
            self.delivered.append(notice)


def failing_sink(*, retryable: bool = True) -> RecordingSink:
    """Make a sink whose first delivery fails."""
    return RecordingSink(SinkError("nobody answers", retryable=retryable))


if TYPE_CHECKING:

    def _are_ports(one: FakeEvaluator, two: FakeTrigger, three: RecordingSink) -> tuple[Evaluator, Trigger, Sink]:
        return one, two, three

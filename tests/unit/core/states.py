"""One run in each state it can be in, reached by the facts that lead there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from interlock.core.commands import Command
from interlock.core.decision import Decision
from interlock.core.events import (
    CancelAsked,
    Event,
    JobFinished,
    JobUnseen,
    JobVanished,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.lifecycle import decide, opened
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.runs import Override, Run
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec, a_trait

TTL: Final = 2 * MINUTE
SPEC: Final = a_spec(a_trait("fresh", ttl=TTL), "upstream", trigger=TriggerSpec(type="fake", poll_budget=2))


class Story:
    """A run, and what it was told."""

    def __init__(self, spec: PipelineSpec = SPEC, *, at: datetime = NOON, override: Override | None = None) -> None:
        self.spec = spec
        self.at = at
        self.last = opened(a_key(), spec, DIGEST, at, override=override)

    @property
    def run(self) -> Run:
        """The run as it is."""
        return self.last.run

    @property
    def commands(self) -> tuple[Command, ...]:
        """The wishes of the last fact."""
        return self.last.commands

    def tell(self, event: Event) -> Decision:
        """Tell the run a fact."""
        self.last = decide(self.run, event, self.spec)
        return self.last

    def after(self, seconds: float) -> datetime:
        """Let time pass."""
        self.at += seconds * SECOND
        return self.at

    def answers(self, *results: TraitResult | TraitStatus) -> Story:
        """Answer each trait of the round, with PASS where nothing else is given."""
        given = list(results) + [TraitStatus.PASS] * (len(self.spec.traits) - len(results))
        ttls = {trait.name: trait.ttl for trait in self.spec.traits}
        for name, answer in zip(self.run.asked, given, strict=False):
            result = (
                answer
                if isinstance(answer, TraitResult)
                else a_result(name, answer, at=self.at, ttl=ttls[name] or None)
            )
            self.tell(TraitEvaluated(at=self.at, round=self.run.round, result=result))
        return self

    def wakes(self) -> Story:
        """Let time pass until the run wants to be looked at."""
        assert self.run.wake_at is not None
        self.at = max(self.at, self.run.wake_at)
        self.tell(Woke(at=self.at))
        return self

    def started(self) -> Story:
        """Let the job run."""
        if not self.run.permit:
            self.answers()
        self.tell(TriggerAccepted(at=self.at, attempt=self.run.attempt, job_id="job-1"))
        return self

    def fails(self, category: FailureCategory | None = FailureCategory.TRANSIENT) -> Story:
        """Let the job fail."""
        fact = JobFinished(at=self.at, attempt=self.run.attempt, succeeded=False, category=category, reason="exit 1")
        self.tell(fact)
        return self


def asking() -> Story:
    return Story()


def waiting() -> Story:
    return Story().answers(TraitStatus.FAIL)


def triggering() -> Story:
    return Story().answers()


def in_doubt() -> Story:
    story = triggering()
    story.tell(TriggerInDoubt(at=story.at, attempt=1, reason="the line went dead"))
    return story


def running() -> Story:
    return Story().started()


def unseen() -> Story:
    story = running()
    for look in range(2):
        story.tell(JobUnseen(at=story.after(30), attempt=1, look=look, reason="no route"))
    return story


def lost() -> Story:
    story = running()
    story.tell(JobVanished(at=story.after(30), attempt=1, reason="404"))
    return story


def retrying() -> Story:
    return running().fails()


def refused() -> Story:
    story = triggering()
    story.tell(StartRefused(at=story.after(300), attempt=1, reason="its permit ran out"))
    return story


def completed() -> Story:
    story = running()
    story.tell(JobFinished(at=story.after(60), attempt=1, succeeded=True, reason="done"))
    return story


def failed() -> Story:
    story = triggering()
    story.tell(TriggerFailed(at=story.at, attempt=1, category=FailureCategory.PERMANENT, reason="no such queue"))
    return story


def cancelled() -> Story:
    story = running()
    story.tell(CancelAsked(at=story.at, actor="ann", reason="enough"))
    return story


STATES: Final = {
    make.__name__: make
    for make in (
        asking,
        waiting,
        triggering,
        in_doubt,
        running,
        unseen,
        lost,
        retrying,
        refused,
        completed,
        failed,
        cancelled,
    )
}

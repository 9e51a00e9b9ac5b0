"""One run in each state it can be in, reached by the facts that lead there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from interlock.core.commands import Command, RaiseAlert, ResolveAlert
from interlock.core.decision import Decision, stay
from interlock.core.documents import Document
from interlock.core.events import (
    CancelAsked,
    Event,
    Held,
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
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.pipelines import PipelineSpec, TriggerSpec, WatchSpec
from interlock.core.runs import Cause, Override, Run
from interlock.core.schedules import Limits
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec, a_trait

TTL: Final = 2 * MINUTE
SPEC: Final = a_spec(a_trait("fresh", ttl=TTL), "upstream", trigger=TriggerSpec(type="fake", poll_budget=2))
HOUR: Final = 60 * MINUTE
MONITORED: Final = replace(SPEC, watch=WatchSpec(monitoring=2 * HOUR))
DUE: Final = NOON + HOUR
"""By when the evaluation of `SOFT` and `HARD` is due; their completion is due an hour later, and they close after another."""


def limits(*, hard: bool = False, **changes: object) -> Limits:
    """Make the limits of a slot that opens at noon."""
    made = Limits(
        opens_at=NOON,
        evaluation_due=DUE,
        completion_due=DUE + HOUR,
        closes_at=DUE + 2 * HOUR,
        closes_because="sla.validationTimeout" if hard else "the end of its window",
        hard=hard,
    )
    return replace(made, **changes)


SOFT: Final = limits()
HARD: Final = limits(hard=True)


def hopeless(trait: str, *, at: datetime = NOON, upstream: str = "", **rest: Any) -> TraitResult:
    """Make an answer that asking again would not change."""
    value = Document((("upstreamRunID", f'"{upstream}"'),)) if upstream else None
    given = {"category": FailureCategory.PERMANENT, "reason": "no such table", "value": value} | rest
    return a_result(trait, TraitStatus.FAIL, at=at, **given)


class Story:
    """A run, and what it was told."""

    def __init__(
        self,
        spec: PipelineSpec = SPEC,
        *,
        at: datetime = NOON,
        override: Override | None = None,
        limits: Limits | None = None,
        cause: Cause = Cause.MANUAL,
        number: int = 1,
    ) -> None:
        self.spec = spec
        self.at = at
        terms = Terms(cause=cause, override=override, limits=limits)
        self.last = opened(a_key(number=number), spec, DIGEST, at, terms)

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

    def ignores(self, event: Event) -> bool:
        """Tell the run a fact, and say whether it was silence: nothing changed, and nothing wished."""
        before = self.run
        return self.tell(event) == stay(before)

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
        return self.wakes_at(self.run.wake_at)

    def wakes_at(self, at: datetime) -> Story:
        """Let time pass until an instant, and have the run looked at."""
        self.at = max(self.at, at)
        self.tell(Woke(at=self.at))
        return self

    def opens_with(self, *results: TraitResult | TraitStatus) -> Story:
        """Let the traits be asked again when the run wants it, and answer."""
        return self.wakes().answers(*results)

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

    def succeeds(self, seconds: float = 60) -> Story:
        """Let the job end well."""
        self.tell(JobFinished(at=self.after(seconds), attempt=self.run.attempt, succeeded=True, reason="done"))
        return self

    @property
    def raised(self) -> list[str]:
        """The kinds of the alerts that the last fact raised."""
        return [str(wish.alert.alert_type) for wish in self.commands if isinstance(wish, RaiseAlert)]

    @property
    def resolved(self) -> list[str]:
        """The kinds of the alerts of this run that the last fact resolved."""
        mine = f"/{self.run.key.run_id}"
        found = [wish.alert_id for wish in self.commands if isinstance(wish, ResolveAlert) and mine in wish.alert_id]
        return [name.partition("/")[0] for name in found]


def asking(limits: Limits | None = None) -> Story:
    return Story(limits=limits)


def waiting(limits: Limits | None = None) -> Story:
    return asking(limits).answers(TraitStatus.FAIL)


def blocked(limits: Limits | None = None) -> Story:
    return asking(limits).answers(TraitStatus.PASS, hopeless("upstream"))


def held(limits: Limits | None = None) -> Story:
    story = asking(limits)
    story.tell(Held(at=story.after(1), until=NOON + timedelta(days=3), actor="ann", reason="a freeze"))
    return story.answers()


def triggering(limits: Limits | None = None) -> Story:
    return asking(limits).answers()


def in_doubt(limits: Limits | None = None) -> Story:
    story = triggering(limits)
    story.tell(TriggerInDoubt(at=story.at, attempt=1, reason="the line went dead"))
    return story


def running(limits: Limits | None = None) -> Story:
    return asking(limits).started()


def unseen(limits: Limits | None = None) -> Story:
    story = running(limits)
    for look in range(2):
        story.tell(JobUnseen(at=story.after(30), attempt=1, look=look, reason="no route"))
    return story


def lost(limits: Limits | None = None) -> Story:
    story = running(limits)
    story.tell(JobVanished(at=story.after(30), attempt=1, reason="404"))
    return story


def retrying(limits: Limits | None = None) -> Story:
    return running(limits).fails()


def refused(limits: Limits | None = None) -> Story:
    story = triggering(limits)
    story.tell(StartRefused(at=story.after(300), attempt=1, reason="its permit ran out"))
    return story


def completed(limits: Limits | None = None) -> Story:
    return running(limits).succeeds()


def monitoring(limits: Limits | None = None) -> Story:
    return Story(MONITORED, limits=limits).started().succeeds()


def looking(limits: Limits | None = None) -> Story:
    return monitoring(limits).wakes()


def drifted(limits: Limits | None = None) -> Story:
    return looking(limits).answers(TraitStatus.FAIL)


def failed(limits: Limits | None = None) -> Story:
    story = triggering(limits)
    story.tell(TriggerFailed(at=story.at, attempt=1, category=FailureCategory.PERMANENT, reason="no such queue"))
    return story


def cancelled(limits: Limits | None = None) -> Story:
    story = running(limits)
    story.tell(CancelAsked(at=story.at, actor="ann", reason="enough"))
    return story


STATES: Final = {
    make.__name__: make
    for make in (
        asking,
        waiting,
        blocked,
        held,
        triggering,
        in_doubt,
        running,
        unseen,
        lost,
        retrying,
        refused,
        completed,
        monitoring,
        looking,
        drifted,
        failed,
        cancelled,
    )
}

"""Guided histories: a run is told answers to what it wished for, salted with facts that are late, early, repeated,
reordered or nobody's business, while clocks jump. Random facts alone hardly ever leave PENDING.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from msgspec.structs import replace

from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, RaiseAlert, StartJob
from interlock.core.constraints import violations
from interlock.core.decision import Decision, stay
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    JobSeen,
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
from interlock.core.readiness import ReadinessRule, RuleType
from interlock.core.retries import RetrySpec
from interlock.core.runs import Override, Run, RunStatus
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, a_spec, a_trait, no_answer

FORCED: Final = Override(actor="ann", reason="told by phone", constraints=("readiness",))
SPECS: Final = (
    a_spec(),
    a_spec(a_trait("fresh", ttl=2 * MINUTE), a_trait("upstream"), clock_skew=2 * SECOND),
    a_spec(
        a_trait("fresh", ttl=20 * SECOND),
        a_trait("slow", ttl=10 * MINUTE, timeout=5 * MINUTE),
        a_trait("disk", required=False),
        retry=RetrySpec(max_attempts=2, backoff=10 * SECOND),
    ),
    a_spec(
        a_trait("fresh", ttl=MINUTE),
        a_trait("upstream", ttl=3 * MINUTE),
        a_trait("disk"),
        rule=ReadinessRule(type=RuleType.AT_LEAST, threshold=2),
        trigger=TriggerSpec(type="fake", poll_budget=2),
        retry=RetrySpec(max_attempts=1),
    ),
)


class Play:
    """One history of one run: `step` tells it one more fact and checks the laws."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.spec: PipelineSpec = SPECS[seed % len(SPECS)]
        self.now = NOON
        self.clock_error = timedelta()
        self.wishes: list[Command] = []
        self.told: list[Event] = []
        self.granted: set[int] = set()
        self.heard: dict[str, int] = {}
        self.said: dict[str, TraitResult] = {}
        self.floor = 0
        self.statuses: set[RunStatus] = set()
        self.trace: list[str] = []
        override = FORCED if seed % 5 == 4 else None
        decision = opened(a_key(), self.spec, DIGEST, NOON, override=override)
        assert violations(None, None, decision, self.spec) == ()
        self.run = decision.run
        self._take(decision)

    def play(self, steps: int = 60) -> Play:
        """Tell a history of some facts, and then let a fair world bring the run to its end."""
        for _ in range(steps):
            self.tell(self._next())
        return self

    def tell(self, event: Event) -> None:
        """Tell one fact, and check every law."""
        before = self.run
        decision = decide(before, event, self.spec)
        self._check(before, event, decision)
        self.told.append(event)
        self.run = decision.run
        self._take(decision)

    def _check(self, before: Run, event: Event, decision: Decision) -> None:
        after = decision.run
        broken = violations(before, event, decision, self.spec)
        assert broken == (), f"{event} broke {', '.join(map(str, broken))}"
        again = decide(after, event, self.spec)
        assert again == stay(after), f"the same fact twice asked for more: {event}"
        if before.ended:
            assert decision == stay(before), "an ended run moved"
        if isinstance(event, TraitEvaluated) and event.round != before.round:
            assert decision == stay(before), "a late answer changed something"
        attempt = getattr(event, "attempt", before.attempt)
        if attempt != before.attempt:
            assert decision == stay(before), "a fact about another attempt changed something"
        if isinstance(event, TraitEvaluated) and after != before:
            self.heard[event.result.trait] = event.round
            self.said[event.result.trait] = event.result
        elif isinstance(event, Woke):
            self.heard |= dict.fromkeys(before.asked, before.round)
        if before.status is not RunStatus.PENDING and after.status is RunStatus.PENDING:
            self.floor = before.round
        for command in decision.commands:
            if isinstance(command, StartJob):
                self._check_start(before, command, decision)

    def _check_start(self, before: Run, start: StartJob, decision: Decision) -> None:
        # Written from the facts told so far alone: what the gate made of them is not looked at.
        permit = start.permit
        assert permit.attempt not in self.granted, "G2: an attempt was given a second permit"
        assert not before.doubt, "G2: started although a job may be running"
        self.granted.add(permit.attempt)
        for result in permit.evidence:
            assert result.observed_at <= permit.granted_at, "G1: seen in the future"
            assert self.heard.get(result.trait, 0) > self.floor, "G1: an answer from before the last attempt"
            if result.status is TraitStatus.PASS:
                said = self.said[result.trait]
                assert result.observed_at <= said.observed_at, "G1: made younger than it is"
                assert (result.expires_at is None) == (said.expires_at is None)
                assert (result.expires_at or NOON) <= (said.expires_at or NOON), "G1: believed longer than its ttl"
        assert all(permit.valid_until <= end for end in self._ends(permit.evidence, permit.overridden))
        assert decision.run.updated_at == permit.granted_at

    def _ends(self, evidence: tuple[TraitResult, ...], overridden: tuple[str, ...]) -> list[datetime]:
        """Return the instants that no permit may outlive: all of them where all required traits must pass."""
        if self.spec.rule.type is not RuleType.ALL_REQUIRED_PASS:
            return []
        required = {trait.name for trait in self.spec.traits if trait.required} - set(overridden)
        return [each.expires_at for each in evidence if each.trait in required and each.expires_at is not None]

    def _take(self, decision: Decision) -> None:
        self.statuses.add(decision.run.status)
        self.wishes += decision.commands
        run = decision.run
        self.trace.append(
            f"v{run.version} {run.status} round={run.round} attempt={run.attempt} failures={run.failures} "
            f"wake={run.wake_at} doubt={run.doubt!r} <- {type(self.told[-1]).__name__ if self.told else 'opened'} "
            f"-> {','.join(type(each).__name__ for each in decision.commands)}"
        )

    # ------------------------------------------------------------------ what happens next

    def _next(self) -> Event:
        kind = self.dice.choices(
            ("answer", "wake", "again", "stray", "ask", "jump", "cancel"), (60, 18, 8, 6, 3, 4, 0.4)
        )[0]
        self.now += self.dice.choice((0, 1, 5, 20)) * SECOND
        if kind == "answer" and self.wishes:
            place = self.dice.randrange(len(self.wishes)) if self.dice.random() < 0.3 else 0
            answer = self.answer(self.wishes.pop(place))
            if answer is not None:
                return answer
        if kind == "again" and self.told:
            return self.dice.choice(self.told)
        if kind == "stray":
            return self._stray()
        if kind == "ask":
            return EvaluationAsked(at=self.stamp(), actor="ann")
        if kind == "jump":
            self.clock_error = self.dice.choice((0, -3600, -10, 10, 600)) * SECOND
        if kind == "cancel":
            return CancelAsked(at=self.stamp(), actor="ann", reason="enough")
        if self.run.wake_at is not None and self.dice.random() < 0.8:
            self.now = max(self.now, self.run.wake_at)
        return Woke(at=self.stamp())

    def stamp(self) -> datetime:
        """Return the time by whatever clock is at hand."""
        return self.now + self.clock_error

    def answer(self, wish: Command) -> Event | None:
        """Return what a shell learns when it carries out a wish; None when it is lost, or there is nothing to learn."""
        match wish:
            case EvaluateTrait():
                return None if self.dice.random() < 0.05 else self._evaluated(wish)
            case StartJob():
                return None if self.dice.random() < 0.03 else self._started(wish)
            case CheckJob():
                return self._looked(wish)
            case CancelJob() | RaiseAlert():
                return None

    def _evaluated(self, wish: EvaluateTrait) -> TraitEvaluated:
        asked = self.stamp()
        self.now += self.dice.choice((0, 1, 1, 15, 45)) * SECOND
        ttl = next((trait.ttl for trait in self.spec.traits if trait.name == wish.trait), timedelta())
        status = self.dice.choices(tuple(TraitStatus), (85, 8, 2, 5))[0]
        result = a_result(wish.trait, status, at=asked, ttl=ttl or None)
        if self.dice.random() < 0.04:
            result = no_answer(wish.trait, at=asked)
        return TraitEvaluated(at=max(asked, self.stamp()), round=wish.round, result=result)

    def _started(self, wish: StartJob) -> Event:
        at, attempt = self.stamp(), wish.permit.attempt
        if at >= wish.permit.valid_until:
            return StartRefused(at=at, attempt=attempt, reason="its permit ran out")
        category = self.dice.choice(tuple(FailureCategory))
        return self.dice.choices(
            (
                TriggerAccepted(at=at, attempt=attempt, job_id=f"job-{attempt}"),
                TriggerFailed(at=at, attempt=attempt, category=category, reason="no queue"),
                TriggerInDoubt(at=at, attempt=attempt, reason="the line went dead"),
            ),
            (85, 10, 5),
        )[0]

    def _looked(self, wish: CheckJob) -> Event:
        at, attempt = self.stamp(), wish.attempt
        category = self.dice.choice(tuple(FailureCategory))
        return self.dice.choices(
            (
                JobSeen(at=at, attempt=attempt),
                JobFinished(at=at, attempt=attempt, succeeded=True),
                JobFinished(at=at, attempt=attempt, succeeded=False, category=category, reason="exit 1"),
                JobUnseen(at=at, attempt=attempt, look=wish.look, reason="no route"),
                JobVanished(at=at, attempt=attempt, reason="404"),
            ),
            (40, 12, 18, 25, 5),
        )[0]

    def _stray(self) -> Event:
        at = self.stamp() - self.dice.choice((0, 0, 3600)) * SECOND
        attempt = max(0, self.run.attempt + self.dice.choice((-1, -1, 0, 0, 1)))
        number = max(0, self.run.round + self.dice.choice((-1, -1, 0, 1)))
        name = self.dice.choice(self.spec.traits).name
        result = a_result(name, self.dice.choice(tuple(TraitStatus)), at=at)
        return self.dice.choice(
            (
                TraitEvaluated(at=at, round=number, result=result),
                TraitEvaluated(at=at, round=number, result=replace(result, trait=type(name)("nobody"))),
                TriggerAccepted(at=at, attempt=attempt, job_id="stray"),
                TriggerFailed(at=at, attempt=attempt, category=FailureCategory.TRANSIENT, reason="stray"),
                TriggerInDoubt(at=at, attempt=attempt, reason="stray"),
                StartRefused(at=at, attempt=attempt, reason="stray"),
                JobSeen(at=at, attempt=attempt),
                JobUnseen(at=at, attempt=attempt, look=self.dice.randrange(3), reason="stray"),
                JobVanished(at=at, attempt=attempt, reason="stray"),
                JobFinished(at=at, attempt=attempt, succeeded=self.dice.random() < 0.5, by="job"),
            )
        )

    def end(self) -> Play:
        """G5: let a fair world go on: every wish is carried out, time passes, and people report what only they know."""
        self.clock_error = timedelta()
        self.now = max(self.now, self.run.updated_at)
        for _ in range(200):
            if self.run.ended:
                return self
            self.tell(self._fair())
        raise AssertionError(f"G5: the run does not end: {self.run}")

    def _fair(self) -> Event:
        while self.wishes:
            wish = self.wishes.pop()
            if isinstance(wish, EvaluateTrait) and wish.round == self.run.round:
                ttl = next(trait.ttl for trait in self.spec.traits if trait.name == wish.trait)
                return TraitEvaluated(
                    at=self.now, round=wish.round, result=a_result(wish.trait, at=self.now, ttl=ttl or None)
                )
            if isinstance(wish, StartJob) and wish.permit == self.run.permit:
                return TriggerAccepted(at=self.now, attempt=wish.permit.attempt, job_id="job")
            if isinstance(wish, CheckJob):
                return JobFinished(at=self.now, attempt=wish.attempt, succeeded=True)
        if self.run.wake_at is None:
            return JobFinished(at=self.now, attempt=self.run.attempt, succeeded=True, by="ann")
        self.now = max(self.now, self.run.wake_at)
        return Woke(at=self.now)


def played(seed: int, steps: int = 60) -> Play:
    """Play one history to its end; the seed is named by whatever fails."""
    try:
        return Play(seed).play(steps).end()
    except AssertionError as exc:
        raise AssertionError(f"history {seed}: {exc}") from exc

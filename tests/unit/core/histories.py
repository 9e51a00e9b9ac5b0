"""Guided histories: a run is told answers to what it wished for, salted with facts that are late, early, repeated,
reordered or nobody's business, while clocks jump. Random facts alone hardly ever leave PENDING.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace
from tests.unit.core.cases import FORCED, SPECS, TERMS
from tests.unit.core.ledger import Ledger

from interlock.core.commands import CheckJob, Command, EvaluateTrait, StartJob
from interlock.core.constraints import violations
from interlock.core.decision import Decision, stay
from interlock.core.documents import Document
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    EvidenceArrived,
    Held,
    JobFinished,
    JobSeen,
    JobUnseen,
    JobVanished,
    Released,
    StartRefused,
    TraitEvaluated,
    TriggerAccepted,
    TriggerFailed,
    TriggerInDoubt,
    Woke,
)
from interlock.core.lifecycle import AS_ASKED, Terms, decide, opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import RuleType
from interlock.core.runs import Run, RunStatus
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_result, no_answer


class Play:
    """One history of one run: `step` tells it one more fact and checks the laws."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.spec: PipelineSpec = SPECS[seed % len(SPECS)]
        self.terms = TERMS[seed // len(SPECS) % len(TERMS)]
        if self.terms is AS_ASKED and seed % 5 == 4:
            self.terms = Terms(override=FORCED)
        self.key = a_key(number=1 if seed % 3 else 2)
        self.now = NOON
        self.busy_until = NOON
        self.clock_error = timedelta()
        self.wishes: list[Command] = []
        self.told: list[Event] = []
        self.granted: set[int] = set()
        self.heard: dict[str, int] = {}
        self.said: dict[str, TraitResult] = {}
        self.floor = 0
        self.gone: set[str] = set()
        self.ledger = Ledger()
        self.statuses: set[RunStatus] = set()
        self.trace: list[str] = []
        decision = opened(self.key, self.spec, DIGEST, NOON, self.terms)
        assert violations(None, None, decision, self.spec) == ()
        self.ledger.note(None, None, decision)
        self.run = decision.run
        self._take(decision)

    def play(self, steps: int = 60) -> Play:
        """Tell a history of some facts."""
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
        self.ledger.note(before, event, decision)
        broken = violations(before, event, decision, self.spec)
        assert broken == (), f"{event} broke {', '.join(map(str, broken))}"
        again = decide(after, event, self.spec)
        assert again == stay(after), f"the same fact twice asked for more: {event}"
        forced = isinstance(event, EvaluationAsked) and event.override is not None
        if forced and after.status is RunStatus.PENDING and event.at > (before.asked_at or NOON):
            assert after.closes_at is None or after.closes_at > after.updated_at, "forced on, and given up at once"
        if before.ended:
            assert decision == stay(before), "an ended run moved"
        if isinstance(event, TraitEvaluated) and event.round != before.round and not is_due(before, event.at):
            assert decision == stay(before), "a late answer changed something"
        attempt = getattr(event, "attempt", before.attempt)
        if attempt != before.attempt:
            assert decision == stay(before), "a fact about another attempt changed something"
        if isinstance(event, TraitEvaluated) and after != before:
            self.heard[event.result.trait] = event.round
            self.said[event.result.trait] = event.result
        elif isinstance(event, Woke):
            due = after.due_at
            assert due is None or due > max(event.at, before.updated_at), (
                f"it would be looked at again at once: {after}"
            )
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
            ("answer", "wake", "again", "stray", "ask", "jump", "cancel", "news"), (60, 18, 8, 6, 4, 4, 0.4, 9)
        )[0]
        self.now += self.dice.choices((0, 1, 5, 20, 240), (24, 24, 24, 24, 4))[0] * SECOND
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
            return self._asks()
        if kind == "news":
            return self._news()
        if kind == "jump":
            self.clock_error = self.dice.choice((0, -3600, -10, 10, 600)) * SECOND
        if kind == "cancel":
            return CancelAsked(at=self.stamp(), actor="ann", reason="enough")
        due = self.dice.choice((self.run.wake_at, self.run.due_at))
        if due is not None and self.dice.random() < 0.8:
            self.now = max(self.now, due)
        return Woke(at=self.stamp())

    def _asks(self) -> Event:
        forced = self.dice.random() < 0.2
        if forced and self.run.closes_at is not None and self.dice.random() < 0.5:
            self.now = max(self.now, self.run.closes_at)
        return EvaluationAsked(at=self.stamp(), actor="ann", override=FORCED if forced else None)

    def _news(self) -> Event:
        at = self.stamp()
        held = Held(at=at, until=at + self.dice.choice((-1, 1, 10)) * MINUTE, actor="ann", reason="a freeze")
        news = (EvidenceArrived(at=at, source="a push"), held, Released(at=at, actor="ann"))
        return self.dice.choices(news, (70, 15, 15))[0]

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
            case _:
                return None

    def _evaluated(self, wish: EvaluateTrait) -> TraitEvaluated:
        asked = self.stamp()
        self.now += self.dice.choice((0, 1, 1, 15, 45)) * SECOND
        ttl = next((trait.ttl for trait in self.spec.traits if trait.name == wish.trait), timedelta())
        often = (85, 8, 2, 5) if self.run.monitor is None else (60, 25, 10, 5)
        status = self.dice.choices(tuple(TraitStatus), often)[0]
        value = Document((("count", str(self.dice.choice((100, 100, 100, 110, 70)))),))
        result = a_result(wish.trait, status, at=asked, ttl=ttl or None, value=value)
        if self.dice.random() < 0.04:
            result = no_answer(wish.trait, at=asked)
        elif self.dice.random() < (0.6 if wish.trait in self.gone else 0.04):
            result = self._hopeless(wish, asked)
        elif self.dice.random() < 0.05:
            result = replace(result, observed_at=asked + 90 * SECOND)  # the runner's clock is ahead
        return TraitEvaluated(at=max(asked, self.stamp()), round=wish.round, result=result)

    def _hopeless(self, wish: EvaluateTrait, asked: datetime) -> TraitResult:
        self.gone = {wish.trait}
        said = Document((("upstreamRunID", '"other:daily:2026-03-07:1"'),)) if self.dice.random() < 0.5 else None
        category = self.dice.choice((FailureCategory.PERMANENT, FailureCategory.EVALUATOR_CRASH))
        return a_result(wish.trait, TraitStatus.FAIL, at=asked, value=said, category=category, reason="no such table")

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
        name = self.dice.choice(self.spec.checks).name
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
                JobFinished(
                    at=at,
                    attempt=attempt,
                    succeeded=self.dice.random() < 0.5,
                    by="job",
                    unverified=self.dice.random() < 0.2,
                ),
            )
        )

    def end(self) -> Play:
        """G5: let a fair world go on: every wish is carried out, time passes, and people report what only they know."""
        self.clock_error = timedelta()
        self.now = max(self.now, self.run.updated_at)
        for _ in range(400):
            if self.run.ended:
                self.ledger.judge(self.run)
                assert self.refolded() == self.run, "the facts do not give the run again"
                return self
            self.tell(self._fair())
        raise AssertionError(f"G5: the run does not end: {self.run}")

    def refolded(self) -> Run:
        """Fold the facts again."""
        run = opened(self.key, self.spec, DIGEST, NOON, self.terms).run
        for event in self.told:
            run = decide(run, event, self.spec).run
        return run

    def _fair(self) -> Event:
        while self.wishes:
            wish = self.wishes.pop()
            if isinstance(wish, EvaluateTrait) and wish.round == self.run.round:
                ttl = next(trait.ttl for trait in self.spec.checks if trait.name == wish.trait)
                value = Document((("count", "100"),))
                result = a_result(wish.trait, at=self.now, ttl=ttl or None, value=value)
                return TraitEvaluated(at=self.now, round=wish.round, result=result)
            if isinstance(wish, StartJob) and wish.permit == self.run.permit:
                return TriggerAccepted(at=self.now, attempt=wish.permit.attempt, job_id="job")
            if isinstance(wish, CheckJob) and self.now < self.busy_until:
                return JobSeen(at=self.now, attempt=wish.attempt)
            if isinstance(wish, CheckJob):
                return JobFinished(at=self.now, attempt=wish.attempt, succeeded=True)
        if self.run.due_at is not None:
            self.now = max(self.now, self.run.due_at)
            return Woke(at=self.now)
        if self.run.blocked:
            self.now += SECOND
            return EvidenceArrived(at=self.now, source="a mended table")
        return JobFinished(at=self.now, attempt=self.run.attempt, succeeded=True, by="ann")

    def forsaken(self) -> Run:
        """Return how the run stands once only time has passed and nothing was answered but that nothing is seen."""
        run = self.run
        now = max(self.now, run.updated_at)
        for _ in range(400):
            if run.due_at is None or (run.doubt and run.open_alerts and _verdicts_given(run)):
                return run
            now = max(now, run.due_at)
            decision = decide(run, Woke(at=now), self.spec)
            assert decision.run != run, f"it was due and did not move: {run}"
            run = decision.run
            if any(isinstance(wish, CheckJob) for wish in decision.commands):
                run = decide(
                    run, JobUnseen(at=now, attempt=run.attempt, look=run.looks, reason="no route"), self.spec
                ).run
        raise AssertionError(f"G5: time alone brings the run nowhere: {run}")


def is_due(run: Run, at: datetime) -> bool:
    """Say whether time alone, whatever brings the news of it, changes a run: a deadline, a limit, the end of a watch."""
    waits = run.status is RunStatus.PENDING
    instants: Iterable[datetime | None] = (
        run.closes_at if waits else None,
        run.monitor.until if run.monitor else None,
        run.evaluation_sla.next_at(begun=not waits) if run.evaluation_sla else None,
        run.completion_sla.next_at(begun=not waits) if run.completion_sla else None,
    )
    return any(each is not None and max(at, run.updated_at) >= each for each in instants)


def _verdicts_given(run: Run) -> bool:
    slas = (run.evaluation_sla, run.completion_sla)
    return all(sla is None or sla.next_at(begun=True) is None for sla in slas)


def healthy(seed: int) -> Play:
    """Play a history in which everything passes and ends in time; the seed is named by whatever fails."""
    play = Play(seed)
    play.busy_until = NOON + 150 * SECOND
    try:
        assert play.end().run.status is RunStatus.COMPLETED
        assert not play.ledger.raised, f"G6: a healthy run raised {dict(play.ledger.raised)}"
    except AssertionError as exc:
        raise AssertionError(f"history {seed}: {exc}") from exc
    return play


def played(seed: int, steps: int = 60) -> Play:
    """Play one history to its end; the seed is named by whatever fails."""
    try:
        play = Play(seed).play(steps)
        left = play.forsaken() if play.terms.limits is not None and seed % 2 else None
        assert left is None or left.ended or ((left.doubt or left.blocked) and left.open_alerts), f"G5: {left}"
        return play.end()
    except AssertionError as exc:
        raise AssertionError(f"history {seed}: {exc}") from exc

"""PENDING: ask the traits, judge the answers, open the gate or leave it shut."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.core.alerts import AlertType
from interlock.core.commands import Command, StartJob
from interlock.core.decision import Decision, stay
from interlock.core.events import EvaluationAsked, EvidenceArrived, Held, Released, TraitEvaluated
from interlock.core.pipelines import PipelineSpec
from interlock.core.readiness import Readiness, TraitVerdict, assess
from interlock.core.rounds import answered, interval, lost_answers, questions, reusable
from interlock.core.runs import Override, Permit, Run, RunStatus
from interlock.core.telling import alert_id_of, tell, told
from interlock.core.traits import FailureCategory, TraitStatus, is_fresh

START_GRACE: Final = timedelta(minutes=1)
TROUBLE: Final = 5
"""After so many rounds in a row that could not tell, people are told, once."""

LONGEST_PAUSE: Final = timedelta(minutes=10)
PAUSED: Final = "paused"
"""What an override names to go past whoever holds the start button."""

_HOPELESS: Final = (FailureCategory.PERMANENT, FailureCategory.EVALUATOR_CRASH)


def woken(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Time has passed while PENDING: begin the next round, or give up on answers that did not come."""
    if run.wake_at is None or at < run.wake_at:
        return stay(run)
    if run.asked:
        return _conclude(lost_answers(run, spec, at), spec, at)
    return begin_round(run, spec, at)


def evaluation_asked(run: Run, event: EvaluationAsked, spec: PipelineSpec, at: datetime) -> Decision:
    """Ask everything afresh, unless a round is under way, a later one has begun since, or a retry must still wait.

    An override is dropped by none of these but the second: a round under way is begun anew, and a retry keeps it in mind.
    One that was given before holds on, but not for another spec: it was a decision about the job that was there then.
    """
    already = run.asked_at is not None and event.at <= run.asked_at
    waiting = run.not_before is not None and at < run.not_before
    under_way = run.asked and run.wake_at is not None and at < run.wake_at
    if already or (event.override is None and (waiting or under_way)):
        return stay(run)
    digest = event.spec_digest or run.spec_digest
    kept = run.override if digest == run.spec_digest else None
    fresh = replace(run, results=(), spec_digest=digest, override=kept)
    if event.override is not None:
        fresh = _forced(fresh, event.override, at)
    return Decision(run=fresh) if waiting else begin_round(fresh, spec, at)


def _forced(run: Run, override: Override, at: datetime) -> Run:
    closes = run.closes_at
    if closes is not None and at >= closes:
        # Forced after it should have been given up: it gets as long as it had.
        closes = at + run.patience
    let_go = PAUSED in override.constraints
    return replace(
        run,
        override=override,
        closes_at=closes,
        held_until=None if let_go else run.held_until,
        held_because="" if let_go else run.held_because,
    )


def evidence_arrived(run: Run, event: EvidenceArrived, spec: PipelineSpec, at: datetime) -> Decision:
    """Something changed: ask at once; in the middle of a round, once more after it. A retry still waits."""
    stale = run.asked_at is not None and event.at <= run.asked_at
    if stale or (run.not_before is not None and at < run.not_before):
        return stay(run)
    if run.asked:
        return Decision(run=replace(run, again=True))
    return begin_round(run, spec, at)


def held(run: Run, event: Held, at: datetime) -> Decision:
    """Somebody holds the start button: nothing opens before they let go or their time is over."""
    if event.until <= at or (run.held_at is not None and event.at <= run.held_at):
        return stay(run)
    because = f"{event.actor}: {event.reason}"
    # A ready run sleeps until the hold is over, so one that is over earlier wakes it earlier.
    sleeps = run.wake_at is not None and run.wake_at == run.held_until and not run.asked and run.not_before is None
    wake_at = event.until if sleeps else run.wake_at
    return Decision(run=replace(run, held_until=event.until, held_because=because, held_at=event.at, wake_at=wake_at))


def released(run: Run, event: Released, spec: PipelineSpec, at: datetime) -> Decision:
    """The start button is free again: ask at once."""
    if run.held_at is None or event.at <= run.held_at:
        return stay(run)
    free = replace(run, held_until=None, held_because="", held_at=event.at)
    waiting = run.asked or (run.not_before is not None and at < run.not_before)
    return Decision(run=free) if waiting else begin_round(free, spec, at)


def begin_round(run: Run, spec: PipelineSpec, at: datetime, *, refreshing: bool = False) -> Decision:
    """Ask every trait of which no usable PASS is at hand.

    Reused is a PASS within its ttl. While refreshing, also a PASS without one: it was asked for this very decision. What
    blocks is always asked again, so that data which has landed is noticed at the next round and not after a ttl.
    """
    kept = tuple(result for result in run.results if reusable(result, at, refreshing=refreshing))
    begun = replace(run, refreshing=refreshing, not_before=None, blocked="")
    asked = questions(begun, spec.traits, at, kept)
    return asked if asked.commands else _conclude(asked.run, spec, at)


def trait_evaluated(run: Run, event: TraitEvaluated, spec: PipelineSpec, at: datetime) -> Decision:
    """Take one answer; judge when it was the last."""
    if event.round != run.round or event.result.trait not in run.asked:
        return stay(run)
    heard = answered(run, event.result, spec, at)
    return Decision(run=heard) if heard.asked else _conclude(heard, spec, at)


def _conclude(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    readiness = assess(spec.traits, spec.rule, run.results, at)
    judged = replace(run, readiness=readiness)
    if readiness.ready or run.override is not None:
        if run.held_until is not None and at < run.held_until:
            return Decision(run=replace(judged, refreshing=False, troubles=0, wake_at=run.held_until))
        if spec.trigger is None:
            return _done(judged, at) if readiness.ready else _wait(judged, readiness, spec, at)
        permit = _permit(judged, readiness, spec, at)
        if permit.valid_until > at:
            return _open(judged, permit, spec, at)
    if not run.refreshing and _would_pass_refreshed(judged, readiness, at):
        return begin_round(judged, spec, at, refreshing=True)
    return _wait(judged, readiness, spec, at)


def _done(run: Run, at: datetime) -> Decision:
    """There is nothing to start: being ready is all that was asked."""
    return Decision(
        run=replace(
            run, status=RunStatus.COMPLETED, refreshing=False, again=False, troubles=0, wake_at=None, ended_at=at
        )
    )


def _wait(run: Run, readiness: Readiness, spec: PipelineSpec, at: datetime) -> Decision:
    """Not now: stop where asking again cannot help, back off where nothing could be learned, else ask again in a while."""
    idle = replace(run, refreshing=False)
    hopeless = _hopeless(readiness)
    if run.again:
        return begin_round(replace(idle, again=False), spec, at)
    if hopeless and _out_of_reach(readiness, hopeless):
        return _stopped(idle, hopeless, spec, at)
    if not readiness.undecided:
        return Decision(run=replace(idle, troubles=0, wake_at=at + interval(run, spec)))
    return _troubled(replace(idle, troubles=run.troubles + 1), readiness, spec, at)


def _hopeless(readiness: Readiness) -> tuple[TraitVerdict, ...]:
    return tuple(v for v in readiness.verdicts if v.trait in readiness.blocking and v.category in _HOPELESS)


def _out_of_reach(readiness: Readiness, hopeless: tuple[TraitVerdict, ...]) -> bool:
    required = sum(1 for verdict in readiness.verdicts if verdict.required)
    return required - len(hopeless) < readiness.needed


def _stopped(run: Run, hopeless: tuple[TraitVerdict, ...], spec: PipelineSpec, at: datetime) -> Decision:
    reasons = "; ".join(f"{verdict.trait} ({verdict.category}): {verdict.reason}" for verdict in hopeless)
    stopped = replace(run, blocked=reasons, troubles=0, wake_at=None)
    upstream = next((name for verdict in hopeless if (name := _upstream(run, verdict))), "")
    kind = AlertType.UPSTREAM_CANNOT_COMPLETE if upstream else AlertType.EVALUATION_FAILED
    message = (
        f"{run.key} cannot become ready by asking again: {reasons}. It is asked again when something arrives for it, "
        f"or with: interlock run {run.key.slot.pipeline} --schedule {run.key.slot.schedule}"
    )
    if told(run, kind):
        # It was told, something arrived, and nothing got better: one fault, one alert.
        return Decision(run=stopped)
    wish: Command = replace(tell(run, spec, kind, message, at), cause=alert_id_of(AlertType.RUN_FAILED, upstream))
    return Decision(run=stopped, commands=(wish,))


def _upstream(run: Run, verdict: TraitVerdict) -> str:
    """Return the run that a blocking trait waits for and that cannot complete any more, where the trait says so."""
    result = run.result(verdict.trait)
    text = result.value.get("upstreamRunID") if result is not None and result.value is not None else None
    return (text or "").strip('"')


def _troubled(run: Run, readiness: Readiness, spec: PipelineSpec, at: datetime) -> Decision:
    usual = interval(run, spec)
    pause = max(usual, min(usual * 2 ** min(run.troubles - 1, 16), LONGEST_PAUSE))
    waits = replace(run, wake_at=at + pause)
    if run.troubles != TROUBLE:
        return Decision(run=waits)
    reasons = "; ".join(f"{v.trait}: {v.reason}" for v in readiness.verdicts if v.undecided and v.required)
    message = f"{run.key} could not be judged {run.troubles} times in a row: {reasons}. It is asked on, less often"
    return Decision(
        run=waits,
        commands=(tell(run, spec, AlertType.EVALUATION_TROUBLE, message, at),),
    )


def _would_pass_refreshed(run: Run, readiness: Readiness, at: datetime) -> bool:
    """Say whether only passes are missing that ran out while slower traits were still being asked."""
    blockers = [result for result in run.results if result.trait in readiness.blocking]
    expired = sum(1 for result in blockers if result.status is TraitStatus.PASS and not is_fresh(result, at))
    return not readiness.ready and readiness.passed + expired >= readiness.needed


def _permit(run: Run, readiness: Readiness, spec: PipelineSpec, at: datetime) -> Permit:
    ends = [at + spec.permit_lifetime]
    if readiness.valid_until is not None:
        ends.append(readiness.valid_until)
    if run.hard and run.closes_at is not None:
        ends.append(run.closes_at)
    if not readiness.ready:
        # An override sets aside what did not pass, never what did: the rest must hold until the start.
        passes = {v.trait for v in readiness.verdicts if v.required and v.status is TraitStatus.PASS}
        ends += (r.expires_at for r in run.results if r.trait in passes and r.expires_at is not None)
    return Permit(
        attempt=run.attempt + 1,
        granted_at=at,
        valid_until=min(ends) - spec.clock_skew,
        spec_digest=run.spec_digest,
        evidence=run.results,
        overridden=tuple(sorted(readiness.blocking)),
    )


def _open(run: Run, permit: Permit, spec: PipelineSpec, at: datetime) -> Decision:
    assert spec.trigger is not None  # noqa: S101  (checked by the one caller)
    patience = (permit.valid_until - at) + 2 * spec.trigger.start_timeout + START_GRACE
    return Decision(
        run=replace(
            run,
            status=RunStatus.TRIGGERING,
            attempt=permit.attempt,
            began_at=at,
            permit=permit,
            refreshing=False,
            again=False,
            troubles=0,
            wake_at=at + patience,
        ),
        commands=(StartJob(permit=permit),),
    )

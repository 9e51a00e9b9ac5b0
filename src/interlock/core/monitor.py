"""COMPLETED_MONITORING: after its job has ended well, a run is watched for drift against the evidence it was let through on.

Drift is an answer of an evaluator: a trait that passed at the start and is said not to hold any more, or a measured value
that moved by more than its trait allows. An evaluator that could not be asked says nothing about the data.
"""

from __future__ import annotations

from datetime import datetime
from math import isfinite

from msgspec.structs import replace

from interlock.core.alerts import AlertLevel, AlertType
from interlock.core.commands import AskRerun, Command
from interlock.core.decision import Decision, stay
from interlock.core.documents import Document
from interlock.core.events import EvidenceArrived, TraitEvaluated
from interlock.core.pipelines import PipelineSpec
from interlock.core.rounds import answered, interval, lost_answers, questions, reusable
from interlock.core.runs import Cause, Monitor, Run, RunStatus, Watch
from interlock.core.telling import tell
from interlock.core.traits import DriftSpec, TraitResult, TraitStatus, could_not_tell


def begun(run: Run, spec: PipelineSpec, at: datetime) -> Run:
    """Return a run whose job has just ended well, watched from now on."""
    assert spec.watch.monitoring is not None  # noqa: S101  (checked by the one caller)
    return replace(
        run,
        status=RunStatus.COMPLETED_MONITORING,
        monitor=Monitor(until=at + spec.watch.monitoring),
        results=(),
        asked=(),
        again=False,
        wake_at=at + interval(run, spec),
    )


def over(run: Run, at: datetime, state: Watch = Watch.OVER) -> Run:
    """Return a run that is no longer watched."""
    assert run.monitor is not None  # noqa: S101  (a run is in this status with a monitor only)
    watch = replace(run.monitor, state=state)
    return replace(run, status=RunStatus.COMPLETED, monitor=watch, asked=(), again=False, wake_at=None, ended_at=at)


def woken(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Time has passed: the next round begins, or answers are given up on."""
    if run.wake_at is None or at < run.wake_at:
        return stay(run)
    if run.asked:
        return _judged(lost_answers(run, spec, at), spec, at)
    return _round(run, spec, at)


def evidence_arrived(run: Run, event: EvidenceArrived, spec: PipelineSpec, at: datetime) -> Decision:
    """Something changed: look at once, unless a round is under way or one has begun since."""
    stale = run.asked_at is not None and event.at <= run.asked_at
    return stay(run) if stale or run.asked else _round(run, spec, at)


def trait_evaluated(run: Run, event: TraitEvaluated, spec: PipelineSpec, at: datetime) -> Decision:
    """Take one answer; compare when it was the last."""
    if event.round != run.round or event.result.trait not in run.asked:
        return stay(run)
    heard = answered(run, event.result, spec, at)
    return Decision(run=heard) if heard.asked else _judged(heard, spec, at)


def _round(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    kept = tuple(result for result in run.results if reusable(result, at, refreshing=False))
    asked = questions(run, spec.traits, at, kept)
    return asked if asked.commands else _judged(asked.run, spec, at)


def _judged(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    drifted = _drifted(run, spec)
    if not drifted:
        return Decision(run=replace(run, wake_at=at + interval(run, spec)))
    names = ", ".join(name for name, _ in drifted)
    told = "; ".join(words for _, words in drifted)
    message = f"{run.key} completed, and since then its data has drifted: {told}"
    details = Document((("blockingTraits", "[" + ",".join(f'"{name}"' for name, _ in drifted) + "]"),))
    wishes: tuple[Command, ...] = (
        tell(run, spec, AlertType.TRAIT_DRIFT, message, at, level=AlertLevel.WARNING, details=details),
    )
    if spec.watch.rerun_on_drift:
        wishes = (*wishes, AskRerun(cause=Cause.DRIFT, reason=f"drift of {names}"))
    ended = over(run, at, Watch.DRIFTED)
    assert ended.monitor is not None  # noqa: S101  (over keeps it)
    watch = replace(ended.monitor, drifted=tuple(sorted(name for name, _ in drifted)))
    return Decision(run=replace(ended, monitor=watch), commands=wishes)


def _drifted(run: Run, spec: PipelineSpec) -> list[tuple[str, str]]:
    evidence = run.permit.evidence if run.permit else ()
    found: list[tuple[str, str]] = []
    for before in evidence:
        now = run.result(before.trait)
        trait = next((trait for trait in spec.traits if trait.name == before.trait), None)
        if now is None or trait is None or before.status is not TraitStatus.PASS or could_not_tell(now):
            continue
        if now.status is not TraitStatus.PASS:
            said = f": {now.reason}" if now.reason else ""
            found.append(
                (before.trait, f"{before.trait} passed when the job was started and is {now.status} now{said}")
            )
        elif trait.drift is not None and (words := _moved(trait.drift, before, now)):
            found.append((before.trait, f"{before.trait}.{words}"))
    return found


def _moved(drift: DriftSpec, before: TraitResult, now: TraitResult) -> str:
    was, is_now = _number(before.value, drift.field), _number(now.value, drift.field)
    if was is None or is_now is None:
        return ""
    allowed = drift.threshold * abs(was) if drift.relative else drift.threshold
    if abs(is_now - was) <= allowed:
        return ""
    return f"{drift.field} was {was:g} when the job was started and is {is_now:g} now"


def _number(value: Document | None, field: str) -> float | None:
    text = value.get(field) if value is not None else None
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) else None

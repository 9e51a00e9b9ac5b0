"""The machines that watch the first: deadlines with their warnings and verdicts, and giving up what was never let through.

Every instant was fixed when the run opened; every verdict follows from those and from when things happened, never from when
somebody looked. A deadline is met by what happens at its very instant.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from interlock.core.alerts import AlertLevel, AlertType, LifecycleEvent
from interlock.core.commands import Command, NotifyDownstream, PublishEnd, RaiseAlert
from interlock.core.decision import Decision
from interlock.core.events import CancelAsked, EvaluationAsked, Event
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import SUCCEEDED, Cause, Run, RunStatus, Sla, SlaState
from interlock.core.telling import alert_id_of, kept, mended, tell, told

_STOPPED: Final = (AlertType.EVALUATION_FAILED, AlertType.UPSTREAM_CANNOT_COMPLETE)
_SHUT: Final = (AlertType.EVALUATION_SLA_AT_RISK, AlertType.EVALUATION_SLA_BREACH, *_STOPPED)
_UNKNOWN: Final = (
    AlertType.START_UNKNOWN,
    AlertType.JOB_LOST,
    AlertType.EVALUATION_TROUBLE,
    AlertType.VERIFICATION_TROUBLE,
)
_AFTERWARDS: Final = (Cause.BACKFILL, Cause.RERUN, Cause.REPLAY, Cause.DRIFT, Cause.LATE_DATA)
"""Why a slot is done again or made up for: deadlines that were over by then are not this run's."""


def overdue(run: Run, spec: PipelineSpec, at: datetime, *, inclusive: bool = False) -> Decision:
    """Give the verdict on every deadline that ran out before an instant, by the run as it stood until then.

    So it makes no difference how late somebody looks, or what it was that brought the news that time has passed. Inclusive
    is for an instant at which nothing can be met any more.
    """
    wishes: tuple[Command, ...] = ()
    evaluation, completion = _armed(run.evaluation_sla), _armed(run.completion_sla)
    if evaluation is not None and (evaluation.due_at < at or (inclusive and evaluation.due_at == at)):
        run, wishes = _evaluation_missed(run, evaluation, spec, at)
        run = _known(run, wishes)
    if completion is not None and (completion.due_at < at or (inclusive and completion.due_at == at)):
        run, more = _completion_missed(run, completion, spec, at)
        run, wishes = _known(run, more), (*wishes, *more)
    return Decision(run=run, commands=wishes)


def closing(run: Run, event: Event, spec: PipelineSpec, at: datetime) -> Decision | None:
    """Give up a run that is past its limit and was not let through; None while it may go on.

    A person who forces it on goes before the limit.
    """
    if run.status is not RunStatus.PENDING or run.closes_at is None or at < run.closes_at:
        return None
    if isinstance(event, CancelAsked) or (isinstance(event, EvaluationAsked) and event.override is not None):
        return None
    given_up = _given_up(run, spec, at)
    ended = replace(
        given_up.run,
        status=RunStatus.CANCELLED,
        asked=(),
        again=False,
        refreshing=False,
        doubt="",
        wake_at=None,
        ended_at=at,
    )
    return Decision(run=ended, commands=given_up.commands)


def _given_up(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    failure = run.last_failure
    why = f"attempt {failure.number} failed ({failure.reason})" if failure is not None else _blockers(run, at)
    message = f"{run.key} was given up at {run.closes_because}: {why}. Nothing of it starts any more but by a rerun"
    if run.hard:
        return Decision(run=run, commands=(tell(run, spec, AlertType.VALIDATION_TIMEOUT, message, at),))
    missed = overdue(run, spec, at, inclusive=True)
    if told(missed.run, AlertType.EVALUATION_SLA_BREACH, AlertType.COMPLETION_SLA_BREACH, *_STOPPED):
        return missed
    closed = tell(run, spec, AlertType.WINDOW_CLOSED, message, at, level=AlertLevel.WARNING)
    return Decision(run=missed.run, commands=(*missed.commands, closed))


def settle(before: Run | None, decision: Decision, event: Event | None, spec: PipelineSpec, at: datetime) -> Decision:
    """Move the watching machines after what the first one decided, and add what they wish.

    What ran out before this instant has its verdict already, from `overdue`.
    """
    person = isinstance(event, CancelAsked)
    run = _known(decision.run, decision.commands)
    run, evaluation = _evaluation(run, spec, at, person=person)
    run, completion = _completion(_known(run, evaluation), spec, at, person=person)
    wishes = (*decision.commands, *evaluation, *completion, *_ended(before, run, at, person=person))
    wishes = (*wishes, *mended(before, run, wishes, at, person=person))
    return Decision(run=_known(run, wishes), commands=wishes)


def _known(run: Run, wishes: tuple[Command, ...]) -> Run:
    return replace(run, open_alerts=kept(run, wishes))


def _evaluation(run: Run, spec: PipelineSpec, at: datetime, *, person: bool) -> tuple[Run, tuple[Command, ...]]:
    sla = _armed(run.evaluation_sla)
    if sla is None:
        return run, ()
    if _let_through(run):
        return replace(run, evaluation_sla=_verdict(sla, SlaState.MET, at)), ()
    if person:
        return replace(run, evaluation_sla=_verdict(sla, SlaState.WAIVED, at)), ()
    if run.ended:
        # Given up, which is told by itself.
        verdict = SlaState.WAIVED if _held(run, sla) else SlaState.BREACHED
        return replace(run, evaluation_sla=_verdict(sla, verdict, at)), ()
    if at >= sla.due_at:
        return _evaluation_missed(run, sla, spec, at)
    if not _at_risk(run, sla, at):
        return run, ()
    warned = replace(run, evaluation_sla=replace(sla, warned=True))
    if _held(run, sla) or told(run, *_STOPPED):
        return warned, ()
    message = f"{run.key} is not ready, and its evaluation is due at {_shown(sla)}: {_blockers(run, at)}"
    risk = tell(run, spec, AlertType.EVALUATION_SLA_AT_RISK, message, at, level=AlertLevel.WARNING)
    return warned, (_folded(risk, run, sla),)


def _evaluation_missed(run: Run, sla: Sla, spec: PipelineSpec, at: datetime) -> tuple[Run, tuple[Command, ...]]:
    if _held(run, sla) or _afterwards(run, sla):
        return replace(run, evaluation_sla=_verdict(sla, SlaState.WAIVED, at)), ()
    breached = replace(run, evaluation_sla=_verdict(sla, SlaState.BREACHED, at))
    if told(run, *_STOPPED):
        return breached, ()
    stood = _opened_late(run, sla) or f"it was not ready: {_blockers(run, at)}"
    message = f"{run.key} missed its evaluation deadline {_shown(sla)}; {stood}"
    return breached, (_folded(tell(run, spec, AlertType.EVALUATION_SLA_BREACH, message, at), run, sla),)


def _completion(run: Run, spec: PipelineSpec, at: datetime, *, person: bool) -> tuple[Run, tuple[Command, ...]]:
    sla = _armed(run.completion_sla)
    if sla is None:
        return run, ()
    if run.succeeded_at is not None:
        return replace(run, completion_sla=_verdict(sla, SlaState.MET, at)), ()
    if person:
        return replace(run, completion_sla=_verdict(sla, SlaState.WAIVED, at)), ()
    if at >= sla.due_at or run.ended:
        return _completion_missed(run, sla, spec, at)
    if not _at_risk(run, sla, at):
        return run, ()
    warned = replace(run, completion_sla=replace(sla, warned=True))
    if _held(run, sla) or _told_why_it_is_shut(run):
        return warned, ()
    message = f"{run.key} is {run.status}, and it is due to be completed at {_shown(sla)}"
    risk = tell(run, spec, AlertType.COMPLETION_SLA_AT_RISK, message, at, level=AlertLevel.WARNING)
    return warned, (_folded(risk, run, sla),)


def _completion_missed(run: Run, sla: Sla, spec: PipelineSpec, at: datetime) -> tuple[Run, tuple[Command, ...]]:
    if _held(run, sla) or _afterwards(run, sla):
        return replace(run, completion_sla=_verdict(sla, SlaState.WAIVED, at)), ()
    breached = replace(run, completion_sla=_verdict(sla, SlaState.BREACHED, at))
    # The same story told already: it failed, it was given up, or it was not let through.
    if run.ended or _told_why_it_is_shut(run):
        return breached, ()
    stood = _opened_late(run, sla) or f"it was {run.status}"
    message = f"{run.key} missed its completion deadline {_shown(sla)}; {stood}"
    return breached, (_folded(tell(run, spec, AlertType.COMPLETION_SLA_BREACH, message, at), run, sla),)


def _folded(wish: RaiseAlert, run: Run, sla: Sla) -> RaiseAlert:
    """Fold what follows from what people may know already under the alert that says so.

    That nobody knows how an attempt stands; or that nothing had begun by a deadline that was over when the run opened.
    """
    cause = next((name for name in run.open_alerts if name.partition("/")[0] in _UNKNOWN), "")
    if not cause and sla.due_at <= run.opened_at:
        cause = alert_id_of(AlertType.SCHEDULE_MISSED, str(run.key.slot))
    return replace(wish, cause=cause)


def _told_why_it_is_shut(run: Run) -> bool:
    return not _let_through(run) and told(run, *_SHUT)


def _let_through(run: Run) -> bool:
    """Say whether the gate ever opened: what the evaluation is due for."""
    return run.attempt > 0 or run.status in SUCCEEDED


def _held(run: Run, sla: Sla) -> bool:
    """Say whether somebody holds the start button over a deadline: they know."""
    waits = run.status in (RunStatus.PENDING, RunStatus.CANCELLED)
    return waits and run.held_until is not None and sla.due_at < run.held_until


def _afterwards(run: Run, sla: Sla) -> bool:
    return run.cause in _AFTERWARDS and sla.due_at <= run.opened_at


def _at_risk(run: Run, sla: Sla, at: datetime) -> bool:
    from_when = sla.next_at(begun=run.status is not RunStatus.PENDING)
    return from_when is not None and at >= from_when


def _armed(sla: Sla | None) -> Sla | None:
    return sla if sla is not None and sla.state is SlaState.ARMED else None


def _verdict(sla: Sla, state: SlaState, at: datetime) -> Sla:
    return replace(sla, state=state, settled_at=at)


def _blockers(run: Run, at: datetime) -> str:
    if run.held_until is not None and at < run.held_until:
        return f"held until {run.held_until.isoformat()} by {run.held_because}"
    if run.readiness is None:
        return "it was not judged yet"
    return f"blocked by {', '.join(run.readiness.blocking) or 'nothing'}"


def _opened_late(run: Run, sla: Sla) -> str:
    return f"it was opened only at {run.opened_at.isoformat()}" if sla.due_at < run.opened_at else ""


def _shown(sla: Sla) -> str:
    return sla.due_at.isoformat()


def _ended(before: Run | None, run: Run, at: datetime, *, person: bool) -> tuple[Command, ...]:
    """Tell pipelines and programs, once, when what the run is for is done, or never will be: it failed or was given up."""
    was_done = before is not None and before.status in SUCCEEDED
    if run.status in SUCCEEDED and not was_done:
        return NotifyDownstream(), PublishEnd(event=_lifecycle("PIPELINE_COMPLETED", run, at))
    if run.status is RunStatus.FAILED or (run.status is RunStatus.CANCELLED and not person):
        return (PublishEnd(event=_lifecycle("PIPELINE_FAILED", run, at)),)
    return ()


def _lifecycle(event_type: str, run: Run, at: datetime) -> LifecycleEvent:
    return LifecycleEvent(event_type=event_type, slot=run.key.slot, run_id=run.key.run_id, status=run.status, at=at)

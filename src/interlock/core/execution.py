"""TRIGGERING and RUNNING: what became of the start, how the job stands, how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from interlock.core import monitor, verification
from interlock.core.alerts import AlertType
from interlock.core.attempts import attempt_failed, back_to_pending, closed
from interlock.core.commands import CancelJob, CheckJob
from interlock.core.decision import Decision, stay
from interlock.core.events import (
    CancelAsked,
    JobFinished,
    JobUnseen,
    TriggerAccepted,
)
from interlock.core.gate import begin_round
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.rounds import interval
from interlock.core.runs import STARTED, Outcome, Run, RunStatus
from interlock.core.telling import tell, told
from interlock.core.traits import FailureCategory

UNSAID: Final = "no reason was given"

SLOW_LOOK: Final = 10
"""Once a job has been out of sight for its whole budget, it is looked for this many times less often, but for ever."""


def woken(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Time has passed after the gate opened: give up waiting for the starter, or look at the job."""
    if run.verifying is not None:
        return verification.woken(run, spec, at)
    if run.wake_at is None or at < run.wake_at:
        return stay(run)
    if run.status is RunStatus.TRIGGERING:
        return in_doubt(run, "the starter never said what became of the start", spec, at)
    trigger = _trigger(spec)
    pause = trigger.poll_interval * (SLOW_LOOK if run.looks >= trigger.poll_budget else 1)
    return Decision(run=replace(run, wake_at=at + pause), commands=(CheckJob(attempt=run.attempt, look=run.looks),))


def accepted(run: Run, event: TriggerAccepted, spec: PipelineSpec, at: datetime) -> Decision:
    """The target system has the job."""
    if run.status is not RunStatus.TRIGGERING:
        return stay(run)
    return Decision(
        run=replace(
            run,
            status=RunStatus.RUNNING,
            job_id=event.job_id,
            job_details=event.details,
            doubt="",
            looks=0,
            refusals=0,
            start_failures=0,
            wake_at=at + _trigger(spec).poll_interval,
        )
    )


def refused(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """The permit ran out unused: earn a new one, at once the first time, at the usual interval after that."""
    if run.status is not RunStatus.TRIGGERING:
        return stay(run)
    shut = replace(back_to_pending(run), doubt="", refusals=run.refusals + 1, wake_at=at + interval(run, spec))
    return begin_round(shut, spec, at) if run.refusals == 0 else Decision(run=shut)


def in_doubt(run: Run, reason: str, spec: PipelineSpec, at: datetime) -> Decision:
    """Nobody can know whether the job was started: stop here and tell people. It is never blindly repeated."""
    if run.status is not RunStatus.TRIGGERING or run.doubt:
        return stay(run)
    message = (
        f"nobody can know whether attempt {run.attempt} of {run.key} was started: {reason}. It is not started again. "
        f"Look at the target system, then report the end with: interlock complete {run.key} --status success|failed"
    )
    return Decision(
        run=replace(run, doubt=reason or UNSAID, wake_at=None),
        commands=(tell(run, spec, AlertType.START_UNKNOWN, message, at),),
    )


def not_started(run: Run, category: FailureCategory, reason: str, spec: PipelineSpec, at: datetime) -> Decision:
    """The start failed for certain: try again if the policy says so."""
    if run.status is not RunStatus.TRIGGERING:
        return stay(run)
    return attempt_failed(run, Outcome.NOT_STARTED, category, reason, spec, at)


def seen(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """The job is there and running, also one that was thought lost: from here on it is looked at again."""
    if not _looked_at(run):
        return stay(run)
    return Decision(run=replace(run, looks=0, doubt="", wake_at=run.wake_at or at + _trigger(spec).poll_interval))


def unseen(run: Run, event: JobUnseen, spec: PipelineSpec, at: datetime) -> Decision:
    """A look showed nothing. When the budget is used up people are told, once; the looking goes on, slower."""
    if not _looked_at(run) or event.look != run.looks or run.wake_at is None:
        return stay(run)
    missed = replace(run, looks=run.looks + 1)
    if missed.looks != _trigger(spec).poll_budget:
        return Decision(run=missed)
    message = (
        f"the job of {run.key}, attempt {run.attempt}, has not been seen for {missed.looks} looks in a row: {event.reason}. "
        f"It may still be running; it is not started again. Interlock keeps looking"
    )
    return Decision(
        run=replace(missed, doubt=event.reason or UNSAID), commands=(tell(run, spec, AlertType.JOB_LOST, message, at),)
    )


def vanished(run: Run, reason: str, spec: PipelineSpec, at: datetime) -> Decision:
    """The job's outcome is lost: stop here and tell people."""
    if not _looked_at(run) or run.wake_at is None:
        return stay(run)
    message = (
        f"the outcome of {run.key}, attempt {run.attempt}, is lost: {reason}. It is not started again. "
        f"Find out how it ended, then report it with: interlock complete {run.key} --status success|failed"
    )
    stopped = replace(run, doubt=reason or UNSAID, wake_at=None)
    known = told(run, AlertType.JOB_LOST)
    return Decision(run=stopped, commands=() if known else (tell(run, spec, AlertType.JOB_LOST, message, at),))


def finished(run: Run, event: JobFinished, spec: PipelineSpec, at: datetime) -> Decision:
    """The job has ended; it may say so before its start was acknowledged."""
    if run.status not in STARTED:
        return stay(run)
    if run.verifying is not None:
        return verification.told_again(run, event, spec, at)
    known = replace(run, job_details=event.details.overlaid(run.job_details), start_failures=0)
    if event.succeeded:
        return verification.done(known, event, spec, at)
    category = event.category or FailureCategory.TRANSIENT
    return attempt_failed(known, Outcome.FAILED, category, event.reason, spec, at)


def cancelled(run: Run, event: CancelAsked, at: datetime) -> Decision:
    """Somebody wants the run to end: it ends now, and a job that may be running is asked to stop."""
    if run.status is RunStatus.COMPLETED_MONITORING:
        return Decision(run=monitor.over(run, at))
    reason = f"cancelled by {event.actor}: {event.reason}"
    ended = replace(
        run,
        status=RunStatus.CANCELLED,
        asked=(),
        again=False,
        verifying=None,
        doubt="",
        wake_at=None,
        ended_at=at,
    )
    if run.status not in STARTED:
        return Decision(run=ended)
    attempts = (*run.attempts, closed(run, Outcome.CANCELLED, at, reason=reason))
    return Decision(run=replace(ended, attempts=attempts), commands=(CancelJob(attempt=run.attempt, reason=reason),))


def _looked_at(run: Run) -> bool:
    """Say whether looks at the job count: it is under way, and has not said that its work is done."""
    return run.status is RunStatus.RUNNING and run.verifying is None


def _trigger(spec: PipelineSpec) -> TriggerSpec:
    assert spec.trigger is not None  # noqa: S101  (the gate stays shut without one)
    return spec.trigger

"""Looking at a running job, and asking one to stop."""

from __future__ import annotations

from typing import assert_never

from interlock.app.hands import Hands, Silence, job_of
from interlock.core.commands import CancelJob, CheckJob
from interlock.core.events import Event, JobFinished, JobSeen, JobUnseen, JobVanished
from interlock.core.ids import RunKey, start_key
from interlock.core.pipelines import TriggerSpec
from interlock.core.runs import Run, RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.stores import Claim
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState, Trigger


def check_job(key: RunKey, command: CheckJob, hands: Hands) -> Event | Silence:
    """Carry out one `CheckJob`. Whatever goes wrong on the way is "not seen", never an end and never silence."""
    run = hands.store.run(key)
    if run is None or run.status is not RunStatus.RUNNING or run.verifying or run.attempt != command.attempt:
        return Silence.SETTLED
    spec = hands.store.spec(run.spec_digest)
    if spec.trigger is None:
        return Silence.SETTLED
    job = job_of(key, run.attempt, start_key(key.run_id, run.attempt))
    handle = JobHandle(id=run.job_id, details=run.job_details)
    try:
        trigger = hands.trigger_for(spec.trigger, job)
        report = trigger.poll(job, handle, timeout=spec.trigger.start_timeout)
    except Exception as exc:  # noqa: BLE001  (a look that breaks must neither end the run nor the watching)
        report = JobReport(state=JobState.UNSEEN, reason=f"{type(exc).__name__}: {exc}")
    return _news(run, command, report, hands)


def _news(run: Run, command: CheckJob, report: JobReport, hands: Hands) -> Event:
    at, attempt = hands.clock.now(), run.attempt
    match report.state:
        case JobState.RUNNING:
            return JobSeen(at=at, attempt=attempt)
        case JobState.SUCCEEDED:
            return JobFinished(at=at, attempt=attempt, succeeded=True, reason=report.reason)
        case JobState.FAILED:
            category = report.category or FailureCategory.TRANSIENT
            return JobFinished(at=at, attempt=attempt, succeeded=False, category=category, reason=report.reason)
        case JobState.VANISHED:
            return JobVanished(at=at, attempt=attempt, reason=report.reason)
        case JobState.UNSEEN:
            return JobUnseen(at=at, attempt=attempt, look=command.look, reason=report.reason)
        case _:
            assert_never(report.state)


def cancel_job(key: RunKey, command: CancelJob, hands: Hands) -> Silence:
    """Carry out one `CancelJob`.

    SETTLED: the target system was asked, it cannot stop jobs, or nothing of ours can be running there. LATER: it did not
    answer, or somebody may be in the middle of starting the job.
    """
    run = hands.store.run(key)
    if run is None:
        return Silence.SETTLED
    spec = hands.store.spec(run.spec_digest)
    if spec.trigger is None:
        return Silence.SETTLED
    job = job_of(key, command.attempt, start_key(key.run_id, command.attempt))
    try:
        trigger = hands.trigger_for(spec.trigger, job)
        known = JobHandle(id=run.job_id, details=run.job_details) if run.job_id else None
        found = known or _found(trigger, job, spec.trigger, hands)
        if isinstance(found, Silence):
            return found
        trigger.cancel(job, found, timeout=spec.trigger.start_timeout)
    except TriggerError as exc:
        return Silence.SETTLED if exc.category == FailureCategory.PERMANENT else Silence.LATER
    except Exception:  # noqa: BLE001  (a job that nobody could stop yet must still be stopped)
        return Silence.LATER
    return Silence.SETTLED


def _found(trigger: Trigger, job: Job, spec: TriggerSpec, hands: Hands) -> JobHandle | Silence:
    """Find the job of a start that was never acknowledged, and see to it that none comes later."""
    now = hands.clock.now()
    claim = hands.store.claim(job.run, job.attempt)
    if claim is None:
        # Nobody has called yet: with this claim nobody ever will.
        never = Claim(run=job.run, attempt=job.attempt, turn=1, at=now, until=now, refused=True)
        return Silence.SETTLED if hands.store.put_claim(never) else Silence.LATER
    if claim.refused:
        return Silence.SETTLED
    if now < claim.until:
        return Silence.LATER
    found = trigger.find(job, timeout=spec.start_timeout)
    return Silence.SETTLED if isinstance(found, Absent) else found

"""How an attempt ends, and what follows from its failure: another one, by the policy, or the end of the run."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from interlock.core.alerts import AlertType
from interlock.core.decision import Decision
from interlock.core.documents import EMPTY
from interlock.core.pipelines import PipelineSpec
from interlock.core.retries import RetrySpec, delay, should_retry
from interlock.core.runs import Attempt, Outcome, Run, RunStatus
from interlock.core.telling import tell
from interlock.core.traits import FailureCategory


def attempt_failed(
    run: Run,
    outcome: Outcome,
    category: FailureCategory,
    reason: str,
    spec: PipelineSpec,
    at: datetime,
) -> Decision:
    """End the attempt badly. Starts that came to nothing and jobs that failed are counted apart, each by its own policy."""
    unstarted = outcome is Outcome.NOT_STARTED
    policy = start_policy(spec) if unstarted else spec.retry
    failures = (run.start_failures if unstarted else run.failures) + 1
    counted = replace(
        run,
        attempts=(*run.attempts, closed(run, outcome, at, reason=reason, category=category)),
        failures=run.failures if unstarted else failures,
        start_failures=failures if unstarted else 0,
        verifying=None,
        asked=(),
        doubt="",
        refusals=0,
    )
    if should_retry(policy, category, failures):
        due = at + delay(policy, failures)
        return Decision(run=_patient(replace(back_to_pending(counted), not_before=due, wake_at=due), due))
    times = f"{failures} attempt{'s' if failures > 1 else ''}"
    what = f"could not be started in {times}" if unstarted else f"failed after {times}"
    return Decision(
        run=replace(counted, status=RunStatus.FAILED, wake_at=None, ended_at=at),
        commands=(tell(run, spec, AlertType.RUN_FAILED, f"{run.key} {what}: {category}: {reason}", at),),
    )


def start_policy(spec: PipelineSpec) -> RetrySpec:
    """Return how a start that came to nothing is tried again: by a policy of its own, or as failed jobs are."""
    own = spec.trigger.start_retry if spec.trigger is not None else None
    return own or spec.retry


def back_to_pending(run: Run) -> Run:
    """Return a run that has to earn a new permit from new answers: nothing seen before may open the gate again."""
    return replace(
        run,
        status=RunStatus.PENDING,
        asked=(),
        again=False,
        troubles=0,
        results=(),
        permit=None,
        job_id="",
        job_details=EMPTY,
        looks=0,
        wake_at=None,
    )


def closed(
    run: Run, outcome: Outcome, at: datetime, *, reason: str, category: FailureCategory | None = None
) -> Attempt:
    """Return the record of the attempt under way, ended."""
    return Attempt(
        number=run.attempt,
        outcome=outcome,
        began_at=run.began_at or at,
        ended_at=at,
        category=category,
        reason=reason,
        job_id=run.job_id,
    )


def _patient(run: Run, due: datetime) -> Run:
    # A limit that nobody set by hand must not cut a retry short: it gets as long again as there was at the opening.
    if run.hard or run.closes_at is None:
        return run
    return replace(run, closes_at=max(run.closes_at, due + run.patience))

"""RUNNING, after the job has said that its work is done: the checks of what it left behind.

A job may say "success" and have written nothing. The run counts as done when every check has passed; a check that says no
makes the attempt a failed one; one that could not tell is asked again, less and less often, and people are told of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.core import monitor
from interlock.core.alerts import AlertType
from interlock.core.attempts import attempt_failed, closed
from interlock.core.decision import Decision, stay
from interlock.core.events import JobFinished, TraitEvaluated
from interlock.core.pipelines import PipelineSpec
from interlock.core.rounds import answered, lost_answers, questions
from interlock.core.runs import Outcome, Run, RunStatus, Verifying
from interlock.core.telling import tell, told
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus, could_not_tell

LONGEST_PAUSE: Final = timedelta(minutes=10)
_HOPELESS: Final = (FailureCategory.PERMANENT, FailureCategory.EVALUATOR_CRASH)


def done(run: Run, event: JobFinished, spec: PipelineSpec, at: datetime) -> Decision:
    """The job says that its work is done: check it, where there is something to check it by."""
    if not spec.verify or event.unverified:
        return _succeeded(run, event.reason, spec, at)
    names = {check.name for check in spec.verify}
    said = replace(
        run,
        status=RunStatus.RUNNING,
        # What was seen before the job ended says nothing of its work.
        results=tuple(result for result in run.results if result.trait not in names),
        verifying=Verifying(said=event.reason, since=at),
        doubt="",
        looks=0,
    )
    return _ask(said, spec, at)


def told_again(run: Run, event: JobFinished, spec: PipelineSpec, at: datetime) -> Decision:
    """Somebody tells of the job's end while it is being checked.

    That it did well is known. That it failed after all is believed, and so is whoever accepts it as it is.
    """
    assert run.verifying is not None  # noqa: S101  (asked by the one caller)
    if not event.succeeded:
        category = event.category or FailureCategory.TRANSIENT
        return attempt_failed(run, Outcome.FAILED, category, event.reason, spec, at)
    return _succeeded(run, event.reason, spec, at) if event.unverified else stay(run)


def woken(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Time has passed: ask again, or give up on answers that did not come."""
    if run.wake_at is None or at < run.wake_at:
        return stay(run)
    if run.asked:
        return _judged(lost_answers(run, spec, at), spec, at)
    return _ask(run, spec, at)


def trait_evaluated(run: Run, event: TraitEvaluated, spec: PipelineSpec, at: datetime) -> Decision:
    """Take one answer; judge when it was the last."""
    if event.round != run.round or event.result.trait not in run.asked:
        return stay(run)
    heard = answered(run, event.result, spec, at)
    return Decision(run=heard) if heard.asked else _judged(heard, spec, at)


def _ask(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    """Ask every check that has not passed yet: what was seen to be right after the job's end stays so."""
    names = {check.name for check in spec.verify}
    passed = tuple(result for result in _results(run, spec) if result.status is TraitStatus.PASS)
    others = tuple(result for result in run.results if result.trait not in names)
    return questions(run, spec.verify, at, (*others, *passed))


def _judged(run: Run, spec: PipelineSpec, at: datetime) -> Decision:
    assert run.verifying is not None  # noqa: S101  (asked by the one caller)
    results = _results(run, spec)
    wrong = [result for result in results if result.status is not TraitStatus.PASS and not could_not_tell(result)]
    if wrong:
        # Without a category nothing says that the same job would leave anything else behind the next time.
        categories = [result.category or FailureCategory.PERMANENT for result in wrong]
        worst = FailureCategory.PERMANENT if FailureCategory.PERMANENT in categories else categories[0]
        words = "; ".join(f"{result.trait}: {result.reason or result.status}" for result in wrong)
        return attempt_failed(
            run, Outcome.FAILED, worst, f"the job said success, and its verification says no: {words}", spec, at
        )
    if all(result.status is TraitStatus.PASS for result in results):
        return _succeeded(run, run.verifying.said, spec, at)
    return _undecided(run, results, spec, at)


def _undecided(run: Run, results: tuple[TraitResult, ...], spec: PipelineSpec, at: datetime) -> Decision:
    assert run.verifying is not None  # noqa: S101  (asked by the one caller)
    assert spec.trigger is not None  # noqa: S101  (a run without one has no job)
    tries = run.verifying.tries + 1
    usual = spec.trigger.poll_interval
    pause = max(usual, min(usual * 2 ** min(tries - 1, 16), LONGEST_PAUSE))
    waits = replace(run, verifying=replace(run.verifying, tries=tries), wake_at=at + pause)
    unsure = [result for result in results if result.status is not TraitStatus.PASS]
    hopeless = any(result.category in _HOPELESS for result in unsure)
    if told(run, AlertType.VERIFICATION_TROUBLE) or not (hopeless or tries >= spec.trigger.poll_budget):
        return Decision(run=waits)
    reasons = "; ".join(f"{result.trait}: {result.reason or result.status}" for result in unsure)
    message = (
        f"the job of {run.key}, attempt {run.attempt}, says that its work is done, and that cannot be verified: {reasons}. "
        f"It is asked on, less often. Mend the check; or accept it as it is with: interlock accept {run.key} "
        f"--reason TEXT; or say that it failed with: interlock complete {run.key} --status failed --category PERMANENT "
        f"(without the category it may be tried again)"
    )
    return Decision(run=waits, commands=(tell(run, spec, AlertType.VERIFICATION_TROUBLE, message, at),))


def _succeeded(run: Run, reason: str, spec: PipelineSpec, at: datetime) -> Decision:
    ended = replace(
        run,
        attempts=(*run.attempts, closed(run, Outcome.SUCCEEDED, at, reason=reason)),
        verifying=None,
        asked=(),
        doubt="",
        wake_at=None,
    )
    if spec.watch.monitoring is not None:
        return Decision(run=monitor.begun(ended, spec, at))
    return Decision(run=replace(ended, status=RunStatus.COMPLETED, ended_at=at))


def _results(run: Run, spec: PipelineSpec) -> tuple[TraitResult, ...]:
    names = {check.name for check in spec.verify}
    return tuple(result for result in run.results if result.trait in names)

"""Why: the reasons behind the latest decision about a pipeline, as a tree, with what would change it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from interlock.app.queries import evidence_of, latest_subject
from interlock.app.views import AttemptView, ReadinessView, View, attempt_view, readiness_view, unsure_checks
from interlock.clients.links import page_of
from interlock.core.documents import Document
from interlock.core.ids import Slot
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.core.readiness import Readiness, TraitVerdict, assess
from interlock.core.runs import STARTED, Run, RunStatus, Watch
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, TraitResult, TraitSpec, TraitStatus
from interlock.ports.stores import Evaluation

if TYPE_CHECKING:
    from interlock.app.hands import Store

_IN_SHADOW = ", in shadow mode: nothing of it was done"


class TraitWhy(View, frozen=True, kw_only=True, rename="camel"):
    """One trait in the tree: how old its evidence was when it counted, what it measured, and what would change it."""

    trait_type: str
    required: bool
    status: str
    evaluator: str
    reason: str
    failure_category: str | None
    value: Document | None
    age_seconds: float | None
    would_change: str


class Why(View, frozen=True, kw_only=True, rename="camel"):
    """The latest decision: `headline` says it, `decision` holds the verdict it rests on, `next` what happens now.

    `job_url` is the page of the job that it led to, or empty.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    run_id: str
    status: str
    headline: str
    decided_at: datetime | None
    rule: str
    traits: tuple[TraitWhy, ...]
    decision: ReadinessView | None
    override: str | None
    overridden: tuple[str, ...]
    permit_until: datetime | None
    attempts: tuple[AttemptView, ...]
    next: str
    job_url: str


def explain(pipeline: str, store: Store, at: datetime) -> Why | None:
    """Explain what was decided last about a pipeline; None when nothing ever was."""
    subject = latest_subject(store, pipeline)
    if subject is None:
        return None
    return explain_run(subject, store, at) if isinstance(subject, Run) else _evaluation(subject, store, at)


def nothing_decided(pipeline: str) -> Why:
    """Return the explanation of a pipeline about which nothing was ever decided."""
    return Why(
        pipeline_id=pipeline,
        schedule_id="",
        date="",
        run_id="",
        status="UNKNOWN",
        headline="nothing was decided yet",
        decided_at=None,
        rule="",
        traits=(),
        decision=None,
        override=None,
        overridden=(),
        permit_until=None,
        attempts=(),
        next=f"ask its traits with: interlock evaluate {pipeline}",
        job_url="",
    )


def explain_run(run: Run, store: Store, at: datetime) -> Why:
    """Explain one run."""
    spec = store.spec(run.spec_digest)
    override = run.override
    return _why(
        spec,
        run.key.slot,
        run.readiness,
        evidence_of(run),
        run_id=run.key.run_id,
        status=run.status,
        headline=_headline(run) + (_IN_SHADOW if spec.mode is Mode.SHADOW else ""),
        override=f"{override.actor}: {override.reason}" if override else None,
        overridden=run.permit.overridden if run.permit else (),
        permit_until=run.permit.valid_until if run.permit else None,
        attempts=tuple(map(attempt_view, run.attempts)),
        next=_next(run, at),
        job_url=page_of(run.job_details),
    )


def _evaluation(evaluation: Evaluation, store: Store, at: datetime) -> Why:
    spec = store.spec(evaluation.spec_digest)
    verdict = evaluation.readiness
    expired = verdict.ready and not assess(spec.traits, spec.rule, evaluation.results, at).ready
    headline = f"{verdict.status}: nothing was started, because it was only evaluated"
    ahead = (
        "start it with: interlock run " + spec.name
        if verdict.ready
        else "ask again with: interlock evaluate " + spec.name
    )
    return _why(
        spec,
        evaluation.slot,
        verdict,
        evaluation.results,
        run_id="",
        status=verdict.status,
        headline=headline,
        override=None,
        overridden=(),
        permit_until=None,
        attempts=(),
        next="the passes behind it have expired since: a run asks afresh" if expired else ahead,
        job_url="",
    )


def _why(
    spec: PipelineSpec, slot: Slot, verdict: Readiness | None, results: tuple[TraitResult, ...], **shown: object
) -> Why:
    by_trait = {result.trait: result for result in results}
    traits = {trait.name: trait for trait in spec.traits}
    rows = () if verdict is None else verdict.verdicts
    needed = "" if verdict is None else f": {verdict.passed} of {verdict.needed} needed required traits passed"
    return Why(
        pipeline_id=spec.name,
        schedule_id=slot.schedule,
        date=slot.period,
        decided_at=verdict.at if verdict else None,
        rule=f"{spec.rule.type}{needed}",
        traits=tuple(_trait(spec.name, traits.get(row.trait), row, by_trait.get(row.trait), verdict) for row in rows),
        decision=readiness_view(spec, slot.schedule, slot.period, verdict, results) if verdict else None,
        **shown,  # type: ignore[arg-type]  # the callers name the remaining fields; mypy cannot see through the mapping
    )


def _trait(
    pipeline: str, trait: TraitSpec | None, row: TraitVerdict, result: TraitResult | None, verdict: Readiness | None
) -> TraitWhy:
    # None: the files were edited since, and the round asked for by the new ones has not ended. The verdict is the old one.
    age = (verdict.at - result.observed_at).total_seconds() if result and verdict else None
    return TraitWhy(
        trait_type=row.trait,
        required=row.required,
        status=row.status,
        evaluator=_checked_by(trait) if trait else "",
        reason=row.reason,
        failure_category=row.category,
        value=result.value if result else None,
        age_seconds=age,
        would_change=_would_change(pipeline, trait, row) if trait else "the pipeline no longer asks for it",
    )


def _checked_by(trait: TraitSpec) -> str:
    from interlock.clients.redaction import without_secrets  # its patterns take milliseconds to make

    return without_secrets(trait.checked_by)


def _would_change(pipeline: str, trait: TraitSpec, row: TraitVerdict) -> str:
    evaluator = _checked_by(trait)
    if row.status is TraitStatus.PASS:
        return f"it counts for {format_duration(trait.ttl)} from when it was asked" if trait.ttl else ""
    if trait.evaluator[0] == "push":
        return f"a fresh PASS, pushed with: interlock traits push {pipeline} {trait.name} --status PASS"
    if row.undecided:
        return _mend(evaluator, trait, row.category)
    if row.status is TraitStatus.STALE:
        return "a fresh answer: it is asked again at the next evaluation"
    return f"PASS from {evaluator}"


def _mend(evaluator: str, trait: TraitSpec, category: FailureCategory | None) -> str:
    match category:
        case FailureCategory.PERMANENT:
            return f"a repair of {evaluator}: asking again will not help"
        case FailureCategory.EVALUATOR_CRASH:
            return f"a repair of {evaluator}: it crashed"
        case FailureCategory.TIMEOUT:
            return f"an answer of {evaluator} within {format_duration(trait.timeout)}, or a longer `timeout`"
        case _:
            return f"an answer of {evaluator}: this time it could not tell"


def _headline(run: Run) -> str:
    match run.status:
        case RunStatus.PENDING:
            return _waiting(run)
        case RunStatus.TRIGGERING | RunStatus.RUNNING if run.doubt:
            return f"in doubt: {run.doubt}"
        case RunStatus.COMPLETED | RunStatus.COMPLETED_MONITORING:
            return _completed(run)
        case RunStatus.FAILED:
            failure = run.last_failure
            return f"let through, but the job failed: {failure.reason}" if failure else "failed"
        case RunStatus.CANCELLED:
            by_the_clock = run.closes_at is not None and run.ended_at is not None and run.ended_at >= run.closes_at
            return f"given up at {run.closes_because}: {_blocked_by(run)}" if by_the_clock else "cancelled"
        case RunStatus.RUNNING if run.verifying is not None:
            unsure = "; ".join(f"{one.trait}: {one.reason or one.status}" for one in unsure_checks(run))
            words = f"let through: attempt {run.attempt} says that its work is done, which is being checked"
            return f"{words}, and cannot be told yet: {unsure}" if unsure else words
        case _:
            stage = "being started" if run.status is RunStatus.TRIGGERING else "running"
            return f"let through: attempt {run.attempt} is {stage}"


def _waiting(run: Run) -> str:
    if run.not_before is not None:
        return f"attempt {run.attempt} failed; the next waits for its backoff"
    if run.asked:
        return f"being evaluated: no answer yet from {', '.join(run.asked)}"
    if run.blocked:
        return f"held back, and asking again would not help: {run.blocked}"
    if run.held_until is not None and run.readiness is not None and run.readiness.ready:
        return f"ready, and held until {run.held_until.isoformat()} by {run.held_because}"
    blocking = bool(run.readiness and run.readiness.blocking)
    return f"held back: {_blocked_by(run)}" if blocking else "waiting for its next evaluation"


def _blocked_by(run: Run) -> str:
    if run.readiness is None:
        return "it was never judged"
    return f"blocked by {', '.join(run.readiness.blocking) or 'nothing'}"


def _completed(run: Run) -> str:
    done = (
        f"let through and completed by attempt {run.attempt}" if run.attempt else "ready, which is all that was asked"
    )
    if run.monitor is None:
        return done
    match run.monitor.state:
        case Watch.WATCHING:
            return f"{done}; watched for drift until {run.monitor.until.isoformat()}"
        case Watch.DRIFTED:
            return f"{done}, and since then drift was seen in {', '.join(run.monitor.drifted)}"
        case _:
            return done


def _next(run: Run, at: datetime) -> str:
    if run.ended:
        return "nothing: this run has ended"
    if run.doubt and run.status in STARTED:
        return f"a person must say how it ended: interlock complete {run.key.run_id} --status success|failed"
    if run.wake_at is None:
        given_up = f"; given up {_in(run.closes_at, at)}" if run.closes_at and run.status is RunStatus.PENDING else ""
        return f"it waits for news from outside{given_up}"
    when = _in(run.wake_at, at)
    if run.verifying is not None:
        again = "its checks are answered or given up" if run.asked else "its checks are asked again"
        accepted = f"accepted as it is with: interlock accept {run.key.run_id} --reason TEXT"
        return f"{again} {when}; {accepted}"
    if run.status is RunStatus.PENDING:
        return f"due to be evaluated again {when}; at once with: interlock run {run.key.slot.pipeline}"
    return f"due to be looked at again {when}"


def _in(when: datetime, at: datetime) -> str:
    if when <= at:
        return "now"
    return f"in {format_duration(timedelta(seconds=round((when - at).total_seconds())))}"

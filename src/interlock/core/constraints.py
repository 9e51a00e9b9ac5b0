"""The safety constraints, by number and by Leveson's four kinds of unsafe control action.

Each is a predicate over what was, what happened and what was decided. They are used three times: as laws in the tests, as
asserts in simulated worlds, and as the guard in `app.advance` that refuses to commit an unsafe decision. They are written
from the outside, from the decision alone, so that a mistake in `decide` is not repeated here.

The four kinds follow N. Leveson and J. Thomas, STPA Handbook (2018), chapter 2: a control action is not given, is given
wrongly, comes at the wrong time or in the wrong order, or is stopped too soon or held too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from interlock.core.alerts import AlertType
from interlock.core.commands import EvaluateTrait, StartJob
from interlock.core.constraint_cases import Case, Kind, SafetyConstraint
from interlock.core.constraints_watching import (
    done_is_checked,
    drift_is_seen,
    met_is_true,
    no_is_heard,
    success_is_passed_on,
    verdicts_are_given_once,
    watching_starts_nothing,
)
from interlock.core.decision import Decision
from interlock.core.events import (
    CancelAsked,
    EvaluationAsked,
    Event,
    JobFinished,
    StartRefused,
    TraitEvaluated,
    TriggerFailed,
    Woke,
)
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import STARTED, TRANSITIONS, Outcome, Run, RunStatus
from interlock.core.traits import FailureCategory, TraitStatus, is_fresh


def _starts_on_evidence(case: Case) -> bool:
    for start in case.starts:
        permit = start.permit
        if permit != case.after.permit or permit.spec_digest != case.after.spec_digest:
            return False
        passes = {
            result.trait
            for result in permit.evidence
            if result.status is TraitStatus.PASS
            and result.observed_at <= permit.granted_at
            and is_fresh(result, permit.granted_at)
        }
        required = [trait.name for trait in case.spec.traits if trait.required]
        missing = [name for name in required if name not in passes]
        if permit.overridden:
            if case.after.override is None or set(missing) != set(permit.overridden):
                return False
        elif len(required) - len(missing) < case.spec.rule.needed(len(required)):
            return False
    return True


def _one_start_per_attempt(case: Case) -> bool:
    before = case.before
    return not case.starts or (
        len(case.starts) == 1
        and before is not None
        and before.status is RunStatus.PENDING
        and case.starts[0].permit.attempt == before.attempt + 1 == case.after.attempt
        and case.after.status is RunStatus.TRIGGERING
    )


def _ended_is_ended(case: Case) -> bool:
    before = case.before
    return before is None or not before.ended or (case.after == before and not case.decision.commands)


def _follows_the_table(case: Case) -> bool:
    before = case.before
    if before is None:
        return case.after.status is RunStatus.PENDING
    if (
        before.status is RunStatus.PENDING
        and case.after.status is RunStatus.COMPLETED
        and case.spec.trigger is not None
    ):
        return False
    return case.after.status is before.status or case.after.status in TRANSITIONS[before.status]


def _permit_ends_with_its_evidence(case: Case) -> bool:
    for start in case.starts:
        permit = start.permit
        if not permit.granted_at < permit.valid_until <= permit.granted_at + case.spec.permit_lifetime:
            return False
        required = {trait.name for trait in case.spec.traits if trait.required} - set(permit.overridden)
        outlasting = [
            result
            for result in permit.evidence
            if result.trait in required
            and result.status is TraitStatus.PASS
            and (result.expires_at is None or permit.valid_until <= result.expires_at - case.spec.clock_skew)
        ]
        needed = len(required) if permit.overridden else case.spec.rule.needed(len(required))
        if len(outlasting) < needed:
            return False
    return True


def _waits_for_its_retry(case: Case) -> bool:
    before = case.before
    begins = any(isinstance(command, EvaluateTrait | StartJob) for command in case.decision.commands)
    if before is None or before.not_before is None or not begins:
        return True
    return case.after.updated_at >= before.not_before


def _opens_when_ready(case: Case) -> bool:
    # A READY that is judged and not acted on is a start that was needed and not given.
    before, after = case.before, case.after
    verdict = after.readiness
    if verdict is None or not verdict.ready or (before is not None and before.readiness == verdict):
        return True
    ends = (verdict.valid_until, after.closes_at if after.hard else None)
    too_short = any(end is not None and end - case.spec.clock_skew <= verdict.at for end in ends)
    if case.spec.trigger is None:
        return after.status is RunStatus.COMPLETED or _is_held(after)
    return after.status is RunStatus.TRIGGERING or too_short or _is_held(after)


def _is_held(run: Run) -> bool:
    return run.held_until is not None and run.updated_at < run.held_until


def _bad_ends_are_told(case: Case) -> bool:
    before, after = case.before, case.after
    if before is None:
        return True
    if after.status is RunStatus.FAILED and before.status is not RunStatus.FAILED:
        return AlertType.RUN_FAILED in case.alerts
    if after.blocked and not before.blocked:
        return _people_know(case, AlertType.EVALUATION_FAILED, AlertType.UPSTREAM_CANNOT_COMPLETE)
    if after.doubt and not before.doubt:
        return bool(case.alerts & {AlertType.START_UNKNOWN, AlertType.JOB_LOST})
    if after.verifying is not None and case.spec.trigger is not None:
        told = _people_know(case, AlertType.VERIFICATION_TROUBLE)
        return told or after.verifying.tries < case.spec.trigger.poll_budget
    given_up = after.status is RunStatus.CANCELLED and not before.ended and not isinstance(case.event, CancelAsked)
    return not given_up or bool(after.open_alerts)


def _people_know(case: Case, *kinds: AlertType) -> bool:
    # One fault is told once: what is still open from before need not be told again.
    return any(name.startswith(f"{kind}/") for name in case.after.open_alerts for kind in kinds)


def _nobody_is_forgotten(case: Case) -> bool:
    after = case.after
    people = bool(after.doubt and after.status in STARTED) or bool(after.blocked)
    return after.ended or after.due_at is not None or people


def _started_is_not_repeated(case: Case) -> bool:
    # Only a fact that leaves no job behind may bring a run back to where it can start another.
    before = case.before
    if before is None:
        return True
    given_up = case.after.status is RunStatus.CANCELLED and not isinstance(case.event, CancelAsked)
    if before.status in STARTED and (given_up or case.after.status is RunStatus.PENDING):
        # A job that is being checked has ended: what says that its work is not done may lead to another one.
        checked = before.verifying is not None and isinstance(case.event, TraitEvaluated | Woke)
        return checked or isinstance(case.event, StartRefused | TriggerFailed | JobFinished)
    return not before.doubt or not case.starts


def _keeps_to_its_policy(case: Case) -> bool:
    before, after = case.before, case.after
    if before is None or after.status is not RunStatus.PENDING or len(after.attempts) <= len(before.attempts):
        return True
    last, trigger, policy = after.attempts[-1], case.spec.trigger, case.spec.retry
    if last.outcome is Outcome.NOT_STARTED and trigger is not None and trigger.start_retry is not None:
        policy = trigger.start_retry
    # As long as nothing was started since, the attempts themselves tell how often it was tried in a row.
    of_its_kind = [each for each in after.attempts if each.outcome is last.outcome]
    if last.outcome is Outcome.NOT_STARTED:
        started = [number for number, each in enumerate(after.attempts) if each.outcome is not Outcome.NOT_STARTED]
        of_its_kind = list(after.attempts[started[-1] + 1 if started else 0 :])
    return len(of_its_kind) < policy.max_attempts and last.category is not FailureCategory.PERMANENT


def _history_only_grows(case: Case) -> bool:
    before, after = case.before, case.after
    if before is None:
        return after.version == 1 and after.attempt == 0
    changed = after != before or bool(case.decision.commands)
    return (
        after.key == before.key
        and (after.spec_digest == before.spec_digest or _asked_by_name(case))
        and after.opened_at == before.opened_at
        and (after.override == before.override or _asked_by_name(case))
        and after.version == before.version + changed
        and after.updated_at >= before.updated_at
        and after.attempt >= before.attempt
        and after.attempts[: len(before.attempts)] == before.attempts
    )


def _asked_by_name(case: Case) -> bool:
    # Only a run that waits may be judged by another spec or with an override, and only when somebody asked for it.
    # What was set aside for one spec is not set aside for another.
    before, event, after = case.before, case.event, case.after
    if before is None or before.status is not RunStatus.PENDING or not isinstance(event, EvaluationAsked):
        return False
    digest = event.spec_digest or before.spec_digest
    kept = before.override if digest == before.spec_digest else None
    return after.spec_digest == digest and after.override == (event.override or kept)


def _starts_in_time(case: Case) -> bool:
    after = case.after
    if not case.starts:
        return True
    closed = after.closes_at is not None and after.updated_at >= after.closes_at
    outlives = after.hard and any(
        start.permit.valid_until > (after.closes_at or after.updated_at) for start in case.starts
    )
    return not closed and not outlives and not _is_held(after)


CONSTRAINTS: Final[tuple[SafetyConstraint, ...]] = (
    SafetyConstraint(
        1,
        Kind.GIVEN_WRONGLY,
        "a job starts only on fresh passes of enough required traits, or on a recorded override of the others",
        _starts_on_evidence,
    ),
    SafetyConstraint(
        2,
        Kind.GIVEN_WRONGLY,
        "an attempt is started at most once, from PENDING, under its own number",
        _one_start_per_attempt,
    ),
    SafetyConstraint(
        3, Kind.GIVEN_WRONGLY, "a run that has ended changes nothing and asks for nothing", _ended_is_ended
    ),
    SafetyConstraint(
        4, Kind.WRONG_LENGTH, "a permit runs out before the evidence it rests on", _permit_ends_with_its_evidence
    ),
    SafetyConstraint(5, Kind.WRONG_TIME, "a retry begins no earlier than its backoff", _waits_for_its_retry),
    SafetyConstraint(6, Kind.NOT_GIVEN, "a run judged READY opens its gate", _opens_when_ready),
    SafetyConstraint(
        7,
        Kind.NOT_GIVEN,
        "a failed run, one given up, one that only people can move, a start in doubt, a lost job and work that cannot be "
        "verified are told to people",
        _bad_ends_are_told,
    ),
    SafetyConstraint(
        8, Kind.NOT_GIVEN, "a run that goes on wakes by itself, unless only people can move it", _nobody_is_forgotten
    ),
    SafetyConstraint(
        9, Kind.GIVEN_WRONGLY, "what may have been started is never started again", _started_is_not_repeated
    ),
    SafetyConstraint(
        10, Kind.WRONG_LENGTH, "a run tries again only as often as its policy allows", _keeps_to_its_policy
    ),
    SafetyConstraint(11, Kind.WRONG_TIME, "a status changes only as the table of transitions says", _follows_the_table),
    SafetyConstraint(
        12,
        Kind.WRONG_TIME,
        "a run's identity, spec and history never change, and its time never goes back",
        _history_only_grows,
    ),
    SafetyConstraint(
        13,
        Kind.WRONG_TIME,
        "nothing starts once its slot is closed, or while somebody holds the start button",
        _starts_in_time,
    ),
    SafetyConstraint(
        14,
        Kind.NOT_GIVEN,
        "every deadline gets its verdict once, no later than its instant or the run's end is seen",
        verdicts_are_given_once,
    ),
    SafetyConstraint(15, Kind.GIVEN_WRONGLY, "a deadline is met only by what happened before it", met_is_true),
    SafetyConstraint(16, Kind.NOT_GIVEN, "a success is passed on to those who wait for it, once", success_is_passed_on),
    SafetyConstraint(
        17,
        Kind.GIVEN_WRONGLY,
        "a run that is watched for drift starts nothing, and asks for a rerun only when it has drifted",
        watching_starts_nothing,
    ),
    SafetyConstraint(
        18, Kind.GIVEN_WRONGLY, "drift is what an evaluator saw, never that it could not be asked", drift_is_seen
    ),
    SafetyConstraint(
        19,
        Kind.GIVEN_WRONGLY,
        "a job whose work is to be checked counts as done when every check passed, or a person accepted it as it is",
        done_is_checked,
    ),
    SafetyConstraint(
        20, Kind.NOT_GIVEN, "a check of a job's work that says no makes the attempt a failed one", no_is_heard
    ),
)


def violations(
    before: Run | None, event: Event | None, decision: Decision, spec: PipelineSpec
) -> tuple[SafetyConstraint, ...]:
    """Return the constraints that a decision breaks; nothing for a safe one."""
    case = Case(before, event, decision, spec)
    return tuple(_broken(CONSTRAINTS, case))


def _broken(constraints: Iterable[SafetyConstraint], case: Case) -> Iterable[SafetyConstraint]:
    return (constraint for constraint in constraints if not constraint.holds(case))

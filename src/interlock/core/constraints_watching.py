"""The safety constraints about deadlines, ends and what follows them; their table, with the words, is in `constraints`."""

from __future__ import annotations

from interlock.core.alerts import AlertType
from interlock.core.commands import AskRerun, NotifyDownstream
from interlock.core.constraint_cases import Case
from interlock.core.events import JobFinished, TraitEvaluated
from interlock.core.runs import STARTED, SUCCEEDED, RunStatus, Sla, SlaState, Watch
from interlock.core.traits import TraitStatus, could_not_tell


def verdicts_are_given_once(case: Case) -> bool:
    """SC-14."""
    before, after = case.before, case.after
    pairs = (
        (before.evaluation_sla if before else None, after.evaluation_sla),
        (before.completion_sla if before else None, after.completion_sla),
    )
    return all(_follows(was, now, case) for was, now in pairs)


def _follows(was: Sla | None, now: Sla | None, case: Case) -> bool:
    if now is None or (was is not None and was.state is not SlaState.ARMED):
        return now == was
    if case.before is not None and (was is None or _instants(was) != _instants(now)):
        return False
    late = case.after.updated_at >= now.due_at and (case.after != case.before)
    return now.state is not SlaState.ARMED or not (late or case.after.ended)


def _instants(sla: Sla) -> tuple[object, ...]:
    return sla.due_at, sla.warn_at, sla.begin_by


def met_is_true(case: Case) -> bool:
    """SC-15."""
    done, sla = case.after.succeeded_at, case.after.completion_sla
    if sla is not None and sla.state is SlaState.MET and (done is None or done > sla.due_at):
        return False
    gate = case.after.evaluation_sla
    if gate is None or gate.state is not SlaState.MET:
        return True
    through = case.after.attempt > 0 or case.after.status in SUCCEEDED
    return through and gate.settled_at is not None and gate.settled_at <= gate.due_at


def success_is_passed_on(case: Case) -> bool:
    """SC-16."""
    before, after = case.before, case.after
    news = sum(isinstance(command, NotifyDownstream) for command in case.decision.commands)
    done = after.status in SUCCEEDED and not (before is not None and before.status in SUCCEEDED)
    return news == (1 if done else 0)


def watching_starts_nothing(case: Case) -> bool:
    """SC-17."""
    before = case.before
    reruns = [command for command in case.decision.commands if isinstance(command, AskRerun)]
    if before is None or before.status is not RunStatus.COMPLETED_MONITORING:
        return not reruns
    drifted = case.after.monitor is not None and case.after.monitor.state is Watch.DRIFTED
    return not case.starts and (not reruns or (drifted and case.after.ended))


def drift_is_seen(case: Case) -> bool:
    """SC-18."""
    # That an evaluator could not be asked says nothing about the data.
    before, after = case.before, case.after
    watch = after.monitor
    if watch is None or watch.state is not Watch.DRIFTED or before is None or before.monitor == watch:
        return True
    seen = {r.trait for r in after.results if not could_not_tell(r)}
    return bool(watch.drifted) and set(watch.drifted) <= seen and AlertType.TRAIT_DRIFT in case.alerts


def done_is_checked(case: Case) -> bool:
    """SC-19."""
    before, after = case.before, case.after
    if before is None or before.status not in STARTED or after.status not in SUCCEEDED or not case.spec.verify:
        return True
    if isinstance(case.event, JobFinished):
        return case.event.unverified
    known = {result.trait: result for result in before.results}
    if isinstance(case.event, TraitEvaluated):
        known[case.event.result.trait] = case.event.result
    passed = {name for name, result in known.items() if result.status is TraitStatus.PASS}
    return before.verifying is not None and {check.name for check in case.spec.verify} <= passed


def no_is_heard(case: Case) -> bool:
    """SC-20."""
    after = case.after
    if after.verifying is None or after.asked:
        return True
    checks = {check.name for check in case.spec.verify}
    said = [result for result in after.results if result.trait in checks]
    return all(result.status is TraitStatus.PASS or could_not_tell(result) for result in said)

"""What becomes of an expectation: who is told that nothing began, and in which one state it ends.

Everything follows from stored facts, so it does not matter when, how often or by how many it is looked at: only that
somebody looks in the end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from interlock.core.agenda import BEGUN_BY, expected
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import Document
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import RunId, Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Outcome, Run, RunStatus, SlaState
from interlock.core.schedules import exclusion, window_of
from interlock.core.telling import alert_id_of
from interlock.core.times import zone

SURE: Final = timedelta(minutes=1)
"""How long a start that seems lost may still come by itself."""

NEVER_COMES: Final = timedelta(days=7)
"""How long after its end a slot that nobody has decided about may still be made up for."""

SOONEST: Final = timedelta(minutes=5)
LATEST: Final = timedelta(hours=1)

UNBEGUN: Final = "nothing speaks against it, and nothing has begun"
_NOBODY_S_FAULT: Final = (ExpectationState.WAIVED, ExpectationState.EXCLUDED)
_LATER_BY: Final = 8  # what is long overdue is looked at after another eighth of its age


class Facts(Struct, frozen=True, kw_only=True):
    """What is known about a slot at the moment it is looked at.

    `run` is its latest, `done_at` when the first of its runs to succeed did. `spec` is the one its schedule is planned by
    now; `gone` says why there is no such slot any more. `dealt_with` says that whoever opens slots is past
    this one. `paused` says by whom and why the pipeline was paused at the instant of its deadline. `free` says that
    somebody is there to open it now, and nothing speaks against it.
    """

    spec: PipelineSpec
    run: Run | None = None
    done_at: datetime | None = None
    gone: str = ""
    dealt_with: bool = True
    paused: str = ""
    free: bool = False


class Verdict(NamedTuple):
    """The state in which an expectation ends, and why."""

    state: ExpectationState
    reason: str = ""


class Look(NamedTuple):
    """What one look at an expectation comes to. With `open`, the slot's run is to be opened, and then looked again."""

    after: Expectation
    alerts: tuple[Alert, ...] = ()
    records: tuple[EventRecord, ...] = ()
    open: bool = False


def look(expectation: Expectation, facts: Facts, now: datetime) -> Look:
    """Look at an expectation that is not settled: `after` is its next version, `records` belong into the same commit."""
    verdict = verdict_of(expectation, facts, now)
    if verdict is None and facts.free and start_is_lost(expectation, facts, now) and expectation.reason == UNBEGUN:
        return Look(expectation, open=True)
    alerts: list[Alert] = []
    records: list[EventRecord] = []
    after = replace(expectation, version=expectation.version + 1, reason="")
    if _is_missed(expectation, facts, now) and not (verdict and verdict.state in _NOBODY_S_FAULT):
        alerts.append(_missed(expectation, facts, now))
        records.append(EventRecord(kind=EventKind.SCHEDULE_MISSED, at=now, message=alerts[0].message))
        after = replace(after, alerted=True)
    run = facts.run
    if run is not None and run.cause is Cause.WATCHDOG and not expectation.run_id:
        alerts.append(_recovered(run, facts.spec, now))
        records.append(EventRecord(kind=EventKind.TRIGGER_RECOVERED, at=now, message=alerts[-1].message))
    after = replace(after, run_id=RunId("") if run is None else run.key.run_id)
    if verdict is None:
        return Look(_later(after, facts, now), tuple(alerts), tuple(records))
    if verdict.state is not ExpectationState.MET:
        records.append(
            EventRecord(kind=EventKind.EXPECTATION_SETTLED, at=now, status=verdict.state, message=verdict.reason)
        )
    after = replace(after, state=verdict.state, reason=verdict.reason, settled_at=now, check_at=None)
    return Look(after, tuple(alerts), tuple(records))


def deadline_of(expectation: Expectation) -> datetime:
    """Return by when something must have begun: its evaluation deadline, else by when it must be done or is over."""
    ends = expectation.closes_at
    return expectation.evaluate_by or min(expectation.complete_by or ends, ends)


def replanned(expectation: Expectation, spec: PipelineSpec, digest: str, now: datetime) -> Expectation | None:
    """Return the expectation as a spec of now has it; None when the spec has no such slot.

    A deadline that a change of plans moved into the past is nobody's fault.
    """
    if expectation.spec_digest == digest:
        return expectation
    schedule = spec.schedule(expectation.slot.schedule)
    window = None if schedule is None else window_of(spec.name, schedule, expectation.slot.period)
    if window is None:
        return None
    # As fixed by whoever was punctual: when it is looked at changes nothing about a plan.
    fresh = expected(spec, window, digest, window.opens_at)
    same = replace(
        expectation,
        spec_digest=digest,
        opens_at=fresh.opens_at,
        closes_at=fresh.closes_at,
        evaluate_by=fresh.evaluate_by,
        complete_by=fresh.complete_by,
    )
    return same if deadline_of(same) == deadline_of(expectation) else replace(same, since=now)


# ---------------------------------------------------------------------- verdicts


def verdict_of(expectation: Expectation, facts: Facts, now: datetime) -> Verdict | None:
    """Return the one state in which an expectation ends; None while several are possible.

    What failed may still be made good by a rerun until its completion deadline.
    """
    run, due = facts.run, expectation.complete_by
    if run is None:
        return _without_run(expectation, facts, now)
    if facts.done_at is not None:
        if due is None or facts.done_at <= due:
            return Verdict(ExpectationState.MET)
        words = f"it completed at {facts.done_at.isoformat()}, and was due by {due.isoformat()}"
        return Verdict(ExpectationState.LATE, words)
    if not run.ended or (due is not None and now < due):
        return None
    if run.status is RunStatus.FAILED:
        failure = run.last_failure
        return Verdict(ExpectationState.FAILED, failure.reason if failure is not None else "")
    if _given_up(run):
        return Verdict(ExpectationState.MISSED, f"its run was given up at {run.closes_because}")
    said = run.attempts[-1].reason if _was_stopped(run) else "its run was cancelled"
    return Verdict(ExpectationState.WAIVED, said)


def _without_run(expectation: Expectation, facts: Facts, now: datetime) -> Verdict | None:
    excused = _excused(expectation, facts, now)
    if excused is not None:
        return excused
    ends = max(expectation.closes_at, expectation.complete_by or expectation.closes_at)
    if now < ends or not (facts.dealt_with or now >= ends + NEVER_COMES):
        return None
    return Verdict(ExpectationState.MISSED, f"nothing had begun when it was over at {ends.isoformat()}")


def _excused(expectation: Expectation, facts: Facts, now: datetime) -> Verdict | None:
    if facts.gone:
        return Verdict(ExpectationState.WAIVED, facts.gone)
    if not facts.spec.watch.enabled:
        return Verdict(ExpectationState.WAIVED, "the pipeline is not watched (watch.enabled is false)")
    if now < expectation.opens_at:
        return None
    excluded = exclusion(facts.spec.exclusions, expectation.slot.period)
    if excluded:
        return Verdict(ExpectationState.EXCLUDED, excluded)
    if facts.paused and now >= deadline_of(expectation):
        return Verdict(ExpectationState.WAIVED, facts.paused)
    return None


def _given_up(run: Run) -> bool:
    """Say whether the clock ended a cancelled run, and not a person."""
    if run.closes_at is None or run.ended_at is None or run.ended_at < run.closes_at or _was_stopped(run):
        return False
    return run.completion_sla is None or run.completion_sla.state is not SlaState.WAIVED


def _was_stopped(run: Run) -> bool:
    return bool(run.attempts) and run.attempts[-1].outcome is Outcome.CANCELLED


# ---------------------------------------------------------------------- what did not begin


def _is_missed(expectation: Expectation, facts: Facts, now: datetime) -> bool:
    due = deadline_of(expectation)
    if expectation.alerted or now < due or due < (expectation.since or expectation.opens_at):
        return False
    run = facts.run
    if run is None:
        return True
    # Its own deadlines tell of a run that somebody looks after: here it is one that nobody ever judged.
    known = bool(run.open_alerts) or (run.evaluation_sla is not None and run.evaluation_sla.state is not SlaState.ARMED)
    judged = run.readiness is not None or run.attempt > 0 or run.ended
    return not judged and not known and now >= due + BEGUN_BY


def missed_id(slot: Slot) -> str:
    """Name the fact that nothing of a slot had begun by its deadline."""
    return alert_id_of(AlertType.SCHEDULE_MISSED, str(slot))


def _missed(expectation: Expectation, facts: Facts, now: datetime) -> Alert:
    slot, due = expectation.slot, deadline_of(expectation)
    schedule = facts.spec.schedule(slot.schedule)
    shown = "UTC" if schedule is None else schedule.timezone
    wall = due.astimezone(zone(shown)).strftime("%H:%M")
    what = "no run was opened for it" if facts.run is None else f"{facts.run.key} was opened and never judged"
    message = (
        f"{slot} was missed: by {wall} {shown} ({due.isoformat()}) {what}. "
        f"What is expected of the pipeline: interlock expectations {slot.pipeline}"
    )
    details = (
        ("date", slot.period),
        ("deadline", wall),
        ("deadlineAt", due.isoformat()),
        ("scheduleId", slot.schedule),
    )
    return Alert(
        alert_id=missed_id(slot),
        alert_type=AlertType.SCHEDULE_MISSED,
        level=AlertLevel.ERROR,
        at=now,
        message=message,
        slot=slot,
        run_id=RunId("") if facts.run is None else facts.run.key.run_id,
        tier=facts.spec.tier,
        owner=facts.spec.owner,
        details=texts(*details),
    )


def start_is_lost(expectation: Expectation, facts: Facts, now: datetime) -> bool:
    """Say whether a slot should have a run by now: it is open, and whoever opens slots believes to have opened it.

    Any run at all, whatever became of it, is the end of this: nothing is ever begun a second time here.
    """
    mine = facts.run is None and facts.dealt_with and not facts.gone
    return mine and expectation.opens_at + BEGUN_BY <= now < expectation.closes_at


def _recovered(run: Run, spec: PipelineSpec, now: datetime) -> Alert:
    slot = run.key.slot
    return Alert(
        alert_id=alert_id_of(AlertType.TRIGGER_RECOVERED, run.key.run_id),
        alert_type=AlertType.TRIGGER_RECOVERED,
        level=AlertLevel.INFO,
        at=now,
        message=f"the opening of {slot} was lost, and was made up for at {run.opened_at.isoformat()}",
        slot=slot,
        run_id=run.key.run_id,
        tier=spec.tier,
        owner=spec.owner,
        details=texts(("date", slot.period), ("scheduleId", slot.schedule)),
    )


def texts(*pairs: tuple[str, str]) -> Document:
    """Return a document of plain texts: names, periods, instants, which need no escapes."""
    return Document(tuple((key, f'"{text}"') for key, text in pairs))


def _later(expectation: Expectation, facts: Facts, now: datetime) -> Expectation:
    """Say when to look again: when something can have changed for sure, and never at once."""
    again = now + min(max((now - expectation.opens_at) / _LATER_BY, SOONEST), LATEST)
    due = deadline_of(expectation)
    instants = (expectation.opens_at + BEGUN_BY, due, due + BEGUN_BY, expectation.complete_by, expectation.closes_at)
    later = min((instant for instant in instants if instant is not None and instant > now), default=again)
    if not start_is_lost(expectation, facts, now):
        return replace(expectation, check_at=later)
    if facts.free:
        return replace(expectation, check_at=now + SURE, reason=UNBEGUN)
    return replace(expectation, check_at=min(later, again))

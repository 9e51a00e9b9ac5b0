"""What did not happen: runs that do not move, runs that nobody looks after, watches that do not end, watchers that are gone.

All of it is judged from stored instants, by whoever is still there to judge. No event tells of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, assert_never

from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunId
from interlock.core.pipelines import PipelineSpec
from interlock.core.rounds import interval
from interlock.core.runs import Run, RunStatus
from interlock.core.settling import texts
from interlock.core.telling import alert_id_of, page_of, told

LEFT_ALONE: Final = timedelta(minutes=2)
"""How long after its time a run may wait for whoever looks after it, at least."""

SETTLING_IN: Final = timedelta(minutes=2)
"""How long a watcher that has just begun may take for what it finds."""

MONITORING_GRACE: Final = timedelta(minutes=5)
STALLED: Final = "watcher_stalled/all"
"""The name of the fact that no watcher is at work. What follows from it is folded into it."""

DEGRADED: Final = "watchdog_degraded/all"
_TIMES: Final = 3
_WARNINGS: Final = (AlertType.RUN_ORPHANED, AlertType.MONITORING_OVERDUE)


class Watchers(enum.Enum):
    """Whether somebody looks after runs and opens slots."""

    ALIVE = "at least one has been at work for a while"
    STARTING = "one has just begun, or it is too early to say"
    GONE = "there should be one, and there is none"
    NONE = "nobody is expected"


class Pulse(NamedTuple):
    """The signs of life of one watcher."""

    joined_at: datetime
    until: datetime
    progress_at: datetime | None = None


def watchers(pulses: Iterable[Pulse], now: datetime, silence: timedelta, *, wanted: bool) -> Watchers:
    """Say how the watchers stand. One whose lease holds but which finishes no turn within `silence` is none."""
    alive = [pulse for pulse in pulses if now < pulse.until and now - _turned(pulse) <= silence]
    if not alive:
        return Watchers.GONE if wanted else Watchers.NONE
    oldest = min(pulse.joined_at for pulse in alive)
    return Watchers.ALIVE if now - oldest >= SETTLING_IN else Watchers.STARTING


def _turned(pulse: Pulse) -> datetime:
    return max(pulse.joined_at, pulse.progress_at or pulse.joined_at)


def stalled(pulses: Iterable[Pulse], now: datetime) -> Alert:
    """Return the alert that no watcher is at work."""
    last = max(map(_turned, pulses), default=None)
    seen = f"the last turn of one ended at {last.isoformat()}" if last else "none is known to this store any more"
    message = (
        f"no watcher is at work: {seen}. Slots do not open, and runs are neither judged nor followed. "
        "Start one: interlock watch; on AWS, look at the function scheduler and its rule"
    )
    return _alert(AlertType.WATCHER_STALLED, STALLED, message, now)


def degraded(troubles: tuple[tuple[str, str], ...], now: datetime) -> Alert:
    """Return the alert that some checks of the watchdog failed: each by its name, with what went wrong."""
    told = "; ".join(by_reason(troubles))
    names = ",".join(f'"{name}"' for name, _ in troubles)
    message = f"the watchdog could not check everything, so something may go unnoticed: {told}"
    return _alert(AlertType.WATCHDOG_DEGRADED, DEGRADED, message, now, details=Document((("checks", f"[{names}]"),)))


def by_reason(troubles: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Say each reason once, after the names of the checks that failed for it."""
    names: dict[str, list[str]] = {}
    for name, error in troubles:
        names.setdefault(error, []).append(name)
    return tuple(f"{', '.join(those)}: {error}" for error, those in names.items())


# ---------------------------------------------------------------------- runs


def stuck_id(run: Run) -> str:
    """Name the fact that a run stays in the state it is in."""
    return alert_id_of(AlertType.STUCK_RUN, f"{run.key.run_id}/{run.status}")


def orphaned_id(run: Run) -> str:
    """Name the fact that nobody looks after a run."""
    return alert_id_of(AlertType.RUN_ORPHANED, run.key.run_id)


def monitoring_id(run: Run) -> str:
    """Name the fact that the watch over a run does not end."""
    return alert_id_of(AlertType.MONITORING_OVERDUE, run.key.run_id)


def stuck(run: Run, spec: PipelineSpec, usual: timedelta, now: datetime) -> Alert | None:
    """Return the alert that a run does not move, if it does not.

    What waits for data and is asked about it is not stuck, nor is what people were told nobody knows about, or what is
    being watched for drift. `usual` is the threshold of pipelines that say nothing of their own.
    """
    threshold = usual if spec.stuck_after is None else spec.stuck_after
    idle = _idle(run, spec, threshold, now)
    if idle is None:
        return None
    seconds = _go(idle)
    message = f"{run.key} has been {run.status} for {seconds}: {_what_holds(run)}"
    slot = run.key.slot
    details = texts(
        ("date", slot.period),
        ("duration", seconds),
        ("runId", run.key.run_id),
        ("scheduleId", slot.schedule),
        ("status", run.status),
    ).overlaid(page_of(run))
    return _alert(AlertType.STUCK_RUN, stuck_id(run), message, now, run=run, spec=spec, details=details)


def _idle(run: Run, spec: PipelineSpec, threshold: timedelta, now: datetime) -> timedelta | None:
    """Return for how long a run has not moved, if that is too long."""
    if run.doubt or told(run, AlertType.VERIFICATION_TROUBLE):
        return None
    match run.status:
        case RunStatus.PENDING:
            if run.blocked:
                return None  # it is stopped, and people were told
            since = _waits_since(run)
            limit = threshold + interval(run, spec)
        case RunStatus.TRIGGERING:
            since, limit = run.since, threshold
        case RunStatus.RUNNING:
            since, limit = run.since, max(threshold, 2 * (spec.sla.expected_duration or timedelta()))
        case RunStatus.COMPLETED_MONITORING | RunStatus.COMPLETED | RunStatus.FAILED | RunStatus.CANCELLED:
            return None
        case _:
            assert_never(run.status)
    return now - since if now - since > limit else None


def _waits_since(run: Run) -> datetime:
    """Return since when a waiting run should have been judged: what lies ahead of it is a reason to wait, and no delay."""
    seen = (run.since, run.not_before, run.held_until, run.wake_at, run.readiness.at if run.readiness else None)
    return max(at for at in seen if at is not None)


def _what_holds(run: Run) -> str:
    if run.status is RunStatus.PENDING:
        blocking = ", ".join(run.readiness.blocking) if run.readiness is not None else ""
        judged = f"it was judged last at {run.readiness.at.isoformat()}" if run.readiness else "it was never judged"
        return f"{judged}{f', blocked by {blocking}' if blocking else ''}. Nobody asks its traits any more"
    if run.status is RunStatus.TRIGGERING:
        return f"attempt {run.attempt} is being started, and its target has not answered"
    if run.verifying is not None:
        return f"the job of attempt {run.attempt} says that its work is done, and that is being checked"
    looks = f"the last {run.looks} looks saw nothing of it" if run.looks else "it was there when it was last looked at"
    return f"attempt {run.attempt} is the job {run.job_id or 'without a name'}; {looks}"


def orphaned(run: Run, spec: PipelineSpec, now: datetime, late: timedelta = timedelta()) -> Alert | None:
    """Return the alert that a run's time has come and nobody looks after it, if that is so.

    `late` is how much later than it wants whoever looks after it may come.
    """
    due = run.due_at
    polls = spec.trigger.poll_interval if spec.trigger is not None and run.status is RunStatus.RUNNING else timedelta()
    patience = late + max(LEFT_ALONE, _TIMES * max(interval(run, spec), polls))
    if due is None or now - due <= patience:
        return None
    message = (
        f"nobody looks after {run.key}, which is {run.status}: it wanted to be looked at by {due.isoformat()}. "
        "A watcher that is at work should have taken it"
    )
    return _alert(AlertType.RUN_ORPHANED, orphaned_id(run), message, now, run=run, spec=spec)


def monitoring_is_overdue(run: Run, now: datetime) -> bool:
    """Say whether the watch for drift should be over for good."""
    watched = run.status is RunStatus.COMPLETED_MONITORING and run.monitor is not None
    return watched and run.monitor is not None and now > run.monitor.until + MONITORING_GRACE


def monitoring_overdue(run: Run, spec: PipelineSpec, why: str, now: datetime) -> Alert:
    """Return the alert that the watch over a run does not end although it was told to."""
    message = f"{run.key} completed, and the watch over it does not end{f': {why}' if why else ''}"
    kind = AlertType.MONITORING_OVERDUE
    return _alert(kind, monitoring_id(run), message, now, run=run, spec=spec)


def _alert(
    kind: AlertType,
    name: str,
    message: str,
    at: datetime,
    *,
    run: Run | None = None,
    spec: PipelineSpec | None = None,
    details: Document = EMPTY,
) -> Alert:
    return Alert(
        alert_id=name,
        alert_type=kind,
        level=AlertLevel.WARNING if kind in _WARNINGS else AlertLevel.ERROR,
        at=at,
        message=message,
        slot=None if run is None else run.key.slot,
        run_id=RunId("") if run is None else run.key.run_id,
        tier=0 if spec is None else spec.tier,
        owner="" if spec is None else spec.owner,
        details=details,
    )


def _go(span: timedelta) -> str:
    """Write a length of time as Go prints one: `1h5m0s`."""
    minutes, seconds = divmod(span // timedelta(seconds=1), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"

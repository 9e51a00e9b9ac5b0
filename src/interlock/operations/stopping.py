"""Ending a run, and stopping its job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.app.advance import advance
from interlock.app.hands import job_of
from interlock.app.views import CancelledView, cancelled_view
from interlock.core.commands import CancelJob
from interlock.core.events import CancelAsked
from interlock.core.ids import start_key
from interlock.core.pipelines import Mode, TriggerSpec
from interlock.core.runs import Outcome, Run, RunStatus
from interlock.core.schedules import in_own_zone
from interlock.errors import Conflict, Invalid, NotFound
from interlock.operations.desk import Desk
from interlock.operations.slots import acted_slot
from interlock.operations.taking import conflict
from interlock.operations.wording import moment
from interlock.ports.triggers import JobHandle, JobState

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.runtime.wiring import Interlock

_PATIENCE: Final = timedelta(seconds=15)
_FIRST: Final = timedelta(milliseconds=200)
_LONGEST: Final = timedelta(seconds=3)
_LOOKED_AT: Final = 50


class _Seen(NamedTuple):
    """What became of a job, in words. `stopped`: nobody here can know, when None."""

    stopped: bool | None
    words: str


def chosen(name: str, schedule: str | None, period: str | None, desk: Desk) -> Run:
    """Return the one run of a pipeline that has not ended, or the latest of a slot that is named.

    Raises:
        Conflict: none is waiting or running.
        Invalid: several are.
        NotFound: the slot has no run.
    """
    if schedule is not None or period is not None:
        return _of_slot(name, schedule, period, desk)
    runs = [run for run in desk.store.runs_of(name, limit=_LOOKED_AT) if not run.ended]
    if len(runs) > 1:
        listed = ", ".join(str(run.key) for run in runs)
        raise Invalid(f"several runs of {name} have not ended: name one of {listed}")
    if not runs:
        raise Conflict(f"no run of {name} is waiting or running. See: interlock history {name}")
    return runs[0]


def _of_slot(name: str, schedule: str | None, period: str | None, desk: Desk) -> Run:
    loaded = desk.project.pipelines.get(name)
    if loaded is None:
        raise Invalid(f"no file defines {name} now: name the run itself, as `interlock history {name}` does")
    slot = in_own_zone(loaded.spec, acted_slot(loaded.spec, desk.clock.now(), schedule, period))
    run = desk.store.latest_run(slot)
    if run is None:
        raise NotFound(f"{slot} has no run")
    return run


def cancelled(before: Run, reason: str, desk: Desk) -> CancelledView:
    """End a run, ask its job to stop, and look whether it does.

    Raises:
        Conflict: it had ended already.
    """
    work = desk.work
    told = advance(before.key, CancelAsked(at=desk.clock.now(), actor=desk.actor, reason=reason), work.store)
    run = told.run
    if not told.changed:
        raise conflict(run, f"{run.key} had ended already: {run.status} at {moment(run.ended_at)}")
    seen = _stopped(work, before, run)
    work.ring()
    return cancelled_view(run, seen.words, stopped=seen.stopped)


def _stopped(work: Interlock, before: Run, run: Run) -> _Seen:
    """Carry out the wish to stop the job, see what came of it, and say so."""
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    pacer = SystemPacer(work.clock)
    if before.status is RunStatus.COMPLETED_MONITORING:
        Driver(work.hands, pacer).catch_up(run.key)
        return _Seen(stopped=True, words="it is no longer watched for drift")
    last = run.attempts[-1] if run.attempts else None
    spec = work.store.spec(run.spec_digest)
    if last is None or last.outcome is not Outcome.CANCELLED or spec.trigger is None:
        Driver(work.hands, pacer).catch_up(run.key)
        return _Seen(stopped=True, words="nothing of it was running")
    deadline = work.clock.now() + (_PATIENCE if work.patience else timedelta())
    for pause in pauses():
        Driver(work.hands, pacer).catch_up(run.key)
        wished = any(isinstance(wish, CancelJob) for wish in work.store.outstanding(run.key))
        said = None if wished else _seen(work.hands, run, last.number, spec.trigger, spec.mode)
        if said is not None and said.stopped is not False:
            return said
        if work.clock.now() >= deadline:
            return said or _Seen(stopped=False, words="the job could not be stopped yet; a watcher goes on trying")
        pacer.until(work.clock.now() + pause)
    raise AssertionError  # the pauses never end


def pauses() -> Iterator[timedelta]:
    """Yield how long to leave a job alone between two looks: a command ends at once, another system takes its time."""
    pause = _FIRST
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST)


def _seen(hands: Hands, run: Run, attempt: int, trigger: TriggerSpec, mode: Mode) -> _Seen:
    """Look whether the job of a cancelled run is still there."""
    if mode is Mode.SHADOW:
        return _Seen(stopped=True, words="in shadow mode, there was no job")
    if not run.job_id:
        return _Seen(stopped=True, words="its job was never acknowledged, and nothing of it was found running")
    job = job_of(run.key, attempt, start_key(run.key.run_id, attempt))
    try:
        made = hands.trigger_for(trigger, job)
        report = made.poll(job, JobHandle(id=run.job_id, details=run.job_details), timeout=trigger.start_timeout)
    except Exception as exc:  # noqa: BLE001  (the run is cancelled whatever a look at its job comes to)
        return _Seen(stopped=None, words=f"whether the job stopped could not be seen: {exc}")
    if not made.watchable:
        words = f"whether the job {run.job_id} stopped, nobody here can see: look where it runs"
        return _Seen(stopped=None, words=words)
    if report.state is JobState.RUNNING:
        return _Seen(stopped=False, words=f"the job {run.job_id} was asked to stop, and still runs")
    if report.state is JobState.UNSEEN:
        return _Seen(stopped=None, words=f"whether the job {run.job_id} stopped could not be seen: {report.reason}")
    return _Seen(stopped=True, words="its job has stopped")

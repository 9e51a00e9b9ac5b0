"""`interlock cancel`: end a run, and stop its job."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from interlock.app.advance import advance
from interlock.app.hands import job_of
from interlock.app.views import run_view
from interlock.cli.again import required_reason
from interlock.cli.context import json_option, known_name, opened, pipeline_names, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, moment, say, styled
from interlock.cli.parameters import actor
from interlock.cli.progress import patience
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.core.commands import CancelJob
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey, parse_run_id, start_key
from interlock.core.pipelines import Mode, TriggerSpec
from interlock.core.runs import Outcome, Run, RunStatus
from interlock.core.schedules import in_own_zone
from interlock.errors import NotFound
from interlock.ports.triggers import JobHandle, JobState

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.config.project import Project
    from interlock.runtime.wiring import Interlock

_PATIENCE: Final = timedelta(seconds=15)
_STEP: Final = timedelta(milliseconds=200)
_LOOKED_AT: Final = 50


@click.command()
@click.argument("target", metavar="PIPELINE|RUN_ID", shell_complete=pipeline_names)
@schedule_option
@click.option("--date", "period", help="The period whose run is cancelled; the one run that has not ended by default.")
@click.option("--reason", required=True, help="Why it is cancelled: recorded for good.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, target: str, schedule: str | None, period: str | None, reason: str, *, as_json: bool
) -> None:
    """End a run that has not ended, and ask its job to stop.

    Leaves with 0 when the run has ended and no job of it runs any more, 3 when nobody here can know whether the job stopped,
    6 when it was asked to stop and still runs, 7 when the run had ended already, 8 when there is none.

    \b
    Examples:
      interlock cancel example --reason "started by mistake"
      interlock cancel example --date 2026-03-07 --reason "wrong data"
      interlock cancel example:daily:2026-03-07:1 --reason "replaced by the next"
    """
    reason = required_reason(reason)
    project = sound_project_of(ctx)
    work = opened(ctx, project)
    before = _chosen(project, work, target, schedule, period)
    told = advance(before.key, CancelAsked(at=work.clock.now(), actor=actor(), reason=reason), work.store)
    run = told.run
    if not told.changed:
        raise Leave(Exit.CONFLICT, f"{run.key} had ended already: {run.status} at {moment(run.ended_at)}")
    code, words = _stopped(work, before, run)
    if as_json:
        emit_json("Run", run_view(run))
    else:
        say(f"{run.key}  {styled(run.status)}  {words}")
    raise Leave(code)


def _chosen(project: Project, work: Interlock, target: str, schedule: str | None, period: str | None) -> Run:
    if ":" in target:
        run = work.store.run(_key(target))
        if run is None:
            raise NotFound(f"there is no run {target} (see: interlock history {target.partition(':')[0]})")
        return run
    name = known_name(project, work.store, target)
    if schedule is not None or period is not None:
        return _of_slot(project, work, name, schedule, period)
    runs = [run for run in work.store.runs_of(name, limit=_LOOKED_AT) if not run.ended]
    if len(runs) > 1:
        listed = ", ".join(str(run.key) for run in runs)
        raise click.UsageError(f"several runs of {name} have not ended: name one of {listed}")
    if not runs:
        raise Leave(Exit.CONFLICT, f"no run of {name} is waiting or running. See: interlock history {name}")
    return runs[0]


def _of_slot(project: Project, work: Interlock, name: str, schedule: str | None, period: str | None) -> Run:
    loaded = project.pipelines.get(name)
    if loaded is None:
        raise click.UsageError(f"no file defines {name} now: name the run itself, as `interlock history {name}` does")
    slot = in_own_zone(loaded.spec, chosen_slot(loaded.spec, work.clock.now(), schedule, period))
    run = work.store.latest_run(slot)
    if run is None:
        raise NotFound(f"{slot} has no run")
    return run


def _key(text: str) -> RunKey:
    try:
        return parse_run_id(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="PIPELINE|RUN_ID") from exc


def _stopped(work: Interlock, before: Run, run: Run) -> tuple[Exit, str]:
    """Carry out the wish to stop the job, see what came of it, and say so."""
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    pacer = SystemPacer(work.clock)
    if before.status is RunStatus.COMPLETED_MONITORING:
        Driver(work.hands, pacer).catch_up(run.key)
        return Exit.DONE, "it is no longer watched for drift"
    last = run.attempts[-1] if run.attempts else None
    spec = work.store.spec(run.spec_digest)
    if last is None or last.outcome is not Outcome.CANCELLED or spec.trigger is None:
        Driver(work.hands, pacer).catch_up(run.key)
        return Exit.DONE, "nothing of it was running"
    with patience("waiting for the job to stop"):
        deadline = work.clock.now() + _PATIENCE
        while True:
            Driver(work.hands, pacer).catch_up(run.key)
            wished = any(isinstance(wish, CancelJob) for wish in work.store.outstanding(run.key))
            said = None if wished else _seen(work.hands, run, last.number, spec.trigger, spec.mode)
            if said is not None and said[0] is not Exit.TIMED_OUT:
                return said
            if work.clock.now() >= deadline:
                return said or (Exit.TIMED_OUT, "the job could not be stopped yet; a watcher goes on trying")
            pacer.until(work.clock.now() + _STEP)


def _seen(hands: Hands, run: Run, attempt: int, trigger: TriggerSpec, mode: Mode) -> tuple[Exit, str]:
    """Look whether the job of a cancelled run is still there."""
    if mode is Mode.SHADOW:
        return Exit.DONE, "in shadow mode, there was no job"
    if not run.job_id:
        return Exit.DONE, "its job was never acknowledged, and nothing of it was found running"
    job = job_of(run.key, attempt, start_key(run.key.run_id, attempt))
    try:
        made = hands.trigger_for(trigger, job)
        report = made.poll(job, JobHandle(id=run.job_id, details=run.job_details), timeout=trigger.start_timeout)
    except Exception as exc:  # noqa: BLE001  (the run is cancelled whatever a look at its job comes to)
        return Exit.UNDECIDED, f"whether the job stopped could not be seen: {exc}"
    if not made.watchable:
        return Exit.UNDECIDED, f"whether the job {run.job_id} stopped, nobody here can see: look where it runs"
    if report.state is JobState.RUNNING:
        return Exit.TIMED_OUT, f"the job {run.job_id} was asked to stop, and still runs"
    if report.state is JobState.UNSEEN:
        return Exit.UNDECIDED, f"whether the job {run.job_id} stopped could not be seen: {report.reason}"
    return Exit.DONE, "its job has stopped"

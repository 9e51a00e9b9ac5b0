"""`interlock run`: evaluate the current slot, and start its job if the traits say so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from interlock.app.arrivals import Opened, Opening, open_run
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import actor, duration, follow
from interlock.cli.output import moment
from interlock.cli.slots import chosen_window, schedule_option
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Override, Run, RunStatus
from interlock.core.schedules import Window, exclusion

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

READINESS = "readiness"


@click.command()
@pipeline_argument
@schedule_option
@click.option("--force", is_flag=True, help="Go on although a constraint says no; the override is recorded.")
@click.option("--reason", default="", help="Why it is forced: recorded for good.")
@click.option("--wait/--no-wait", default=True, help="Follow the job to its end (the default), or only start it.")
@click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    *,
    force: bool,
    reason: str,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Evaluate the current slot of PIPELINE and, only if it is READY, start its job and follow it.

    A slot runs once, whoever asks and how often. Leaves with 0 when the job completed, 1 when NOT_READY, 3 when undecided,
    4 when the job failed, 7 when the slot is running or has run, 9 when nothing may start now.

    \b
    Examples:
      interlock run example
      interlock run example --no-wait
      interlock run example --force --reason "source confirmed complete by phone"
    """
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    now = work.clock.now()
    window = chosen_window(spec, now, schedule)
    override = _override(spec, window, now, force=force, reason=reason)
    found = open_run(window.slot, spec, work.store, now, override=override)
    join(work, found, spec, override)
    follow(work, found.run.key, wait=wait, timeout=timeout, as_json=as_json)


def join(work: Interlock, found: Opened, spec: PipelineSpec, override: Override | None) -> None:
    """Make an opened run one's own: a waiting one is asked afresh, by the files as they are now.

    One that was left behind in the middle, by a process that died, is taken up where it stands.

    Raises:
        Leave: it has ended, or is under way and somebody else's.
    """
    from interlock.app.advance import advance
    from interlock.core.events import EvaluationAsked

    run = found.run
    if found.how is Opening.ENDED:
        raise Leave(Exit.CONFLICT, _conflict(run))
    if found.how is Opening.RUNNING:
        _take_up(work, run)
    if found.how is Opening.JOINED:
        digest = work.store.put_spec(spec)
        asked = EvaluationAsked(at=work.clock.now(), actor=actor(), spec_digest=digest, override=override)
        advance(run.key, asked, work.store)


def _take_up(work: Interlock, run: Run) -> None:
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    if Driver(work.hands, SystemPacer(work.clock)).catch_up(run.key):
        return
    claim = work.store.claim(run.key, run.attempt) if run.status is RunStatus.TRIGGERING else None
    busy = f". Its start is surely over at {moment(claim.until)}: ask again then" if claim and not run.doubt else ""
    raise Leave(Exit.CONFLICT, _conflict(run) + busy)


def _override(spec: PipelineSpec, window: Window, now: datetime, *, force: bool, reason: str) -> Override | None:
    refusals = _refusals(spec, window, now)
    if not force:
        if reason:
            raise click.UsageError("--reason goes with --force")
        if refusals:
            listed = "; ".join(text for _, text in refusals)
            hint = 'Go on all the same with: --force --reason "…"'
            raise Leave(Exit.REFUSED, f"nothing of {spec.name} may start now: {listed}. {hint}")
        return None
    if not reason.strip():
        raise click.UsageError("--force needs --reason TEXT: an override without a reason cannot be judged later")
    return Override(actor=actor(), reason=reason.strip(), constraints=(*(name for name, _ in refusals), READINESS))


def _refusals(spec: PipelineSpec, window: Window, now: datetime) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if now < window.opens_at:
        found.append(("window", f"the window of {window.slot.period} opens at {moment(window.opens_at)}"))
    excluded = exclusion(spec.exclusions, window.slot.period)
    if excluded:
        found.append(("exclusion", excluded))
    return found


def _conflict(run: Run) -> str:
    slot = run.key.slot
    again = f'interlock rerun {slot.pipeline} --schedule {slot.schedule} --date {slot.period} --reason "…"'
    if not run.ended:
        doubt = f", in doubt: {run.doubt}" if run.doubt else ""
        return (
            f"{slot} is {run.status} already (run {run.key.run_id}, attempt {run.attempt}{doubt}). Nothing was started"
        )
    how = "completed" if run.status is RunStatus.COMPLETED else f"ended {run.status}"
    when = moment(run.ended_at)
    return f"{slot} {how} at {when}, and a slot runs once. Nothing was started. To run it again: {again}"

"""`interlock rerun`: run a slot again after its run has ended."""

from __future__ import annotations

from datetime import timedelta

import click

from interlock.app.arrivals import open_rerun
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.following import actor, duration, follow
from interlock.cli.run import READINESS, join
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.core.runs import Override


@click.command()
@pipeline_argument
@schedule_option
@click.option("--date", "period", help="The period to run again, such as 2026-03-07; the current one by default.")
@click.option("--reason", required=True, help="Why it is run again: recorded for good.")
@click.option("--force", is_flag=True, help="Go on even if the traits say no; the override is recorded.")
@click.option("--wait/--no-wait", default=True, help="Follow the job to its end (the default), or only start it.")
@click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    schedule: str | None,
    period: str | None,
    reason: str,
    *,
    force: bool,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Run a slot of PIPELINE again: its last run has ended, and stays as it is.

    The traits are asked as they are now. Leaves with the codes of `interlock run`; 7 when the slot's run has not ended.

    \b
    Examples:
      interlock rerun example --reason "the source was corrected"
      interlock rerun example --date 2026-03-07 --reason "late file"
    """
    if not reason.strip():
        raise click.UsageError("--reason must say something: it is the record of why the slot was run again")
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    now = work.clock.now()
    slot = chosen_slot(spec, now, schedule, period)
    override = Override(actor=actor(), reason=reason.strip(), constraints=(READINESS,)) if force else None
    found = open_rerun(slot, spec, work.store, now, note=f"{actor()}: {reason.strip()}", override=override)
    join(work, found, spec, override)
    follow(work, found.run.key, wait=wait, timeout=timeout, as_json=as_json)

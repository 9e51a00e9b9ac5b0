"""`interlock ping`: a job that runs elsewhere tells that it has begun, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interlock.app.arrivals import Opening
from interlock.app.callbacks import Reception, Report, complete
from interlock.app.views import run_view
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, say, styled
from interlock.cli.outside import (
    in_shadow,
    is_run_by,
    nothing_open,
    open_for_others,
    really,
    run_by_others,
    tries_again,
)
from interlock.cli.parameters import actor
from interlock.cli.progress import patience
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.cli.taking import READINESS, ask_afresh, conflict_words, paused
from interlock.core.gate import PAUSED
from interlock.core.runs import STARTED, Cause, Override, Run, RunStatus
from interlock.core.schedules import in_own_zone

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec

EXTERNAL = "external"
OUTSIDE = "started outside of Interlock"


@click.command()
@pipeline_argument
@click.argument("what", metavar="start|success|fail", type=click.Choice(["start", "success", "fail"]))
@schedule_option
@click.option("--date", "period", help="The period it is about, such as 2026-03-07; the current one by default.")
@click.option("--reason", default="", help="What there is to say about it.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    what: str,
    schedule: str | None,
    period: str | None,
    reason: str,
    *,
    as_json: bool,
) -> None:
    """Tell that a job of PIPELINE which Interlock did not start has begun, succeeded or failed.

    The slot's run is opened for it, its traits are asked and what they say is recorded, but nothing is held back: the job is
    running. The same word twice is taken once; success or fail without a start stands for both. Leaves with 7 when it
    contradicts what is known.

    \b
    Examples:
      interlock ping example start && ./job.sh && interlock ping example success
      interlock ping example fail --reason "out of disk"
    """
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    slot = in_own_zone(spec, chosen_slot(spec, work.clock.now(), schedule, period))
    if in_shadow(spec):
        really(slot, work.hands, f"ping#{what}", f"ping {what} {reason}".rstrip(), began=what == "start")
        say(f"{slot}  {what} is noted beside what would have happened (shadow mode)")
        return
    with patience(f"asking the traits of {pipeline}", quiet=as_json):
        run = _begun(slot, spec, work.hands, reason)
        if what == "start":
            if run.status not in STARTED:
                raise Leave(Exit.CONFLICT, conflict_words(run))
        else:
            run = _ended(run, work.hands, succeeded=what == "success", reason=reason)
    if as_json:
        emit_json("Run", run_view(run))
    else:
        say(f"{run.key}  {styled(run.status)}")


def _begun(slot: Slot, spec: PipelineSpec, hands: Hands, reason: str) -> Run:
    """Return the run of a job that somebody else has started: opened, joined, or known already."""
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    latest = hands.store.latest_run(slot)
    if latest is not None and (not nothing_open(latest) or tries_again(latest, EXTERNAL, hands)):
        _require_external(latest, hands)
        if latest.status is not RunStatus.TRIGGERING:
            return latest
        return Driver(hands, SystemPacer(hands.clock)).drive(latest.key, wait=False).run
    names = (READINESS, PAUSED) if paused(spec, hands) else (READINESS,)
    override = Override(actor=actor(), reason=OUTSIDE, constraints=names)
    other = run_by_others(spec, EXTERNAL)
    note = f"{actor()}: {reason}" if reason else actor()
    found = open_for_others(slot, other, hands, cause=Cause.EXTERNAL, note=note, override=override)
    run = ask_afresh(hands, found.run, other, override) if found.how is Opening.JOINED else found.run
    # Its own trigger may have been let through meanwhile, or wait to try again: that job is another one.
    _require_external(run, hands)
    run = Driver(hands, SystemPacer(hands.clock)).drive(run.key, wait=False).run
    if run.status is RunStatus.PENDING:
        raise Leave(Exit.UNDECIDED, f"{run.key} could not be recorded as begun; see: interlock why {slot.pipeline}")
    return run


def _require_external(run: Run, hands: Hands) -> None:
    if not is_run_by(run, EXTERNAL, hands):
        told = f"interlock complete {run.key} --status success|failed"
        raise Leave(Exit.CONFLICT, f"{conflict_words(run)}. To tell how that job ended: {told}")


def _ended(run: Run, hands: Hands, *, succeeded: bool, reason: str) -> Run:
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    report = Report(succeeded=succeeded, reason=reason, by=actor())
    received = complete(run.key, report, hands.store, hands.clock.now())
    if received.how is Reception.CONFLICT:
        raise Leave(Exit.CONFLICT, f"the report was not taken: {received.how.value}; the run is {received.run.status}")
    if received.how is Reception.TAKEN:
        Driver(hands, SystemPacer(hands.clock)).catch_up(run.key)
    return received.run

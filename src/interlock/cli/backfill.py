"""`interlock backfill`: run every slot of a range that has not succeeded."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from interlock.app.arrivals import Opened, Opening, open_run
from interlock.app.backfilling import TO_DO, Action, Plan, Step, TooMany, plan_backfill
from interlock.app.views import View
from interlock.cli.again import Wish, run_again
from interlock.cli.context import json_option, opened, pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import driven_by, ending, exit_of_run
from interlock.cli.instants import day_of
from interlock.cli.output import emit_json, faint, plain, say, styled, table, tell
from interlock.cli.slots import named_schedules, schedule_option
from interlock.cli.taking import join, paused, require_nothing
from interlock.core.runs import Cause, Run, RunStatus
from interlock.errors import NotFound

if TYPE_CHECKING:
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec
    from interlock.runtime.wiring import Interlock


class BackfillSlot(View, frozen=True, kw_only=True, rename="camel"):
    """One slot of the range: what the plan says about it, why, and the run that came of it; null where none did."""

    schedule_id: str
    date: str
    action: str
    reason: str
    run_id: str | None
    status: str | None


class Backfill(View, frozen=True, kw_only=True, rename="camel"):
    """A plan by its name, and how far it was carried out."""

    pipeline_id: str
    plan: str
    items: tuple[BackfillSlot, ...]


@click.command()
@pipeline_argument
@click.option("--from", "first", required=True, metavar="DAY", help="The first day, such as 2026-03-01.")
@click.option("--to", "last", required=True, metavar="DAY", help="The last day; it is included.")
@schedule_option
@click.option("--dry-run", is_flag=True, help="Show what would be done, and start nothing.")
@click.option("--plan", metavar="HASH", help="Carry out exactly the plan of this name, or leave with 7.")
@click.option("--reason", default="", help="Why: recorded with every run.")
@click.option(
    "--max", "most", type=click.IntRange(min=1), help="Run at most so many slots; the rest is left for later."
)
@click.option("--keep-going", is_flag=True, help="Go on with the next slot after one that did not succeed.")
@click.option("--wait/--no-wait", default=True, help="Run one after another (the default), or leave all to a watcher.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    pipeline: str,
    first: str,
    last: str,
    schedule: str | None,
    *,
    dry_run: bool,
    plan: str | None,
    reason: str,
    most: int | None,
    keep_going: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Run every slot of PIPELINE from one day to another that has no successful run: oldest first, one after another.

    What is excluded, done, under way or still to come is left out, and listed as such. Without --schedule the slots of all
    schedules are meant. The first slot that does not succeed ends it, with the code that `interlock run` has for it.

    \b
    Examples:
      interlock backfill example --from 2026-03-01 --to 2026-03-07 --dry-run
      interlock backfill example --from 2026-03-01 --to 2026-03-07 --plan 5f0c2a91 --reason "new column"
      interlock backfill example --from 2026-03-01 --to 2026-03-31 --max 5 --keep-going
    """
    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    work = opened(ctx, project)
    made = _planned(work, spec, (day_of(first, "--from"), day_of(last, "--to")), schedule, most)
    if plan is not None and plan != made.digest:
        words = f"the plan is {made.digest} now, not {plan}: look at it with --dry-run"
        raise Leave(Exit.CONFLICT, f"{words}. Nothing was started")
    if dry_run:
        _show(pipeline, made, {}, as_json=as_json)
        return
    require_nothing(spec, paused(spec, work.hands), f"End it with: interlock resume {pipeline}")
    performance = _Backfill(work, spec, made, reason=reason.strip(), quiet=as_json)
    code = performance.perform(keep_going=keep_going) if wait else performance.open_all()
    if as_json:
        _show(pipeline, made, performance.runs, as_json=True)
    elif not made.to_do:
        say("there is nothing to do")
    raise Leave(code)


def _planned(
    work: Interlock, spec: PipelineSpec, days: tuple[date, date], schedule: str | None, most: int | None
) -> Plan:
    if days[0] > days[1]:
        raise click.UsageError(f"--from {days[0]} is after --to {days[1]}")
    schedules = named_schedules(spec, schedule)
    try:
        made = plan_backfill(spec, schedules, days, work.store.latest_run, work.clock.now(), most=most)
    except TooMany as exc:
        raise click.UsageError(f"{exc}: take fewer days at once") from exc
    if not made.steps:
        raise NotFound(f"{spec.name} has no slot from {days[0]} to {days[1]}")
    return made


class _Backfill:
    """Carries a plan out. `runs` are those it has opened so far, by their slots."""

    def __init__(self, work: Interlock, spec: PipelineSpec, plan: Plan, *, reason: str, quiet: bool) -> None:
        self.runs: dict[Slot, Run] = {}
        self._work = work
        self._spec = spec
        self._plan = plan
        self._wish = Wish(Cause.BACKFILL, f"backfill {plan.digest}" + (f": {reason}" if reason else ""), None)
        self._quiet = quiet

    def perform(self, *, keep_going: bool) -> Exit:
        """Run the slots one after another; return the code of the first that did not succeed."""
        code = Exit.DONE
        for place, step in enumerate(self._plan.to_do, start=1):
            try:
                run, ended = self._one(step)
                words = f"{styled(run.status)}  {_how(run, ended)}"
            except Leave as exc:
                ended, words = exc.code, str(exc)
            self._tell(place, step, words)
            if ended is not Exit.DONE:
                code = code if code is not Exit.DONE else ended
                if not keep_going:
                    break
        left = len(self._plan.to_do) - len(self.runs)
        if code is not Exit.DONE and left and not keep_going:
            tell(f"interlock: {left} more were not begun; go on past a failure with --keep-going")
        return code

    def open_all(self) -> Exit:
        """Open all runs, and leave them to a watcher."""
        for place, step in enumerate(self._plan.to_do, start=1):
            run = self._opened(step)
            self.runs[step.slot] = run
            self._tell(place, step, f"opened as {run.key}")
        if self.runs and not self._quiet:
            tell("a watcher takes them from here: interlock watch")
        return Exit.DONE

    def _one(self, step: Step) -> tuple[Run, Exit]:
        run = self._opened(step)
        self.runs[step.slot] = run
        if step.action is Action.GO_ON:
            join(self._work.hands, Opened(run=run, how=Opening.JOINED), self._spec, None)
        driven = driven_by(self._work, run.key, wait=True, timeout=None, quiet=self._quiet)
        self.runs[step.slot] = driven.run
        return driven.run, exit_of_run(driven)

    def _opened(self, step: Step) -> Run:
        store, now = self._work.store, self._work.clock.now()
        latest = store.latest_run(step.slot)
        if (0 if latest is None else latest.key.number) != step.after:
            raise Leave(Exit.CONFLICT, f"{step.slot}: somebody else has opened {latest and latest.key} since")
        if latest is None:
            found = open_run(step.slot, self._spec, store, now, cause=Cause.BACKFILL, note=self._wish.note)
            return found.run
        return run_again(latest, self._spec, self._work.hands, self._wish) if latest.ended else latest

    def _tell(self, place: int, step: Step, words: str) -> None:
        line = f"{place}/{len(self._plan.to_do)}  {step.slot.schedule} {step.slot.period}  {words}"
        tell(faint(line)) if self._quiet else say(line)


def _how(run: Run, code: Exit) -> str:
    if code is Exit.DONE or run.ended:
        return plain(ending(run))
    if run.status is RunStatus.PENDING and run.readiness is not None:
        return f"blocked by {', '.join(run.readiness.blocking)}"
    return plain(run.doubt)


def _show(pipeline: str, plan: Plan, runs: dict[Slot, Run], *, as_json: bool) -> None:
    if as_json:
        items = tuple(_slot(step, runs.get(step.slot)) for step in plan.steps)
        emit_json("Backfill", Backfill(pipeline_id=pipeline, plan=plan.digest, items=items))
        return
    rows = [(step.slot.schedule, step.slot.period, _verb(step), plain(step.reason)) for step in plan.steps]
    say(table(("SCHEDULE", "DATE", "ACTION", ""), rows))
    say(f"plan {plan.digest}: {len(plan.to_do)} of {len(plan.steps)} slots are to be run")


def _verb(step: Step) -> str:
    return step.action if step.action in TO_DO else faint(step.action)


def _slot(step: Step, run: Run | None) -> BackfillSlot:
    return BackfillSlot(
        schedule_id=step.slot.schedule,
        date=step.slot.period,
        action=step.action,
        reason=step.reason,
        run_id=run.key.run_id if run else None,
        status=run.status if run else None,
    )

"""`interlock backfill`: run every slot of a range that has not succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from interlock.api.rerunning import Backfill
from interlock.api.running import RunOf
from interlock.app.backfilling import TO_DO, Action
from interlock.app.rerun_views import BackfillView, backfill_view
from interlock.cli.asking import LocalDesk, ask, desk_of, server_of
from interlock.cli.context import json_option, pipeline_argument
from interlock.cli.exits import Exit, Leave, exit_of
from interlock.cli.following import driven_by, ending, exit_of_run, followed_there, has_ended
from interlock.cli.output import emit_json, faint, plain, say, styled, table, tell
from interlock.cli.parameters import schedule_option
from interlock.core.runs import Run, RunStatus
from interlock.errors import Declined

if TYPE_CHECKING:
    from interlock.app.backfilling import Plan, Step
    from interlock.app.views import RunView
    from interlock.core.ids import Slot
    from interlock.operations.backfilling import Backfilling


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
    request = Backfill(
        pipeline_id=pipeline,
        from_=first,
        to=last,
        schedule=schedule,
        max=most,
        reason=reason,
        plan=plan,
        dry_run=dry_run,
    )
    if dry_run:
        _show(ask(ctx, request), as_json=as_json)
        return
    run = _there if server_of(ctx) else _here
    code, view = run(ctx, request, wait=wait, keep_going=keep_going, quiet=as_json)
    if as_json:
        _show(view, as_json=True)
    elif not any(item.action in TO_DO for item in view.items):
        say("there is nothing to do")
    raise Leave(code)


def _there(
    ctx: click.Context, request: Backfill, *, wait: bool, keep_going: bool, quiet: bool
) -> tuple[Exit, BackfillView]:
    """Have the server open all runs, and look on while its watcher takes them."""
    view = ask(ctx, request)
    opened = [item for item in view.items if item.run_id is not None]
    code = Exit.DONE
    for place, item in enumerate(opened, start=1):
        teller = _Teller(len(opened), quiet=quiet)
        if not wait:
            teller.tell(place, item.schedule_id, item.date, f"opened as {item.run_id}")
            continue
        run = ask(ctx, RunOf(run_id=item.run_id or ""))
        followed = followed_there(ctx, run, wait=True, timeout=None, quiet=quiet)
        ended = exit_of_run(followed)
        run = followed.run
        view = _with(view, run)
        teller.tell(place, item.schedule_id, item.date, f"{styled(run.status)}  {_how(run, ended)}")
        if ended is not Exit.DONE:
            code = code if code is not Exit.DONE else ended
            if not keep_going:
                left = len(opened) - place
                if left:
                    tell(f"interlock: {left} more are opened, and the server's watcher goes on with them")
                break
    if opened and not wait and not quiet:
        tell("the server's watcher takes them from here")
    return code, view


def _with(view: BackfillView, run: RunView) -> BackfillView:
    items = (replace(item, status=run.status) if item.run_id == run.run_id else item for item in view.items)
    return replace(view, items=tuple(items))


def _here(
    ctx: click.Context, request: Backfill, *, wait: bool, keep_going: bool, quiet: bool
) -> tuple[Exit, BackfillView]:
    """Open the runs here, one after another."""
    from interlock.operations.backfilling import Backfilling, planned

    desk = desk_of(ctx)
    plan = planned(request, desk)
    performance = _Performance(desk, plan, Backfilling(plan, request, desk), quiet=quiet)
    code = performance.perform(keep_going=keep_going) if wait else performance.open_all()
    return code, backfill_view(request.pipeline_id, plan, performance.runs)


class _Teller:
    """Tells how far a backfill is, one line a slot."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total = total
        self._quiet = quiet

    def tell(self, place: int, schedule: str, date: str, words: str) -> None:
        """Tell what became of a slot."""
        line = f"{place}/{self._total}  {schedule} {date}  {words}"
        tell(faint(line)) if self._quiet else say(line)


class _Performance:
    """Carries a plan out. `runs` are those it has opened so far, by their slots."""

    def __init__(self, desk: LocalDesk, plan: Plan, filling: Backfilling, *, quiet: bool) -> None:
        self.runs: dict[Slot, Run] = {}
        self._desk = desk
        self._plan = plan
        self._filling = filling
        self._quiet = quiet
        self._teller = _Teller(len(plan.to_do), quiet=quiet)

    def perform(self, *, keep_going: bool) -> Exit:
        """Run the slots one after another; return the code of the first that did not succeed."""
        code = Exit.DONE
        for place, step in enumerate(self._plan.to_do, start=1):
            try:
                run, ended = self._one(step)
                words = f"{styled(run.status)}  {_how(run, ended)}"
            except Declined as exc:
                ended, words = exit_of(exc), str(exc)
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
        self._filling.require_apart()
        for place, step in enumerate(self._plan.to_do, start=1):
            run = self._filling.open(step)
            self.runs[step.slot] = run
            self._tell(place, step, f"opened as {run.key}")
        if self.runs and not self._quiet:
            tell("a watcher takes them from here: interlock watch")
        return Exit.DONE

    def _one(self, step: Step) -> tuple[RunView, Exit]:
        work = self._desk.work
        run = self._filling.open(step)
        self.runs[step.slot] = run
        if step.action is Action.GO_ON:
            self._filling.go_on(run)
        followed = driven_by(work, run.key, wait=True, timeout=None, quiet=self._quiet)
        self.runs[step.slot] = work.store.run(run.key) or run
        return followed.run, exit_of_run(followed)

    def _tell(self, place: int, step: Step, words: str) -> None:
        self._teller.tell(place, step.slot.schedule, step.slot.period, words)


def _how(run: RunView, code: Exit) -> str:
    if code is Exit.DONE or has_ended(run):
        return plain(ending(run))
    if run.status == RunStatus.PENDING and run.blocking:
        return f"blocked by {', '.join(run.blocking)}"
    return plain(run.doubt)


def _show(view: BackfillView, *, as_json: bool) -> None:
    if as_json:
        emit_json("Backfill", view)
        return
    rows = [(item.schedule_id, item.date, _verb(item.action), plain(item.reason)) for item in view.items]
    say(table(("SCHEDULE", "DATE", "ACTION", ""), rows))
    to_do = sum(item.action in TO_DO for item in view.items)
    say(f"plan {view.plan}: {to_do} of {len(view.items)} slots are to be run")


def _verb(action: str) -> str:
    return action if action in TO_DO else faint(action)

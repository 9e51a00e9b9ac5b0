"""Planning a range of slots, and opening the runs of the plan one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.app.arrivals import Opened, Opening, open_on
from interlock.app.backfilling import Plan, Step, TooMany, plan_backfill
from interlock.app.opening import Refusal
from interlock.core.pipelines import OverlapPolicy
from interlock.core.runs import Cause, Run
from interlock.errors import Conflict, Invalid, NotFound
from interlock.operations.again import Wish, run_again
from interlock.operations.desk import Desk
from interlock.operations.instants import day_of
from interlock.operations.pipelines import pipeline_of
from interlock.operations.slots import named_schedules
from interlock.operations.taking import NAMES, Constraint, join, overlapping, paused, require_nothing

if TYPE_CHECKING:
    from interlock.api.rerunning import Backfill


def planned(request: Backfill, desk: Desk) -> Plan:
    """Return what a backfill would do now.

    Raises:
        Invalid: the range is none, or holds too many slots.
        NotFound: the range holds no slot.
        Conflict: a plan was named, and it is another one now.
    """
    spec = pipeline_of(desk.project, request.pipeline_id)
    days = (day_of(request.from_, "from"), day_of(request.to, "to"))
    if days[0] > days[1]:
        raise Invalid(f"the first day, {days[0]}, is after the last, {days[1]}")
    schedules = named_schedules(spec, request.schedule)
    try:
        made = plan_backfill(spec, schedules, days, desk.store.latest_run, desk.clock.now(), most=request.max)
    except TooMany as exc:
        raise Invalid(f"{exc}: take fewer days at once") from exc
    if not made.steps:
        raise NotFound(f"{spec.name} has no slot from {days[0]} to {days[1]}")
    if request.plan is not None and request.plan != made.digest:
        words = f"the plan is {made.digest} now, not {request.plan}: look at it with a dry run"
        raise Conflict(f"{words}. Nothing was started", details={"plan": made.digest})
    return made


class Backfilling:
    """Opens the runs of a plan, each where it still stands as it was planned."""

    def __init__(self, plan: Plan, request: Backfill, desk: Desk) -> None:
        """Take a plan on.

        Raises:
            Refused: the pipeline is paused.
        """
        self.spec = pipeline_of(desk.project, request.pipeline_id)
        self._plan = plan
        self._desk = desk
        require_nothing(
            self.spec, paused(self.spec, desk.work.hands), f"End it with: interlock resume {self.spec.name}"
        )
        reason = request.reason.strip()
        words = f"backfill {plan.digest}" + (f": {reason}" if reason else "")
        self._wish = Wish(Cause.BACKFILL, desk.actor, words)

    def require_apart(self) -> None:
        """See to it that all of the plan may wait, and so be let through, together.

        Raises:
            Refused: they may not overlap, with one another or with another run.
        """
        hands = self._desk.work.hands
        for schedule in self.spec.schedules:
            steps = [step for step in self._plan.to_do if step.slot.schedule == schedule.name]
            if not steps or schedule.overlap is OverlapPolicy.ALLOW:
                continue
            advice = "Wait for it to end"
            found = overlapping(steps[0].slot, self.spec, hands)
            if not found and len(steps) > 1:
                advice = "Open one at a time, with max 1, and the next when it has ended"
                words = (
                    f"{len(steps)} slots would be let through together, and the overlap policy is {schedule.overlap}"
                )
                found = [Constraint(NAMES[Refusal.OVERLAPS], words)]
            require_nothing(self.spec, found, advice)

    def open(self, step: Step) -> Run:
        """Open the run of one slot, or return the one that waits there.

        Raises:
            Conflict: somebody else has opened another one since it was planned.
        """
        work = self._desk.work
        latest = work.store.latest_run(step.slot)
        if (0 if latest is None else latest.key.number) != step.after:
            raise Conflict(f"{step.slot}: somebody else has opened {latest and latest.key} since")
        if latest is None:
            return open_on(self._wish.terms, step.slot, self.spec, work.store, self._desk.clock.now()).run
        return run_again(latest, self.spec, work.hands, self._wish) if latest.ended else latest

    def go_on(self, run: Run) -> None:
        """Have a run that was waiting judged anew, by the files as they are now."""
        found = Opened(run=run, how=Opening.JOINED)
        join(self._desk.work.hands, found, self.spec, None, actor=self._desk.actor)

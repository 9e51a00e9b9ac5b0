"""Planning a backfill: which slots of a range are still to be done. Nothing here opens a run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from interlock.core.ids import Slot
from interlock.core.openings import ONE_DAY, day_start
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.runs import STARTED, SUCCEEDED, Run
from interlock.core.schedules import Window, exclusion, windows

MOST: Final = 10_000
"""How many slots one backfill may be about."""


class Action(enum.StrEnum):
    """What a backfill does about one slot."""

    RUN = "run"
    RUN_AGAIN = "run-again"
    GO_ON = "go-on"
    DONE = "done"
    BUSY = "busy"
    EXCLUDED = "excluded"
    FUTURE = "future"
    LEFT = "left"


TO_DO: Final = (Action.RUN, Action.RUN_AGAIN, Action.GO_ON)


class Step(Struct, frozen=True, kw_only=True):
    """One slot of a plan: what is done about it, after which run, and why."""

    slot: Slot
    opens_at: datetime
    action: Action
    reason: str = ""
    after: int = 0


class Plan(Struct, frozen=True, kw_only=True):
    """What a backfill does, slot by slot, oldest first. `digest` names it: the same plan later has the same one."""

    digest: str
    steps: tuple[Step, ...]

    @property
    def to_do(self) -> tuple[Step, ...]:
        """The steps that run something."""
        return tuple(step for step in self.steps if step.action in TO_DO)


class TooMany(ValueError):
    """The range holds more slots than one backfill may be about."""


def plan_backfill(
    spec: PipelineSpec,
    schedules: tuple[ScheduleSpec, ...],
    days: tuple[date, date],
    latest: Callable[[Slot], Run | None],
    at: datetime,
    *,
    most: int | None = None,
) -> Plan:
    """Plan every slot of some days, both included, that has no successful run. At most `most` are run; the rest is left.

    Raises:
        TooMany: the days hold too many slots.
    """
    found: list[Window] = []
    for schedule in schedules:
        for each in _windows(spec, schedule, days):
            found.append(each)
            if len(found) > MOST:
                raise TooMany(f"{days[0]} to {days[1]} holds more than {MOST} slots")
    found.sort(key=lambda each: (each.opens_at, each.slot))
    steps, chosen = [], 0
    for each in found:
        step = _step(each, spec, latest(each.slot), at)
        if step.action in TO_DO:
            chosen += 1
            if most is not None and chosen > most:
                step = Step(slot=step.slot, opens_at=step.opens_at, action=Action.LEFT, reason=f"more than {most}")
        steps.append(step)
    return Plan(digest=_digest(steps), steps=tuple(steps))


def _windows(spec: PipelineSpec, schedule: ScheduleSpec, days: tuple[date, date]) -> Iterator[Window]:
    first, last = days
    # A change of clocks may move an opening over midnight; its period still says which day it is for.
    since = day_start(first, schedule.timezone) - ONE_DAY
    until = day_start(last, schedule.timezone) + timedelta(days=2)
    for each in windows(spec.name, schedule, since, until, limit=2 * MOST):
        if first <= each.slot.period.day <= last:
            yield each


def _step(window: Window, spec: PipelineSpec, run: Run | None, at: datetime) -> Step:
    action, reason = _action(window, spec, run, at)
    return Step(
        slot=window.slot,
        opens_at=window.opens_at,
        action=action,
        reason=reason,
        after=0 if run is None else run.key.number,
    )


def _action(window: Window, spec: PipelineSpec, run: Run | None, at: datetime) -> tuple[Action, str]:
    if run is not None and run.status in SUCCEEDED:
        return Action.DONE, f"{run.key} is {run.status}"
    if run is not None and run.status in STARTED:
        return Action.BUSY, f"{run.key} is {run.status}"
    excluded = exclusion(spec.exclusions, window.slot.period)
    if excluded:
        return Action.EXCLUDED, excluded
    if at < window.opens_at:
        return Action.FUTURE, f"its window opens at {window.opens_at.isoformat()}"
    if run is None:
        return Action.RUN, "it never ran"
    if run.ended:
        return Action.RUN_AGAIN, f"{run.key} ended {run.status}"
    return Action.GO_ON, f"{run.key} waits"


def _digest(steps: list[Step]) -> str:
    lines = (f"{step.slot} {step.action} {step.after}" for step in steps)
    return blake2b("\n".join(lines).encode(), digest_size=4).hexdigest()

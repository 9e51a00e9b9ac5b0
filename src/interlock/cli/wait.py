"""`interlock wait`: hold a script until a slot is ready, or done."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from interlock.cli.context import pipeline_argument, pipeline_of, sound_project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import ending, exit_of_end
from interlock.cli.output import faint, say, span, styled, tell
from interlock.cli.parameters import duration
from interlock.cli.slots import chosen_slot, schedule_option
from interlock.core.readiness import assess
from interlock.core.runs import STARTED, SUCCEEDED, Run
from interlock.core.schedules import in_own_zone

if TYPE_CHECKING:
    from interlock.app.hands import Store
    from interlock.config.project import Project
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec
    from interlock.core.traits import TraitResult

INTERVAL: Final = timedelta(seconds=2)
_SHORTEST: Final = timedelta(milliseconds=100)


class Aim(enum.StrEnum):
    """What is waited for."""

    READY = "ready"
    COMPLETED = "completed"


class Sight(NamedTuple):
    """What a look showed, and the code to leave with; None to go on waiting."""

    words: str
    code: Exit | None = None


@click.command()
@pipeline_argument
@click.option(
    "--for", "aim", type=click.Choice([aim.value for aim in Aim]), default=Aim.COMPLETED.value, show_default=True
)
@schedule_option
@click.option("--date", "period", help="The period to wait for, such as 2026-03-07; the current one by default.")
@click.option(
    "--timeout", callback=duration, help="How long to wait, such as 2h; then leave with 6. For ever by default."
)
@click.option("--interval", callback=duration, default="2s", show_default=True, help="How often to look.")
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    aim: str,
    schedule: str | None,
    period: str | None,
    timeout: timedelta | None,
    interval: timedelta | None,
) -> None:
    """Wait until a slot of PIPELINE is ready, or completed. Nothing is asked or started: somebody else does that.

    The slot is chosen once, when the waiting begins. It is `ready` when its latest verdict says so and is still fresh, or
    its job was let through. Leaves with 0 then, 4 when its run failed for good, 6 when the time is over, 9 when it was given
    up or cancelled.

    \b
    Examples:
      interlock wait example --for completed --timeout 2h && ./report.sh
      interlock wait example --for ready --date 2026-03-07
    """
    from interlock.runtime.clock import SystemClock, SystemPacer

    project = sound_project_of(ctx)
    spec = pipeline_of(project, pipeline)
    clock = SystemClock()
    began = clock.now()
    slot = in_own_zone(spec, chosen_slot(spec, began, schedule, period))
    pacer = SystemPacer(clock)
    until = None if timeout is None else began + timeout
    last = ""
    while True:
        now = clock.now()
        seen = _look(project, spec, slot, Aim(aim), now)
        if seen.code is not None:
            say(f"{slot}  {seen.words}")
            raise Leave(seen.code)
        if until is not None and now >= until:
            raise Leave(Exit.TIMED_OUT, f"{slot} is not {aim} after {span(timeout or INTERVAL)}: {seen.words}")
        if seen.words != last and now - began >= timedelta(seconds=1):
            tell(faint(f"waiting until {slot} is {aim}: {seen.words}"))
            last = seen.words
        later = now + max(interval or INTERVAL, _SHORTEST)
        pacer.until(later if until is None else min(later, until))


def _look(project: Project, spec: PipelineSpec, slot: Slot, aim: Aim, now: datetime) -> Sight:
    from interlock.runtime.reading import open_for_reading

    # Opened for each look: the store may not exist yet, and waiting must hold nothing.
    with open_for_reading(project) as store:
        run = store.latest_run(slot)
        if aim is Aim.READY:
            return _ready(spec, slot, run, store, now)
        return Sight("it has no run yet") if run is None else _completed(run)


def _completed(run: Run) -> Sight:
    if run.ended or run.status in SUCCEEDED:
        return Sight(f"{styled(run.status)}  {ending(run)}", exit_of_end(run))
    words = f"{run.key} is {run.status}"
    return Sight(f"{words}, in doubt: {run.doubt}" if run.doubt else words)


def _ready(spec: PipelineSpec, slot: Slot, run: Run | None, store: Store, now: datetime) -> Sight:
    if run is not None and run.status in STARTED:
        return Sight(f"{styled('READY')}  {run.key} was let through, and is {run.status}", Exit.DONE)
    if run is not None and (run.ended or run.status in SUCCEEDED):
        return Sight(f"{styled(run.status)}  {ending(run)}", exit_of_end(run))
    answers: list[tuple[TraitResult, ...]] = [] if run is None else [run.results]
    evaluation = store.latest_evaluation(spec.name)
    if evaluation is not None and evaluation.slot == slot:
        answers.append(evaluation.results)
    judged = [assess(spec.traits, spec.rule, results, now) for results in answers if results]
    if any(one.ready for one in judged):
        return Sight(f"{styled('READY')}  by answers that are still fresh", Exit.DONE)
    if not judged:
        return Sight("nobody has asked its traits yet")
    return Sight(f"NOT_READY, blocked by {', '.join(judged[0].blocking)}")

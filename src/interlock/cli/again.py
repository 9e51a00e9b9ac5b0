"""Running a slot again: what `rerun` and `replay` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import click

from interlock.app.arrivals import Opened, Opening
from interlock.app.reruns import BY_PEOPLE, Rerun, ask_rerun
from interlock.cli.exits import Exit, Leave
from interlock.cli.parameters import actor
from interlock.cli.taking import Constraint, conflict_words, join
from interlock.core.runs import Cause, Override, Run, RunStatus

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec

BUDGET: Final = "budget"


class Wish(NamedTuple):
    """Why a slot is to be run again, by whose leave."""

    cause: Cause
    reason: str
    override: Override | None

    @property
    def note(self) -> str:
        """What is recorded with the run."""
        return f"{actor()}: {self.reason}"


def required_reason(reason: str) -> str:
    """Return a reason that says something.

    Raises:
        click.UsageError: it does not.
    """
    if not reason.strip():
        raise click.UsageError("--reason must say something: it is the record of why it was done")
    return reason.strip()


def used_up(slot: Slot, spec: PipelineSpec, hands: Hands) -> list[Constraint]:
    """Return the budget of reruns by people, if a slot has used it up."""
    used, allowed = hands.store.count_runs(slot, BY_PEOPLE), spec.reruns.manual
    if used < allowed:
        return []
    return [Constraint(BUDGET, f"the budget of reruns for people is used up: {used} of {allowed}")]


def run_again(latest: Run, spec: PipelineSpec, hands: Hands, wish: Wish) -> Run:
    """Open the run that follows the latest of a slot, or go on with one that was opened so and waits.

    Raises:
        Leave: the latest has not ended, or it may not be run again.
    """
    if not latest.ended:
        if latest.status is not RunStatus.PENDING or latest.key.number == 1:
            raise Leave(Exit.CONFLICT, conflict_words(latest))
        join(hands, Opened(run=latest, how=Opening.JOINED), spec, wish.override)
        return latest
    answer = ask_rerun(latest.key, wish.cause, wish.note, hands, override=wish.override)
    if answer.how is Rerun.OPENED and answer.run is not None:
        return answer.run
    if answer.how is Rerun.REJECTED:
        raise Leave(Exit.REFUSED, f"{latest.key.slot} is not run again: {answer.words}. Force it with: --force")
    raise Leave(Exit.CONFLICT, f"somebody else runs it again already: {answer.words}. Nothing was started")

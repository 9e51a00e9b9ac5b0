"""Running a slot again: what reruns, replays and backfills have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from interlock.app.arrivals import Opened, Opening
from interlock.app.reruns import BY_PEOPLE, Rerun, ask_rerun
from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.core.lifecycle import Terms
from interlock.core.runs import Cause, Override, Run, RunStatus
from interlock.errors import Conflict, Invalid, Refused
from interlock.operations.taking import Constraint, join, taken

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec

BUDGET: Final = "budget"


class Wish(NamedTuple):
    """Why a slot is to be run, who wants it, by whose leave, and what else was said."""

    cause: Cause
    actor: str
    reason: str
    override: Override | None = None
    said: Mapping[str, Any] = {}

    @property
    def note(self) -> str:
        """What is recorded with the run, for people."""
        return f"{self.actor}: {self.reason}"

    @property
    def details(self) -> Document:
        """What is recorded with the run, for programs."""
        given = {name: value for name, value in self.said.items() if value}
        try:
            return document({**given, "reason": self.reason, "requestedBy": self.actor})
        except ValueError as exc:
            raise Invalid(f"metadata: {exc}") from exc

    @property
    def terms(self) -> Terms:
        """On what terms its run is opened."""
        return Terms(cause=self.cause, note=self.note, override=self.override, details=self.details)


def used_up(slot: Slot, spec: PipelineSpec, hands: Hands) -> list[Constraint]:
    """Return the budget of reruns by people, if a slot has used it up."""
    used, allowed = hands.store.count_runs(slot, BY_PEOPLE), spec.reruns.manual
    if used < allowed:
        return []
    return [Constraint(BUDGET, f"the budget of reruns for people is used up: {used} of {allowed}")]


def run_again(latest: Run, spec: PipelineSpec, hands: Hands, wish: Wish) -> Run:
    """Open the run that follows the latest of a slot, or go on with one that was opened so and waits.

    Raises:
        Conflict: the latest has not ended, or somebody else was faster.
        Refused: it may not be run again.
    """
    if not latest.ended:
        if latest.status is not RunStatus.PENDING or latest.key.number == 1:
            raise taken(latest)
        join(hands, Opened(run=latest, how=Opening.JOINED), spec, wish.override, actor=wish.actor)
        return latest
    answer = ask_rerun(latest.key, wish.cause, wish.note, hands, override=wish.override, details=wish.details)
    if answer.how is Rerun.OPENED and answer.run is not None:
        return answer.run
    if answer.how is Rerun.REJECTED:
        raise Refused(f"{latest.key.slot} is not run again: {answer.words}. To do it all the same, force it")
    raise Conflict(f"somebody else runs it again already: {answer.words}. Nothing was started")

"""Load, decide, guard, commit; and again when somebody else was faster."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from interlock.app.hands import Store
from interlock.core.chronicle import told
from interlock.core.commands import Command
from interlock.core.constraints import violations
from interlock.core.decision import Decision
from interlock.core.events import EvaluationAsked, Event
from interlock.core.ids import CommandId, RunKey
from interlock.core.lifecycle import decide
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.errors import Contention, NotFound, UnsafeDecision
from interlock.ports.stores import Commit, Entry
from interlock.ports.telemetry import Step, StepKind

TRIES: Final = 50


class Advanced(Struct, frozen=True, kw_only=True):
    """What became of a fact: the run as it stands, whether the fact changed it, and the new wishes."""

    run: Run
    changed: bool
    commands: tuple[Command, ...] = ()


def advance(key: RunKey, event: Event, store: Store, *, settles: CommandId | None = None) -> Advanced:
    """Tell a run a fact, and settle the wish that the fact answers, in one commit.

    Lost races are run again on what the winner wrote. Telling the same fact twice changes nothing, so a commit of
    unknown outcome is safe to repeat.

    Raises:
        NotFound: there is no such run.
        UnsafeDecision: the decision would break a safety constraint; nothing was written.
        Contention: somebody else was faster every time; nothing was written.
    """
    with store.telemetry.step(StepKind.DECISION, key.slot, key.run_id, event=type(event).__name__) as step:
        advanced = _advanced(key, event, store, settles, step)
        step.told(outcome="changed" if advanced.changed else "unchanged", version=str(advanced.run.version))
        return advanced


def _advanced(key: RunKey, event: Event, store: Store, settles: CommandId | None, step: Step) -> Advanced:
    for _ in range(TRIES):
        before = store.run(key)
        if before is None:
            step.told(outcome="missing")
            raise NotFound(f"there is no run {key}")
        spec = store.spec(_digest(before, event))
        step.phase("load")
        decision = decide(before, event, spec)
        guard(before, event, decision, spec)
        step.phase("decide")
        if decision.run == before:
            if settles is not None:
                store.settle(key, settles)
            return Advanced(run=before, changed=False)
        done = store.commit(change_of(before, event, decision, settles=settles))
        step.phase("commit")
        if done:
            return Advanced(run=decision.run, changed=True, commands=decision.commands)
    step.told(outcome="contention")
    raise Contention(f"the run {key} could not be advanced: others kept changing it first. Nothing was lost; try again")


def _digest(run: Run, event: Event) -> str:
    return (event.spec_digest if isinstance(event, EvaluationAsked) else "") or run.spec_digest


def guard(before: Run | None, event: Event | None, decision: Decision, spec: PipelineSpec) -> None:
    """Refuse a decision that breaks a safety constraint, before anything is written.

    Raises:
        UnsafeDecision: naming the constraints by number.
    """
    broken = violations(before, event, decision, spec)
    if broken:
        listed = "; ".join(map(str, broken))
        raise UnsafeDecision(
            f"a decision about {decision.run.key} was refused because it breaks {listed}. "
            f"Nothing was written and nothing started. This is a fault in Interlock: please report it"
        )


def change_of(
    before: Run | None, event: Event | None, decision: Decision, *, settles: CommandId | None = None
) -> Commit:
    """Return the one commit that makes a decision true."""
    after = decision.run
    return Commit(
        before=before,
        after=after,
        entry=Entry(version=after.version, at=after.updated_at, fact=event, records=told(before, event, decision)),
        commands=decision.commands,
        settles=settles,
    )

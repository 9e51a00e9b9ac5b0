"""Jobs that are not Interlock's to start: how `exec` and `ping` open a slot's run for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from interlock.app.arrivals import Opened, open_rerun, open_run
from interlock.app.shadow_report import REAL
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.pipelines import Mode, TriggerSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import Cause, Override, Run, RunStatus

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.ids import Slot
    from interlock.core.pipelines import PipelineSpec

ONCE: Final = RetrySpec(max_attempts=1)


def run_by_others(spec: PipelineSpec, kind: str) -> PipelineSpec:
    """Return a pipeline as it is when somebody else runs its job: all its own, but for the trigger and the retries.

    Whoever runs the job tries it again, or does not.
    """
    own = spec.trigger
    trigger = TriggerSpec(type=kind)
    if own is not None:
        trigger = replace(trigger, poll_interval=own.poll_interval, poll_budget=own.poll_budget)
    return replace(spec, trigger=trigger, retry=ONCE)


def is_run_by(run: Run, kind: str, hands: Hands) -> bool:
    """Say whether a run is one whose job somebody else runs in this way."""
    trigger = hands.store.spec(run.spec_digest).trigger
    return trigger is not None and trigger.type == kind


def only_judged(run: Run) -> bool:
    """Say whether a run is done without any job: that was only asked to be ready, and the job is still to come."""
    return run.status is RunStatus.COMPLETED and run.attempt == 0


def open_for_others(
    slot: Slot, spec: PipelineSpec, hands: Hands, *, cause: Cause, note: str, override: Override | None
) -> Opened:
    """Open the slot's run, or return the one that is there; one that was only judged counts as none."""
    now, latest = hands.clock.now(), hands.store.latest_run(slot)
    if latest is not None and only_judged(latest):
        return open_rerun(slot, spec, hands.store, now, cause=cause, note=note, override=override)
    return open_run(slot, spec, hands.store, now, cause=cause, note=note, override=override)


def nothing_open(latest: Run | None) -> bool:
    """Say whether a slot has no run that counts for a job, or one that waits for it."""
    return latest is None or only_judged(latest) or latest.status is RunStatus.PENDING


def tries_again(run: Run | None, kind: str, hands: Hands) -> bool:
    """Say whether a run waits to start a job of another kind once more: that attempt is not for anybody else to take."""
    return (
        run is not None
        and run.status is RunStatus.PENDING
        and run.not_before is not None
        and not is_run_by(run, kind, hands)
    )


def really(slot: Slot, hands: Hands, name: str, words: str, *, began: bool) -> None:
    """Tell the timeline what a job really did while Interlock only looked on. The same name tells it once."""
    now = hands.clock.now()
    kind = EventKind.TRIGGER_FIRED if began else EventKind.CALLBACK_RECEIVED
    hands.store.note(slot, now, f"real#{name}", (EventRecord(kind=kind, at=now, message=f"{REAL}{words}"),))


def in_shadow(spec: PipelineSpec) -> bool:
    """Say whether Interlock only looks on."""
    return spec.mode is Mode.SHADOW

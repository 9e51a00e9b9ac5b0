"""Opening a run: the slot is claimed, and the spec it was judged by is pinned."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.app.advance import change_of, guard
from interlock.app.hands import Store
from interlock.core.decision import Decision
from interlock.core.ids import RunKey, Slot
from interlock.core.lifecycle import Terms, opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import STARTED, SUCCEEDED, Cause, Override, Run
from interlock.core.schedules import Limits, in_own_zone, limits, window_of
from interlock.errors import Contention, NotFound
from interlock.ports.telemetry import StepKind

_UNPLANNED: Final = timedelta(days=1)


class Opening(enum.Enum):
    """What became of the wish to open a slot's run."""

    OPENED = "a new run"
    JOINED = "a run that was waiting already"
    RUNNING = "a run that is being started or is running"
    ENDED = "a run that has ended"


class Opened(Struct, frozen=True, kw_only=True):
    """The slot's run, and how it came to be."""

    run: Run
    how: Opening


def open_run(
    slot: Slot,
    spec: PipelineSpec,
    store: Store,
    at: datetime,
    *,
    cause: Cause = Cause.MANUAL,
    note: str = "",
    override: Override | None = None,
) -> Opened:
    """Open the slot's run, or return the one that is there already.

    Every way in goes through here, so a slot has one run whoever asks, how often and how many at once. The deadlines of the
    slot are fixed now.
    """
    return open_on(Terms(cause=cause, note=note, override=override), slot, spec, store, at)


def open_on(terms: Terms, slot: Slot, spec: PipelineSpec, store: Store, at: datetime, *, anew: bool = True) -> Opened:
    """Open the slot's run on terms, to which its limits are added; see `open_run`.

    Without `anew` a slot is never opened whose runs were removed because their history was over: that is for people to do.

    Raises:
        Contention: all of the slot's history came and went while this was being decided; nothing was started.
    """
    slot = in_own_zone(spec, slot)
    existing = store.latest_run(slot)
    if existing is not None:
        return _found(existing)
    limited = replace(terms, limits=limits_of(slot, spec, at))
    # Behind all that the slot ever had: the number of a run names its job, also where its history is gone.
    key = RunKey(slot, store.retired(slot) + 1 if anew else 1)
    return _claim(opened(key, spec, store.put_spec(spec), at, limited), spec, store)


def open_rerun(
    slot: Slot,
    spec: PipelineSpec,
    store: Store,
    at: datetime,
    *,
    cause: Cause = Cause.RERUN,
    note: str = "",
    override: Override | None = None,
) -> Opened:
    """Open another run of a slot whose latest run has ended; the earlier ones stay as they are.

    Raises:
        NotFound: the slot never had a run, so there is nothing to do again.
    """
    return open_again_on(Terms(cause=cause, note=note, override=override), slot, spec, store, at)


def open_again_on(terms: Terms, slot: Slot, spec: PipelineSpec, store: Store, at: datetime) -> Opened:
    """Open another run of a slot on terms, to which its limits are added; see `open_rerun`."""
    slot = in_own_zone(spec, slot)
    existing = store.latest_run(slot)
    if existing is None:
        raise NotFound(f"{slot} never ran, so it cannot be run again. Use: interlock run {spec.name}")
    if not existing.ended:
        return _found(existing)
    key = RunKey(slot, existing.key.number + 1)
    limited = replace(terms, limits=limits_of(slot, spec, at))
    return _claim(opened(key, spec, store.put_spec(spec), at, limited), spec, store)


def limits_of(slot: Slot, spec: PipelineSpec, at: datetime) -> Limits:
    """Return the instants that a slot's run goes by when it is opened at an instant."""
    schedule = spec.schedule(slot.schedule)
    window = None if schedule is None else window_of(spec.name, schedule, slot.period)
    if window is None:
        # The files no longer have such a slot. It must end all the same.
        return Limits(opens_at=at, closes_at=at + _UNPLANNED, closes_because="a day after it was opened", hard=False)
    return limits(spec, window, at)


def _claim(decision: Decision, spec: PipelineSpec, store: Store) -> Opened:
    key = decision.run.key
    with store.telemetry.step(StepKind.DECISION, key.slot, key.run_id, event="Opened") as step:
        guard(None, None, decision, spec)
        done = store.commit(change_of(None, None, decision))
        step.phase("commit")
        step.told(outcome="changed" if done else "unchanged", version=str(decision.run.version))
    if done:
        return Opened(run=decision.run, how=Opening.OPENED)
    winner = store.latest_run(key.slot)
    if winner is None:
        raise Contention(
            f"{key} was opened, and its history removed, while this was being decided. Nothing was started"
        )
    return _found(winner)


def _found(run: Run) -> Opened:
    if run.ended or run.status in SUCCEEDED:
        return Opened(run=run, how=Opening.ENDED)
    if run.status in STARTED:
        return Opened(run=run, how=Opening.RUNNING)
    return Opened(run=run, how=Opening.JOINED)

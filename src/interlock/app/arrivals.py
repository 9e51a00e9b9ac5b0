"""Opening a run: the slot is claimed, and the spec it was judged by is pinned."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.app.advance import change_of, guard
from interlock.app.hands import Store
from interlock.core.decision import Decision
from interlock.core.ids import RunKey, Slot
from interlock.core.lifecycle import opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import STARTED, Cause, Override, Run
from interlock.core.schedules import in_own_zone
from interlock.errors import ConfigError, NotFound


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
    override: Override | None = None,
) -> Opened:
    """Open the slot's run, or return the one that is there already.

    Every way in goes through here, so a slot has one run whoever asks, how often and how many at once.

    Raises:
        ConfigError: the pipeline has no trigger, so a run of it could never start anything.
    """
    _needs_trigger(spec)
    slot = in_own_zone(spec, slot)
    existing = store.latest_run(slot)
    if existing is not None:
        return _found(existing)
    decision = opened(RunKey(slot), spec, store.put_spec(spec), at, cause=cause, override=override)
    return _claim(decision, spec, store)


def open_rerun(
    slot: Slot, spec: PipelineSpec, store: Store, at: datetime, *, note: str = "", override: Override | None = None
) -> Opened:
    """Open another run of a slot whose latest run has ended; the earlier ones stay as they are.

    Raises:
        ConfigError: the pipeline has no trigger.
        NotFound: the slot never had a run, so there is nothing to do again.
    """
    slot = in_own_zone(spec, slot)
    existing = store.latest_run(slot)
    if existing is None:
        raise NotFound(f"{slot} never ran, so it cannot be run again. Use: interlock run {spec.name}")
    if not existing.ended:
        return _found(existing)
    key = RunKey(slot, existing.key.number + 1)
    _needs_trigger(spec)
    decision = opened(key, spec, store.put_spec(spec), at, cause=Cause.RERUN, note=note, override=override)
    return _claim(decision, spec, store)


def _claim(decision: Decision, spec: PipelineSpec, store: Store) -> Opened:
    guard(None, None, decision, spec)
    if store.commit(change_of(None, None, decision)):
        return Opened(run=decision.run, how=Opening.OPENED)
    winner = store.latest_run(decision.run.key.slot)
    assert winner is not None  # noqa: S101  (the commit failed because it is there, and runs are never removed)
    return _found(winner)


def _needs_trigger(spec: PipelineSpec) -> None:
    if spec.trigger is None:
        raise ConfigError(
            f"pipeline {spec.name} has no trigger, so there is nothing to run. Add a trigger, or use: interlock evaluate"
        )


def _found(run: Run) -> Opened:
    if run.ended:
        return Opened(run=run, how=Opening.ENDED)
    if run.status in STARTED:
        return Opened(run=run, how=Opening.RUNNING)
    return Opened(run=run, how=Opening.JOINED)

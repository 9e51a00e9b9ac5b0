"""May a slot's run be opened now, and if so, opening it: the one way for calendars, markers and the watchdog alike."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from interlock.app.arrivals import Opened, open_on
from interlock.app.hands import Hands
from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot
from interlock.core.lifecycle import Terms
from interlock.core.pipelines import OverlapPolicy, PipelineSpec
from interlock.core.runs import Cause, Run
from interlock.core.schedules import Window, exclusion

_LOOKED_AT: Final = 50


class Refusal(enum.Enum):
    """Why a slot's run is not opened now."""

    EARLY = "its window is not open yet"
    CLOSED = "its window is closed"
    EXCLUDED = "its day is excluded"
    RETIRED = "it has run, and its history is over"
    PAUSED = "the pipeline is paused"
    OVERLAPS = "an earlier run of its schedule has not ended, and its overlap policy is skip"
    QUEUED = "an earlier run of its schedule has not ended, and its overlap policy is queue"


class Refused(NamedTuple):
    """Why not, in general and in words."""

    why: Refusal
    words: str


def open_slot(window: Window, spec: PipelineSpec, hands: Hands, *, cause: Cause, note: str = "") -> Opened | Refused:
    """Open the run of a slot unless something speaks against it.

    A slot that has a run already is returned with it, whatever else holds. One that had runs whose history was removed is
    not opened by itself again, only by people. A deadline that was over before anybody expected the slot is not held
    against it.
    """
    now = hands.clock.now()
    existing = hands.store.latest_run(window.slot)
    if existing is None:
        retired = retired_words(window.slot, hands)
        refused = Refused(Refusal.RETIRED, retired) if retired else refusal(window, spec, hands, now)
        if refused is not None:
            return refused
    expectation = hands.agendas.expectation(window.slot)
    since = None if expectation is None else expectation.since
    return open_on(Terms(cause=cause, note=note, since=since), window.slot, spec, hands.store, now, anew=False)


def refusal(window: Window, spec: PipelineSpec, hands: Hands, now: datetime) -> Refused | None:
    """Return what speaks against opening a slot's run now; None when nothing does."""
    return next(refusals(window, spec, hands, now), None)


def refusals(window: Window, spec: PipelineSpec, hands: Hands, now: datetime) -> Iterator[Refused]:
    """Yield everything that speaks against opening a slot's run now, what holds longest first."""
    if now < window.opens_at:
        yield Refused(Refusal.EARLY, f"its window opens at {window.opens_at.isoformat()}")
    excluded = exclusion(spec.exclusions, window.slot.period)
    if excluded:
        yield Refused(Refusal.EXCLUDED, excluded)
    if window.hard and now >= window.closes_at:
        yield Refused(Refusal.CLOSED, f"its window closed at {window.closes_at.isoformat()}")
    paused = pause_words(spec.name, hands, now)
    if paused:
        yield Refused(Refusal.PAUSED, paused)
    overlapping = overlap(window.slot, spec, hands)
    if overlapping is not None:
        yield overlapping


def retired_words(slot: Slot, hands: Hands) -> str:
    """Say that a slot without a run had one, whose history was removed; nothing when it had not."""
    last = hands.store.retired(slot)
    return f"it has run already, as {RunKey(slot, last)}, and its history is over" if last else ""


def pause_words(pipeline: PipelineName, hands: Hands, now: datetime) -> str:
    """Say by whom, why and until when a pipeline is paused; nothing when it is not."""
    pause = hands.controls.pause(pipeline)
    if pause is None or not pause.at <= now < pause.until:
        return ""
    return f"paused until {pause.until.isoformat()} by {pause.actor}: {pause.reason}"


def overlap(slot: Slot, spec: PipelineSpec, hands: Hands) -> Refused | None:
    """Return what an overlap policy has against a run of a slot now; None when nothing."""
    schedule = spec.schedule(slot.schedule)
    if schedule is None or schedule.overlap is OverlapPolicy.ALLOW:
        return None
    active = _active(spec.name, slot.schedule, hands)
    others = [run for run in active if run.key.slot != slot and run.opened_at <= hands.clock.now()]
    if not others:
        return None
    why = Refusal.QUEUED if schedule.overlap is OverlapPolicy.QUEUE else Refusal.OVERLAPS
    return Refused(why, f"{others[-1].key} has not ended, and the overlap policy is {schedule.overlap}")


def _active(pipeline: PipelineName, schedule: ScheduleName, hands: Hands) -> list[Run]:
    runs = hands.store.runs_of(pipeline, limit=_LOOKED_AT)
    return [run for run in runs if run.key.slot.schedule == schedule and run.in_the_way]


def waiting_runs(pipeline: PipelineName, hands: Hands) -> list[Run]:
    """Return a pipeline's runs that answers could move: those that wait, and those that are watched for drift."""
    return [run for run in hands.store.runs_of(pipeline, limit=_LOOKED_AT) if run.listens]


def slot_of(spec: PipelineSpec, slot: Slot) -> Slot:
    """Return a slot of a pipeline as its schedule names it: the pipeline's only schedule when it has no such one."""
    if spec.schedule(slot.schedule) is not None or len(spec.schedules) != 1:
        return slot
    return Slot(slot.pipeline, spec.schedules[0].name, slot.period)

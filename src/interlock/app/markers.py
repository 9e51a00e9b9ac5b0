"""Markers: somebody's word that something about a slot has arrived. It opens the slot, wakes its run, or comes late."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.app.advance import advance
from interlock.app.announcing import announce
from interlock.app.hands import Hands
from interlock.app.opening import Refused, open_slot, slot_of, waiting_runs
from interlock.app.reruns import Rerun, ask_rerun
from interlock.codec.documents import document
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.events import EvidenceArrived
from interlock.core.ids import PipelineName
from interlock.core.pipelines import LateAction, Mode, PipelineSpec
from interlock.core.runs import SUCCEEDED, Cause, Run
from interlock.core.schedules import in_own_zone, window_of
from interlock.ports.controls import Marker


class Arrival(enum.Enum):
    """What became of a marker. It is recorded whatever comes of it."""

    OPENED = "it opened the slot"
    WOKE = "the slot's run asks its traits again"
    RECORDED = "it is recorded; nothing is to be done about it now"
    LATE = "the slot had completed without it: this is late data"
    UNKNOWN = "it is recorded, and no pipeline of that name is defined"


class Arrived(Struct, frozen=True, kw_only=True):
    """What became of a marker, and why in words."""

    how: Arrival
    words: str = ""


def arrive(marker: Marker, hands: Hands) -> Arrived:
    """Take a marker. The same one twice does nothing more the second time."""
    spec = hands.catalog.spec(marker.slot.pipeline)
    slot = marker.slot if spec is None else in_own_zone(spec, slot_of(spec, marker.slot))
    known = Marker(slot=slot, source=marker.source, at=marker.at)
    hands.controls.put_marker(known)
    if spec is None:
        return Arrived(how=Arrival.UNKNOWN, words=f"no pipeline is named {marker.slot.pipeline!r}")
    run = hands.store.latest_run(slot)
    if run is None:
        return _opened(known, spec, hands)
    if run.listens:
        # What arrived before the traits were last asked was there to be seen.
        advance(run.key, EvidenceArrived(at=marker.at, source=f"marker: {marker.source}"), hands.store)
    if run.status in SUCCEEDED and _missed(run, marker.at):
        return _late(known, run, spec, hands)
    if run.listens:
        return Arrived(how=Arrival.WOKE, words=str(run.key))
    return Arrived(how=Arrival.RECORDED, words=f"{run.key} is {run.status}")


def nudge(pipeline: PipelineName, source: str, at: datetime, hands: Hands, *, day: str = "") -> int:
    """Tell a pipeline's waiting runs (of one day, if one is given) what is new since an instant; return how many."""
    found = [run for run in waiting_runs(pipeline, hands) if not day or run.key.slot.period[:10] == day]
    for run in found:
        advance(run.key, EvidenceArrived(at=at, source=source), hands.store)
    return len(found)


def _opened(marker: Marker, spec: PipelineSpec, hands: Hands) -> Arrived:
    schedule = spec.schedule(marker.slot.schedule)
    window = None if schedule is None else window_of(spec.name, schedule, marker.slot.period)
    if window is None:
        woken = nudge(spec.name, f"marker: {marker.source}", marker.at, hands, day=marker.slot.period[:10])
        how = Arrival.WOKE if woken else Arrival.RECORDED
        return Arrived(how=how, words=f"{spec.name} has no slot {marker.slot.schedule} {marker.slot.period}")
    if not spec.watch.enabled:
        return Arrived(how=Arrival.RECORDED, words=f"{spec.name} is not watched (watch.enabled is false)")
    result = open_slot(window, spec, hands, cause=Cause.MARKER, note=marker.source)
    if isinstance(result, Refused):
        return Arrived(how=Arrival.RECORDED, words=result.words)
    return Arrived(how=Arrival.OPENED, words=str(result.run.key))


def _missed(run: Run, arrived: datetime) -> bool:
    # What arrived before every trait was asked was there to be seen.
    evidence = run.permit.evidence if run.permit else run.results
    return any(result.observed_at < arrived for result in evidence)


def _late(marker: Marker, run: Run, spec: PipelineSpec, hands: Hands) -> Arrived:
    now = hands.clock.now()
    words = f"{marker.source} arrived for {marker.slot} after {run.key} had been let through without it"
    details = document({"source": marker.source})
    record = EventRecord(kind=EventKind.LATE_DATA_ARRIVAL, at=now, message=words, details=details)
    hands.store.note(marker.slot, now, f"late#{run.key.number}#{marker.source}#{marker.at.isoformat()}", (record,))
    done = run.succeeded_at
    action = spec.late_data.action
    if action is LateAction.IGNORE or done is None or marker.at > done + spec.late_data.window:
        return Arrived(how=Arrival.LATE, words=f"{words}; it is only recorded")
    if action is LateAction.RERUN:
        asked = ask_rerun(run.key, Cause.LATE_DATA, words, hands)
        words = f"{words}; {asked.words}"
        if asked.how is not Rerun.LATER:
            return Arrived(how=Arrival.LATE, words=words)
    # Nobody comes back to ask for the rerun again: where it cannot be opened now, people are told.
    pinned = hands.store.spec(run.spec_digest)
    announce(_alert(marker, run, spec, words, now), pinned, hands)
    told = "people were told" if pinned.mode is Mode.LIVE else "nobody is told, in shadow mode"
    return Arrived(how=Arrival.LATE, words=f"{words}; {told}")


def _alert(marker: Marker, run: Run, spec: PipelineSpec, words: str, now: datetime) -> Alert:
    slot = run.key.slot
    where = f"{slot.pipeline} --schedule {slot.schedule} --date {slot.period}"
    # A slot runs again when its run has ended, and a watch for drift may last for days.
    first = "" if run.ended else f'End its watch for drift with: interlock cancel {where} --reason "…". '
    again = f'{first}Run it again with: interlock rerun {where} --reason "…"'
    return Alert(
        alert_id=f"{AlertType.LATE_DATA}/{run.key.run_id}",
        alert_type=AlertType.LATE_DATA,
        level=AlertLevel.WARNING,
        at=now,
        message=f"{words}. {again}",
        slot=marker.slot,
        run_id=run.key.run_id,
        tier=spec.tier,
        owner=spec.owner,
    )

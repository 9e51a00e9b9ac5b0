"""Running a slot again because something asked for it, within the budget of its cause."""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct

from interlock.app.advance import advance
from interlock.app.announcing import would
from interlock.app.arrivals import Opening, open_again_on
from interlock.app.hands import Hands
from interlock.app.notifying import raise_alert
from interlock.app.opening import pause_words
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import EMPTY, Document
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.lifecycle import Terms
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.core.runs import Cause, Override, Run, RunStatus
from interlock.core.schedules import exclusion

BY_DATA: Final = (Cause.DRIFT, Cause.LATE_DATA)
BY_PEOPLE: Final = (Cause.RERUN, Cause.REPLAY)


class Rerun(enum.Enum):
    """What became of the wish to run a slot again."""

    OPENED = "it runs again"
    KNOWN = "it was run again already"
    REJECTED = "it is not run again"
    LATER = "it cannot be said yet"


class RerunAnswer(Struct, frozen=True, kw_only=True):
    """What became of the wish, why in words, and the new run where there is one."""

    how: Rerun
    words: str = ""
    run: Run | None = None


def ask_rerun(
    after: RunKey,
    cause: Cause,
    reason: str,
    hands: Hands,
    *,
    override: Override | None = None,
    details: Document = EMPTY,
) -> RerunAnswer:
    """Open the run that follows an ended one of the same slot, once, if the budget of its cause allows.

    An override goes past the budget. Asked twice for the same run, the second answer is KNOWN. Late data does not wait for
    the end of a watch for drift: it ends the watch. A run in shadow mode is run again by people only.
    """
    latest = hands.store.latest_run(after.slot)
    if latest is not None and latest.key.number > after.number:
        if latest.key.number == after.number + 1 and latest.cause is cause:
            _note_accepted(latest, hands)  # whoever opened it may have died before it said so
        return RerunAnswer(how=Rerun.KNOWN, words=str(latest.key), run=latest)
    watched = latest is not None and cause is Cause.LATE_DATA and latest.status is RunStatus.COMPLETED_MONITORING
    if latest is None or not (latest.ended or watched):
        return RerunAnswer(how=Rerun.LATER, words=f"{after} has not ended")
    if cause in BY_DATA and hands.store.spec(latest.spec_digest).mode is Mode.SHADOW:
        return _would_run(after, cause, reason, hands)
    spec = hands.catalog.spec(after.slot.pipeline)
    if spec is None:
        return _rejected(after, cause, f"{after.slot.pipeline} is no longer defined", hands)
    refused = "" if override is not None else _refused(after, cause, spec, hands)
    if refused:
        return _rejected(after, cause, refused, hands, spec)
    now = hands.clock.now()
    if cause in BY_DATA and pause_words(spec.name, hands, now):
        return RerunAnswer(how=Rerun.LATER, words=pause_words(spec.name, hands, now))
    if watched:
        advance(after, CancelAsked(at=now, actor=cause, reason=reason), hands.store)
    terms = Terms(cause=cause, note=reason, override=override, details=details)
    opened = open_again_on(terms, after.slot, spec, hands.store, now)
    if opened.how is not Opening.OPENED:
        return RerunAnswer(how=Rerun.KNOWN, words=str(opened.run.key), run=opened.run)
    _note_accepted(opened.run, hands)
    return RerunAnswer(how=Rerun.OPENED, words=f"it runs again as {opened.run.key}", run=opened.run)


def _would_run(after: RunKey, cause: Cause, reason: str, hands: Hands) -> RerunAnswer:
    would(after.slot, EventKind.WOULD_RERUN, f"{cause}: {reason}", f"rerun#{after.number}#{cause}", hands)
    return RerunAnswer(how=Rerun.REJECTED, words=f"{after} is in shadow mode: that it would run again is recorded")


def _note_accepted(run: Run, hands: Hands) -> None:
    message = f"{run.key} ({run.cause}): {run.note}"
    record = EventRecord(kind=EventKind.RERUN_ACCEPTED, at=run.opened_at, message=message)
    hands.store.note(run.key.slot, run.opened_at, f"rerun#{run.key.number}", (record,))


def _refused(after: RunKey, cause: Cause, spec: PipelineSpec, hands: Hands) -> str:
    if cause in BY_DATA:
        excluded = exclusion(spec.exclusions, after.slot.period)
        if excluded:
            return excluded
    causes, allowed = (BY_DATA, spec.reruns.drift) if cause in BY_DATA else (BY_PEOPLE, spec.reruns.manual)
    used = hands.store.count_runs(after.slot, causes)
    if used < allowed:
        return ""
    kind = "drift and late data" if cause in BY_DATA else "people"
    return f"the budget of reruns for {kind} is used up: {used} of {allowed}"


def _rejected(after: RunKey, cause: Cause, words: str, hands: Hands, spec: PipelineSpec | None = None) -> RerunAnswer:
    now = hands.clock.now()
    record = EventRecord(kind=EventKind.RERUN_REJECTED, at=now, message=f"{after} ({cause}): {words}")
    hands.store.note(after.slot, now, f"rerun-rejected#{after.number}#{cause}", (record,))
    if cause in BY_DATA:
        raise_alert(
            Alert(
                alert_id=f"{AlertType.RERUN_CAP_REACHED}/{after.run_id}",
                alert_type=AlertType.RERUN_CAP_REACHED,
                level=AlertLevel.WARNING,
                at=now,
                message=f"{after} should run again ({cause}), and does not: {words}",
                slot=after.slot,
                run_id=after.run_id,
                tier=spec.tier if spec else 0,
                owner=spec.owner if spec else "",
            ),
            hands,
            cause=f"{AlertType.TRAIT_DRIFT}/{after.run_id}" if cause is Cause.DRIFT else "",
        )
    return RerunAnswer(how=Rerun.REJECTED, words=words)

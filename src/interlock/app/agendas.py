"""Opening slots by the calendar: agendas that follow the files, expectations written down ahead, windows opened in time.

Everything here may be done twice, or cut short anywhere and done again: an expectation is settled once, a slot has one run,
and an agenda goes on by compare-and-swap as its last step.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.app.arrivals import Opening
from interlock.app.hands import Hands
from interlock.app.opening import Refusal, Refused, open_slot
from interlock.core.agenda import TICK, Plan, Skip, due_windows, expected
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import PipelineName, ScheduleName
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.runs import Cause, Run
from interlock.core.schedules import Window, exclusion
from interlock.core.settling import deadline_of
from interlock.errors import Contention
from interlock.ports.agendas import Agenda

TRIES: Final = 20
SCHEDULE_CHANGED: Final = "the schedule was changed"
RETIRED: Final = "the files no longer define it"
_REVOCABLE: Final = (SCHEDULE_CHANGED, RETIRED)

_EVENTS: Final = {
    ExpectationState.EXCLUDED: EventKind.PIPELINE_EXCLUDED,
    ExpectationState.SKIPPED: EventKind.SLOT_SKIPPED,
    ExpectationState.WAIVED: EventKind.EXPECTATION_SETTLED,
}


class Turn(NamedTuple):
    """What came of an agenda whose time had come.

    `opened` are the new runs, `refused` what was not opened and why in words. `unknown` says that the files define no such
    schedule just now, so that nothing could be decided.
    """

    opened: tuple[Run, ...] = ()
    refused: tuple[tuple[Window, str], ...] = ()
    unknown: bool = False


class Subject(NamedTuple):
    """A schedule of a pipeline, and the spec and digest by which it is planned."""

    spec: PipelineSpec
    schedule: ScheduleSpec
    digest: str


def open_due(pipeline: PipelineName, schedule: ScheduleName, hands: Hands) -> Turn:
    """Do what an agenda is due for: open windows, say why others are not, expect the next, and go on.

    Raises:
        Contention: somebody kept changing an expectation first; the agenda stays where it was.
    """
    agenda, now = hands.agendas.agenda(pipeline, schedule), hands.clock.now()
    if agenda is None or agenda.retired or agenda.next_at is None or now < agenda.next_at:
        return Turn()
    spec = hands.catalog.spec(pipeline)
    chosen = None if spec is None or not spec.watch.enabled else spec.schedule(schedule)
    if spec is None or chosen is None:
        return Turn(unknown=True)
    subject = Subject(spec, chosen, hands.store.put_spec(spec))
    plan = due_windows(chosen, pipeline, agenda.opened_to, now, queued=agenda.queued)
    if plan.next is not None:
        expect(plan.next, subject, hands)
    for skip in plan.skipped:
        _skip(skip, subject, hands)
    return _opened(agenda, plan, subject, hands)


def _opened(agenda: Agenda, plan: Plan, subject: Subject, hands: Hands) -> Turn:
    opened: list[Run] = []
    refused = [(skip.window, skip.reason) for skip in plan.skipped]
    after = replace(
        agenda,
        spec_digest=subject.digest,
        opened_to=plan.dealt_to,
        next_at=None if plan.next is None else plan.next.opens_at,
        queued=False,
        version=agenda.version + 1,
    )
    for window in plan.open:
        expect(window, subject, hands, since=agenda.opened_to)
        answer = open_slot(window, subject.spec, hands, cause=Cause.SCHEDULE)
        if not isinstance(answer, Refused):
            _not_skipped(window, subject, hands)
            opened += [answer.run] if answer.how is Opening.OPENED else []
            continue
        until = _waits_until(window, answer, subject, hands)
        if until is not None:
            queued = answer.why is Refusal.QUEUED
            after = replace(after, opened_to=window.opens_at - TICK, next_at=until, queued=queued)
            break
        state = ExpectationState.EXCLUDED if answer.why is Refusal.EXCLUDED else ExpectationState.SKIPPED
        _settle(window, subject, state, answer.words, hands)
        refused.append((window, answer.words))
    hands.agendas.put_agenda(after)  # False: somebody else has dealt with the same windows
    return Turn(opened=tuple(opened), refused=tuple(refused))


def _waits_until(window: Window, refused: Refused, subject: Subject, hands: Hands) -> datetime | None:
    """Return when a window that may not be opened now is asked about again; None when it never will be."""
    match refused.why:
        case Refusal.PAUSED:
            pause, now = hands.controls.pause(window.slot.pipeline), hands.clock.now()
            return now + TICK if pause is None else max(pause.until, now + TICK)
        case Refusal.QUEUED:
            return hands.clock.now() + _interval(subject)
        case Refusal.EARLY:  # the clock was set back between two looks at it
            return window.opens_at
        case _:
            return None


def _interval(subject: Subject) -> timedelta:
    return subject.schedule.interval or subject.spec.watch.interval


def _skip(skip: Skip, subject: Subject, hands: Hands) -> None:
    slot = skip.window.slot
    if hands.store.latest_run(slot) is not None:
        # A person or a marker opened it meanwhile: what comes of it is the watchdog's to say.
        expect(skip.window, subject, hands)
        return
    pause = hands.controls.pause(slot.pipeline)
    words = skip.reason
    if pause is not None and pause.at <= skip.window.opens_at < pause.until:
        words = f"{words}; the pipeline was paused by {pause.actor}: {pause.reason}"
    _settle(skip.window, subject, ExpectationState.SKIPPED, words, hands)
    if hands.store.latest_run(slot) is not None:
        # Another watcher opened it between the two.
        _not_skipped(skip.window, subject, hands)


# ---------------------------------------------------------------------- expectations


def expect(window: Window, subject: Subject, hands: Hands, *, since: datetime | None = None) -> None:
    """Write down what is expected of a window, by the spec as it is now; of an excluded one, that nothing is.

    What is settled stays so, unless it was settled because its schedule was not there, or its day excluded then. It is
    expected since now, unless `since` says otherwise, or it was expected by the same deadline before.

    Raises:
        Contention: somebody else kept changing it first.
    """
    excluded = exclusion(subject.spec.exclusions, window.slot.period)
    for _ in range(TRIES):
        known = hands.agendas.expectation(window.slot)
        if known is not None and (not _may_change(known, excluded) or _is_as(known, window, subject)):
            break
        fresh = _since(known, expected(subject.spec, window, subject.digest, hands.clock.now()), since)
        version = 1 if known is None else known.version + 1
        if excluded:
            break
        if hands.agendas.put_expectation(replace(fresh, version=version)):
            return
    else:
        raise _lost(window)
    if excluded:
        _settle(window, subject, ExpectationState.EXCLUDED, excluded, hands)


def _not_skipped(window: Window, subject: Subject, hands: Hands) -> None:
    """A slot that has a run after all is expected like any other, although a slower watcher has just called it skipped."""
    known = hands.agendas.expectation(window.slot)
    if known is not None and known.state is ExpectationState.SKIPPED:
        fresh = expected(subject.spec, window, subject.digest, hands.clock.now())
        # False: somebody settled it anew. The agenda has not gone on yet, and whoever comes next looks again.
        hands.agendas.put_expectation(replace(fresh, since=known.since, version=known.version + 1))


def _since(known: Expectation | None, fresh: Expectation, since: datetime | None) -> Expectation:
    if known is None:
        return fresh if since is None else replace(fresh, since=since)
    same = known.state is ExpectationState.EXPECTED and deadline_of(known) == deadline_of(fresh)
    return replace(fresh, since=known.since) if same else fresh


def _may_change(known: Expectation, excluded: str) -> bool:
    match known.state:
        case ExpectationState.EXPECTED:
            return not known.alerted
        case ExpectationState.WAIVED:
            return known.reason in _REVOCABLE
        case ExpectationState.EXCLUDED:
            return not excluded
        case _:
            return False


def _is_as(known: Expectation, window: Window, subject: Subject) -> bool:
    expected_now = known.state is ExpectationState.EXPECTED and known.spec_digest == subject.digest
    return expected_now and known.opens_at == window.opens_at


def _settle(window: Window, subject: Subject, state: ExpectationState, reason: str, hands: Hands) -> None:
    """Say once that nothing will come of a window, and why, in its expectation and in the timeline."""
    for _ in range(TRIES):
        known, now = hands.agendas.expectation(window.slot), hands.clock.now()
        if known is not None and known.state is not ExpectationState.EXPECTED:
            return
        base = known or replace(expected(subject.spec, window, subject.digest, now), version=0)
        if put_settled(base, state, reason, now, hands):
            return
    raise _lost(window)


def put_settled(base: Expectation, state: ExpectationState, reason: str, at: datetime, hands: Hands) -> bool:
    """Settle an expectation with a line in the timeline; False when somebody else changed it first."""
    settled = replace(base, state=state, reason=reason, check_at=None, settled_at=at, version=base.version + 1)
    record = EventRecord(kind=_EVENTS[state], at=at, status=state, message=f"{base.slot}: {reason}")
    return hands.agendas.put_expectation(settled, (record,))


def _lost(window: Window) -> Contention:
    return Contention(f"the expectation of {window.slot} could not be kept: others kept changing it first. Try again")

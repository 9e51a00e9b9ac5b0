"""Expectations at work: written down when those who should write them are gone, looked at when it is time, settled once."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from msgspec.structs import replace

from interlock.app.agendas import RETIRED, SCHEDULE_CHANGED, put_settled
from interlock.app.announcing import announce
from interlock.app.hands import Hands
from interlock.app.opening import open_slot, refusal, retired_words
from interlock.app.queries import done_at
from interlock.core.agenda import backwards, expected
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import Slot
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause
from interlock.core.schedules import Window, exclusion, window_of
from interlock.core.settling import Facts, Look, deadline_of, look, replanned, start_is_lost
from interlock.ports.agendas import Agenda

ABANDONED: Final = timedelta(minutes=5)
"""How long an agenda may be overdue before somebody else writes down what it should have."""

WRITTEN_AT_MOST: Final = 100
"""How many of its latest slots are written down for one agenda that was left alone."""

NOTE: Final = "nothing had begun although its window was open"


def write_down(agenda: Agenda, hands: Hands, now: datetime) -> int:
    """Write down what was to be expected of the windows that an abandoned agenda should have opened; return how many.

    They are written oldest first, so one that is there means that those before it are, too: being cut short anywhere, or
    done by several at once, leaves nothing out. Never before the agenda was there, and the latest windows only.
    """
    spec = hands.store.spec(agenda.spec_digest)
    schedule = spec.schedule(agenda.schedule)
    if schedule is None:
        return 0
    latest = islice(backwards(schedule, agenda.pipeline, agenda.opened_to, now), WRITTEN_AT_MOST)
    unknown = list(takewhile(lambda window: hands.agendas.expectation(window.slot) is None, latest))
    return sum(_written(window, spec, agenda, hands, now) for window in reversed(unknown))


def _written(window: Window, spec: PipelineSpec, agenda: Agenda, hands: Hands, now: datetime) -> bool:
    # It was to be expected since the agenda was there, and not since somebody came to write it down.
    fresh = replace(expected(spec, window, agenda.spec_digest, agenda.opened_to), version=1)
    excluded = exclusion(spec.exclusions, window.slot.period)
    if excluded:
        return put_settled(replace(fresh, version=0), ExpectationState.EXCLUDED, excluded, now, hands)
    return hands.agendas.put_expectation(fresh)


def attend(slot: Slot, hands: Hands, now: datetime, *, watched: bool) -> int:
    """Look at what is expected of a slot, if it is time; tell people and write down what it comes to.

    Returns how many things were found that are not as they should be. `watched` says that a watcher is at work: then a
    start that was lost is made up for.
    """
    expectation = hands.agendas.expectation(slot)
    if expectation is None or expectation.check_at is None or now < expectation.check_at:
        return 0  # somebody else has looked at it meanwhile
    agenda = hands.agendas.agenda(slot.pipeline, slot.schedule)
    run = hands.store.latest_run(slot)
    current, gone = (expectation, "") if run is not None else _as_planned(expectation, agenda, hands, now)
    spec = hands.store.spec(current.spec_digest)
    facts = Facts(
        spec=spec,
        run=run,
        done_at=done_at(run, hands.store),
        gone=gone,
        dealt_with=agenda is not None and current.opens_at <= agenda.opened_to,
        paused="" if run is not None else _paused(current, hands),
    )
    window = _window(current, spec)
    if watched and window is not None and start_is_lost(current, facts, now):
        facts = replace(facts, free=refusal(window, spec, hands, now) is None)
    seen = look(current, facts, now)
    if seen.open and window is not None:
        open_slot(window, spec, hands, cause=Cause.WATCHDOG, note=NOTE)
        run = hands.store.latest_run(slot)
        seen = look(current, replace(facts, run=run, done_at=done_at(run, hands.store), free=False), now)
    return _kept(seen, spec, hands)


def _as_planned(
    expectation: Expectation, agenda: Agenda | None, hands: Hands, now: datetime
) -> tuple[Expectation, str]:
    """Return what is expected of a slot without a run by the plan of now, and why nothing is any more.

    Once there is a run, its deadlines are those of its opening, whatever the files say later.
    """
    retired = retired_words(expectation.slot, hands)
    if retired:
        return expectation, retired
    if agenda is None:
        return expectation, ""
    if agenda.retired:
        return expectation, RETIRED
    planned = replanned(expectation, hands.store.spec(agenda.spec_digest), agenda.spec_digest, now)
    return (expectation, SCHEDULE_CHANGED) if planned is None else (planned, "")


def _paused(expectation: Expectation, hands: Hands) -> str:
    """Say by whom, why and how long the pipeline was paused when its slot was due; nothing when it was not."""
    pause, due = hands.controls.pause(expectation.slot.pipeline), deadline_of(expectation)
    if pause is None or not pause.at <= due < pause.until:
        return ""
    return f"paused until {pause.until.isoformat()} by {pause.actor}: {pause.reason}"


def _window(expectation: Expectation, spec: PipelineSpec) -> Window | None:
    schedule = spec.schedule(expectation.slot.schedule)
    return None if schedule is None else window_of(spec.name, schedule, expectation.slot.period)


def _kept(seen: Look, spec: PipelineSpec, hands: Hands) -> int:
    # People first: cut short after that it is done again, and the same fact is told under the same name.
    for alert in seen.alerts:
        announce(alert, spec, hands)
    hands.agendas.put_expectation(seen.after, seen.records)  # False: somebody else found the same
    return len(seen.alerts)

"""Bringing the agendas in line with the files: what is new, what changed, what is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.app.agendas import RETIRED, SCHEDULE_CHANGED, Subject, expect, put_settled
from interlock.app.hands import Hands
from interlock.app.pausing import hold_undefined, release_defined
from interlock.core.agenda import FUTURE, begins_at
from interlock.core.expectations import ExpectationState
from interlock.core.ids import PipelineName
from interlock.core.openings import opens_once_a_day
from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.schedules import Window, next_window, window_of, windows
from interlock.errors import Contention, InterlockError, NotFound
from interlock.ports.agendas import Agenda

TRIES: Final = 20
_PAGE: Final = 500
_AT_ONCE: Final = 256

Specs = Mapping[PipelineName, PipelineSpec]


class Planned(NamedTuple):
    """Which pipelines are judged by another spec than before, and which could not be planned, with the reason."""

    changed: tuple[PipelineName, ...] = ()
    troubles: tuple[tuple[PipelineName, str], ...] = ()


def plan(
    specs: Specs,
    hands: Hands,
    *,
    known: Specs | None = None,
    again: Collection[PipelineName] = (),
    unreadable: Collection[PipelineName] = (),
) -> Planned:
    """Give every schedule an agenda, plan changed ones anew, and retire those that the files no longer have.

    `known` are the specs that were planned before: only what differs from them, and what is to be planned `again`, is
    looked at. Without them everything that is stored is. What is `unreadable` just now is left as it is. One pipeline that
    cannot be planned keeps no other from it.
    """
    names = sorted({*_to_look_at(specs, hands, known), *again} - set(unreadable))
    changed: list[PipelineName] = []
    troubles: list[tuple[PipelineName, str]] = []
    for start in range(0, len(names), _AT_ONCE):
        batch = names[start : start + _AT_ONCE]
        answers = hands.together([partial(_planned, name, specs.get(name), hands) for name in batch])
        for name, answer in zip(batch, answers, strict=True):
            if isinstance(answer, InterlockError):
                troubles.append((name, str(answer)))
            elif answer or (known is not None and name in known and name in specs):
                changed.append(name)
    return Planned(tuple(changed), tuple(troubles))


def _to_look_at(specs: Specs, hands: Hands, known: Specs | None) -> list[PipelineName]:
    if known is not None:
        return [name for name in {*specs, *known} if specs.get(name) != known.get(name)]
    return [*specs, *planned_names(hands)]


def planned_names(hands: Hands) -> Iterator[PipelineName]:
    """Give the names of all pipelines that are planned, whatever the files say of them."""
    after = None
    while True:
        page = hands.agendas.planned(limit=_PAGE, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def _planned(name: PipelineName, spec: PipelineSpec | None, hands: Hands) -> bool | InterlockError:
    try:
        return plan_pipeline(name, spec, hands)
    except InterlockError as exc:
        return exc


def plan_pipeline(name: PipelineName, spec: PipelineSpec | None, hands: Hands) -> bool:
    """Plan one pipeline; say whether it was planned by another spec before. None: the files no longer define it.

    Raises:
        Contention: somebody kept changing one of its agendas first.
    """
    there = {agenda.schedule: agenda for agenda in hands.agendas.agendas_of(name)}
    # Before the agendas, so that whatever is cut short is done again. One that opens nothing by itself has none to show it.
    if spec is None:
        hold_undefined(name, hands)
    elif not spec.watch.enabled or any(agenda.retired for agenda in there.values()):
        release_defined(name, hands)
    changed = False
    if spec is not None and spec.watch.enabled:
        digest = hands.store.put_spec(spec)
        for schedule in spec.schedules:
            agenda = there.pop(schedule.name, None)
            changed = _follow(Subject(spec, schedule, digest), agenda, hands) or changed
    for agenda in there.values():
        _retire(agenda, hands)
    if spec is None:
        hold_undefined(name, hands)  # what was opened meanwhile, too
    return changed


def _follow(subject: Subject, agenda: Agenda | None, hands: Hands) -> bool:
    """Let an agenda follow its schedule; say whether it followed another spec before."""
    name, schedule = subject.spec.name, subject.schedule.name
    for _ in range(TRIES):
        active = agenda is not None and not agenda.retired
        if agenda is not None and active and _is_up_to_date(agenda, subject.digest, hands.clock.now()):
            return False
        if hands.agendas.put_agenda(_planned_anew(subject, agenda, hands)):
            return agenda is not None and active and agenda.spec_digest != subject.digest
        agenda = hands.agendas.agenda(name, schedule)
    raise _lost(name, schedule)


def _is_up_to_date(agenda: Agenda, digest: str, now: datetime) -> bool:
    return agenda.spec_digest == digest and agenda.opened_to <= now + FUTURE


def _planned_anew(subject: Subject, agenda: Agenda | None, hands: Hands) -> Agenda:
    name, schedule, now = subject.spec.name, subject.schedule, hands.clock.now()
    old = None if agenda is None or agenda.retired else _old_schedule(agenda, hands)
    opened_to = _opened_to(subject, agenda, old, now)
    if agenda is not None and old is not None and old != schedule:
        _forsake(agenda, old, hands, SCHEDULE_CHANGED, now=schedule)
    # Before the agenda, so that whatever is cut short is done again.
    following = next_window(name, schedule, opened_to)
    ahead = {window.slot: window for window in (following, next_window(name, schedule, max(now, opened_to))) if window}
    for window in ahead.values():
        expect(window, subject, hands)
    same = agenda is not None and old == schedule
    return Agenda(
        pipeline=name,
        schedule=schedule.name,
        spec_digest=subject.digest,
        opened_to=opened_to,
        next_at=None if following is None else following.opens_at,
        queued=agenda.queued if agenda is not None and same else False,
        version=1 if agenda is None else agenda.version + 1,
    )


def _opened_to(subject: Subject, agenda: Agenda | None, old: ScheduleSpec | None, now: datetime) -> datetime:
    begins = begins_at(subject.schedule, subject.spec.name, now)
    if agenda is None or old is None or agenda.opened_to > now + FUTURE:
        return begins
    if old == subject.schedule:
        return agenda.opened_to
    # Slots that go by the same names stay dealt with, or missed, as they are; of others there are none before now.
    return min(begins, agenda.opened_to) if _same_names(old, subject.schedule) else begins


def _same_names(old: ScheduleSpec, new: ScheduleSpec) -> bool:
    return opens_once_a_day(old) and opens_once_a_day(new) and old.timezone == new.timezone


def _retire(agenda: Agenda, hands: Hands) -> None:
    now: Agenda | None = agenda
    for _ in range(TRIES):
        if now is None or now.retired:
            return
        old = _old_schedule(now, hands)
        if old is not None:
            _forsake(now, old, hands, RETIRED)
        if hands.agendas.put_agenda(replace(now, retired=True, next_at=None, queued=False, version=now.version + 1)):
            return
        now = hands.agendas.agenda(agenda.pipeline, agenda.schedule)
    raise _lost(agenda.pipeline, agenda.schedule)


def _forsake(agenda: Agenda, old: ScheduleSpec, hands: Hands, reason: str, *, now: ScheduleSpec | None = None) -> None:
    """Settle what was expected of windows that no longer exist; one with a run is left to what comes of that."""
    for window in _expected_of(agenda, old, hands.clock.now()):
        if now is not None and window_of(agenda.pipeline, now, window.slot.period) is not None:
            continue
        known = hands.agendas.expectation(window.slot)
        if known is None or known.state is not ExpectationState.EXPECTED:
            continue
        if hands.store.latest_run(window.slot) is None:
            # False: somebody is at work on it, and will look at the files as they are now.
            put_settled(known, ExpectationState.WAIVED, reason, hands.clock.now(), hands)


def _expected_of(agenda: Agenda, old: ScheduleSpec, now: datetime) -> list[Window]:
    """Return the windows of an agenda that may be expected and are not dealt with: those that wait, and the next."""
    waiting = windows(agenda.pipeline, old, agenda.opened_to, now, old.max_catch_up + 1)
    ahead = next_window(agenda.pipeline, old, max(now, agenda.opened_to))
    return [*waiting, *((ahead,) if ahead is not None else ())]


def _old_schedule(agenda: Agenda, hands: Hands) -> ScheduleSpec | None:
    try:
        return hands.store.spec(agenda.spec_digest).schedule(agenda.schedule)
    except NotFound:  # it was planned by a spec that was never kept: nothing was expected by it
        return None


def _lost(pipeline: str, schedule: str) -> Contention:
    return Contention(
        f"the agenda of {pipeline}, schedule {schedule}, could not be kept: others kept changing it first"
    )

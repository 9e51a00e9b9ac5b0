"""Read models of what is expected and who is at work. Nothing here writes, and nothing is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Protocol

from interlock.app.queries import done_at
from interlock.app.slot_views import StatusView
from interlock.app.views import View
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.settling import Facts, deadline_of, verdict_of
from interlock.errors import NotFound
from interlock.ports.agendas import Agendas
from interlock.ports.members import Member, Members
from interlock.ports.stores import Runs, Specs

WATCHER: Final = "watcher"
WATCHDOG: Final = "watchdog"
LOOKED_AT: Final = 20_000
"""How far back into the past is searched at once for what was asked for."""

_PAGE: Final = 500
_WRONG: Final = (ExpectationState.MISSED, ExpectationState.LATE, ExpectationState.FAILED)


class ExpectationView(View, frozen=True, kw_only=True, rename="camel"):
    """What was expected of a slot, and what came of it.

    `overdue` says that its deadline has passed and nothing of it had begun, while that may still change.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    opens_at: datetime
    evaluate_by: datetime | None
    complete_by: datetime | None
    closes_at: datetime
    state: str
    reason: str
    overdue: bool
    run_id: str | None
    settled_at: datetime | None


class ExpectationList(View, frozen=True, kw_only=True, rename="camel"):
    """Some expectations, latest opening first. `next` leads to earlier ones; null when there are no more."""

    items: tuple[ExpectationView, ...]
    next: str | None


class MemberView(View, frozen=True, kw_only=True, rename="camel"):
    """A watcher or a watchdog. `alive` is whether its lease holds; `progressAt` is when it last finished a whole turn."""

    role: str
    name: str
    alive: bool
    joined_at: datetime
    progress_at: datetime | None
    note: str


class StatusList(View, frozen=True, kw_only=True, rename="camel"):
    """Pipelines of the project, by name; and the watchers and watchdogs that are at work, or were last.

    `next` leads to the pipelines after these; null when there are no more.
    """

    items: tuple[StatusView, ...]
    members: tuple[MemberView, ...]
    next: str | None


class Kept(Runs, Specs, Protocol):
    """Runs, and the specs that they and expectations are pinned to."""


def attendance(members: Members, at: datetime) -> tuple[MemberView, ...]:
    """Return who is at work, or was last: watchers and watchdogs."""
    return tuple(_member(each, at) for role in (WATCHER, WATCHDOG) for each in members.members(role))


def _member(member: Member, at: datetime) -> MemberView:
    return MemberView(
        role=member.role,
        name=member.name,
        alive=at < member.until,
        joined_at=member.joined_at,
        progress_at=member.progress_at,
        note=member.note,
    )


def expectation_list(
    agendas: Agendas,
    kept: Kept,
    at: datetime,
    *,
    limit: int,
    pipeline: str | None = None,
    before: str | None = None,
    wanted: Callable[[ExpectationView], bool] = lambda _view: True,
) -> ExpectationList:
    """Return the latest expectations that are wanted, as they stand now: what is not settled yet by what is known.

    `before` is the `next` of the page before.

    Raises:
        ValueError: `before` is no slot.
        NotFound: nothing was ever expected of the slot `before`.
    """
    found: list[ExpectationView] = []
    looked_at, last = 0, None
    for expectation in _latest(agendas, pipeline, before):
        if len(found) == limit or looked_at == LOOKED_AT:
            return ExpectationList(items=tuple(found), next=last)
        view = _view(expectation, kept, at)
        if wanted(view):
            found.append(view)
        looked_at, last = looked_at + 1, str(expectation.slot)
    return ExpectationList(items=tuple(found), next=None)


def is_wrong(view: ExpectationView) -> bool:
    """Say whether a slot was not what was expected: missed, late or failed, or nothing had begun in time."""
    return view.overdue or view.state in _WRONG


def _latest(agendas: Agendas, pipeline: str | None, before: str | None) -> Iterator[Expectation]:
    while page := agendas.expectations(limit=_PAGE, pipeline=pipeline, before=before):
        yield from page
        if len(page) < _PAGE:
            return
        before = str(page[-1].slot)


def _view(expectation: Expectation, kept: Kept, at: datetime) -> ExpectationView:
    slot = expectation.slot
    state, reason, run_id = expectation.state, expectation.reason, str(expectation.run_id)
    overdue = False
    if state is ExpectationState.EXPECTED:
        run = kept.latest_run(slot)
        try:
            # Whether somebody still means to open it is not known here: only what a run says is told before its time.
            facts = Facts(
                spec=kept.spec(expectation.spec_digest), run=run, done_at=done_at(run, kept), dealt_with=False
            )
            verdict = verdict_of(expectation, facts, at)
        except NotFound:
            verdict = None
        run_id = "" if run is None else run.key.run_id
        overdue = verdict is None and run is None and at >= deadline_of(expectation)
        state, reason = verdict or (state, "nothing had begun by its deadline" if overdue else "")
    return ExpectationView(
        pipeline_id=slot.pipeline,
        schedule_id=slot.schedule,
        date=slot.period,
        opens_at=expectation.opens_at,
        evaluate_by=expectation.evaluate_by,
        complete_by=expectation.complete_by,
        closes_at=expectation.closes_at,
        state=state,
        reason=reason,
        overdue=overdue,
        run_id=run_id or None,
        settled_at=expectation.settled_at,
    )

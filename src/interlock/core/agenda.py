"""What an agenda does with its windows: which open now, which are skipped and why, and which comes next.

The work is bounded by how much is opened, never by how long nobody was there: after a year without a watcher, a schedule of
every minute has half a million windows behind it, and only the newest of them are ever looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple, assert_never

from interlock.core.expectations import Expectation
from interlock.core.ids import PipelineName
from interlock.core.openings import opening_before
from interlock.core.pipelines import MissedPolicy, PipelineSpec, ScheduleSpec
from interlock.core.schedules import Window, current_window, limits, next_window, window_of

PUNCTUAL: Final = timedelta(minutes=5)
"""How long after its opening a window still counts as one that somebody was there for."""

NAMED: Final = 30
"""How many skipped windows are told one by one; those before them are told together."""

FUTURE: Final = timedelta(days=1)
"""How far ahead a stamp may lie before it is taken for a mistake of some clock."""

BEGUN_BY: Final = timedelta(minutes=2)
"""How long after its opening a slot that nothing speaks against should have a run."""

TICK: Final = timedelta(microseconds=1)


class Skip(NamedTuple):
    """A window that will not be opened, and why not. With `since`, all windows from that one on are meant."""

    window: Window
    reason: str
    since: Window | None = None


class Plan(NamedTuple):
    """What is due: windows to open, oldest first; windows to skip, oldest first; and the one that opens next.

    When all of that is done, every window that opened at or before `dealt_to` has been dealt with.
    """

    open: tuple[Window, ...]
    skipped: tuple[Skip, ...]
    next: Window | None
    dealt_to: datetime


def due_windows(
    schedule: ScheduleSpec, pipeline: PipelineName, opened_to: datetime, now: datetime, *, queued: bool = False
) -> Plan:
    """Decide about every window that opened after `opened_to` and not after `now`, by the missed policy.

    A clock that was set back opens nothing twice. A stamp from further ahead than any clock should err is not believed:
    windows are then counted from now. `queued` says that the windows were not missed but wait for an earlier run: then all
    of them are to be opened, as many as may be made up for.
    """
    if opened_to > now + FUTURE:
        opened_to = now
    following = next_window(pipeline, schedule, max(now, opened_to))
    latest = list(islice(backwards(schedule, pipeline, opened_to, now), _wanted(schedule, queued=queued) + NAMED + 1))
    chosen, reason = _chosen(schedule, latest, now, queued=queued)
    rest = latest[len(chosen) :]
    skipped = [Skip(window, reason) for window in rest[:NAMED]]
    if len(rest) > NAMED:
        skipped.append(_together(schedule, pipeline, opened_to, rest[NAMED], reason))
    dealt_to = latest[0].opens_at if latest else opened_to
    return Plan(tuple(reversed(chosen)), tuple(reversed(skipped)), following, dealt_to)


def _together(schedule: ScheduleSpec, pipeline: PipelineName, opened_to: datetime, last: Window, reason: str) -> Skip:
    first = next_window(pipeline, schedule, opened_to)
    if first is None or first.slot == last.slot:
        return Skip(last, reason)
    words = f"{reason}; this is said once for every slot from {first.slot.period} to {last.slot.period}"
    return Skip(last, words, first)


def backwards(schedule: ScheduleSpec, pipeline: PipelineName, opened_to: datetime, now: datetime) -> Iterator[Window]:
    """Yield the windows that opened after one instant and not after another, latest first and lazily."""
    found = opening_before(schedule, now)
    while found is not None and found.at > opened_to:
        window = window_of(pipeline, schedule, found.period)
        yield from () if window is None else (window,)
        found = opening_before(schedule, found.at - TICK)


def _wanted(schedule: ScheduleSpec, *, queued: bool) -> int:
    return max(1, schedule.max_catch_up) if queued or schedule.missed is MissedPolicy.ALL else 1


def _chosen(schedule: ScheduleSpec, latest: list[Window], now: datetime, *, queued: bool) -> tuple[list[Window], str]:
    count = _wanted(schedule, queued=queued)
    if queued:
        return latest[:count], f"more than {count} slots wait for an earlier run to end (maxCatchUp)"
    missed = "it opened while nobody was there to open it"
    match schedule.missed:
        case MissedPolicy.LATEST:
            return latest[:count], f"{missed}, and the missed-slot policy is latest"
        case MissedPolicy.ALL:
            return latest[:count], f"{missed}, and at most {count} slots are made up for (maxCatchUp)"
        case MissedPolicy.SKIP:
            punctual = [window for window in latest[:count] if now - window.opens_at <= PUNCTUAL]
            return punctual, f"{missed}, and the missed-slot policy is skip"
        case _:
            assert_never(schedule.missed)


def begins_at(schedule: ScheduleSpec, pipeline: PipelineName, now: datetime) -> datetime:
    """Return up to when everything counts as dealt with where an agenda begins: a window that is open now still opens.

    With the policy `skip` it begins now.
    """
    if schedule.missed is MissedPolicy.SKIP:
        return now
    try:
        return min(current_window(pipeline, schedule, now).opens_at - TICK, now)
    except ValueError:  # a schedule that never opens
        return now


def expected(spec: PipelineSpec, window: Window, digest: str, at: datetime) -> Expectation:
    """Return what is expected of a window that opens at `at` (or later, when it is still to come).

    It is first looked at soon after its opening, so that a start that was lost is noticed before its deadline.
    """
    fixed = limits(spec, window, max(at, window.opens_at))
    first_said = fixed.evaluation_due or fixed.completion_due or fixed.closes_at
    return Expectation(
        slot=window.slot,
        spec_digest=digest,
        opens_at=window.opens_at,
        closes_at=fixed.closes_at,
        evaluate_by=fixed.evaluation_due,
        complete_by=fixed.completion_due,
        check_at=min(window.opens_at + BEGUN_BY, first_said),
        since=at,
    )

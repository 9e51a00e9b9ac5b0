"""Expectations over whole histories: one end each, whoever looks and whenever."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.slots import (
    CLOSES,
    COMPLETE,
    EVALUATE,
    HOUR,
    STATE,
    an_expectation,
    cancelled,
    facts,
    failed,
    given_up,
    judged,
    succeeded,
)

from interlock.core.alerts import AlertType
from interlock.core.ids import RunId, RunKey
from interlock.core.runs import Run, RunStatus
from interlock.core.settling import (
    Facts,
    look,
)
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run, a_slot


class Story(NamedTuple):
    """One run of a history: when it opens, for how long it goes, and how it ends."""

    after: int
    length: int
    end: str


ENDS = {"succeeded": succeeded, "failed": failed, "given up": given_up, "cancelled": cancelled}
STORIES = st.lists(
    st.builds(Story, st.integers(0, 400), st.integers(0, 300), st.sampled_from([*ENDS, "never"])), max_size=4
)


def runs_of(stories: list[Story]) -> list[tuple[datetime, datetime | None, Run]]:
    """Return when each run opens and ends, and what it is then: each begins after the one before it ended."""
    at, found = NOON, list[tuple[datetime, datetime | None, Run]]()
    for number, story in enumerate(stories, start=1):
        opened = at + story.after * MINUTE
        key = RunKey(a_slot(), number)
        if story.end == "never":
            return [*found, (opened, None, judged(a_run(key=key)))]
        at = opened + story.length * MINUTE
        found.append((opened, at, ENDS[story.end](at, key=key)))
    return found


def facts_at(history: list[tuple[datetime, datetime | None, Run]], now: datetime) -> Facts:
    known = [
        run if ended is not None and ended <= now else judged(a_run(key=run.key))
        for opened, ended, run in history
        if opened <= now
    ]
    done = min((run.succeeded_at for run in known if run.succeeded_at), default=None)
    return facts(known[-1] if known else None, done_at=done)


def oracle(history: list[tuple[datetime, datetime | None, Run]], due: datetime | None, now: datetime) -> STATE:
    """Say in plain words how an expectation stands at an instant, given that it is settled then."""
    over = [(ended, run) for _, ended, run in history if ended is not None and ended <= now]
    good = [ended for ended, run in over if run.status is RunStatus.COMPLETED]
    if good:
        return STATE.MET if due is None or good[0] <= due else STATE.LATE
    if not over:
        return STATE.MISSED
    last = over[-1][1]
    if last.status is RunStatus.FAILED:
        return STATE.FAILED
    return STATE.MISSED if last.closes_at else STATE.WAIVED


@given(
    STORIES,
    st.sampled_from([None, EVALUATE]),
    st.sampled_from([None, COMPLETE, CLOSES + HOUR]),
    st.lists(st.integers(0, 600), min_size=1, max_size=5),
)
def test_every_expectation_ends_once_in_the_one_state_that_its_history_says(
    stories: list[Story], evaluate_by: datetime | None, complete_by: datetime | None, delays: list[int]
) -> None:
    """T-39, LAT-45: however late it is looked at."""
    history = runs_of(stories)
    expectation = an_expectation(evaluate_by=evaluate_by, complete_by=complete_by)
    now, alerts, settled, looks = NOON, 0, list[STATE](), 0
    while expectation.check_at is not None and looks < 300:
        now = max(now, expectation.check_at) + delays[looks % len(delays)] * SECOND
        seen = look(expectation, facts_at(history, now), now)
        assert seen.after.version == expectation.version + 1
        assert seen.after.check_at is None or seen.after.check_at > now
        alerts += sum(alert.alert_type is AlertType.SCHEDULE_MISSED for alert in seen.alerts)
        expectation, looks = seen.after, looks + 1
        if expectation.state is not STATE.EXPECTED:
            settled.append(expectation.state)
    assert alerts <= 1
    if settled:
        assert settled == [oracle(history, complete_by, now)]
        assert settled[0] is STATE.MET or complete_by is None or now >= complete_by or settled[0] is STATE.LATE
    else:
        assert history[-1][1] is None


def test_an_expectation_knows_the_latest_run_it_saw() -> None:
    seen = look(an_expectation(), facts(judged(a_run(key=RunKey(a_slot(), 2)))), NOON + HOUR)
    assert seen.after.run_id == RunId("example:daily:2026-03-07:2")

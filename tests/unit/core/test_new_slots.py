"""Deadlines of slots that somebody began to expect late, that were told as missed already, or that lie beyond their window."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.states import DUE, HARD, HOUR, SOFT, SPEC, limits

from interlock.core.alerts import AlertType
from interlock.core.commands import RaiseAlert
from interlock.core.constraints import violations
from interlock.core.decision import Decision
from interlock.core.events import Woke
from interlock.core.ids import PipelineName
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.periods import Period
from interlock.core.pipelines import Deadline, PipelineSpec, ScheduleSpec, SlaSpec
from interlock.core.runs import Cause, SlaState
from interlock.core.schedules import Limits, window_of
from interlock.core.schedules import limits as limits_of
from interlock.core.settling import missed_id
from interlock.testing.builders import DIGEST, MINUTE, NOON, SECOND, a_key, a_slot, a_spec

ARMED, MET, BREACHED, WAIVED = SlaState
LATE = DUE + 90 * MINUTE
"""When the evaluation deadline is over, and the completion deadline by half an hour."""


def _opened(since: datetime | None, at: datetime = LATE, terms: Limits = SOFT) -> Decision:
    decision = opened(a_key(), SPEC, DIGEST, at, Terms(cause=Cause.SCHEDULE, limits=terms, since=since))
    assert violations(None, None, decision, SPEC) == ()
    return decision


def _states(decision: Decision) -> tuple[SlaState | None, SlaState | None]:
    evaluation, completion = decision.run.evaluation_sla, decision.run.completion_sla
    return (None if evaluation is None else evaluation.state, None if completion is None else completion.state)


def _alerts(decision: Decision) -> list[RaiseAlert]:
    return [wish for wish in decision.commands if isinstance(wish, RaiseAlert)]


@pytest.mark.parametrize(
    ("since", "states", "told"),
    [
        (None, (BREACHED, BREACHED), 1),
        (NOON, (BREACHED, BREACHED), 1),
        (DUE, (BREACHED, BREACHED), 1),
        (DUE + SECOND, (WAIVED, BREACHED), 1),
        (LATE, (WAIVED, WAIVED), 0),
    ],
)
def test_a_deadline_that_was_over_before_anybody_expected_the_slot_is_nobodys_fault(
    since: datetime | None, states: tuple[SlaState, SlaState], told: int
) -> None:
    """BUG-36, BUG-94, T-39."""
    decision = _opened(since)
    assert _states(decision) == states
    assert len(_alerts(decision)) == told


def test_what_is_still_to_come_counts_whenever_the_slot_was_first_expected() -> None:
    """BUG-36."""
    assert _states(_opened(NOON + MINUTE, NOON + MINUTE, HARD)) == (ARMED, ARMED)


def test_a_slot_without_deadlines_has_none_that_could_be_waived() -> None:
    assert _states(_opened(LATE, terms=limits(evaluation_due=None, completion_due=None))) == (None, None)


@pytest.mark.parametrize("terms", [SOFT, limits(evaluation_due=None)])
def test_a_breach_that_was_there_when_the_run_opened_is_told_with_the_missed_schedule(terms: Limits) -> None:
    """BUG-48: whoever noticed first that nothing had begun has told it."""
    (wish,) = _alerts(_opened(NOON, DUE + 2 * HOUR, terms))
    assert wish.cause == missed_id(a_slot())


def test_a_breach_of_a_run_that_was_opened_in_time_is_told_on_its_own() -> None:
    """BUG-48."""
    run = _opened(NOON, NOON).run
    (wish,) = _alerts(decide(run, Woke(at=DUE), SPEC))
    assert (wish.alert.alert_type, wish.cause) == (AlertType.EVALUATION_SLA_BREACH, "")


# ---------------------------------------------------------------- beyond the window


def _limits_of(schedule: ScheduleSpec, sla: SlaSpec) -> Limits:
    spec: PipelineSpec = a_spec(schedules=(schedule,), sla=sla)
    window = window_of(PipelineName("example"), schedule, Period.parse("2026-03-07"))
    assert window is not None
    return limits_of(spec, window, window.opens_at)


EVENING = ScheduleSpec(after=time(18))
MIDNIGHT = NOON + 12 * HOUR


@pytest.mark.parametrize(
    ("sla", "closes"),
    [
        (SlaSpec(), MIDNIGHT),
        (SlaSpec(evaluation=Deadline(wall=time(23))), MIDNIGHT),
        (SlaSpec(evaluation=Deadline(wall=time(2))), MIDNIGHT + 2 * HOUR),
        (SlaSpec(completion=Deadline(span=9 * HOUR)), MIDNIGHT + 3 * HOUR),
        (SlaSpec(evaluation=Deadline(wall=time(2)), completion=Deadline(span=9 * HOUR)), MIDNIGHT + 3 * HOUR),
    ],
)
def test_a_slot_is_not_given_up_before_it_is_due(sla: SlaSpec, closes: datetime) -> None:
    """BUG-89, BUG-158."""
    fixed = _limits_of(EVENING, sla)
    assert (fixed.closes_at, fixed.hard) == (closes, False)
    assert fixed.closes_because == ("the end of its window" if closes == MIDNIGHT else "its deadline")


@pytest.mark.parametrize("how", [{"window": HOUR}, {"close_at": Deadline(span=HOUR)}])
def test_what_somebody_said_about_giving_up_goes_before_what_is_due(how: dict[str, timedelta | Deadline]) -> None:
    fixed = _limits_of(replace(EVENING, **how), SlaSpec(evaluation=Deadline(span=5 * HOUR)))
    assert (fixed.closes_at, fixed.hard) == (NOON + 7 * HOUR, True)
